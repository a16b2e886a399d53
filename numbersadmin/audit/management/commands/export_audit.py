"""Write the whole audit log to standard output, oldest first."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from numbersadmin import export
from numbersadmin.audit import selectors


class Command(BaseCommand):
    """`export_audit --format json|csv`."""

    help = "Export the audit log: at, actor, verb, subject, before, after, reason, request_id."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        export.add_format_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        rows = selectors.export_rows(selectors.events(selectors.Filters()).order_by("at", "id"))
        lines = (
            export.rows_csv(selectors.EXPORTED, rows)
            if options["format"] == "csv"
            else export.rows_json(rows)
        )
        for line in lines:
            self.stdout.write(line, ending="")
