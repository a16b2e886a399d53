"""Everything that changes orders: submit, approve, reject, withdraw, carry out, settle, adopt.

Functions that ask the provider do so before their transaction, never inside. `actor` is who acts, `now` the
moment. What cannot be done raises an OrderError (orders/errors.py), whose text is for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.formats import phone_intl
from numbersadmin.numbers.models import Status
from numbersadmin.orders.adopting import adopt, adopt_cancelled
from numbersadmin.orders.errors import (
    AlreadyOrdered,
    AlreadyOwned,
    Expired,
    Incomplete,
    Moved,
    NotAllowed,
    NotOwnedAnyMore,
    OrderError,
    OutOfDate,
    OwnOrder,
    PriceUnread,
)
from numbersadmin.orders.lookups import find_owned, read_quotes
from numbersadmin.orders.machine import move, moved
from numbersadmin.orders.models import Decision, Order, OrderItem, State, Verdict
from numbersadmin.orders.quotes import Offer, Quote, fingerprint_of
from numbersadmin.orders.recording import expire_if_due, failed, is_purchase, next_round, price_changed
from numbersadmin.orders.submitting import (
    LONGEST_COST_CENTRE,
    LONGEST_REASON,
    MOST_ITEMS,
    submit_cancel,
    submit_purchase,
)
from numbersadmin.orders.sweeping import Swept, sweep
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError

__all__ = [
    "LONGEST_COST_CENTRE",
    "LONGEST_REASON",
    "MOST_ITEMS",
    "AlreadyOrdered",
    "AlreadyOwned",
    "Approval",
    "Expired",
    "Incomplete",
    "Moved",
    "NotAllowed",
    "NotOwnedAnyMore",
    "Offer",
    "OrderError",
    "OutOfDate",
    "OwnOrder",
    "PriceUnread",
    "Swept",
    "adopt",
    "adopt_cancelled",
    "approve",
    "fingerprint_of",
    "read_quotes",
    "reject",
    "submit_cancel",
    "submit_purchase",
    "sweep",
    "withdraw",
]

APPROVAL_WAIT = 4.0  # seconds that an approver's page waits for turns at the provider, at least
WAIT_EACH = 1.5  # and for each number of a long order: the provider is asked once a second


@dataclass(slots=True)
class Approval:
    """What an approval came to. With `changed` items nothing was approved: their prices moved.

    `approved` are the items to be carried out now; `gone` are no longer for sale, or no longer ours to
    cancel, and have failed.
    """

    approved: list[OrderItem] = field(default_factory=list)
    changed: list[OrderItem] = field(default_factory=list)
    gone: list[OrderItem] = field(default_factory=list)


def approve(
    *,
    provider: Provider,
    actor: User,
    order: Order,
    round: int,  # noqa: A002 - the word of the domain
    fingerprint: str,
    comment: str,
    now: datetime,
) -> Approval:
    """Approve what the person was shown: `round` and `fingerprint` are those of the page they saw.

    The prices are read anew first. If any moved, nothing is approved and the new ones wait for a decision.
    """
    items = _undecided(actor, order, now)
    _check_comment(comment)
    if order.round != round or fingerprint_of(item.fingerprint for item in items) != fingerprint:
        raise OutOfDate("The order has changed since you opened it. Look at it as it is now, then decide.")
    fresh = _ask_again(provider, items, now)
    gone = [item for item in items if item.pk in fresh.lost]
    changed = [
        item
        for item in items
        if item.pk in fresh.quotes and fresh.quotes[item.pk].fingerprint != item.fingerprint
    ]
    approved = [item for item in items if item not in gone and not changed]
    with transaction.atomic():
        for item in gone:
            failed(item, fresh.lost[item.pk], actor=actor, now=now)
        for item in changed:
            price_changed(item, fresh.quotes[item.pk], actor=actor, now=now)
        if changed:
            next_round(order, now)
        if approved:
            _decide(order, actor, Verdict.APPROVE, approved, comment, now)
        for item in approved:
            _approve_item(item, fresh.quotes[item.pk], actor, comment, now)
    return Approval(approved, changed, gone)


@dataclass(slots=True)
class _Fresh:
    """What was read right before a decision, by item id: quotes, and why some items cannot be done."""

    quotes: dict[int, Quote] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)


def _ask_again(provider: Provider, items: Sequence[OrderItem], now: datetime) -> _Fresh:
    """Ask the provider for the items' prices now. Raises PriceUnread when it does not answer."""
    fresh = _Fresh()
    for item in items:
        if is_purchase(item):
            continue
        if item.owned_number and item.owned_number.status == Status.ENDED:
            fresh.lost[item.pk] = "already_ended"
        else:
            fresh.quotes[item.pk] = Quote.from_json(item.quote)
    wanted = {Offer(item.country, item.number): item for item in items if is_purchase(item)}
    if not wanted:
        return fresh
    wait = max(APPROVAL_WAIT, WAIT_EACH * len(wanted))
    reading = read_quotes(provider, wanted, now=now, wait=wait)
    try:
        if reading.problem:
            raise reading.problem
        for offer in reading.gone:
            ours = find_owned(provider, offer, caller="person", wait=wait)
            fresh.lost[wanted[offer].pk] = "already_owned" if ours else "gone"
    except ProviderError as problem:
        raise _unread(problem) from problem
    for quote in reading.quotes.values():
        check_buyable(quote)
        fresh.quotes[wanted[quote.offer].pk] = quote
    return fresh


