"""Asking for numbers, and asking to give one back: the checks, and the order that comes of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, models, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import event, record, record_all
from numbersadmin.formats import phone_intl
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders.errors import AlreadyOrdered, AlreadyOwned, Incomplete, NotAllowed, NotOwnedAnyMore
from numbersadmin.orders.models import Kind, Mode, Order, OrderItem, State, Timing
from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.orders.recording import PENDING_DAYS, approve_item
from numbersadmin.orders.ruling import apply_rule
from numbersadmin.orders.selectors import live_cancels, live_purchases
from numbersadmin.provider.schema import digits, same_number

MOST_ITEMS = 20
MOST_BULK = 500  # the first so many of a search
AT_ONCE = 10  # orders without approver at the same moment that are each counted
LONGEST_REASON = 1000
LONGEST_COST_CENTRE = 100


def submit_purchase(
    *,
    actor: User,
    quotes: Sequence[Quote],
    owner: User | None,
    cost_centre: str,
    reason: str,
    sender_id: bool,
    form_token: str,
    now: datetime,
    search: dict[str, Any] | None = None,
) -> Order:
    """Ask for these numbers at these prices, read a moment ago. The same form sent again is the same order.

    `search`: they are the first so many that fit it (available/bulk.py), so there may be up to MOST_BULK.
    """
    if first := _sent_before(actor, form_token):
        return first
    _check_request(actor, reason, cost_centre, form_token)
    if owner is None or not owner.is_active:
        raise Incomplete("Choose who will own the numbers. It has to be an active person.", field="owner")
    order = Order(
        kind=Kind.PURCHASE,
        requester=actor,
        reason=reason.strip(),
        owner=owner,
        cost_centre=" ".join(cost_centre.split()),
        sender_id=sender_id,
        search=search,
        form_token=form_token,
        created_at=now,
        expires_at=now + timedelta(days=PENDING_DAYS),
    )
    try:
        _check_quotes(quotes, MOST_BULK if search else MOST_ITEMS)
        return _save(order, [_item(order, quote, now) for quote in quotes], now)
    except (IntegrityError, AlreadyOrdered):  # perhaps this form's own order was made a moment ago
        if first := _sent_before(actor, form_token):
            return first
        _check_not_ordered(quotes)
        raise


def submit_cancel(
    *,
    actor: User,
    owned: OwnedNumber,
    reason: str,
    form_token: str,
    now: datetime,
    timing: str = Timing.NOW,
    typed_number: str = "",
) -> Order:
    """Ask to give an owned number back, on the last day of the paid month or now.

    Now leaves no way back, so for that the whole number has to be typed.
    """
    if first := _sent_before(actor, form_token):
        return first
    _check_request(actor, reason, owned.cost_centre, form_token)
    owned.refresh_from_db()
    if owned.status == Status.ENDED:
        raise NotOwnedAnyMore(f"{phone_intl(owned.number)} is no longer yours. There is nothing to cancel.")
    if timing != Timing.MONTH_END:
        _check_typed(owned.number, typed_number)
    order = Order(
        kind=Kind.CANCEL,
        requester=actor,
        reason=reason.strip(),
        owner=owned.owner,
        cost_centre=owned.cost_centre,
        form_token=form_token,
        timing=timing,
        created_at=now,
        expires_at=now + timedelta(days=PENDING_DAYS),
    )
    item = _item(order, Quote.of_owned(owned, now), now)
    item.owned_number = owned
    try:
        _check_not_cancelled(owned)
        return _save(order, [item], now)
    except (IntegrityError, AlreadyOrdered):
        if first := _sent_before(actor, form_token):
            return first
        _check_not_cancelled(owned)
        raise


def _sent_before(actor: User, form_token: str) -> Order | None:
    """The order that this form already made; nobody else's form makes one."""
    first = Order.objects.filter(form_token=form_token).first() if form_token else None
    if first and first.requester_id != actor.pk:
        raise NotAllowed("This form belongs to another person's order. Open the page again.")
    return first


def _check_request(actor: User, reason: str, cost_centre: str, form_token: str) -> None:
    if not actor.can("orders.submit"):
        raise NotAllowed("Your role does not order or cancel numbers. Ask an account manager.")
    if not form_token or len(form_token) > 64:
        raise Incomplete("This form is out of date. Open the page again.")
    if not reason.strip():
        raise Incomplete("Say why. The approver reads this.", field="reason")
    if len(reason.strip()) > LONGEST_REASON:
        raise Incomplete(f"Keep the reason to {LONGEST_REASON} characters.", field="reason")
    if len(cost_centre.strip()) > LONGEST_COST_CENTRE:
        raise Incomplete(f"Keep the cost centre to {LONGEST_COST_CENTRE} characters.", field="cost_centre")


