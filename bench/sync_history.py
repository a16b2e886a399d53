"""The long run of tests/sync/two_sides.py: `python bench/sync_history.py [--examples 5000] [--jobs 2] [--chance N]`.

SQLite, or test databases beside that of DATABASE_URL. Exit code 1 when anything was violated, with the `--chance`
that shows it again. `--without GUARD` takes one of our guards away, and then a violation has to be found.
"""

import argparse
import sys
from collections import Counter

import jobs

AT_ONCE = 100  # histories between two lines of progress


def play(given: argparse.Namespace) -> jobs.Result:
    """So many histories in this process; what was done in them."""
    with jobs.stage():
        from numbersadmin.provider.client import get_provider
        from tests.conftest import Cast, Sandbox
        from tests.orders.desk import Desk
        from tests.sync import careless, two_sides
        from tests.sync.conftest import Mirror

        did: Counter[str] = Counter()
        for done in range(0, given.examples, AT_ONCE):
            with jobs.undone(), careless.without(given.without):
                mirror = Mirror(Sandbox(given.sandbox), two_sides.BEGIN)
                desk = Desk(get_provider(), Cast(), mirror.clock)
                examples = min(AT_ONCE, given.examples - done)
                did += two_sides.run(mirror, desk, examples=examples, chance=given.chance + done)
            print(f"{did['histories']} histories", file=sys.stderr, flush=True)
    return dict(did)


def report(results: list[jobs.Result], seconds: float) -> None:
    """What was done."""
    total: Counter[str] = sum((Counter(result) for result in results), Counter())
    runs = sum(count for name, count in total.items() if name.startswith("run "))
    print(f"{total['histories']} histories with {runs} runs in {seconds:.0f} s")
    for name, count in sorted(total.items()):
        print(f"  {count:7}  {name}")


def main() -> int:
    """Start the jobs, wait for them, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--without", default="", help="a guard of tests/sync/careless.py to take away")
    return jobs.run(parser, "examples", play, report)


if __name__ == "__main__":
    sys.exit(main())
