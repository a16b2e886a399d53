"""People search while a sync reads on, under the provider's limits: `python bench/sync_and_people.py`.

A sandbox with its limits on and 10,000 owned numbers, the web server, one sync in a process of its own, and five
people who each search anew some seconds after every answer. Prints how long they waited, how many got numbers and how
many were told when to come back, how long the sync took, and the provider's answers 429. Exit code 1 when a page took
more than 5 seconds or neither showed numbers nor said when, or when anything was answered 429.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from running import ROOT, Person, Running, running

LONGEST = 5.0
COUNTRIES = "DE GB FR ES IT NL SE PL HR RO".split()


def search(
    product: Running, who: int, over: threading.Event, pause: float, seen: list[tuple[float, str]]
) -> None:
    """One person; each search has other digits, so that no kept page answers it."""
    person, turn = Person(product.url, "manager"), 0
    while not over.wait(pause):
        turn += 1
        began = time.perf_counter()
        page = person.get(f"/available/?country={COUNTRIES[turn % 10]}&match=contains&digits={who}{turn:02}")
        took = time.perf_counter() - began
        later, failed = "data-retry-after" in page.text, page.status_code != 200
        seen.append((took, "failed" if failed else "told when to come back" if later else "answered"))


def sync_with_people(
    product: Running, people: int, pause: float
) -> tuple[float, int, list[tuple[float, str]]]:
    """Seconds of the sync, its exit code, and every search made meanwhile."""
    over, seen = threading.Event(), list[tuple[float, str]]()
    threads = [
        threading.Thread(target=search, args=(product, who, over, pause, seen)) for who in range(people)
    ]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "manage.py", "sync"], cwd=ROOT, env=product.environment, check=False
    )
    took = time.perf_counter() - began
    over.set()
    for thread in threads:
        thread.join()
    return took, done.returncode, seen


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=10_000)
    parser.add_argument("--page", type=int, default=100)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--pause", type=float, default=8, help="seconds from an answer to the next search")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    settings = {
        "PROVIDER_RATE_LIMITS": "on",
        "LIST_PAGE_SIZE": str(given.page),
        "SYNC_THREADS": str(given.threads),
    }
    with (
        tempfile.TemporaryDirectory(prefix="bench-people-") as folder,
        running(str(Path(folder)), **settings) as product,
    ):
        product.sandbox("reset", {"owned": given.numbers, "available": 20_000})
        product.sandbox("switches", {"rate_limits": True})
        product.start("web")
        product.wait_for_web()
        took, code, seen = sync_with_people(product, given.people, given.pause)
        busy = sum(each["status"] == 429 for each in product.sandbox("ledger")["requests"])
    times, what = sorted(took for took, _ in seen), Counter(word for _, word in seen)
    p95 = times[int(len(times) * 0.95)]
    print(
        f"{given.numbers:,} numbers, {given.page} a page, {given.people} people: sync {took:.0f} s, exit {code}"
    )
    print(
        f"{len(seen)} searches: p95 {p95:.2f} s, longest {times[-1]:.2f} s; {dict(what)}; answers 429: {busy}"
    )
    return int(times[-1] > LONGEST or what["failed"] > 0 or busy > 0 or code != 0)


if __name__ == "__main__":
    sys.exit(main())
