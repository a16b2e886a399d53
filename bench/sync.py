"""Times a sync beside the same work done otherwise: `python bench/sync.py [--numbers 100000] [--page 1000]`.

Starts the sandbox as its own process. Works in a state directory of its own, on SQLite, or on the database that
`--database` or DATABASE_URL names (it must be empty). Everything runs in turn, the best of so many rounds counts.
Steady syncs are compared by the CPU seconds of this process; the first load by the clock, for there the database
server works too. Prints each ratio with its limit; exit code 1 when one is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FETCH, LOAD = "fetch and parse alone", "the same rows by hand, COPY / executemany"
FIRST, STEADY, CHANGED = "first sync, all new", "sync, nothing changed", "sync, 0.1 % changed"
LOOP, UPSERT = "update_or_create of every row (scaled)", "bulk upsert of every row"


class Spent(NamedTuple):
    """CPU seconds of this process, and seconds by the clock."""

    cpu: float
    wall: float


class Bench:
    """One database and one sandbox; the best of each kind of work so far."""

    def __init__(self, url: str, numbers: int, page: int) -> None:
        self.url, self.numbers, self.page = url, numbers, page
        self.best: dict[str, Spent] = {}

    def time(self, name: str, work: Callable[[], Any], scale: float = 1) -> Any:
        """Do it and keep how long it took, if that is the shortest so far."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        spent = Spent((time.process_time() - cpu) * scale, (time.perf_counter() - wall) * scale)
        best = self.best.get(name, spent)
        self.best[name] = Spent(min(best.cpu, spent.cpu), min(best.wall, spent.wall))
        return result


def start_sandbox(numbers: int) -> tuple[subprocess.Popen[str], str]:
    """The imitated provider with so many owned numbers, and its address."""
    command = [sys.executable, "-m", "numbersadmin.sandbox", "--bind", "127.0.0.1:0", "--file", ":memory:"]
    process = subprocess.Popen(
        [*command, "--owned", str(numbers), "--available", "10"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, process.stdout.readline().split()[-1]


def set_up(folder: str, url: str, page: int, **settings: str) -> None:
    """Django on a database of its own; a page of 0 rows lets the sync learn its size."""
    os.environ |= {
        "VAR_DIR": folder,
        "INFOBIP_BASE_URL": url,
        "INFOBIP_API_KEY": "sandbox",
        "PROVIDER_RATE_LIMITS": "off",
        "LIST_PAGE_SIZE": str(page),
        "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
        **settings,
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def sync() -> Any:
    """One whole run."""
    from django.utils import timezone

    from numbersadmin.provider.client import get_provider
    from numbersadmin.sync.services import run_sync

    run = run_sync(provider=get_provider(), actor=None, clock=timezone.now)
    assert run.status == "complete", run.error
    return run


def change_some(url: str, numbers: int) -> int:
    """A new price for every thousandth number; how many that were."""
    import requests

    from numbersadmin.numbers.models import OwnedNumber

    chosen = OwnedNumber.objects.order_by("?").values_list("number", "number_key")[: max(1, numbers // 1000)]
    for number, key in chosen:
        price = {"pricePerMonth": f"{1 + time.monotonic_ns() % 1_000_000 / 1_000_000:.6f}"}
        body = {"act": "change", "number": number, "number_key": key, "set": price}
        requests.post(f"{url}/_sandbox/outside", json=body, timeout=10).raise_for_status()
    return len(chosen)


def statements(work: Callable[[], Any]) -> int:
    """How many SQL statements it takes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        work()
    return len(seen)


def measure(bench: Bench, rounds: int) -> None:
    """Everything in turn; prints what a run without changes writes."""
    import sync_baselines as baselines

    from numbersadmin.audit.models import AuditEvent
    from numbersadmin.numbers.models import NumberVersion

    url, page, numbers = bench.url, bench.page, bench.numbers
    baselines.make_tables()
    for turn in range(rounds):
        if turn:
            baselines.empty()
        assert bench.time(FIRST, sync).appeared == numbers
        assert bench.time(LOAD, lambda: baselines.load(url, page)) == numbers
        baselines.empty_copies()
        if not turn:
            baselines.bulk_upsert(url, page)
        assert bench.time(FETCH, lambda: sum(1 for _ in baselines.fetch_and_parse(url, page))) == numbers
        written = NumberVersion.objects.count(), AuditEvent.objects.count()
        assert bench.time(STEADY, sync).changed == 0
        now = NumberVersion.objects.count(), AuditEvent.objects.count()
        assert (now[0] - written[0], now[1] - written[1]) == (0, 1), "an unchanged run wrote something"
        changed = change_some(url, numbers)
        assert bench.time(CHANGED, sync).changed == changed
        bench.time(UPSERT, lambda: baselines.bulk_upsert(url, page))
        bench.time(LOOP, lambda: baselines.update_or_create(url, page), numbers / baselines.SAMPLE)
    print(f"statements of a run without changes: {statements(sync)}")


def report(bench: Bench) -> bool:
    """Prints the tables; says whether every limit is kept."""
    from django.db import connection

    best, on_postgres = bench.best, connection.vendor == "postgresql"
    print(f"{connection.vendor}, {bench.numbers:,} numbers, {bench.page:,} a page")
    print(f"{'':40}{'CPU s':>9}{'wall s':>9}{'rows/s, wall':>14}{'CPU ratio':>11}")
    for name, spent in sorted(best.items(), key=lambda each: each[1]):
        rate, ratio = bench.numbers / spent.wall, spent.cpu / best[FETCH].cpu
        print(f"{name:40}{spent.cpu:9.2f}{spent.wall:9.2f}{rate:14,.0f}{ratio:11.2f}")
    judged = [
        (f"{STEADY}, CPU, of fetch and parse", best[STEADY].cpu / best[FETCH].cpu, 1.3),
        (
            f"{CHANGED}, CPU, of fetch and parse",
            best[CHANGED].cpu / best[FETCH].cpu,
            2.5 if on_postgres else 1.7,
        ),
        (f"{FIRST}, clock, of {LOAD}", best[FIRST].wall / best[LOAD].wall, 2.0),
    ]
    for what, ratio, limit in judged:
        print(f"{'kept  ' if ratio <= limit else 'MISSED'} {ratio:6.2f}x (at most {limit}x)  {what}")
    return all(ratio <= limit for _, ratio, limit in judged)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=100_000)
    parser.add_argument("--page", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    settings = {"DATABASE_URL": given.database} if given.database else {}
    process, url = start_sandbox(given.numbers)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-sync-") as folder:
            set_up(folder, url, given.page, **settings)
            bench = Bench(url, given.numbers, given.page)
            measure(bench, given.rounds)
            return int(not report(bench))
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
