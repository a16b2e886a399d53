"""Tables whose rows are never changed or removed: database triggers for SQLite and PostgreSQL."""

from typing import Any

from django.db import migrations

# table -> column that may be set to NULL once (an address is personal data); None where nothing may change
TABLES: dict[str, str | None] = {
    "audit_auditevent": "ip",
    "audit_seal": None,
    "orders_decision": None,
    "policies_budget": None,
    "attestation_decision": None,
    "costs_ledgerline": None,
    "costs_monthclose": None,
    "costs_waiver": None,
}

_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION numbersadmin_append_only() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 AND to_jsonb(NEW) ->> TG_ARGV[0] IS NULL
       AND to_jsonb(NEW) - TG_ARGV[0] = to_jsonb(OLD) - TG_ARGV[0] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$ LANGUAGE plpgsql
"""


def _sqlite_statements(table: str, nullable: str | None, columns: list[str]) -> list[str]:
    same = " AND ".join(f'NEW."{column}" IS OLD."{column}"' for column in columns if column != nullable)
    unless = f'WHEN NOT (NEW."{nullable}" IS NULL AND {same})' if nullable else ""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return [
        f'CREATE TRIGGER "{table}_no_update" BEFORE UPDATE ON "{table}" {unless} {refuse}',
        f'CREATE TRIGGER "{table}_no_delete" BEFORE DELETE ON "{table}" {refuse}',
    ]


def _postgres_statements(table: str, nullable: str | None) -> list[str]:
    argument = f"'{nullable}'" if nullable else ""
    return [
        f'CREATE TRIGGER "{table}_no_change" BEFORE UPDATE OR DELETE ON "{table}"'
        f" FOR EACH ROW EXECUTE FUNCTION numbersadmin_append_only({argument})",
        f'CREATE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON "{table}"'
        f" FOR EACH STATEMENT EXECUTE FUNCTION numbersadmin_append_only()",
    ]


def install(connection: Any, table: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE on the table from now on."""
    nullable = TABLES[table]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES_FUNCTION)
            statements = _postgres_statements(table, nullable)
        else:
            columns = [field.name for field in connection.introspection.get_table_description(cursor, table)]
            statements = _sqlite_statements(table, nullable, columns)
        for statement in statements:
            cursor.execute(statement)


def remove(connection: Any, table: str) -> None:
    """Take the triggers off, as a migration that alters the table has to."""
    names = ("no_change", "no_truncate") if connection.vendor == "postgresql" else ("no_update", "no_delete")
    on_table = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f'DROP TRIGGER IF EXISTS "{table}_{name}"{on_table}')


def protect(table: str) -> migrations.RunPython:
    """The migration operation that makes a table append-only."""
    return migrations.RunPython(
        lambda apps, editor: install(editor.connection, table),
        lambda apps, editor: remove(editor.connection, table),
    )


def unprotect(table: str) -> migrations.RunPython:
    """The operation before one that alters the table: SQLite builds it anew, and its triggers would be lost.

    `protect` has to follow at the end of the same migration.
    """
    return migrations.RunPython(
        lambda apps, editor: remove(editor.connection, table),
        lambda apps, editor: install(editor.connection, table),
    )
