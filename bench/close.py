"""Times closing a month of many numbers: `python bench/close.py [--numbers 1000000]`.

On the database that DATABASE_URL names (it must be empty), else on SQLite in a state directory of its own. While the
month is being closed, another process asks for a page again and again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
BEGIN, END = datetime(2026, 9, 1, 12, tzinfo=UTC), datetime(2026, 10, 1, 6, tzinfo=UTC)
NOW = datetime(2026, 10, 2, 9, 0, tzinfo=UTC)
COUNTRIES = "DE FR RU ES RO PL GB HR IT NL SE CZ AT BE PT".split()
AT_ONCE = 20_000
LATE = 200  # numbers that turn out to have been gone before the closed month


def fill(numbers: int) -> None:
    """Numbers that were there when records began."""
    from django.db import transaction

    from numbersadmin.money import from_micro
    from numbersadmin.numbers.models import NumberVersion, OwnedNumber
    from numbersadmin.rows import insert, new
    from numbersadmin.sync.models import SyncRun

    for start in range(0, numbers, AT_ONCE):
        facts = [
            {
                "number_key": f"key{at}",
                "type": "VIRTUAL_LONG_NUMBER",
                "capabilities": "SMS",
                "price_per_month": from_micro(1_000_000 + at % 20_000_000),
                "setup_price": from_micro(0),
                "currency": "USD" if at % 9 == 0 else "EUR",
            }
            for at in range(start, min(start + AT_ONCE, numbers))
        ]
        rows = [
            new(
                OwnedNumber,
                **known,
                number=str(49_150_000_000 + at),
                country=COUNTRIES[at % 15],
                acquired_to=BEGIN,
                acquired_basis="unknown",
                cost_centre=f"CC-{at % 20}",
            )
            for at, known in enumerate(facts, start)
        ]
        with transaction.atomic():
            insert(rows)
            insert(
                [
                    new(
                        NumberVersion,
                        **known,
                        owned_number_id=row.pk,
                        valid_from=BEGIN,
                        raw={},
                        source="sync",
                    )
                    for row, known in zip(rows, facts, strict=True)
                ]
            )
    for when in (BEGIN, END):
        SyncRun.objects.create(status="complete", started_at=when, heartbeat_at=when, finished_at=when)


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Print how long it took, how much of that this process computed, and how much memory it has."""
    start, computed = time.perf_counter(), time.process_time()
    found = work()
    computed = time.process_time() - computed
    memory = psutil.Process().memory_info().rss // 2**20
    print(
        f"{name:<40} {time.perf_counter() - start:8.2f} s  {computed:8.2f} s CPU  {memory:5} MB", flush=True
    )
    return found


def ask_for_pages() -> None:
    """Ask for pages that people use until a line comes in; print how many and the slowest."""
    import select

    from django.test import Client

    from numbersadmin.accounts.models import User

    client, took = Client(), []
    client.force_login(
        User.objects.get(username="finance"), backend="django.contrib.auth.backends.ModelBackend"
    )
    paths = ("/numbers/", "/numbers/1/", "/orders/", "/costs/corrections/")
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        for path in paths:
            start = time.perf_counter()
            assert client.get(path, headers={"host": "localhost"}).status_code == 200
            took.append(time.perf_counter() - start)
    took.sort()
    middle, worst = took[len(took) // 2], took[-1]
    print(
        f"  meanwhile {len(took)} pages: median {middle * 1000:.0f} ms, slowest {worst * 1000:.0f} ms",
        flush=True,
    )


def measure(numbers: int) -> None:
    """The confirmation page's figures, the close, its check, and the search for late facts."""
    from numbersadmin.accounts.models import RoleGrant, User
    from numbersadmin.costs import closing, late
    from numbersadmin.costs.months import Month
    from numbersadmin.costs.selectors import records
    from numbersadmin.numbers.models import OwnedNumber
    from numbersadmin.numbers.services import end_number

    month = Month.parse("2026-09")
    person = User.objects.create_user(username="finance")
    RoleGrant.objects.create(user=person, role="finance")
    review = timed("checklist and figures", lambda: closing.review(records(NOW), month, NOW))
    assert review.ready, review.items
    with subprocess.Popen([sys.executable, __file__, "--pages"], stdin=subprocess.PIPE, text=True) as pages:
        closed = timed(
            "close",
            lambda: closing.close(month=month, shown=review.figures.facts, actor=person, now=NOW),
        )
        pages.communicate("\n")
    print(f"  {closed.lines} lines, {closed.totals}")
    assert timed("check of the digest", lambda: closing.verify(month)) == {1: True}
    assert timed("late facts, none", lambda: late.proposals(records(NOW))) == []
    for owned in OwnedNumber.objects.order_by("id")[:LATE]:
        before = datetime(2026, 8, 31, tzinfo=UTC)
        end_number(owned=owned, basis="disappeared", ended_from=before, ended_to=NOW, actor=None, now=NOW)
    found = timed(f"late facts, {LATE}", lambda: late.proposals(records(NOW)))
    known, mark = records(NOW), late.mark_of(found)
    timed(f"posting {len(found)} of them", lambda: late.post(known=known, mark=mark, actor=person, now=NOW))
    assert late.proposals(records(NOW)) == []


def main() -> None:
    """Make the rows, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    parser.add_argument("--pages", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="numbersadmin-bench-") as folder:
        os.environ.setdefault("VAR_DIR", folder)
        os.environ["DJANGO_SETTINGS_MODULE"] = "numbersadmin.settings"
        import django
        import time_machine
        from django.conf import settings

        django.setup()
        settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
        from django.core.management import call_command

        with time_machine.travel(NOW, tick=True):
            if wanted.pages:
                ask_for_pages()
                return
            call_command("migrate", verbosity=0)
            timed(f"{wanted.numbers} numbers made", lambda: fill(wanted.numbers))
            measure(wanted.numbers)


if __name__ == "__main__":
    main()