def _check_quotes(quotes: Sequence[Quote], most: int) -> None:
    if not quotes:
        raise Incomplete("Choose at least one number to order.")
    if len(quotes) > most:
        raise Incomplete(f"An order holds {most} numbers at most. Leave some out, or order twice.")
    if len({quote.ref for quote in quotes}) < len(quotes):
        raise Incomplete("The same number is in this order twice. Leave one out.")
    for quote in quotes:
        if not quote.buyable:
            raise Incomplete(
                f"The price of {phone_intl(quote.number)} is not known, so it cannot be ordered. Leave it out."
            )
    owned = OwnedNumber.objects.open().filter(
        number__in=[quote.number for quote in quotes if not quote.shared], shared=False
    )
    ours = {(row.country, row.number) for row in owned}
    for quote in quotes:
        if not quote.shared and (quote.country, quote.number) in ours:
            raise AlreadyOwned(f"{phone_intl(quote.number)} is already yours. Leave it out.")
    _check_not_ordered(quotes)


def _check_not_ordered(quotes: Sequence[Quote]) -> None:
    for ref, order in live_purchases(quote.offer for quote in quotes).items():
        number = phone_intl(Offer.parse(ref).number)
        raise AlreadyOrdered(f"{number} is already in order {order}. Leave it out, or wait for that order.")


def _check_not_cancelled(owned: OwnedNumber) -> None:
    for order in live_cancels([owned.pk]).values():
        raise AlreadyOrdered(f"Order {order} to cancel {phone_intl(owned.number)} is still going on.")


def _check_typed(number: str, typed: str) -> None:
    if same_number(number, typed) and typed.strip():
        return
    want, got = len(digits(number)), len(digits(typed))
    if digits(typed) and digits(number).startswith(digits(typed)):
        raise Incomplete(f"That is {got} of {want} digits. Type the whole number.", field="typed_number")
    raise Incomplete(
        "That is a different number." if digits(typed) else "Type the number to confirm.",
        field="typed_number",
    )


def _item(order: Order, quote: Quote, now: datetime) -> OrderItem:
    return OrderItem(
        order=order,
        kind=order.kind,
        number=quote.number,
        number_key=quote.number_key,
        country=quote.country,
        shared=quote.shared,
        quote=quote.to_json(),
        fingerprint=quote.fingerprint,
        currency=quote.currency,
        created_at=now,
        updated_at=now,
    )


def _save(order: Order, items: list[OrderItem], now: datetime) -> Order:
    """Keep the order under the rule that fits it; one that its rule lets through is approved in the same breath."""
    for tries_left in reversed(range(AT_ONCE)):
        try:
            return _save_under_rule(order, items, now)
        except IntegrityError:  # perhaps another order was counted at the same moment
            order.pk = None
            if not tries_left or order.mode != Mode.AUTO:
                raise
    raise AssertionError("unreachable")


def _save_under_rule(order: Order, items: list[OrderItem], now: datetime) -> Order:
    quotes = [Quote.from_json(item.quote) for item in items]
    with transaction.atomic():
        protected = any(item.owned_number and item.owned_number.protected_at for item in items)
        apply_rule(order, quotes, protected=protected, now=now)
        order.save(force_insert=True)
        for item in items:
            item.order = order
        OrderItem.objects.bulk_create(items)
        record_all(
            event(
                actor=order.requester,
                verb="order.submitted",
                subject=item,
                at=now,
                after={
                    "state": State.PENDING,
                    "kind": order.kind,
                    "quote": item.quote,
                    "mode": order.mode,
                    "rule": order.rule,
                },
                reason=order.reason,
                related=order,
            )
            for item in items
        )
        if order.mode == Mode.AUTO and not order.finance_needed:
            for item, quote in zip(items, quotes, strict=True):
                approve_item(item, quote, actor=None, reason=order.rule_words, now=now)
    return order


def note_altered_form(*, actor: User, subject: models.Model, now: datetime) -> None:
    """Somebody sent a form that is not as we made it: nothing is done, and that it was tried is kept."""
    record(actor=actor, verb="order.form_refused", subject=subject, at=now)
