"""Add a person who may sign in."""

import argparse
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from numbersadmin.accounts import services
from numbersadmin.accounts.models import User
from numbersadmin.accounts.roles import Role


class Command(BaseCommand):
    """`add_person NAME --role ROLE [--email ADDRESS] --password-stdin`: the password is one line of input."""

    help = "Add a person. The password is one line of standard input, so that no list of processes shows it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")
        parser.add_argument("--role", action="append", required=True, choices=Role.values, dest="roles")
        parser.add_argument("--email", default="", help="where mails about orders go (default: none)")
        parser.add_argument("--password-stdin", action="store_true", required=True)

    def handle(self, *args: Any, name: str, roles: list[str], email: str, **options: Any) -> None:
        if User._meta.db_table not in connection.introspection.table_names():
            call_command("migrate", verbosity=0)  # the first person is often added before the first start
        password = sys.stdin.readline().rstrip("\r\n")
        try:
            services.add_person(
                actor=None,
                username=name,
                password=password,
                roles=roles,
                email=email.strip(),
                now=timezone.now(),
            )
        except services.PersonRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Added {name} ({', '.join(sorted(set(roles)))}).")
