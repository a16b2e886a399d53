"""Undoing a bulk change: each number gets back what it had, unless somebody has changed it since."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import bulk
from numbersadmin.numbers.bulk import Left
from numbersadmin.numbers.bulk_planning import Planned, plan
from numbersadmin.numbers.models import BulkChange, BulkKind, BulkState

BY_PEOPLE = ("number.assigned", "number.protected", "number.unprotected")


class CannotUndo(Exception):
    """The change cannot be undone; the message says why."""


def why_not(person: User, change: BulkChange) -> str:
    """Why this person cannot undo it; empty when they can."""
    if change.kind == BulkKind.UNDO:
        return "This was an undo itself. Change the numbers again instead."
    if change.state != BulkState.DONE or not change.changed:
        return "Nothing was changed that could be undone."
    if not (person.can("numbers.bulk") and (change.actor_id == person.pk or person.can("numbers.undo_any"))):
        return f"{change.actor.display_name} or an administrator can undo it."
    done = change.undoings.filter(state__in=[BulkState.WAITING, BulkState.DONE]).first()
    return f"{done.actor.display_name} has undone it already." if done else ""


def plan_undo(*, actor: User, change: BulkChange, now: datetime) -> BulkChange:
    """Plan to undo it: a draft to be confirmed like any other. Raises CannotUndo."""
    if problem := why_not(actor, change):
        raise CannotUndo(problem)
    undo = BulkChange(kind=BulkKind.UNDO, actor=actor, undoes=change, created_at=now)
    if "protection" in change.wanted:  # asks for a reason
        undo.wanted = {"protection": "as it was"}
    return plan(change=undo, rows=_rows(change), now=now)


def _rows(change: BulkChange) -> Iterator[Planned]:
    for batch_id in list(change.batches.order_by("pk").values_list("pk", flat=True)):
        results = change.batches.values_list("results", flat=True).get(pk=batch_id)
        rows = bulk.rows_of(pk for pk, _, _ in results)
        last = _last_events(list(rows))
        for pk, before, after in results:
            fields = bulk.fields_of(rows[pk])
            touched = last.get(pk) != change.pk or any(fields[name] != after[name] for name in after)
            yield rows[pk], _put_back(before), Left.TOUCHED if touched else None


def _last_events(ids: list[int]) -> dict[int, int | None]:
    """For each number the bulk change that was the last change of it by people; None for another change."""
    events = AuditEvent.objects.filter(subject_type="ownednumber", subject_id__in=ids, verb__in=BY_PEOPLE)
    found = events.order_by("pk").values_list("subject_id", "related_type", "related_id")
    return {pk: related if kind == "bulkchange" else None for pk, kind, related in found}


def _put_back(before: dict[str, Any]) -> dict[str, Any]:
    wanted = dict(before)
    if "labels" in wanted:
        wanted["labels"] = {"replace": before["labels"]}
    if "protection" in wanted:
        wanted["protection"] = before["protection"] or False
    return wanted
