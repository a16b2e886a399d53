"""Speed and memory of sealing and verifying the audit log: `python bench/seal.py [--events 500000]`.

Works in a state directory of its own, on SQLite, or on the database that DATABASE_URL names (it must be empty).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.export import set_up, watched

NOW = datetime(2026, 10, 13, 9, 0, 0, 123456, tzinfo=UTC)
BLOCK = 20_000


def fill(events: int) -> None:
    """Events as a sync with changed prices and people write them."""
    from django.db import transaction

    from numbersadmin.audit.models import AuditEvent
    from numbersadmin.rows import insert, new

    for start in range(0, events, BLOCK):
        with transaction.atomic():
            insert(
                [
                    new(
                        AuditEvent, at=NOW, actor_type="user", actor_id=at % 50, actor="manager", roles="manager",
                        verb="number.price_changed", subject_type="ownednumber", subject_id=at,
                        subject=f"number {at}", number=str(49_150_000_000 + at),
                        before={"price_per_month": "5.000000", "currency": "EUR"},
                        after={"price_per_month": "6.000000", "currency": "EUR"}, request_id="0123456789ab",
                        ip="127.0.0.1", source="celery",
                    )
                    for at in range(start, min(start + BLOCK, events))
                ]
            )  # fmt: skip


def main() -> None:
    """Make the events, seal them, and prove the seal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        set_up()
        from django.core.management import call_command

        from numbersadmin.audit import seal

        call_command("migrate", verbosity=0)
        fill(wanted.events)

        def once(act: Callable[[], object]) -> Iterator[object]:
            yield act()

        for name, act in (("seal", lambda: seal.seal(NOW)), ("verify", seal.verify)):
            began = time.process_time()
            took, memory, _ = watched(lambda act=act: once(act))
            ours = time.process_time() - began
            speeds = f"{wanted.events / took:10,.0f} events/s, {wanted.events / ours:10,.0f} a second of our own work"
            print(f"{name:<7} {speeds}, {memory:.1f} MB above the start")
        assert not seal.verify().problems


if __name__ == "__main__":
    main()
