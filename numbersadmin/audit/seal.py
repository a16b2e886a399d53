"""Seals over the audit log, and the proof that nothing before the last one was changed (docs/audit_seal.md).

Triggers refuse a change by the application; a seal shows one by somebody who went around them.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from numbersadmin.audit.models import AuditEvent, Seal, SealKind
from numbersadmin.audit.recording import record

SEALED = (  # every column but the address, which may be forgotten; another order or column is another digest
    "id at actor_type actor_id actor roles verb subject_type subject_id subject number related_type related_id"
    " before after reason request_id source"
).split()
BEFORE_ALL = -(2**63)
BLOCK = 2000
WAIT_SECONDS = 30.0
PAUSE_SECONDS = 0.2


class NotSettled(Exception):
    """Nothing was sealed: transactions that may still add earlier events were not over in time."""


# Sealing ------------------------------------------------------------------------------------------------------------


def seal(
    now: datetime, kind: str = SealKind.DAILY, note: str = "", wait: float = WAIT_SECONDS
) -> Seal | None:
    """Seal every event there is, after at most `wait` seconds; None when the log is empty.

    Not inside a transaction of the caller: its own events are not settled yet. Raises NotSettled.
    """
    through = settled(wait)
    last = Seal.objects.order_by("number").last()
    if through is None or (last and through < last.through_id):
        return last
    made = Seal(
        number=last.number + 1 if last else 1,
        kind=kind,
        note=note,
        at=now,
        through_id=through,
        previous=last.sha256 if last else "",
    )
    made.events, made.sha256 = digest(made, last.through_id if last else BEFORE_ALL)
    try:
        with transaction.atomic():
            made.save(force_insert=True)
            told = {"through_id": made.through_id, "events": made.events, "sha256": made.sha256}
            record(actor=None, verb="audit.sealed", subject=made, after=told, at=now)
    except IntegrityError:  # another process took this place in the chain, maybe with fewer events
        return seal(now, kind, note, wait)
    return made


def settled(wait: float) -> int | None:
    """The id of the newest event, once no event with a smaller one can appear any more; None for an empty log.

    On SQLite one transaction writes at a time, so events appear in the order of their ids. On PostgreSQL an id is
    taken before its transaction commits: every transaction that runs now has to be over first.
    """
    newest = AuditEvent.objects.order_by("id").values_list("id", flat=True).last()
    if newest is None or connection.vendor != "postgresql":
        return newest
    running, ends = _running(), time.monotonic() + wait
    while running := running & _running():
        if time.monotonic() >= ends:
            raise NotSettled(f"{len(running)} transactions are still running.")
        time.sleep(PAUSE_SECONDS)
    return newest


def _running() -> set[str]:
    """The transactions of other sessions in this database, whatever they do."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualxid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'virtualxid'"
            " AND datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"
        )
        return {row[0] for row in cursor.fetchall()}


# The digest ---------------------------------------------------------------------------------------------------------


def digest(one: Seal, after: int) -> tuple[int, str]:
    """How many events lie between `after` (exclusive) and the seal, and the digest of them and of the seal itself.

    An event is the JSON list of its SEALED columns, after a comma; moments and JSON are as the database writes them.
    """
    found, events = hashlib.sha256(one.previous.encode()), 0
    encode = json.JSONEncoder(separators=(",", ":")).encode  # ASCII: the same in every version
    for block in _blocks(after, one.through_id):
        events += len(block)
        found.update(f",{encode(block)[1:-1]}".encode())
    at = f"{one.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    found.update(f",{encode([one.number, one.kind, one.note, at, one.through_id, events])}".encode())
    return events, found.hexdigest()


def _blocks(after: int, through: int) -> Iterator[list[tuple[Any, ...]]]:
    """Events in the order of their ids, some at a time, however many there are."""
    sql = f"SELECT {_columns()} FROM audit_auditevent WHERE id > %s AND id <= %s ORDER BY id"  # noqa: S608
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, [after, through])
        while block := cursor.fetchmany(BLOCK):
            yield block


def _columns() -> str:
    """What is sealed, as SQL; a moment and JSON as text that any driver hands over unread."""
    postgres = connection.vendor == "postgresql"
    forms = {
        "at": "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        if postgres
        else "CAST(at AS TEXT)",
        "before": 'CAST("before" AS TEXT)',
        "after": 'CAST("after" AS TEXT)',
    }
    return ", ".join(forms.get(name, f'"{name}"') for name in SEALED)


# The proof ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """What a verification found. `problems` is empty when every seal holds; `events` are those that seals cover."""

    seals: int
    events: int
    last: Seal | None
    problems: list[str]


def verify(anchor: str = "") -> Proof:
    """Compute every seal anew and compare. `anchor`: a digest kept elsewhere, that a seal must have."""
    problems: list[str] = []
    told = AuditEvent.objects.filter(verb="audit.sealed").order_by("subject_id")
    newest = (
        told.values_list("subject_id", flat=True).last() or 0
    )  # before the seals: one may be made meanwhile
    seals = list(Seal.objects.order_by("number"))
    before: Seal | None = None
    for place, one in enumerate(seals, 1):
        if one.number != place:
            problems.append(f"Seal {place} is missing, the next one is seal {one.number}.")
            break
        if problem := _problem(one, before):
            problems.append(problem)
        before = one
    if newest > len(seals) and not problems:
        problems.append(f"Seal {newest} is in the log, but is missing among the seals.")
    if anchor and anchor not in {one.sha256 for one in seals}:
        problems.append("No seal has the digest that was given: the seals are not those it was taken from.")
    return Proof(len(seals), sum(one.events for one in seals), before, problems)


def _problem(one: Seal, before: Seal | None) -> str:
    """What is wrong with a seal, given the one before it; empty when it holds."""
    name = f"Seal {one.number} of {one.at:%Y-%m-%d %H:%M} UTC"
    if one.previous != (before.sha256 if before else ""):
        return f"{name} does not follow from the one before it: a seal was changed or replaced."
    after = before.through_id if before else BEFORE_ALL
    events, sha256 = digest(one, after)
    which = f"events {after + 1 if before else 'from the first'} to {one.through_id}"
    if events < one.events:
        return f"{name} does not hold: of {one.events} events, {one.events - events} are gone ({which})."
    if events > one.events:
        return f"{name} does not hold: {events - one.events} events were inserted afterwards ({which})."
    if sha256 != one.sha256:
        return f"{name} does not hold: an event, or the seal itself, was changed ({which})."
    return ""


def verify_and_tell(now: datetime, anchor: str = "") -> Proof:
    """Verify, and put the result on record; without a seal there is nothing to tell."""
    proof = verify(anchor)
    if proof.last:
        verb = "audit.broken" if proof.problems else "audit.verified"
        told = {"seals": proof.seals, "events": proof.events}
        record(actor=None, verb=verb, subject=proof.last, after=told, reason=" ".join(proof.problems), at=now)
    return proof
