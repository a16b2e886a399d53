"""Writing down what became of an item: bought, cancelled, failed, unknown, put off, or its price moved.

Each function is one transaction over the item, its attempt, the owned number and the audit events. All raise
machine.Moved when somebody else was first; then nothing is written.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import AcquiredBasis, EndBasis, OwnedNumber
from numbersadmin.numbers.services import Opening, assign, end_number, open_numbers
from numbersadmin.orders.errors import Moved
from numbersadmin.orders.machine import amend, move
from numbersadmin.orders.models import Kind, OrderItem, Outcome, ProviderAttempt, State
from numbersadmin.orders.pausing import pause_after_unknown
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.timing import execute_after
from numbersadmin.provider.schema import ProviderNumber, WriteResult

PENDING_DAYS = 14
APPROVED_HOURS = 24
SOON_FOUND = timedelta(hours=1)  # found later than this, it may have been applied late
NO_TIMES: dict[str, Any] = {"not_before": None, "looks": 0}


def waits_until(item: OrderItem) -> datetime | None:
    """When an item that waits expires by itself; None in every other state."""
    if item.state == State.PENDING:
        return item.order.expires_at
    if item.state == State.APPROVED and item.approved_at:
        return max(item.approved_at, item.execute_after or item.approved_at) + timedelta(hours=APPROVED_HOURS)
    return None


def expire_if_due(item: OrderItem, now: datetime) -> bool:
    """Let an item expire whose time has run out, as the sweep does and every use of it before."""
    until = waits_until(item)
    if until is None or now < until:
        return False
    move(
        item,
        State.EXPIRED,
        verb="order.expired",
        actor=None,
        now=now,
        after={"waited_until": until},
        **NO_TIMES,
    )
    return True


def approve_item(item: OrderItem, quote: Quote, *, actor: User | None, reason: str, now: datetime) -> None:
    """The last approval needed is there (or its rule needs none): it may be carried out at this quote."""
    due = execute_after(item.order, now)
    after: dict[str, Any] = {"quote": quote.to_json()}
    if due:
        after["execute_after"] = due
    move(
        item,
        State.APPROVED,
        verb="order.approved",
        actor=actor,
        now=now,
        reason=reason,
        after=after,
        approved_quote=quote.to_json(),
        approved_at=now,
        approved_price_per_month=quote.price_per_month,
        approved_setup_price=quote.setup_price,
        changed_quote=None,
        currency=quote.currency,
        execute_after=due,
        not_before=due,
        looks=0,
    )


def price_changed(item: OrderItem, quote: Quote, *, actor: User | None, now: datetime) -> None:
    """The provider's offer is no longer what was asked or approved: nothing is bought, the new one waits.

    The caller starts the order's next round (`ruling.next_round`) in the same transaction.
    """
    before = {"quote": item.approved_quote or item.changed_quote or item.quote}
    after = {"quote": quote.to_json()}
    fields: dict[str, Any] = {
        "changed_quote": quote.to_json(),
        "fingerprint": quote.fingerprint,
        "number_key": quote.number_key,
        "checked_quote": None,
        "checked_at": None,
        "approved_at": None,
        "approved_price_per_month": None,
        "approved_setup_price": None,
        **NO_TIMES,
    }
    if item.state == State.PENDING:
        amend(item, verb="item.price_changed", actor=actor, now=now, before=before, after=after, **fields)
    else:
        after = {"quote_before": before["quote"], **after}
        move(item, State.PENDING, verb="item.price_changed", actor=actor, now=now, after=after, **fields)


def failed(
    item: OrderItem,
    code: str,
    *,
    now: datetime,
    actor: User | None = None,
    text: str = "",
    attempt: ProviderAttempt | None = None,
    **facts: Any,
) -> None:
    """It was not done: `code` says why in our words, `text` in the provider's; `facts` go to the attempt."""
    with transaction.atomic():
        move(
            item,
            State.FAILED,
            verb="item.failed",
            actor=actor,
            now=now,
            after={"failure": code, "failure_text": text},
            failure=code,
            failure_text=text[:300],
            **NO_TIMES,
        )
        if attempt:
            finish(attempt, Outcome.NOT_DONE, now, **facts)


