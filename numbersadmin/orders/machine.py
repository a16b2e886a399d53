"""The states of an order item: which may follow which, and the one way to change them.

Every change is one conditional UPDATE that has to touch exactly one row, with its audit event in the same
transaction. Whoever comes second is told who was first.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import record
from numbersadmin.formats import when
from numbersadmin.orders.errors import Moved
from numbersadmin.orders.models import OrderItem, State

TRANSITIONS: dict[tuple[State, State], str] = {
    (State.PENDING, State.APPROVED): "the last approval needed, or a rule that needs none",
    (State.PENDING, State.REJECTED): "an approver rejects",
    (State.PENDING, State.WITHDRAWN): "the requester withdraws",
    (State.PENDING, State.EXPIRED): "nobody decided in time",
    (State.PENDING, State.FAILED): "gone when it was to be approved",
    (State.APPROVED, State.PENDING): "the offer got worse",
    (State.APPROVED, State.WITHDRAWN): "the requester withdraws",
    (State.APPROVED, State.EXPIRED): "the approval ran out",
    (State.APPROVED, State.FAILED): "gone before it was sent",
    (State.APPROVED, State.EXECUTING): "a worker claims it",
    (State.APPROVED, State.DONE): "what was to be sent had happened already",
    (State.EXECUTING, State.DONE): "the provider confirms",
    (State.EXECUTING, State.FAILED): "the provider refuses",
    (State.EXECUTING, State.APPROVED): "surely not sent, to be sent again",
    (State.EXECUTING, State.UNKNOWN): "no definite answer",
    (State.UNKNOWN, State.DONE): "a look finds that it was done, or two persons say so",
    (State.UNKNOWN, State.FAILED): "looks prove that it was not done, or two persons say so",
    (State.FAILED, State.DONE): "what had been sent shows up late",
    (State.EXPIRED, State.DONE): "what had been sent shows up late",
    (State.WITHDRAWN, State.DONE): "what had been sent shows up late",
}

# What somebody did to an item, for the one who comes second.
DID = {
    "order.submitted": "asked for it",
    "order.approved": "approved it",
    "order.agreed": "approved it",
    "order.rejected": "rejected it",
    "order.withdrawn": "withdrew it",
    "order.expired": "ended it, because its time ran out",
    "item.executing": "began to carry it out",
    "item.bought": "recorded that it was bought",
    "item.cancelled": "recorded that it was cancelled",
    "item.failed": "recorded that it failed",
    "item.unknown": "recorded that its outcome is unknown",
    "item.not_sent": "put it off",
    "item.price_changed": "found a changed price",
}


def move(
    item: OrderItem,
    to: State,
    *,
    verb: str,
    actor: User | None,
    now: datetime,
    reason: str = "",
    after: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change the item's state and `fields`, and record it. Raises Moved when it is no longer as it was read."""
    old = State(item.state)
    if (old, to) not in TRANSITIONS:
        raise ValueError(f"nothing leads from {old} to {to}")
    with transaction.atomic():
        _update(item, now, {"state": to, **fields})
        _record(item, verb, actor, now, reason, {"state": old}, {"state": to, **(after or {})})


def amend(
    item: OrderItem,
    *,
    now: datetime,
    verb: str = "",
    actor: User | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    **fields: Any,
) -> None:
    """Change `fields` of an item that stays in its state; recorded when it has a verb. Raises Moved."""
    with transaction.atomic():
        _update(item, now, fields)
        if verb:
            _record(item, verb, actor, now, reason, before, after)


def _update(item: OrderItem, now: datetime, fields: dict[str, Any]) -> None:
    as_read = OrderItem.objects.filter(pk=item.pk, state=item.state, version=item.version)
    if as_read.update(version=F("version") + 1, updated_at=now, **fields) != 1:
        raise moved(item)
    item.version += 1
    item.updated_at = now
    for name, value in fields.items():
        setattr(item, name, value)


def _record(
    item: OrderItem,
    verb: str,
    actor: User | None,
    now: datetime,
    reason: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    record(
        actor=actor,
        verb=verb,
        subject=item,
        at=now,
        before=before,
        after=after,
        reason=reason,
        related=item.order,
    )


def moved(item: OrderItem) -> Moved:
    """The error for who comes second: it names who was first, what they did, and when."""
    last = (
        AuditEvent.objects.filter(subject_type=OrderItem._meta.model_name, subject_id=item.pk)
        .order_by("-id")
        .first()
    )
    if last is None:
        return Moved(f"Order {item.order_id} has changed meanwhile. Look at it as it is now.")
    did = DID.get(last.verb, "changed it")
    return Moved(f"{last.actor} {did} on {when(last.at)}. Look at order {item.order_id} as it is now.")
