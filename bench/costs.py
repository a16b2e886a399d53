"""Times the costs pages and the counting with many numbers: `python bench/costs.py [--numbers 10000] [--closed]`.

Works in a state directory of its own, on SQLite, or on the database that DATABASE_URL names: an empty one is filled,
one that was filled before is used again. `--closed` closes all months but the last two first; only the newest closed
one gets lines, the others are not read by what is timed here.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)
MONTHS = 24
BATCH = 20_000
COUNTRIES = "DE FR RU ES RO PL GB HR IT NL SE CZ AT BE PT".split()
CURRENCIES = ["EUR"] * 8 + ["USD", "GBP", "JPY"]
# what most people would ask the database: from the price intervals, by deltas and a running sum
DELTAS = """
SELECT month, value, currency, SUM(SUM(delta)) OVER (PARTITION BY value, currency ORDER BY month)
FROM (
  SELECT date_trunc('month', valid_from) AS month, {by} AS value, v.currency, v.price_per_month AS delta
  FROM numbers_numberversion v JOIN numbers_ownednumber o ON o.id = v.owned_number_id
  UNION ALL
  SELECT date_trunc('month', valid_to), {by}, v.currency, -v.price_per_month
  FROM numbers_numberversion v JOIN numbers_ownednumber o ON o.id = v.owned_number_id WHERE valid_to IS NOT NULL
) deltas GROUP BY month, value, currency
"""
GROUPED = ["''", "o.country", "o.type", "o.capabilities", "o.owner_id", "o.cost_centre", "o.labels::text"]


def fill(numbers: int) -> None:
    """Numbers bought over two years; a third changed price once, a tenth has ended."""
    from django.db import connection, transaction

    from numbersadmin.numbers.models import NumberVersion, OwnedNumber
    from numbersadmin.rows import insert
    from numbersadmin.sync.models import SyncRun

    chance = Random(7)
    for start in range(0, numbers, BATCH):
        made = [_number(chance, at) for at in range(start, min(numbers, start + BATCH))]
        with transaction.atomic():
            insert([OwnedNumber(**number) for number, _ in made])
            insert([NumberVersion(**version) for _, versions in made for version in versions])
    for when in (NOW - timedelta(days=30 * MONTHS), NOW):
        SyncRun.objects.create(status="complete", started_at=when, heartbeat_at=when, finished_at=when)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _number(chance: Random, at: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A number and its versions as columns."""
    from numbersadmin.money import from_micro, prorate

    since = NOW - timedelta(days=chance.randrange(30 * MONTHS), seconds=chance.randrange(86400))
    price = from_micro(chance.randrange(1_000_000, 20_000_000))
    ended = since + timedelta(days=chance.randrange(1, 200)) if chance.random() < 0.1 else None
    ended = ended if ended and ended < NOW else None
    facts = {
        "number_key": f"key{at}",
        "type": "VIRTUAL_LONG_NUMBER",
        "capabilities": chance.choice(["SMS", "SMS,VOICE", "VOICE"]),
        "price_per_month": price,
        "setup_price": price,
        "currency": chance.choice(CURRENCIES),
    }
    number = facts | {
        "number": str(49_150_000_000 + at),
        "country": chance.choice(COUNTRIES),
        "acquired_at": since,
        "acquired_from": since,
        "acquired_to": since,
        "acquired_basis": "purchased_here",
        "status": "ended" if ended else "owned",
        "ended_from": ended,
        "ended_to": ended,
        "cost_centre": f"CC-{chance.randrange(20)}",
    }
    changed = since + timedelta(days=60) if chance.random() < 0.33 else None
    changed = changed if changed and changed < (ended or NOW) else None
    facts |= {"owned_number_id": at + 1, "raw": {}}
    versions = [facts | {"valid_from": since, "valid_to": changed or ended, "source": "purchase"}]
    versions[0]["initial_month_price"] = prorate(price, 10, 31)
    if changed:
        later = {"valid_from": changed, "valid_to": ended, "source": "sync", "not_before": changed}
        versions.append(facts | later | {"price_per_month": price + 1})
    return number, versions