def unknown(
    item: OrderItem, attempt: ProviderAttempt, *, now: datetime, why: str, text: str = "", **facts: Any
) -> None:
    """Nobody can tell whether it was done: from now on it is only looked for, and never sent again."""
    with transaction.atomic():
        move(
            item,
            State.UNKNOWN,
            verb="item.unknown",
            actor=None,
            now=now,
            after={"attempt": attempt.pk, "why": why, "text": text},
            failure_text=text[:300],
            not_before=now,
            looks=0,
        )
        finish(attempt, Outcome.UNKNOWN, now, error_kind=why, ambiguous=True, was_unknown=True, **facts)
        pause_after_unknown(item, now)


def not_sent(
    item: OrderItem, attempt: ProviderAttempt, *, now: datetime, again_at: datetime, text: str, **facts: Any
) -> None:
    """The provider surely did nothing and may be asked again: back to approved, due at `again_at`."""
    why = facts.get("error_kind", attempt.error_kind)
    with transaction.atomic():
        move(
            item,
            State.APPROVED,
            verb="item.not_sent",
            actor=None,
            now=now,
            after={"attempt": attempt.pk, "why": why, "text": text, "again_at": again_at},
            not_before=again_at,
        )
        finish(attempt, Outcome.NOT_DONE, now, **facts)


def finish(attempt: ProviderAttempt, outcome: Outcome, now: datetime, **facts: Any) -> None:
    """Write the outcome of an attempt into its row, after its item moved: that says who was first.

    The other way round, who comes second breaks the constraint of a later call's attempt and ends in an error.
    """
    attempt.outcome = outcome
    attempt.finished_at = attempt.finished_at or now
    for name, value in facts.items():
        setattr(attempt, name, value)
    attempt.save(update_fields=["outcome", "finished_at", *facts])


def answer_facts(result: WriteResult) -> dict[str, Any]:
    """What of an answer is kept with the attempt."""
    return {
        "http_status": result.http_status,
        "error_kind": result.error_kind,
        "response": {"text": result.text, "number": result.number.raw if result.number else None},
    }


def bought(
    item: OrderItem,
    attempt: ProviderAttempt,
    facts: ProviderNumber,
    *,
    now: datetime,
    note: str = "",
    digest: int | None = None,
    actor: User | None = None,
    **answer: Any,
) -> OwnedNumber:
    """The number is ours. `note` says how we know when it was not the plain answer: settled, adopted, by_hand.

    A possession already open under the same key, as a sync may have seen it first, is taken and not doubled.
    Raises Moved also when another order has bought it: a look may be older than what was done since.
    """
    try:
        return _bought(item, attempt, facts, now, note, digest, actor, answer)
    except IntegrityError:  # a sync or another order took the same key between our look and our writing
        return _bought(item, attempt, facts, now, note, digest, actor, answer)


def _bought(
    item: OrderItem,
    attempt: ProviderAttempt,
    facts: ProviderNumber,
    now: datetime,
    note: str,
    digest: int | None,
    actor: User | None,
    answer: dict[str, Any],
) -> OwnedNumber:
    with transaction.atomic():
        owned = OwnedNumber.objects.open().filter(number_key=facts.number_key).first()
        if owned is None:
            owned = _open(item, attempt, facts, now, note, digest)
        elif facts.number_key in taken_keys(item):
            raise Moved("Another order has bought this number.")
        elif owned.owner_id is None and not owned.cost_centre:  # nobody has said whose it is: the order does
            order = item.order
            assign(actor=None, numbers=[owned], owner=order.owner, cost_centre=order.cost_centre, now=now)
        move(
            item,
            State.DONE,
            verb="item.bought",
            actor=actor,
            now=now,
            after={
                "attempt": attempt.pk,
                "number_key": facts.number_key,
                "note": note,
                "price_per_month": owned.price_per_month,
                "setup_price": owned.setup_price,
                "currency": owned.currency,
            },
            number_key=facts.number_key,
            owned_number=owned,
            note=note,
            failure="",
            failure_text="",
            **NO_TIMES,
        )
        finish(attempt, Outcome.OK, now, **answer)
    return owned


