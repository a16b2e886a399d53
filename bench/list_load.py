"""The list of numbers under load: `python bench/list_load.py [--numbers 20000] [--rate 50] [--seconds 20]`.

The product with its own settings, the provider's list synced once. Then so many list pages a second are asked for by
people who are signed in (first pages, filters, orders, searches, last pages), each begun on time whether or not the
one before has come, without and beside a sync that begins again when it ends. Exit code 1 when the slowest twentieth
beside the sync takes longer than 100 ms. Both share the machine's cores with what asks.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from running import ROOT, Person, Running, running
from sync import change_some

PAGES = """
/numbers/?state=active /numbers/?sort=price /numbers/?country=DE /numbers/?q=4477 /numbers/?state=active&end=1
/numbers/?owner=(none)&sort=-since /numbers/?capabilities=VOICE /numbers/?q=555 /numbers/?country=GB&sort=-price
""".split()
LIMIT = 0.1


def ask(person: Person, path: str) -> float:
    """Seconds until a page was there."""
    began = time.monotonic()
    answer = person.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return time.monotonic() - began


def at_a_pace(people: list[Person], rate: float, seconds: float) -> list[float]:
    """The waits of all pages."""
    turns = zip(itertools.cycle(people), itertools.cycle(PAGES), strict=False)
    began, asked = time.monotonic(), []
    with ThreadPoolExecutor(100) as pool:
        for count, (person, path) in enumerate(itertools.islice(turns, int(rate * seconds))):
            time.sleep(max(0.0, began + count / rate - time.monotonic()))
            asked.append(pool.submit(ask, person, path))
    return sorted(one.result() for one in asked)


def show(title: str, waits: list[float]) -> float:
    """Print a line; the slowest twentieth begins at what it returns."""
    p50, p95 = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
    print(
        f"{title:28}{len(waits):6}{p50 * 1000:9.0f} ms{p95 * 1000:9.0f} ms{waits[-1] * 1000:9.0f} ms",
        flush=True,
    )
    return p95


def sync(product: Running) -> None:
    """Read the provider's whole list in a process of its own, as the worker does."""
    command = [sys.executable, "manage.py", "sync"]
    subprocess.run(command, cwd=ROOT, env=product.environment, check=True, capture_output=True)


def keep_syncing(product: Running, numbers: int, over: threading.Event, ended: list[float]) -> None:
    """One sync after the other, each with a thousandth of the numbers changed."""
    while not over.is_set():
        change_some(product.provider, numbers)
        began = time.monotonic()
        sync(product)
        ended.append(time.monotonic() - began)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--people", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-load-") as folder, running(folder) as product:
        product.sandbox("reset", {"owned": given.numbers, "available": 0})
        sync(product)
        product.start("web")
        product.wait_for_web()
        people = [Person(product.url, "viewer") for _ in range(given.people)]
        for path in PAGES * 4:  # whatever is built at a first request
            ask(people[0], path)
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        print(f"{given.rate:.0f} pages a second{'':10}{'pages':>6}{'p50':>12}{'p95':>12}{'longest':>12}")
        show("no sync", at_a_pace(people, given.rate, given.seconds))
        over, ended = threading.Event(), list[float]()
        syncing = threading.Thread(target=keep_syncing, args=(product, given.numbers, over, ended))
        syncing.start()
        p95 = show("beside a sync", at_a_pace(people, given.rate, given.seconds))
        over.set()
        syncing.join()
        print(f"{len(ended)} syncs of {given.numbers:,} numbers, {sum(ended) / len(ended):.1f} s each")
    print(f"p95 beside a sync: {p95 * 1000:.0f} ms (at most {LIMIT * 1000:.0f})")
    return int(p95 > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
