"""What a bulk change does to one number: which fields get which values, or why it is left as it is.

A number's fields are `owner` (id or None), `cost_centre`, `labels` and `protection` (None, or at, by and reason).
What is wanted of them is a dict of the same names that JSON can hold; `labels` are `{"add": [...]}`,
`{"remove": [...]}` or `{"replace": [...]}`, `protection` is True, False, or one to be put back as it was.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.dateparse import parse_datetime

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import event
from numbersadmin.numbers.models import MOST_LABELS, BulkChange, BulkKind, OwnedNumber, Status
from numbersadmin.numbers.selectors import may_edit

MOST = 200_000  # numbers of one bulk change
LABELS = {
    "owner": "Owner",
    "cost_centre": "Cost centre",
    "labels": "Labels",
    "protection": "Protection",
}

READ = (  # the columns that are looked at
    "number country status owner cost_centre labels protected_at protected_by protected_reason version"
).split()
Fields = Mapping[str, Any]


class Left(models.TextChoices):
    """Why a number is left as it is."""

    ENDED = "ended", "No longer ours"
    NOT_YOURS = "not_yours", "Belongs to somebody else: they, an approver or finance can change it"
    SAME = "same", "Already so"
    PROTECTED_BY_YOU = "protected_by_you", "Protected by you: another person takes that off"
    NOT_ALLOWED = "not_allowed", "Only an approver or finance changes a protection"
    TOO_MANY_LABELS = "too_many_labels", f"Would have more than {MOST_LABELS} labels"
    MOVED = "moved", "Changed by somebody else since the preview"
    TOUCHED = "touched", "Changed again since then"


def rows_of(ids: Iterable[int]) -> dict[int, OwnedNumber]:
    """The numbers with these ids."""
    return OwnedNumber.objects.only(*READ).in_bulk(list(ids))


def fields_of(row: OwnedNumber) -> dict[str, Any]:
    """What a bulk change can alter, as JSON holds it."""
    return {
        "owner": row.owner_id,
        "cost_centre": row.cost_centre,
        "labels": row.labels,
        "protection": row.protected_at
        and {
            "at": row.protected_at.isoformat(),
            "by": row.protected_by_id,
            "reason": row.protected_reason,
        },
    }


def outcome(row: OwnedNumber, wanted: Fields, *, change: BulkChange, now: datetime) -> dict[str, Any] | Left:
    """The fields that change, with their new values; or why none does."""
    if row.status == Status.ENDED:
        return Left.ENDED
    if refused := _refused(row, wanted, change):
        return refused
    before, after = fields_of(row), {}
    for name, value in wanted.items():
        after[name] = _new_value(name, before[name], value, change, now)
    if len(after.get("labels", [])) > MOST_LABELS:
        return Left.TOO_MANY_LABELS
    return {name: value for name, value in after.items() if value != before[name]} or Left.SAME


def _refused(row: OwnedNumber, wanted: Fields, change: BulkChange) -> Left | None:
    """May this person? An undo only gives back what was there, so it asks for no more than to be allowed to undo."""
    actor, undoing = change.actor, change.kind == BulkKind.UNDO
    if undoing and not actor.can("numbers.bulk"):
        return Left.NOT_YOURS
    others = [name for name in wanted if name != "protection"]
    if others and not undoing and not may_edit(actor, row):
        return Left.NOT_YOURS
    if "protection" not in wanted or (undoing and wanted["protection"]):
        return None
    if not actor.can("numbers.protect"):
        return Left.NOT_ALLOWED
    taken_off = not wanted["protection"] and row.protected_at
    return Left.PROTECTED_BY_YOU if taken_off and row.protected_by_id == actor.pk else None


def _new_value(name: str, before: Any, value: Any, change: BulkChange, now: datetime) -> Any:
    if name == "labels":
        return _labels(before, value)
    if name != "protection" or isinstance(value, dict):
        return value
    if not value:
        return None
    return before or {"at": now.isoformat(), "by": change.actor_id, "reason": change.reason[:300]}


def _labels(before: list[str], value: Mapping[str, list[str]]) -> list[str]:
    [(how, words)] = value.items()
    if how == "add":
        return [*before, *(word for word in words if word not in before)]
    return [word for word in before if word not in words] if how == "remove" else list(words)


def columns(after: Fields) -> dict[str, Any]:
    """The columns that hold these fields."""
    found: dict[str, Any] = {}
    for name, value in after.items():
        if name == "owner":
            found["owner_id"] = value
        elif name == "protection":
            found["protected_at"] = parse_datetime(value["at"]) if value else None
            found["protected_by_id"] = value["by"] if value else None
            found["protected_reason"] = value["reason"] if value else ""
        else:
            found[name] = value
    return found


def same(after: Fields) -> str:
    """A key that is equal for equal changes."""
    return json.dumps(after, sort_keys=True)


def events(
    row: OwnedNumber,
    before: Fields,
    after: Fields,
    *,
    change: BulkChange,
    names: Mapping[int, str],
    now: datetime,
) -> list[AuditEvent]:
    """What goes on record for one number, written as a change of that number alone is."""

    def assigned(values: Fields) -> dict[str, Any]:
        return {
            name: names.get(value) if name == "owner" else value
            for name, value in values.items()
            if name != "protection"
        }

    made = []
    known: dict[str, Any] = {
        "actor": change.actor,
        "subject": row,
        "at": now,
        "reason": change.reason,
        "related": change,
    }
    if assigned(after):
        made.append(event(verb="number.assigned", before=assigned(before), after=assigned(after), **known))
    if "protection" in after:
        was, now_is = before["protection"], bool(after["protection"])
        verb = "number.protected" if now_is else "number.unprotected"
        reason = was["reason"] if was else ""
        made.append(
            event(
                verb=verb,
                before={"protected": bool(was), "reason": reason},
                after={"protected": now_is},
                **known,
            )
        )
    return made


def user_names() -> dict[int, str]:
    """The user name of everybody."""
    return dict(User.objects.values_list("pk", "username"))


def display_names() -> dict[int, str]:
    """What everybody is called."""
    return {pk: full or name for pk, full, name in User.objects.values_list("pk", "full_name", "username")}


def in_words(name: str, value: Any, names: Mapping[int, str]) -> str:
    """A value as people read it."""
    if name == "owner":
        return names.get(value, "somebody unknown") if value else "nobody"
    if name == "protection":
        return "protected" if value else "not protected"
    return (", ".join(value) if name == "labels" else value) or "none"
