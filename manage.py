#!/usr/bin/env python
"""Django's command line for numbersadmin."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numbersadmin.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, InterfaceError

    try:
        execute_from_command_line(sys.argv)
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as error:
        line = what_to_do(error)
        if not line:
            raise
        sys.exit(line)


def what_to_do(error: Exception) -> str:
    """One line for the operator when the database cannot be used; empty when the fault is another."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError, InterfaceError, connection

    try:
        connection.ensure_connection()
        tables = connection.introspection.table_names()
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as refusal:
        why = str(refusal).strip().splitlines()[0]
        example = "postgres://user:password@host:5432/numbersadmin"
        return f"DATABASE_URL: the database cannot be used ({why}). Example: DATABASE_URL={example}"
    if isinstance(error, DatabaseError) and "accounts_user" not in tables:
        return "The database has no tables yet. Start ./run once, or make them with ./run migrate, then try again."
    return ""


if __name__ == "__main__":
    main()