def _open(
    item: OrderItem,
    attempt: ProviderAttempt,
    facts: ProviderNumber,
    now: datetime,
    note: str,
    digest: int | None,
) -> OwnedNumber:
    quote = Quote.from_json(item.executed_quote or item.quote)
    return open_numbers(
        openings=[
            Opening(
                facts=with_price(facts, quote),
                acquired_at=_acquired_at(attempt, now, note),
                acquired_from=attempt.started_at,
                acquired_to=now,
                basis=AcquiredBasis.PURCHASED_HERE,
                verb="number.adopted" if note else "number.purchased",
                digest=digest,
                initial_month_price=_first_month(facts, quote),
                owner=item.order.owner,
                cost_centre=item.order.cost_centre,
                related=item.order,
            )
        ],
        actor=None,
        now=now,
        source="purchase",
        source_id=attempt.pk,
    )[0]


def _acquired_at(attempt: ProviderAttempt, now: datetime, note: str) -> datetime | None:
    """The moment it became ours, if that is known better than between the call and now."""
    if not note:
        return now
    return attempt.started_at if now - attempt.started_at <= SOON_FOUND else None


def _first_month(facts: ProviderNumber, quote: Quote) -> Decimal | None:
    """The first month's price of the offer, where the answer does not tell it in the same currency."""
    told = facts.price.initial_month
    if told is not None or (facts.price.currency and facts.price.currency != quote.currency):
        return told
    return quote.initial_month_price


def with_price(facts: ProviderNumber, quote: Quote) -> ProviderNumber:
    """The facts with the price of the offer that was bought, should the answer carry none at all."""
    if facts.price.currency or facts.price.per_month is not None:
        return facts
    price = replace(
        facts.price,
        per_month=quote.price_per_month,
        setup=quote.setup_price,
        initial_month=quote.initial_month_price,
        currency=quote.currency,
        problem="",
    )
    return replace(facts, price=price)


def cancelled(
    item: OrderItem,
    attempt: ProviderAttempt | None,
    *,
    now: datetime,
    note: str = "",
    actor: User | None = None,
    **answer: Any,
) -> None:
    """The number is no longer ours. `already_gone` says that it was not we who gave it back."""
    with transaction.atomic():
        owned = item.owned_number
        assert owned is not None
        sent = attempt is not None and note != "already_gone"
        end_number(
            owned=owned,
            basis=EndBasis.CANCELLED_HERE if sent else EndBasis.DISAPPEARED,
            ended_from=attempt.started_at if attempt and sent else None,
            ended_to=now,
            actor=None,
            now=now,
            related=item.order,
        )
        move(
            item,
            State.DONE,
            verb="item.cancelled",
            actor=actor,
            now=now,
            after={"attempt": attempt.pk if attempt else None, "note": note},
            note=note,
            failure="",
            failure_text="",
            **NO_TIMES,
        )
        if attempt:
            finish(attempt, Outcome.OK, now, **answer)


def next_look(looks: int, now: datetime) -> datetime:
    """When to look again after so many looks: the first ones an interval apart, then ever rarer, hourly at last."""
    interval = settings.SETTLE_INTERVAL_SECONDS
    return now + timedelta(seconds=min(interval * 2 ** min(max(looks - 2, 0), 10), max(interval, 3600)))


def taken_keys(item: OrderItem) -> set[str]:
    """Keys of the same number that another order bought."""
    others = OrderItem.objects.filter(number=item.number, kind=Kind.PURCHASE, state=State.DONE)
    taken = others.exclude(pk=item.pk).filter(owned_number__in=OwnedNumber.objects.open())
    return set(taken.values_list("owned_number__number_key", flat=True))


def is_purchase(item: OrderItem) -> bool:
    """Does the item buy, or cancel?"""
    return item.kind == Kind.PURCHASE
