"""The audit log at 10,000,000 events: `python bench/audit_log.py [--events 10000000]`.

Milliseconds of reading one page (without rendering it) for every filter that the page offers, at the first, a middle
and the last page; exit code 1 above the limit. SQLite in a temporary directory, or the empty database that
DATABASE_URL names. `--keep FOLDER` uses SQLite's file again, and leaves what is in PostgreSQL.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
LIMIT = 10.0
FIRST, LAST = datetime(2021, 10, 13, tzinfo=UTC), datetime(2026, 10, 13, tzinfo=UTC)
ROUNDS = 9
# i: the event's number of all {count}; drawn: a number below 1,000 that looks like it
EVENTS = """
INSERT INTO audit_auditevent (id, at, actor_type, actor, roles, verb, subject_type, subject_id, subject, number,
 related_type, related_id, after, reason, request_id, source)
WITH RECURSIVE counted(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < {count}),
 drawn AS (SELECT CAST(i AS BIGINT) AS i, CAST(i AS BIGINT) * 48271 % 65537 * 31 % 1000 AS drawn FROM counted),
 kinds AS (SELECT i, drawn, CASE
  WHEN i <= {first} THEN 'number' WHEN i <= {first} + 5 THEN 'budget' WHEN i <= {first} + 2000 THEN 'view'
  WHEN drawn < 500 THEN 'number' WHEN drawn < 700 THEN 'item' WHEN drawn < 850 THEN 'order'
  WHEN drawn < 900 THEN 'sync' ELSE 'user' END AS kind FROM drawn)
SELECT i, {moment}, 'user',
 CASE WHEN kind = 'sync' THEN 'numbersadmin' WHEN i <= {first} THEN 'Infobip' WHEN i <= {first} + 300 THEN 'leaver'
  ELSE 'person' || (drawn % 12) END, '',
 kind || CASE kind WHEN 'number' THEN '.assigned' WHEN 'item' THEN '.bought' ELSE '.changed' END,
 CASE kind WHEN 'number' THEN 'ownednumber' WHEN 'item' THEN 'orderitem' WHEN 'sync' THEN 'syncrun' ELSE kind END,
 i % 200000, kind || ' ' || i,
 CASE WHEN kind IN ('number', 'item') THEN
  CASE i % 7 WHEN 0 THEN '4930' WHEN 1 THEN '3363' WHEN 2 THEN '1202' ELSE '4477' END
  || (10000000 + i * 7919 % 200000) ELSE '' END,
 CASE WHEN kind = 'item' THEN 'order' ELSE '' END, CASE WHEN kind = 'item' THEN i % 200000 END,
 '{{"state": "approved"}}', '', '', 'web'
FROM kinds
"""


def fill(count: int) -> None:
    """Five years of events: a twentieth came at one moment (a first sync), then a few rare kinds, then a mixture."""
    from django.db import connection

    from numbersadmin.audit import append_only
    from numbersadmin.audit.models import AuditEvent

    first, step = count // 20, (LAST - FIRST).total_seconds() / count
    second = f"{int(FIRST.timestamp())} + CAST((CASE WHEN i < {first} THEN {first} ELSE i END) * {step} AS INTEGER)"
    moment = (
        f"to_timestamp({second})" if connection.vendor == "postgresql" else f"datetime({second}, 'unixepoch')"
    )
    indexes = AuditEvent._meta.indexes
    append_only.remove(connection, AuditEvent._meta.db_table)
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(AuditEvent, index)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous = off")
            cursor.execute("PRAGMA cache_size = -1000000")
        cursor.execute(EVENTS.format(count=count, first=first, moment=moment))
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(AuditEvent, index)
    append_only.install(connection, AuditEvent._meta.db_table)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE audit_auditevent")


def cases() -> Iterator[tuple[str, Any]]:
    """Every filter of the page alone, the rarest and the most frequent value of each, and some together."""
    from numbersadmin.audit.selectors import Filters

    day = timedelta(days=1)
    middle = FIRST + (LAST - FIRST) / 2
    yield "everything", Filters()
    for what in ("number", "item", "sync", "view", "budget", "attestation"):
        yield f"what={what}", Filters(what=what)
    for who in ("person3", "numbersadmin", "Infobip", "leaver", "nobody"):
        yield f"who={who}", Filters(who=who)
    for q in (
        "447710000042",
        "+44 7710 000042",
        "44771004",
        "4477100",
        "4477",
        "4",
        "99",
        "order 1037",
        "1037",
        "#199999",
    ):
        yield f"q={q}", Filters(q=q)
    yield "a day", Filters(since=middle, until=middle + day)
    yield "before the first year ended", Filters(until=FIRST + 365 * day)
    yield "since the first event", Filters(since=FIRST)
    yield "without syncs", Filters(hide_syncs=True)
    yield "who=person3 what=order", Filters(who="person3", what="order")
    yield "who=person3 what=budget", Filters(who="person3", what="budget")
    yield "who=leaver what=number", Filters(who="leaver", what="number")
    yield "what=view in a day", Filters(what="view", since=middle, until=middle + day)
    yield "who=person3 in a day", Filters(who="person3", since=middle, until=middle + day)
    yield "q=4477 who=person3", Filters(q="4477", who="person3")
    yield "q=4477 without syncs", Filters(q="4477", hide_syncs=True)


def marks(filters: Any) -> dict[str, str]:
    """The `before` of the first page, one half way through the time, and the last."""
    from numbersadmin.audit import selectors

    since, until = max(filters.since or FIRST, FIRST), min(filters.until or LAST, LAST)
    oldest = list(selectors.events(filters).order_by("at", "id")[:20].values_list("at", "id"))
    found = {"first": "", "middle": f"{since + (until - since) / 2:%Y-%m-%dT%H:%M:%SZ}_1"}
    if oldest:
        at, pk = oldest[-1]
        found["last"] = f"{at:%Y-%m-%dT%H:%M:%SZ}_{pk}"
    return found


def milliseconds(filters: Any, before: str) -> tuple[float, int]:
    """The least of reading a page several times (what other work adds is no part of it), and the events on it."""
    from numbersadmin.audit import selectors

    times, shown = [], 0
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        shown = len(selectors.page(filters, before=before).lines)
        times.append((time.perf_counter() - began) * 1000)
        if times[-1] > 1000:
            break
    return min(times), shown


def report(only: str) -> int:
    """Print a line for each filter; how many pages are above the limit."""
    late = 0
    print(f"{'filter':32}" + "".join(f"{name:>18}" for name in ("first", "middle", "last")))
    for name, filters in cases():
        if only not in name:
            continue
        cells = []
        for before in marks(filters).values():
            took, shown = milliseconds(filters, before)
            late += took > LIMIT
            cells.append(f"{took:8.1f} ms /{shown:3}{' !' if took > LIMIT else '  '}")
        print(f"{name:32}" + "".join(f"{one:>18}" for one in cells), flush=True)
    return late


def main() -> None:
    """Fill the log when it is empty, read it, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="filters whose name has this in it")
    parser.add_argument("--keep", default="", help="a folder that keeps SQLite's file for the next time")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="numbersadmin-bench-") as folder:
        os.environ["VAR_DIR"] = wanted.keep or folder
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numbersadmin.settings")
        import django

        django.setup()
        from django.core.management import call_command

        from numbersadmin.audit.models import AuditEvent

        call_command("migrate", verbosity=0)
        if not AuditEvent.objects.exists():
            fill(wanted.events)
        late = report(wanted.only)
    print(f"{late} pages above {LIMIT:.0f} ms")
    sys.exit(bool(late))


if __name__ == "__main__":
    main()
