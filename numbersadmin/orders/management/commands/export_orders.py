"""`export_orders --format json|csv`: every order with its items, to standard output."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from numbersadmin import export
from numbersadmin.orders import selectors


class Command(BaseCommand):
    """Writes the export to standard output; as CSV a line is an item."""

    help = "Write all orders with their items to standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        export.add_format_argument(parser)

    def handle(self, *args: Any, format: str, **options: Any) -> None:  # noqa: A002 - the option's name
        orders = selectors.export_orders()
        chunks = (
            export.rows_json(orders)
            if format == "json"
            else export.rows_csv(selectors.EXPORT_COLUMNS, selectors.export_lines(orders))
        )
        for chunk in chunks:
            self.stdout.write(chunk, ending="")
