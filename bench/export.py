"""Time and memory of the list's files at 1,000 and at 1,000,000 numbers: `python bench/export.py`.

Each file is made in a process of its own. Works in a state directory of its own, on SQLite, or on the database that
DATABASE_URL names (it must be empty).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)
MB = 1024 * 1024
PEOPLE = 12


def set_up() -> None:
    """Django on the bench's database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numbersadmin.settings")
    import django

    django.setup()


def fill(first: int, last: int) -> None:
    """Numbers from the first to the last, as a sync would have them; owners, cost centres and labels vary."""
    from numbersadmin.accounts.models import User
    from numbersadmin.money import from_micro
    from numbersadmin.numbers.models import OwnedNumber

    while User.objects.count() < PEOPLE:
        User.objects.create_user(username=f"person{User.objects.count()}", password=None)
    people = list(User.objects.values_list("pk", flat=True))
    for start in range(first, last, 5000):
        OwnedNumber.objects.bulk_create(
            OwnedNumber(
                number_key=f"key{at}",
                number=str(49_150_000_000 + at * 7),
                country="DE",
                type="VIRTUAL_LONG_NUMBER",
                capabilities="SMS,VOICE" if at % 3 else "SMS",
                price_per_month=from_micro(1_000_000 + at % 97 * 10_000),
                currency="EUR",
                acquired_at=NOW,
                acquired_from=NOW,
                acquired_to=NOW,
                acquired_basis="purchased_here",
                owner_id=people[at % PEOPLE] if at % 5 else None,
                cost_centre=f"CC-{at % 20}",
                labels=["otp", f"label{at % 50}"],
            )
            for at in range(start, min(start + 5000, last))
        )


def watched(act: Callable[[], Iterator[object]]) -> tuple[float, float, int]:
    """Seconds, MB of memory above the start, and the size of what came."""
    process, over = psutil.Process(), threading.Event()
    base = peak = process.memory_info().rss

    def look() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.perf_counter()
    size = sum(len(part) if isinstance(part, str | bytes) else 0 for part in act())
    took = time.perf_counter() - began
    over.set()
    watcher.join()
    return took, (peak - base) / MB, size


def make(form: str) -> None:
    """One file, in this process; a first one of a single number has everything imported."""
    set_up()
    from django.utils import timezone

    from numbersadmin.numbers import export_list
    from numbersadmin.numbers.models import OwnedNumber

    every = OwnedNumber.objects.order_by("number", "id")
    zone = timezone.get_current_timezone()

    def file(found: object) -> Iterator[object]:
        if form == "csv":
            return export_list.csv_lines(found, zone=zone)
        return export_list.xlsx_chunks(found, about=[("Filter", "all")], zone=zone)

    list(file(every[:1]))
    if form == "xlsx" and every.count() > export_list.MOST_XLSX:
        every = every[: export_list.MOST_XLSX]
    took, memory, size = watched(lambda: file(every))
    print(
        f"{form:<5} {every.count():>9,} {took:8.1f} s {memory:7.1f} MB above the start {size / MB:8.1f} MB file"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--make", choices=["csv", "xlsx"], help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.make:
        make(wanted.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        set_up()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        have = 0
        for size in wanted.sizes:
            fill(have, size)
            have = size
            for form in ("csv", "xlsx"):
                subprocess.run([sys.executable, __file__, "--make", form], check=True)


if __name__ == "__main__":
    main()
