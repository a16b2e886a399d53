"""How long a sync waits: `python bench/sync_waits.py`.

Part 1: without the provider's limits, pages answered after 0, 50 and 100 ms, read by 1, 2, 4 and 8 threads. The
speed-up has to be 0.9 x threads, and at 0 ms no more than 1.1 x the time of one thread. Part 2: with the limits (one
list call a second), the page size learned and cut to 100 by the provider: at most 1.1 x pages / rate.
"""

import argparse
import sys
import tempfile
import time

import requests
from sync import set_up, start_sandbox, sync

NUMBERS, PAGE, ROUNDS = 8_000, 50, 3
RATE = 1.0  # list calls a second, as documented


def seconds(threads: int) -> float:
    """The reading of the list alone: from the first call to the last."""
    from django.conf import settings
    from django.utils import timezone

    from numbersadmin.provider.client import get_provider
    from numbersadmin.sync.ahead import reading_ahead
    from numbersadmin.sync.asking import Asking
    from numbersadmin.sync.models import SyncRun
    from numbersadmin.sync.page_size import PageSize
    from numbersadmin.sync.reader import read_list
    from numbersadmin.sync.recorded import recorded

    known = recorded()
    asking = Asking(get_provider(), SyncRun(), timezone.now)
    began = time.perf_counter()
    with reading_ahead(asking, threads) as pages:
        readings = read_list(pages, known, PageSize(settings.LIST_PAGE_SIZE, learned=False))
    assert readings.complete, readings.last.trouble
    return time.perf_counter() - began


def latency(url: str) -> bool:
    """Part 1; says whether the limits are kept."""
    kept = True
    print(f"{NUMBERS:,} numbers, {PAGE} a page, without limits")
    for wait in (0.0, 0.05, 0.1):
        if wait:
            fault = {"endpoint": "list_owned", "kind": "delay", "seconds": wait, "times": -1}
            requests.delete(f"{url}/_sandbox/faults", timeout=5)
            requests.post(f"{url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
        best: dict[int, float] = {}
        for _ in range(ROUNDS):
            for threads in (1, 2, 4, 8):
                best[threads] = min(best.get(threads, 1e9), seconds(threads))
        for threads, took in best.items():
            gain = best[1] / took
            well = gain >= (0.9 * threads if wait else 1 / 1.1) if threads > 1 else True
            kept &= well
            said = f"{threads} threads {took:7.2f} s {NUMBERS / took:9,.0f} numbers/s {gain:5.2f}x"
            print(f"{'kept  ' if well else 'MISSED'} {wait * 1000:4.0f} ms {said}")
    requests.delete(f"{url}/_sandbox/faults", timeout=5)
    return kept


def under_limits(url: str, folder: str) -> bool:
    """Part 2, with the limits of our own and of the sandbox."""
    from django.conf import settings

    from numbersadmin.provider import client

    requests.post(f"{url}/_sandbox/switches", json={"rate_limits": True, "max_limit": 100}, timeout=5)
    settings.PROVIDER_RATE_LIMITS, settings.LIST_PAGE_SIZE = True, 0
    client._provider.cache_clear()
    sync()  # learns the size
    began = time.perf_counter()
    run = sync()
    took, least = time.perf_counter() - began, run.pages / RATE
    busy = [
        r for r in requests.get(f"{url}/_sandbox/ledger", timeout=30).json()["requests"] if r["status"] == 429
    ]
    print(f"with limits: {run.pages} pages of {run.page_size} in {took:.1f} s, {took / least:.2f}x of pages / rate"
          f" (at most 1.1x); answers 429: {len(busy)}")  # fmt: skip
    return took <= 1.1 * least and not busy


def main() -> int:
    """Both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    process, url = start_sandbox(NUMBERS)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-waits-") as folder:
            set_up(folder, url, PAGE)
            sync()
            kept = latency(url)
            return int(not (under_limits(url, folder) and kept))
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
