"""Deciding on orders: approving what was shown, all of it or part, rejecting, and taking back."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.formats import phone_intl
from numbersadmin.numbers.models import Status
from numbersadmin.numbers.selectors import ours_among
from numbersadmin.orders.errors import (
    Expired,
    Incomplete,
    Moved,
    NotAllowed,
    OrderError,
    OutOfDate,
    OwnOrder,
    PriceUnread,
)
from numbersadmin.orders.lookups import find_owned
from numbersadmin.orders.machine import amend, move, moved
from numbersadmin.orders.models import Decision, Kind, Order, OrderItem, Role, State, Verdict
from numbersadmin.orders.quotes import Offer, Quote, fingerprint_of, no_worse
from numbersadmin.orders.recording import (
    approve_item,
    expire_if_due,
    failed,
    is_purchase,
    price_changed,
)
from numbersadmin.orders.ruling import judge_again, next_round
from numbersadmin.orders.selectors import current_quote, shown_fingerprint, shown_quote
from numbersadmin.orders.showing import look
from numbersadmin.orders.standing import DECIDES, Standing, standing_of
from numbersadmin.orders.submitting import LONGEST_REASON, MOST_ITEMS
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError

APPROVAL_WAIT = 4.0  # seconds that an approver's page waits for turns at the provider, at least
WAIT_EACH = 1.5  # and for each number of a long order: the provider is asked once a second


@dataclass(slots=True)
class Approval:
    """What an approval came to. With `changed` items nothing was approved: their prices moved.

    `approved` are the items to be carried out now; `agreed` are those that need another person's approval
    still; `gone` are no longer for sale, or no longer ours to cancel, and have failed.
    """

    approved: list[OrderItem] = field(default_factory=list)
    agreed: list[OrderItem] = field(default_factory=list)
    changed: list[OrderItem] = field(default_factory=list)
    gone: list[OrderItem] = field(default_factory=list)
    left_out: list[OrderItem] = field(default_factory=list)


def approve(
    *,
    provider: Provider,
    actor: User,
    order: Order,
    round: int,  # noqa: A002 - the word of the domain
    fingerprint: str,
    comment: str,
    now: datetime,
    item_ids: Collection[int] | None = None,
) -> Approval:
    """Approve what the person was shown: `round` and `fingerprint` are those of the page they saw.

    `item_ids` are the items wanted, all of them without it; what is left out is rejected, for which the
    comment is needed. The prices are read anew first: if one is worse than what is asked for, nothing is
    approved and the new one waits for a decision; cheaper goes on.
    """
    waiting, role = _undecided(actor, order, now)
    items = [item for item in waiting if item_ids is None or item.pk in item_ids]
    left_out = [item for item in waiting if item not in items]
    _check_comment(comment)
    if not items:
        raise Incomplete("Nothing is left of the order to approve. Reject it instead, and say why.")
    if left_out and not comment.strip():
        raise Incomplete("Say why you leave numbers out. The requester sees this.", field="comment")
    if order.round != round or shown_fingerprint(order, items, now) != fingerprint:
        raise OutOfDate("The order has changed since you opened it. Look at it as it is now, then decide.")
    shown = {item.pk: shown_quote(item) for item in items}  # before the offers are read and kept anew
    fresh = _ask_again(provider, order, items, now)
    gone = [item for item in items if item.pk in fresh.lost]
    here = [item for item in items if item.pk in fresh.quotes]
    changed = [item for item in here if not no_worse(current_quote(item), fresh.quotes[item.pk])]
    with transaction.atomic():
        for item in gone:
            failed(item, fresh.lost[item.pk], actor=actor, now=now)
        for item in changed:
            price_changed(item, fresh.quotes[item.pk], actor=actor, now=now)
        if changed:
            next_round(order, now)
            return Approval(changed=changed, gone=gone)
        for item in left_out:
            move(item, State.REJECTED, verb="order.rejected", actor=actor, now=now, reason=comment.strip())
        if not here:
            return Approval(gone=gone, left_out=left_out)
        _check_as_shown(shown, fresh.quotes)
        done = _agree(order, actor, role, here, fresh.quotes, comment.strip(), now)
    agreed = [] if done else here
    return Approval(approved=here if done else [], agreed=agreed, gone=gone, left_out=left_out)


def _check_as_shown(shown: dict[int, Quote], fresh: dict[int, Quote]) -> None:
    """Nothing is approved above what was on the page, even where it is not above what was asked for."""
    for pk, quote in fresh.items():
        if not no_worse(shown[pk], quote):
            raise OutOfDate(
                f"The offer of {phone_intl(quote.number)} has changed since you opened the page."
                " Nothing was decided. Look at it as it is now, then decide."
            )


def _agree(
    order: Order,
    actor: User,
    role: Role,
    items: Sequence[OrderItem],
    quotes: dict[int, Quote],
    comment: str,
    now: datetime,
) -> bool:
    """Keep the approval; True when it was the last one needed, and the items are to be carried out."""
    judge_again(order, items, [quotes[item.pk] for item in items], role, now)
    _decide(order, actor, role, Verdict.APPROVE, items, comment, now)
    standing = standing_of(order, order.decisions.all())
    done = not standing.approvers_missing and not standing.finance_missing
    for item in items:
        quote = quotes[item.pk]
        if done:
            approve_item(item, quote, actor=actor, reason=comment, now=now)
        else:  # it touches the item too, so that two at once do not both count themselves the first
            after = {"quote": quote.to_json(), "as": role}
            amend(item, verb="order.agreed", actor=actor, now=now, after=after, reason=comment)
    return done


@dataclass(slots=True)
class _Fresh:
    """What was read right before a decision, by item id: quotes, and why some items cannot be done."""

    quotes: dict[int, Quote] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)


def _ask_again(provider: Provider, order: Order, items: Sequence[OrderItem], now: datetime) -> _Fresh:
    """Ask the provider for the items' prices now. Raises PriceUnread when it does not answer."""
    fresh = _Fresh()
    for item in items:
        if is_purchase(item):
            continue
        if item.owned_number and item.owned_number.status == Status.ENDED:
            fresh.lost[item.pk] = "already_ended"
        else:
            fresh.quotes[item.pk] = Quote.from_json(item.quote)
    wanted = [item for item in items if is_purchase(item)]
    if not wanted:
        return fresh
    wait = max(APPROVAL_WAIT, WAIT_EACH * min(len(wanted), MOST_ITEMS))
    shown = look(provider, order, wanted, now=now, wait=wait)
    try:
        if shown.problem:
            raise shown.problem
        gone = [item for item in wanted if item.pk in shown.gone]
        fresh.lost |= _lost_of_many(gone) if order.search else _lost(provider, gone, wait)
    except ProviderError as problem:
        raise _unread(problem) from problem
    for quote in shown.quotes.values():
        check_buyable(quote)
    fresh.quotes |= shown.quotes
    return fresh


