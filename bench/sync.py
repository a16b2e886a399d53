"""Times a sync against fetching and parsing alone: `python bench/sync.py [--numbers 10000] [--page 100]`.

Starts the sandbox as its own process. Works in a state directory of its own, on SQLite, or on the database that
DATABASE_URL names (it must be empty). Times are CPU seconds of this process, the best of so many rounds, taken in
turn. Exit code 1 when a sync of unchanged numbers costs more than twice of fetching and parsing.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
LIMIT = 2.0


def start_sandbox(numbers: int) -> tuple[subprocess.Popen[str], str]:
    """The imitated provider with so many owned numbers, and its address."""
    command = [sys.executable, "-m", "numbersadmin.sandbox", "--bind", "127.0.0.1:0", "--file", ":memory:"]
    process = subprocess.Popen(
        [*command, "--owned", str(numbers), "--available", "10"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, process.stdout.readline().split()[-1]


def set_up(folder: str, url: str, page: int) -> None:
    """Django on a database of its own."""
    os.environ |= {
        "VAR_DIR": folder,
        "INFOBIP_BASE_URL": url,
        "INFOBIP_API_KEY": "sandbox",
        "PROVIDER_RATE_LIMITS": "off",
        "LIST_PAGE_SIZE": str(page),
        "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def fetch_and_parse(url: str, page: int) -> int:
    """Every page with requests, decoded with exact decimals; nothing else."""
    import msgspec
    import requests

    decoder = msgspec.json.Decoder(float_hook=Decimal)
    session, rows, number = requests.Session(), 0, 0
    session.headers["Authorization"] = "App sandbox"
    while True:
        answer = session.get(f"{url}/sms/1/numbers", params={"limit": page, "page": number}, timeout=30)
        found = decoder.decode(answer.content)
        rows, number = rows + len(found["numbers"]), number + 1
        if not found["numbers"] or rows >= found["numberCount"]:
            return rows


def read_with_our_client() -> int:
    """Every page with our client: split into rows, each with its digest."""
    from numbersadmin.provider.client import get_provider

    rows, number, provider = 0, 0, get_provider()
    while True:
        page = provider.list_owned(page=number, caller="sync")
        rows, number = rows + len(page.rows), number + 1
        if page.count is None or rows >= page.count:
            return rows


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

    chosen = list(OwnedNumber.objects.order_by("?").values_list("number", "number_key"))[
        : max(1, numbers // 1000)
    ]
    for number, key in chosen:
        price = {"pricePerMonth": f"{1 + time.monotonic_ns() % 1_000_000 / 1_000_000:.6f}"}
        body = {"act": "change", "number": number, "number_key": key, "set": price}
        requests.post(f"{url}/_sandbox/outside", json=body, timeout=10).raise_for_status()
    return len(chosen)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds of this process, seconds by the clock, and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def statements(work: Callable[[], Any]) -> int:
    """How many SQL statements it takes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        work()
    return len(seen)


def measure(url: str, numbers: int, page: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Best (CPU, wall) of each kind of work; prints what a run without changes writes."""
    from numbersadmin.audit.models import AuditEvent
    from numbersadmin.numbers.models import NumberVersion

    best: dict[str, tuple[float, float]] = {}

    def keep(name: str, work: Callable[[], Any]) -> Any:
        cpu, wall, result = timed(work)
        best[name] = min(best.get(name, (cpu, wall)), (cpu, wall))
        return result

    run = keep("first sync, everything is new", sync)
    assert run.appeared == numbers, run.appeared
    written = NumberVersion.objects.count(), AuditEvent.objects.count()
    for _ in range(rounds):
        assert keep("fetch and parse alone", lambda: fetch_and_parse(url, page)) == numbers
        assert keep("our client alone", read_with_our_client) == numbers
        assert keep("sync, nothing changed", sync).changed == 0
    now = NumberVersion.objects.count(), AuditEvent.objects.count()
    print(
        f"written by {rounds} runs without a change: {now[0] - written[0]} versions, {now[1] - written[1]} events"
    )
    print(f"statements of such a run: {statements(sync)}, for {run.pages} pages")
    for _ in range(rounds):
        changed = change_some(url, numbers)
        assert keep("sync, 0.1 % changed", sync).changed == changed
    return best


def report(best: dict[str, tuple[float, float]], numbers: int) -> float:
    """Prints the table; returns the ratio of an unchanged sync to fetching and parsing."""
    base = best["fetch and parse alone"][0]
    print(f"{'':32}{'CPU s':>9}{'wall s':>9}{'rows/s of CPU':>16}{'ratio':>8}")
    for name, (cpu, wall) in sorted(best.items(), key=lambda each: each[1]):
        print(f"{name:32}{cpu:9.3f}{wall:9.3f}{numbers / cpu:16,.0f}{cpu / base:8.2f}")
    print(f"largest resident size: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return best["sync, nothing changed"][0] / base


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=10_000)
    parser.add_argument("--page", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    process, url = start_sandbox(given.numbers)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-sync-") as folder:
            set_up(folder, url, given.page)
            ratio = report(measure(url, given.numbers, given.page, given.rounds), given.numbers)
    finally:
        process.terminate()
        process.wait()
    print(f"a sync without changes costs {ratio:.2f}x of fetching and parsing (at most {LIMIT:.1f}x)")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
