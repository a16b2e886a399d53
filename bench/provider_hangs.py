"""Local pages while the provider hangs for ever: `python bench/provider_hangs.py [--people 16] [--pause 0.5]`.

So many people search, and again half a second after an answer; meanwhile local pages are asked for at 20 a
second. Exit code 1 when the slowest twentieth of them takes 200 ms or longer.
"""

import argparse
import itertools
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from running import Person, Running, running

PAGES = ("/", "/orders/?state=all", "/numbers/", "/audit/")
A_SECOND = 20
LIMIT = 0.2


def search(product: Running, over: threading.Event, pause: float, waits: list[float]) -> None:
    """One of the people who search: another question soon after the last one is answered."""
    person = Person(product.url, "viewer")
    for digits in itertools.count(1000):
        if over.is_set():
            return
        began = time.monotonic()
        person.get(f"/available/?country=DE&digits={digits}")
        waits.append(time.monotonic() - began)
        over.wait(pause)


def ask(person: Person, path: str) -> float:
    """Seconds until a local page was there."""
    began = time.monotonic()
    answer = person.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return time.monotonic() - began


def at_a_pace(product: Running, seconds: float) -> dict[str, list[float]]:
    """Local pages in turn, begun on time whether or not the one before has come."""
    person, times = Person(product.url, "viewer"), {path: list[float]() for path in PAGES}
    for path in PAGES * 4:  # whatever is built at a first request
        ask(person, path)
    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        asked = []
        for count in range(int(seconds * A_SECOND)):
            time.sleep(max(0.0, began + count / A_SECOND - time.monotonic()))
            path = PAGES[count % len(PAGES)]
            asked.append((path, pool.submit(ask, person, path)))
        for path, one in asked:
            times[path].append(one.result())
    return times


def all_of(times: dict[str, list[float]]) -> list[float]:
    """The times of all pages."""
    return list(itertools.chain.from_iterable(times.values()))


def show(title: str, times: list[float]) -> float:
    """Prints a line; the slowest twentieth begins at what it returns."""
    ordered = sorted(times)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    print(f"{title:28}{len(times):6}{p50 * 1000:9.0f} ms{p95 * 1000:9.0f} ms{ordered[-1] * 1000:9.0f} ms")
    return p95


def main() -> int:
    """Measure well and hanging, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds from an answer to the next search")
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-hangs-") as folder, running(folder) as product:
        product.start("web")
        product.wait_for_web()
        print(f"{'':28}{'pages':>6}{'p50':>12}{'p95':>12}{'longest':>12}")
        show("nobody searches", all_of(at_a_pace(product, given.seconds / 4)))
        product.sandbox("faults", {"endpoint": "*", "kind": "hang", "seconds": 3600, "times": -1})
        over, waits = threading.Event(), list[float]()
        people = [
            threading.Thread(target=search, args=(product, over, given.pause, waits))
            for _ in range(given.people)
        ]
        for one in people:
            one.start()
        times = at_a_pace(product, given.seconds)
        over.set()
        for one in people:
            one.join()
        for path, taken in times.items():
            show(f"  {path}", taken)
        p95 = show(f"{given.people} people search", all_of(times))
        show("  what they wait", waits)
    print(f"p95 of local pages: {p95 * 1000:.0f} ms (at most {LIMIT * 1000:.0f})")
    return int(p95 >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
