"""`export_costs YYYY-MM --format json|csv`: every charge of a month, to standard output."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from numbersadmin import export
from numbersadmin.costs import lines, selectors
from numbersadmin.costs.ledger import State
from numbersadmin.costs.months import Month


class Command(BaseCommand):
    """Writes the export to standard output."""

    help = "Write every charge of a month to standard output, with the month's totals in JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", metavar="YYYY-MM", help="the month, as 2026-10")
        export.add_format_argument(parser)

    def handle(self, *args: Any, month: str, format: str, **options: Any) -> None:  # noqa: A002 - the option's name
        known = selectors.records(timezone.now())
        try:
            wanted = Month.parse(month)
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        if known.state(wanted) is State.NOT_STARTED:
            raise CommandError(f"{wanted} has not begun. The current month is {known.current}.")
        if known.state(wanted) is State.BEFORE_RECORDS:
            began = (
                f"which begin in {known.first}" if known.first else "which begin with the first complete sync"
            )
            self.stderr.write(f"{wanted} lies before records, {began}.")
        if format == "json":
            found = export.plain_value(lines.export_month(known, wanted))
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=1))
        else:
            for line in export.rows_csv(lines.EXPORT_FIELDS, lines.export_rows(known, wanted)):
                self.stdout.write(line, ending="")