def _lost(provider: Provider, items: Iterable[OrderItem], wait: float) -> dict[int, str]:
    """Why these are not for sale: ours already, or somebody else's."""
    lost = {}
    for item in items:
        ours = find_owned(provider, Offer(item.country, item.number), caller="person", wait=wait)
        lost[item.pk] = "already_owned" if ours else "gone"
    return lost


def _lost_of_many(items: Sequence[OrderItem]) -> dict[int, str]:
    """The same by our own books, because the provider would be asked for each; they may not know all of ours."""
    ours = ours_among(item.number for item in items)
    return {
        item.pk: "already_owned" if (item.country, item.number) in ours else "not_for_sale" for item in items
    }


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


def reject(*, actor: User, order: Order, comment: str, now: datetime) -> None:
    """Reject what waits in the order; the requester sees why."""
    items, role = _undecided(actor, order, now)
    if not comment.strip():
        raise Incomplete("Say why you reject it. The requester sees this.", field="comment")
    _check_comment(comment)
    with transaction.atomic():
        _decide(order, actor, role, Verdict.REJECT, items, comment.strip(), now)
        for item in items:
            move(item, State.REJECTED, verb="order.rejected", actor=actor, now=now, reason=comment.strip())


def may_withdraw(actor: User, order: Order) -> bool:
    """Their own order, any by who may withdraw any; and who may keep a number: its owner, and approvers."""
    if actor.is_active and actor.pk == order.requester_id:
        return True
    keeps = order.kind == Kind.CANCEL and (actor.can("orders.approve") or actor.pk == order.owner_id)
    return actor.can("orders.withdraw_any") or (keeps and actor.is_active)


def withdraw(*, actor: User, order: Order, now: datetime) -> None:
    """Take back what has not begun yet; of a cancellation that waits for its day: keep the number."""
    if not may_withdraw(actor, order):
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


def _undecided(actor: User, order: Order, now: datetime) -> tuple[list[OrderItem], Role]:
    """The items this person may decide on now, and as what; raises when they may not, or when there are none."""
    if not any(actor.can(permission) for permission in DECIDES.values()):
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
    standing = standing_of(order, order.decisions.select_related("approver"))
    role = standing.role_for(actor, order.requester_id)
    if role is None:
        raise _not_needed(actor, order, standing, waiting[0])
    return waiting, role


def _not_needed(actor: User, order: Order, standing: Standing, item: OrderItem) -> OrderError:
    if actor.pk in {one.approver_id for one in (*standing.approvals, *standing.finance)}:
        return Moved(f"You have decided on order {order.pk} already. Another person has to decide now.")
    if standing.approvers_missing:
        return NotAllowed("An approver has to decide on this order. It is within its budget.")
    return moved(item)  # an approver was first, and now it waits for finance


def _items(order: Order) -> list[OrderItem]:
    return list(order.items.select_related("order__requester", "owned_number").order_by("id"))


def _decide(
    order: Order,
    actor: User,
    role: Role,
    verdict: Verdict,
    items: Sequence[OrderItem],
    comment: str,
    now: datetime,
) -> None:
    """Keep the verdict for ever. A second one by the same person in the same round is refused."""
    try:
        with transaction.atomic():
            Decision.objects.create(
                order=order,
                round=order.round,
                approver=actor,
                requester_id=order.requester_id,
                role=role,
                verdict=verdict,
                item_ids=[item.pk for item in items],
                fingerprint=fingerprint_of(item.fingerprint for item in items),
                comment=comment,
                at=now,
            )
    except IntegrityError as error:
        raise Moved(f"You have decided on order {order.pk} already.") from error
