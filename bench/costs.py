"""Times the month page and the export with many numbers: `python bench/costs.py [--numbers 10000]`.

Works in a state directory of its own, on SQLite, or on the database that DATABASE_URL names (it must be empty).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)
MONTHS = 14
COUNTRIES = "DE FR RU ES RO PL GB HR IT NL SE CZ AT BE PT".split()
CURRENCIES = ["EUR"] * 8 + ["USD", "GBP", "JPY"]


def fill(numbers: int) -> None:
    """Numbers bought over 14 months; a third changed price once, a tenth has ended."""
    from numbersadmin.money import from_micro, prorate
    from numbersadmin.numbers.models import NumberVersion, OwnedNumber
    from numbersadmin.sync.models import SyncRun

    chance = Random(7)
    rows, versions = [], []
    for at in range(numbers):
        since = NOW - timedelta(days=chance.randrange(30 * MONTHS), seconds=chance.randrange(86400))
        price = from_micro(chance.randrange(1_000_000, 20_000_000))
        ended = since + timedelta(days=chance.randrange(1, 200)) if chance.random() < 0.1 else None
        ended = ended if ended and ended < NOW else None
        row = OwnedNumber(
            id=at + 1,
            number_key=f"key{at}",
            number=str(49_150_000_000 + at),
            country=chance.choice(COUNTRIES),
            type="VIRTUAL_LONG_NUMBER",
            capabilities=chance.choice(["SMS", "SMS,VOICE", "VOICE"]),
            price_per_month=price,
            currency=chance.choice(CURRENCIES),
            acquired_at=since,
            acquired_from=since,
            acquired_to=since,
            acquired_basis="purchased_here",
            status="ended" if ended else "owned",
            ended_from=ended,
            ended_to=ended,
            cost_centre=f"CC-{chance.randrange(20)}",
        )
        rows.append(row)
        changed = since + timedelta(days=60) if chance.random() < 0.33 else None
        changed = changed if changed and changed < (ended or NOW) else None
        first = {"valid_from": since, "valid_to": changed or ended, "source": "purchase"}
        versions.append(_version(row, price, first | {"initial_month_price": prorate(price, 10, 31)}))
        if changed:
            later = {"valid_from": changed, "valid_to": ended, "source": "sync", "not_before": changed}
            versions.append(_version(row, price + 1, later))
    OwnedNumber.objects.bulk_create(rows, batch_size=2000)
    NumberVersion.objects.bulk_create(versions, batch_size=2000)
    for at, when in enumerate((NOW - timedelta(days=30 * MONTHS), NOW)):
        SyncRun.objects.create(
            id=at + 1, status="complete", started_at=when, heartbeat_at=when, finished_at=when
        )


def _version(row: Any, price: Any, facts: dict[str, Any]) -> Any:
    from numbersadmin.numbers.models import NumberVersion

    return NumberVersion(
        owned_number=row,
        number_key=row.number_key,
        type=row.type,
        capabilities=row.capabilities,
        price_per_month=price,
        setup_price=price,
        currency=row.currency,
        raw={},
        **facts,
    )


def timed(name: str, work: Callable[[], Any], times: int = 5) -> None:
    """Print the best of several runs, with the queries of one."""
    from django.db import connection

    queries: list[str] = []

    def noted(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(noted):
        work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    print(f"{name:<44} {min(took) * 1000:8.0f} ms  {len(queries):3} queries")


def measure() -> None:
    """Everything that reads all numbers."""
    from django.test import Client

    from numbersadmin.accounts.models import RoleGrant, User
    from numbersadmin.costs import lines, selectors
    from numbersadmin.costs.months import Month

    month = Month.of(NOW.year, NOW.month)
    known = selectors.records(NOW)
    timed("records", lambda: selectors.records(NOW))
    timed("month page, 12 months of trend", lambda: selectors.month_page(known, month))
    timed("month page by owner", lambda: selectors.month_page(known, month, by="owner"))
    timed("lines, first page", lambda: lines.month_lines(known, month, lines.LineFilter()))
    timed("export, all lines", lambda: sum(1 for _ in lines.export_rows(known, month)))
    user = User.objects.create_user(username="finance")
    RoleGrant.objects.create(user=user, role="finance")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for path in (f"/costs/{month}/", f"/costs/{month}/lines/"):
        assert client.get(path, headers={"host": "localhost"}).status_code == 200
        timed(f"GET {path}", lambda path=path: client.get(path, headers={"host": "localhost"}))


def main() -> None:
    """Make the rows, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=10_000)
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

        call_command("migrate", verbosity=0)
        start = time.perf_counter()
        fill(wanted.numbers)
        print(f"{wanted.numbers} numbers made in {time.perf_counter() - start:.1f} s")
        with time_machine.travel(NOW, tick=True):
            measure()


if __name__ == "__main__":
    main()
