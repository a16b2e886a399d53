"""What holds orders back: an administrator's stop of everything, and the pause of one order after lost answers."""

from datetime import datetime

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.orders.errors import Moved, NotAllowed
from numbersadmin.orders.models import Order, OrderItem, ProviderAttempt, State
from numbersadmin.policies.selectors import current_stop

IN_A_ROW = 2


def held_back(item: OrderItem) -> str:
    """Why nothing of the item is sent now, in words; empty when nothing holds it back."""
    if stop := current_stop():
        return f"Buying and cancelling are stopped: {stop.reason}"
    if Order.objects.filter(pk=item.order_id, paused_at__isnull=False).exists():
        return "Its order is paused, because two outcomes in a row are unknown."
    return ""


def pause_after_unknown(item: OrderItem, now: datetime) -> bool:
    """An answer was just lost: when the one before it was lost too, the rest of the order waits for a person."""
    latest = ProviderAttempt.objects.filter(item__order=item.order_id, outcome__isnull=False)
    row = list(latest.order_by("-id").values_list("was_unknown", flat=True)[:IN_A_ROW])
    rest = OrderItem.objects.filter(order=item.order_id, state=State.APPROVED)
    if len(row) < IN_A_ROW or not all(row) or not rest.exists():
        return False
    with transaction.atomic():
        paused = Order.objects.filter(pk=item.order_id, paused_at__isnull=True).update(paused_at=now)
        if paused:
            record(
                actor=None,
                verb="order.paused",
                subject=item.order,
                at=now,
                after={"paused_at": now, "waiting": rest.count()},
                number=item.number,
            )
    return bool(paused)


def resume(*, actor: User, order: Order, now: datetime) -> None:
    """Let the rest of a paused order be carried out."""
    if not actor.can("orders.resume"):
        raise NotAllowed("Only an approver or an administrator can let the rest of this order go on.")
    with transaction.atomic():
        order.refresh_from_db()
        before = order.paused_at
        if not Order.objects.filter(pk=order.pk, paused_at__isnull=False).update(paused_at=None):
            raise Moved(f"Order {order.pk} is not paused any more.")
        record(
            actor=actor,
            verb="order.resumed",
            subject=order,
            at=now,
            before={"paused_at": before},
            after={"paused_at": None},
        )
