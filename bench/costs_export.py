"""Time and memory of a month's files at 1,000 and at 1,000,000 lines: `python bench/costs_export.py`.

Each file is made in a process of its own: of an open month, whose lines are computed, and of a closed one, whose
lines are the ledger's. Works in a state directory of its own, on SQLite, or on the database that DATABASE_URL names
(it must be empty).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.export import MB, set_up, watched

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SINCE = datetime(2026, 10, 1, tzinfo=UTC)
OPEN, CLOSED = "2026-11", "2026-10"
BLOCK = 20_000
FORMS = ("lines.csv", "lines.xlsx", "focus.csv", "groups.csv")


def fill(first: int, last: int) -> None:
    """Numbers from the first to the last, each with a version and a line in the ledger."""
    from django.db import transaction

    from numbersadmin.accounts.models import User
    from numbersadmin.costs.models import LedgerLine
    from numbersadmin.money import from_micro
    from numbersadmin.numbers.models import NumberVersion, OwnedNumber
    from numbersadmin.rows import insert, new

    user, _ = User.objects.get_or_create(username="finance")
    for start in range(first, last, BLOCK):
        span = range(start, min(start + BLOCK, last))
        facts = [_facts(at) for at in span]
        prices = [from_micro(1_000_000 + at % 97 * 10_001) for at in span]
        whose = [{"cost_centre": f"CC-{at % 20}", "labels": ["otp", f"label{at % 50}"]} for at in span]
        with transaction.atomic():
            numbers = [
                new(
                    OwnedNumber, **one, **mine, price_per_month=price, acquired_from=SINCE, acquired_to=SINCE,
                    acquired_basis="unknown",
                )
                for one, mine, price in zip(facts, whose, prices, strict=True)
            ]  # fmt: skip
            insert(numbers)
            insert(
                [
                    new(
                        NumberVersion, **one, owned_number_id=row.pk, price_per_month=price, valid_from=SINCE,
                        raw={}, source="sync",
                    )
                    for one, row, price in zip(facts, numbers, prices, strict=True)
                ]
            )  # fmt: skip
            insert(
                [
                    new(
                        LedgerLine, **one, **mine, owned_number_id=row.pk, month=CLOSED, revision=1, kind="recurring",
                        origin="close", amount=price, per_month=price, basis="listed", period_start=SINCE,
                        period_end=datetime(2026, 11, 1, tzinfo=UTC), posted_at=NOW, posted_by_id=user.pk,
                    )
                    for one, mine, row, price in zip(facts, whose, numbers, prices, strict=True)
                ]
            )  # fmt: skip


def _facts(at: int) -> dict[str, str]:
    """What a number, its version and its line all say."""
    return {
        "number_key": f"key{at}",
        "number": str(49_150_000_000 + at * 7),
        "country": "DE",
        "type": "VIRTUAL_LONG_NUMBER",
        "capabilities": "SMS,VOICE" if at % 3 else "SMS",
        "currency": "EUR",
    }


def close() -> None:
    """The two lists that records hang on, and the close of the month in the ledger."""
    from numbersadmin.accounts.models import User
    from numbersadmin.costs.models import MonthClose
    from numbersadmin.sync.models import SyncRun

    for when in (SINCE, NOW):
        SyncRun.objects.create(status="complete", started_at=when, heartbeat_at=when, finished_at=when)
    MonthClose.objects.create(
        month=CLOSED, revision=1, action="close", at=NOW, by=User.objects.get(), sha256="ab" * 32
    )


def make(form: str, month: str) -> None:
    """One file, in this process; a first one of an empty month has everything imported."""
    set_up()
    from numbersadmin.costs import focus, groups_file, lines_file, selectors
    from numbersadmin.costs.ledger import Records
    from numbersadmin.costs.lines import LineFilter
    from numbersadmin.costs.months import Month

    known = selectors.records(NOW)

    def file(known: Records, wanted: Month) -> Iterator[object]:
        if form == "lines.csv":
            return lines_file.csv_lines(known, wanted, LineFilter())
        if form == "lines.xlsx":
            return lines_file.xlsx_chunks(known, wanted, LineFilter(), [])
        if form == "groups.csv":
            return groups_file.csv_lines(known, wanted, "cost_centre")
        return focus.csv_lines(known, wanted)

    list(file(known, Month.parse("2026-09")))
    took, memory, size = watched(lambda: file(known, Month.parse(month)))
    state = str(known.state(Month.parse(month)))
    print(
        f"{form:<11} {state:<7} {took:8.1f} s {memory:7.1f} MB above the start {size / MB:8.1f} MB file",
        flush=True,
    )


def main() -> None:
    """Make the rows, then each file of both months at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--forms", choices=FORMS, nargs="+", default=FORMS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.make:
        make(*wanted.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        set_up()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        have = 0
        for size in wanted.sizes:
            fill(have, size)
            if not have:
                close()
            have = size
            print(f"{size:,} lines a month", flush=True)
            for form in wanted.forms:
                for month in (OPEN, CLOSED):
                    subprocess.run([sys.executable, __file__, "--make", form, month], check=True)


if __name__ == "__main__":
    main()
