"""`export_numbers --format json|csv`: every number there is or was, to standard output."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from numbersadmin import export
from numbersadmin.numbers import selectors


class Command(BaseCommand):
    """Writes the export to standard output."""

    help = "Write all owned numbers, ended ones included, to standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        export.add_format_argument(parser)

    def handle(self, *args: Any, format: str, **options: Any) -> None:  # noqa: A002 - the option's name
        rows = selectors.export_rows()
        chunks = (
            export.rows_json(rows) if format == "json" else export.rows_csv(selectors.EXPORT_FIELDS, rows)
        )
        for chunk in chunks:
            self.stdout.write(chunk, ending="")
