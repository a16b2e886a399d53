"""End a person's access; what they did stays on record."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from numbersadmin.accounts import services


class Command(BaseCommand):
    """`disable_person NAME`: open sessions end at their next request."""

    help = "Disable a person: nobody can sign in as them, and their open sessions end."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            services.disable_person(actor=None, username=name, now=timezone.now())
        except services.PersonRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Disabled {name}.")
