"""`tally [--rebuild]`: does the list's tally say what the numbers say? With --rebuild it is counted anew."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from numbersadmin.numbers import tally


class Command(BaseCommand):
    """Compares, or counts anew."""

    help = "Compare the kept counts of the list with the numbers; exit code 1 when they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="count all numbers anew")

    def handle(self, *args: Any, rebuild: bool, **options: Any) -> None:
        if rebuild:
            tally.rebuild()
        if wrong := tally.wrong():
            raise CommandError(f"{wrong} groups differ from the numbers. Run `tally --rebuild`.")
        self.stdout.write("The tally agrees with the numbers.")
