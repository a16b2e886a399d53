"""Time and memory of changing, undoing and importing 100,000 numbers: `python bench/bulk.py [--numbers 100000]`.

Works in a state directory of its own, on SQLite, or on the database that DATABASE_URL names (it must be empty).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.export import fill, set_up, watched


def measure() -> None:
    """Preview and do each kind of change, one after the other."""
    from django.utils import timezone

    from numbersadmin.accounts.models import RoleGrant, User
    from numbersadmin.numbers import bulk_applying, bulk_planning, bulk_undo, export_list, importing
    from numbersadmin.numbers.models import BulkChange, BulkKind, OwnedNumber

    actor = User.objects.get(username="person1")
    RoleGrant.objects.create(user=actor, role="approver")
    every, zone, made = OwnedNumber.objects.all(), timezone.get_current_timezone(), []

    def change(**wanted: object) -> BulkChange:
        return bulk_planning.plan_change(actor=actor, found=every, wanted=wanted, back="", now=timezone.now())

    def from_file() -> BulkChange:
        lines = export_list.csv_lines(every, ("number", "cost_centre"), zone=zone)
        found = importing.read("".join(line.replace("CC-", "Import-") for line in lines))
        importing.resolve(found, actor)
        draft = BulkChange(kind=BulkKind.IMPORT, actor=actor, created_at=timezone.now())
        rows = ((row, found.changes[row.pk], None) for row in bulk_planning.each_id(sorted(found.changes)))
        return bulk_planning.plan(change=draft, rows=rows, now=timezone.now())

    def do() -> Iterator[object]:
        bulk_applying.confirm(actor=actor, change=made[-1], reason="bench", now=timezone.now())
        bulk_applying.carry_out(change_id=made[-1].pk, clock=timezone.now)
        yield None

    kinds = {
        "owner of all": lambda: change(owner=None),
        "a label to all": lambda: change(labels={"add": ["bench"]}),
        "undo of that": lambda: bulk_undo.plan_undo(actor=actor, change=made[-1], now=timezone.now()),
        "cost centres from a file": from_file,
    }
    for name, plan in kinds.items():
        took, memory, _ = watched(lambda plan=plan: iter([made.append(plan())]))  # type: ignore[misc]
        did, more, _ = watched(do)
        made[-1].refresh_from_db()
        print(
            f"{name:<26} preview {took:6.1f} s {memory:6.1f} MB   done {did:6.1f} s {more:6.1f} MB"
            f"   {made[-1].changed:,} changed, {made[-1].left} left, {made[-1].state}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=100_000)
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.fill:
        set_up()
        fill(0, wanted.numbers)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        set_up()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        # in a process of its own: memory that it had used and given back would hide what is measured
        subprocess.run([sys.executable, __file__, "--fill", "--numbers", str(wanted.numbers)], check=True)
        measure()


if __name__ == "__main__":
    main()
