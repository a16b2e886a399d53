"""One sweep over all orders: the rows are the queue, so whatever was left anywhere is picked up here."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from numbersadmin.orders.errors import Moved
from numbersadmin.orders.execution import Clock, Step, execute_item
from numbersadmin.orders.models import Order, OrderItem, ProviderAttempt, State
from numbersadmin.orders.recording import APPROVED_HOURS, expire_if_due
from numbersadmin.orders.settling import abandon, settle_item
from numbersadmin.policies.selectors import current_stop
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import CredentialsRefused, ProviderBusy, ProviderDown, ProviderError

logger = logging.getLogger(__name__)

LONGEST_SWEEP = timedelta(minutes=10)
CONCERNS_ALL = (CredentialsRefused, ProviderBusy, ProviderDown)


@dataclass(slots=True)
class Swept:
    """What a sweep did: how many items expired, were found abandoned, were tried, and were looked for."""

    expired: int = 0
    abandoned: int = 0
    executed: int = 0
    looked: int = 0
    problem: ProviderError | None = None  # the provider's last one

    def stops(self, problem: ProviderError | None) -> bool:
        """Note a trouble of the provider; would asking for the next item end alike?"""
        self.problem = problem or self.problem
        return isinstance(problem, CONCERNS_ALL)


def carry_out(*, item_id: int, provider: Provider, clock: Clock) -> Step:
    """Carry out one item, and look for it at once should there be no definite answer."""
    step = execute_item(item_id=item_id, provider=provider, clock=clock)
    if step.state == State.UNKNOWN:
        settle_item(item_id=item_id, provider=provider, clock=clock)
    return step


def carry_out_order(*, order_id: int, provider: Provider, clock: Clock, longest: timedelta) -> bool:
    """Carry out what of an order is due, one item after the other; True when time ran out before it was over.

    Stops at trouble that would end the next one alike; the sweep goes on when that is over.
    """
    start = clock()
    due = OrderItem.objects.filter(order=order_id, state=State.APPROVED)
    due = due.filter(Q(not_before=None) | Q(not_before__lte=start))
    for pk in due.order_by("approved_at", "id").values_list("pk", flat=True):
        if clock() - start > longest:
            return True
        step = carry_out(item_id=pk, provider=provider, clock=clock)
        if step.problem and isinstance(step.problem, CONCERNS_ALL):
            return False
        if Order.objects.filter(pk=order_id, paused_at__isnull=False).exists():
            return False
    return False


def sweep(
    *, provider: Provider, clock: Clock, at_once: bool = False, leave: timedelta = timedelta()
) -> Swept:
    """Expire, find abandoned calls, carry out what is approved, look for what is unknown and due.

    `at_once` carries out what was put off too, and looks for all unknown outcomes, due or not. Items approved
    less than `leave` ago, and orders of which something was sent so lately, are left to the worker that was
    told of them.
    """
    swept, start = Swept(), clock()
    swept.expired = expire(start)
    swept.abandoned = _abandoned(start)
    approved = OrderItem.objects.filter(state=State.APPROVED, order__paused_at=None)
    if current_stop():  # looked at again for each; this only saves asking hundreds of items in vain
        approved = approved.none()
    unknown = OrderItem.objects.filter(state=State.UNKNOWN)
    if not at_once:
        untouched = Q(not_before=None, approved_at__lte=start - leave)
        approved = approved.filter(untouched | Q(not_before__lte=start))
    if leave:
        lately = ProviderAttempt.objects.filter(
            item__order=OuterRef("order"), started_at__gt=start - leave, outcome__isnull=False
        )
        approved = approved.exclude(Exists(lately.exclude(item=OuterRef("pk"))))
    # From the last number of an order on: a worker that is at the same order comes from its first.
    for pk in approved.order_by("approved_at", "-id").values_list("pk", flat=True):
        step = execute_item(item_id=pk, provider=provider, clock=clock, at_once=at_once)
        swept.executed += step.state != State.APPROVED
        if swept.stops(step.problem) or clock() - start > LONGEST_SWEEP:
            break
    if not at_once:
        unknown = unknown.filter(Q(not_before=None) | Q(not_before__lte=clock()))
    for pk in unknown.order_by("not_before", "id").values_list("pk", flat=True):
        look = settle_item(item_id=pk, provider=provider, clock=clock, at_once=at_once)
        swept.looked += look is not None
        if (look and swept.stops(look.problem)) or clock() - start > LONGEST_SWEEP:
            break
    return swept


def expire(now: datetime) -> int:
    """Let everything expire whose time has run out; returns how many items."""
    waiting = OrderItem.objects.select_related("order").filter(
        Q(state=State.PENDING, order__expires_at__lte=now)
        | Q(state=State.APPROVED, approved_at__lte=now - timedelta(hours=APPROVED_HOURS))
    )
    count = 0
    for item in waiting.order_by("id"):
        try:
            count += expire_if_due(item, now)
        except Moved:
            logger.info("item %s: somebody else was first", item.pk)
    return count


def _abandoned(now: datetime) -> int:
    left = ProviderAttempt.objects.select_related("item__order").filter(
        outcome__isnull=True, lease_until__lte=now
    )
    return sum(abandon(attempt, now) for attempt in left.order_by("id"))