def check_buyable(quote: Quote) -> None:
    """Nothing is approved at a price that is not understood. Raises PriceUnread."""
    if not quote.buyable:
        raise PriceUnread(
            f"The price of {phone_intl(quote.number)} is not understood, so it cannot be bought."
            " Nothing was decided. Reject the order, or look again later."
        )


def _unread(problem: ProviderError) -> PriceUnread:
    """The error for people: what the provider did, that nothing was decided, and when to try again."""
    retry_after = problem.retry_after or (5.0 if isinstance(problem, ProviderBusy) else None)
    later = f"Try again in {retry_after:.0f} seconds." if retry_after else "Try again later."
    return PriceUnread(
        f"The price could not be checked: {problem.text or problem.kind}. Nothing was decided. {later}",
        retry_after=retry_after,
    )


def _approve_item(item: OrderItem, quote: Quote, actor: User, comment: str, now: datetime) -> None:
    move(
        item,
        State.APPROVED,
        verb="order.approved",
        actor=actor,
        now=now,
        reason=comment.strip(),
        after={"quote": quote.to_json()},
        approved_quote=quote.to_json(),
        approved_at=now,
        approved_price_per_month=quote.price_per_month,
        approved_setup_price=quote.setup_price,
        changed_quote=None,
        currency=quote.currency,
        not_before=None,
        looks=0,
    )


def reject(*, actor: User, order: Order, comment: str, now: datetime) -> None:
    """Reject what waits in the order; the requester sees why."""
    items = _undecided(actor, order, now)
    if not comment.strip():
        raise Incomplete("Say why you reject it. The requester sees this.", field="comment")
    _check_comment(comment)
    with transaction.atomic():
        _decide(order, actor, Verdict.REJECT, items, comment, now)
        for item in items:
            move(item, State.REJECTED, verb="order.rejected", actor=actor, now=now, reason=comment.strip())


def withdraw(*, actor: User, order: Order, now: datetime) -> None:
    """Take back what has not begun yet: the requester's own order, or any by who may withdraw any."""
    if not (actor.pk == order.requester_id and actor.is_active) and not actor.can("orders.withdraw_any"):
        raise NotAllowed("Only who asked for it can withdraw this order.")
    items = _items(order)
    waiting = [item for item in items if item.state in (State.PENDING, State.APPROVED)]
    if not waiting:
        raise moved(items[0])
    with transaction.atomic():
        for item in waiting:
            move(
                item, State.WITHDRAWN, verb="order.withdrawn", actor=actor, now=now, not_before=None, looks=0
            )


def _check_comment(comment: str) -> None:
    if len(comment.strip()) > LONGEST_REASON:
        raise Incomplete(f"Keep the comment to {LONGEST_REASON} characters.", field="comment")


def _undecided(actor: User, order: Order, now: datetime) -> list[OrderItem]:
    """The items this person may decide on now; raises when they may not, or when there are none."""
    if not actor.can("orders.approve"):
        raise NotAllowed("Your role does not approve orders. Ask an approver.")
    if actor.pk == order.requester_id:
        raise OwnOrder("You asked for this, so you cannot decide on it. Another approver has to.")
    order.refresh_from_db()
    items = _items(order)
    waiting = [item for item in items if item.state == State.PENDING]
    if not waiting:
        raise moved(items[0])
    if sum(expire_if_due(item, now) for item in waiting):  # all of them, and committed before this raises
        raise Expired("This order waited too long and has expired. It can be ordered again.")
    return waiting


def _items(order: Order) -> list[OrderItem]:
    return list(order.items.select_related("order__requester", "owned_number").order_by("id"))


def _decide(
    order: Order, actor: User, verdict: Verdict, items: Sequence[OrderItem], comment: str, now: datetime
) -> None:
    """Keep the verdict for ever. A second one by the same person in the same round is refused."""
    try:
        with transaction.atomic():
            Decision.objects.create(
                order=order,
                round=order.round,
                approver=actor,
                requester_id=order.requester_id,
                verdict=verdict,
                item_ids=[item.pk for item in items],
                fingerprint=fingerprint_of(item.fingerprint for item in items),
                comment=comment.strip(),
                at=now,
            )
    except IntegrityError as error:
        raise Moved(f"You have decided on order {order.pk} already.") from error
