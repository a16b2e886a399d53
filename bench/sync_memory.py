"""Memory of a sync at several sizes: `python bench/sync_memory.py [--sizes 10000,100000,1000000] [--database URL]`.

For each size a sandbox, a database of its own and fresh processes: one that only starts Django, one for the first
sync, one for a sync without changes, one for a sync in which 0.1 % changed. Prints the largest resident size of each
and what it is above Django's. On PostgreSQL `--database` names an empty database; it is emptied between sizes.
Exit code 1 when an unchanged sync is above Django + 30 MB at up to 100,000 numbers, or + 200 MB above that.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

from sync import change_some, set_up, start_sandbox, sync

STEPS = ("django", "first", "unchanged", "changed")


def step(name: str, folder: str, url: str, numbers: int) -> None:
    """One process's work; prints its largest resident size in MB."""
    set_up(folder, url, 1000)
    from numbersadmin.numbers.models import OwnedNumber

    OwnedNumber.objects.count()
    began = time.perf_counter()
    if name != "django":
        if name == "changed":
            change_some(url, numbers)
            began = time.perf_counter()
        sync()
    seconds = time.perf_counter() - began
    print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds]))


def measure(numbers: int) -> bool:
    """All steps at one size; says whether the limit is kept."""
    process, url = start_sandbox(numbers)
    found = {}
    try:
        with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
            for name in STEPS:
                command = [sys.executable, __file__, "--step", name, "--folder", folder, "--url", url]
                run = subprocess.run(
                    [*command, "--sizes", str(numbers)], stdout=subprocess.PIPE, text=True, check=True
                )
                found[name] = json.loads(run.stdout.splitlines()[-1])
    finally:
        process.terminate()
        process.wait()
    base, limit = found["django"][0], 30 if numbers <= 100_000 else 200
    cells = "".join(f"{mb - base:10.0f} MB{seconds:9.1f} s" for mb, seconds in list(found.values())[1:])
    print(f"{numbers:>10,}{base:8.0f} MB{cells}   unchanged at most {limit} MB", flush=True)
    return found["unchanged"][0] - base <= limit


def empty_database() -> None:
    """The next size begins anew; SQLite's file has gone with its folder."""
    if os.environ.get("DATABASE_URL"):
        import psycopg

        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


def main() -> int:
    """Measure each size, or be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--database", default="")
    parser.add_argument("--step", default="", choices=("", *STEPS))
    parser.add_argument("--folder")
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.database:
        os.environ["DATABASE_URL"] = given.database
    sizes = [int(each) for each in given.sizes.split(",")]
    if given.step:
        step(given.step, given.folder, given.url, sizes[0])
        return 0
    print(f"{'numbers':>10}{'Django':>11}{'first sync':>24}{'unchanged':>24}{'0.1 % changed':>24}")
    kept = []
    for numbers in sizes:
        empty_database()
        kept.append(measure(numbers))
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