def close_months() -> None:
    """Close every month but the last two; the newest of them with its lines."""
    from django.db import transaction

    from numbersadmin.accounts.models import User
    from numbersadmin.costs import selectors
    from numbersadmin.costs.ledger import statement
    from numbersadmin.costs.models import LedgerLine, MonthClose
    from numbersadmin.rows import insert, new

    known = selectors.records(NOW)
    *earlier, newest = reversed(known.months[2:])
    user, _ = User.objects.get_or_create(username="closer")
    made = {"revision": 1, "origin": "close", "posted_at": NOW, "posted_by_id": user.pk, "month": str(newest)}
    rows: list[Any] = []
    for entry in statement(known, newest):
        subject, facts = entry.subject._asdict(), entry.charge._asdict()
        facts["owned_number_id"] = facts.pop("number_id")
        subject.pop("id")
        rows.append(new(LedgerLine, **facts | subject | made | {"labels": []}))
        if len(rows) == BATCH:
            with transaction.atomic():
                insert(rows)
            rows = []
    with transaction.atomic():
        insert(rows)
        for month in (*earlier, newest):
            facts = {"revision": 1, "action": "close", "at": NOW, "by": user, "sha256": "0" * 64}
            MonthClose.objects.create(month=str(month), **facts)


def timed(name: str, work: Callable[[], Any], times: int = 5) -> None:
    """Print the best of several runs, with the queries of one; what takes more than 10 seconds runs once."""
    from django.db import connection

    queries: list[str] = []

    def noted(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    took: list[float] = []
    while len(took) < times and sum(took) < 10:
        start = time.perf_counter()
        with connection.execute_wrapper(noted) if not took else nullcontext():
            work()
        took.append(time.perf_counter() - start)
    print(f"{name:<44} {min(took) * 1000:8.0f} ms  {len(queries):3} queries")


def measure() -> None:
    """Everything that reads all numbers, and the pages."""
    from django.db import connection
    from django.test import Client

    from numbersadmin.accounts.models import RoleGrant, User
    from numbersadmin.costs import counting, selectors
    from numbersadmin.costs.ledger import statement
    from numbersadmin.costs.models import Count
    from numbersadmin.costs.months import Month

    month = Month.of(NOW.year, NOW.month)
    known = selectors.records(NOW)

    def recount() -> None:
        open_months = [str(one) for one in (month.next, *known.months) if not known.frozen(one)]
        Count.objects.filter(month__in=open_months).update(seen="")
        assert len(counting.count(known, NOW)) == len(open_months)

    def deltas(*groupings: str) -> None:
        with connection.cursor() as cursor:
            for by in groupings:
                cursor.execute(DELTAS.format(by=by))
                cursor.fetchall()

    if counting.count(known, NOW) or counting.ahead():
        for _ in range(3):  # interleaved: what disturbs one disturbs the other
            if connection.vendor == "postgresql":
                timed("the delta query", lambda: deltas("o.country"), 1)
                timed("the delta query for each grouping", lambda: deltas(*GROUPED), 1)
            timed("counting all open months anew", recount, 1)
        timed("nothing to count", lambda: counting.count(known, NOW))
    user, _ = User.objects.get_or_create(username="finance")
    RoleGrant.objects.get_or_create(user=user, role="finance")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for page in (
        "",
        "?by=owner&months=24",
        "forecast/",
        "lines/",
        "lines/?cost_centre=CC-7&cur=EUR",
        "bridge/?cur=EUR&part=new",
    ):
        path = f"/costs/{month}/{page}"
        assert client.get(path, headers={"host": "localhost"}).status_code == 200
        timed(f"GET {path}", lambda path=path: client.get(path, headers={"host": "localhost"}), 3)
    timed("every line", lambda: sum(1 for _ in statement(known, month)), 1)


def main() -> None:
    """Make the rows, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=10_000)
    parser.add_argument("--closed", action="store_true")
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

        from numbersadmin.costs.models import MonthClose
        from numbersadmin.numbers.models import OwnedNumber

        call_command("migrate", verbosity=0)
        start = time.perf_counter()
        if not OwnedNumber.objects.exists():
            fill(wanted.numbers)
            print(f"{wanted.numbers} numbers made in {time.perf_counter() - start:.1f} s")
        with time_machine.travel(NOW, tick=True):
            if wanted.closed and not MonthClose.objects.exists():
                close_months()
            measure()


if __name__ == "__main__":
    main()
