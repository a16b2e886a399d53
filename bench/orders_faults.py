"""The long run of tests/orders/company.py: `python bench/orders_faults.py [--steps 20000] [--jobs 2] [--chance N]`.

SQLite, or test databases beside that of DATABASE_URL. Exit code 1 when anything was violated, with the `--chance`
that shows it again.
"""

import argparse
import sys
from collections import Counter

import jobs


def play(given: argparse.Namespace) -> jobs.Result:
    """So many steps in this process; what they were."""
    with jobs.stage(), jobs.undone():
        from numbersadmin.provider.client import get_provider
        from tests.conftest import NOW, Cast, Sandbox
        from tests.orders import company
        from tests.orders.desk import Clock, Desk

        desk = Desk(get_provider(), Cast(), Clock(NOW))
        company.run(desk, Sandbox(given.sandbox), steps=given.steps, chance=given.chance)
    return {"steps": company.Company.steps, "troubles": company.Company.seen, "did": company.Company.did}


def report(results: list[jobs.Result], seconds: float) -> None:
    """What was done and what went wrong meanwhile."""
    steps = sum(result["steps"] for result in results)
    print(f"{steps} steps in {seconds:.0f} s: {steps / seconds:.0f} steps/s")
    for title in ("did", "troubles"):
        total: Counter[str] = sum((Counter(result[title]) for result in results), Counter())
        print(f"{title}, {sum(total.values())}:" if title == "troubles" else "done:")
        for name, count in sorted(total.items()):
            print(f"  {count:7}  {name}")


def main() -> int:
    """Start the jobs, wait for them, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    return jobs.run(parser, "steps", play, report)


if __name__ == "__main__":
    sys.exit(main())
