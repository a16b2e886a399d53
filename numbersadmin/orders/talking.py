"""Speaking about an order: comments, and reminding who has to decide."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import record
from numbersadmin.formats import when
from numbersadmin.orders.errors import Expired, Incomplete, Moved, NotAllowed, OrderError
from numbersadmin.orders.models import Order
from numbersadmin.orders.standing import waiting_persons
from numbersadmin.orders.submitting import LONGEST_REASON
from numbersadmin.orders.words import listed

AGAIN_AFTER = timedelta(hours=4)  # an order reminds nobody more often
SAME_CLICK = timedelta(minutes=1)  # the same words of the same person once more are the same comment
MAY_COMMENT = ("orders.submit", "orders.approve", "orders.approve_budget", "orders.withdraw_any")


class RemindedAlready(OrderError):
    """Somebody has reminded them a short while ago."""


class NobodyToRemind(OrderError):
    """There is nobody whom a mail would reach."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What a person may say about an order. `told` are those whom a reminder would reach, `silent` have no address.

    `again_at`: from when on it can be reminded again; None when it can be now.
    """

    may_comment: bool
    may_remind: bool
    told: list[User]
    silent: list[User]
    reminded_at: datetime | None
    again_at: datetime | None

    @property
    def told_names(self) -> str:
        """Those a reminder would reach, as a sentence lists them."""
        return listed([person.display_name for person in self.told])

    @property
    def silent_names(self) -> str:
        """Those it would not."""
        return listed([person.display_name for person in self.silent])


def talk_of(order: Order, viewer: User, now: datetime) -> Talk:
    """What this person may say about the order now."""
    may_remind = _may_remind(viewer, order) and now < order.expires_at
    people = [one for one in waiting_persons(order) if one.pk != viewer.pk] if may_remind else []
    last = last_event(order, "order.reminded") if people else None
    again_at = last.at + AGAIN_AFTER if last and now < last.at + AGAIN_AFTER else None
    told = [one for one in people if one.email]
    return Talk(
        may_comment=may_comment(viewer),
        may_remind=bool(told) and again_at is None,
        told=told,
        silent=[one for one in people if not one.email],
        reminded_at=last.at if last else None,
        again_at=again_at,
    )


def may_comment(person: User) -> bool:
    """Everyone who has a part in orders, and not who only looks."""
    return any(person.can(permission) for permission in MAY_COMMENT)


def comment(*, actor: User, order: Order, text: str, now: datetime) -> None:
    """Say something about the order, for everyone who can see it. Sent twice it is said once."""
    if not may_comment(actor):
        raise NotAllowed("Your role does not comment on orders.")
    if not text.strip():
        raise Incomplete("Write something first.", field="text")
    if len(text.strip()) > LONGEST_REASON:
        raise Incomplete(f"Keep it to {LONGEST_REASON} characters.", field="text")
    with transaction.atomic():
        _hold(order)
        last = last_event(order, "order.commented")
        said = last and now - last.at < SAME_CLICK and (last.actor_id, last.reason)
        if said == (actor.pk, text.strip()):
            return
        record(actor=actor, verb="order.commented", subject=order, at=now, reason=text.strip())


def remind(*, actor: User, order: Order, now: datetime) -> list[User]:
    """Note that those who may decide are reminded; returns whom the mail will reach. The caller has it sent."""
    if not _may_remind(actor, order):
        raise NotAllowed("Only who asked for it, or an approver, can remind the others.")
    with transaction.atomic():
        _hold(order)
        people = waiting_persons(order)
        if not people:
            raise Moved(f"Nothing of order {order.pk} waits for a decision of somebody.")
        if now >= order.expires_at:
            raise Expired(f"Order {order.pk} waited too long and has expired. It can be ordered again.")
        last = last_event(order, "order.reminded")
        if last and now < last.at + AGAIN_AFTER:
            again = when(last.at + AGAIN_AFTER, "full")
            raise RemindedAlready(
                f"{last.actor} reminded them on {when(last.at)}. You can remind them again from {again} on."
            )
        others = [person for person in people if person.pk != actor.pk]
        told = [person for person in others if person.email]
        if not told:
            who = listed([person.display_name for person in others], "or") or "Nobody else"
            raise NobodyToRemind(f"{who} can decide, and no mail reaches them. Ask in another way.")
        names = [person.username for person in told]
        record(actor=actor, verb="order.reminded", subject=order, at=now, after={"told": names})
    return told


def _may_remind(person: User, order: Order) -> bool:
    theirs = person.is_active and person.pk == order.requester_id
    return theirs or person.can("orders.approve")


def _hold(order: Order) -> None:
    """Take the order's row: of two at once the second waits here, and then sees what the first one wrote."""
    if Order.objects.filter(pk=order.pk).update(round=F("round")) != 1:
        raise Moved(f"There is no order {order.pk}.")


def last_event(order: Order, verb: str) -> AuditEvent | None:
    """The latest event of this kind on the order itself."""
    events = AuditEvent.objects.filter(subject_type=Order._meta.model_name, subject_id=order.pk, verb=verb)
    return events.order_by("-id").first()
