"""Carrying out approved items: ask once more, claim, send once, write down the answer.

The attempt is committed before anything is sent, so whatever happens in between, the item is never sent again:
it is EXECUTING until its lease runs out, and then its outcome is unknown (orders/settling.py).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders.errors import Moved
from numbersadmin.orders.lookups import find_owned, read_quotes
from numbersadmin.orders.machine import amend, move
from numbersadmin.orders.models import OrderItem, Outcome, ProviderAttempt, State
from numbersadmin.orders.pausing import held_back
from numbersadmin.orders.quotes import Offer, Quote, no_worse
from numbersadmin.orders.recording import (
    answer_facts,
    bought,
    cancelled,
    expire_if_due,
    failed,
    is_purchase,
    not_sent,
    price_changed,
    taken_keys,
    unknown,
)
from numbersadmin.orders.ruling import next_round
from numbersadmin.orders.selectors import current_quote
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import CredentialsRefused, NotOwned, ProviderBusy, ProviderError, Refused
from numbersadmin.provider.schema import Outcome as Wire
from numbersadmin.provider.schema import ProviderNumber, WriteResult, same_number

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

READ_WAIT = 30.0  # seconds to wait for turns to read
SEND_WAIT = 10.0  # and for the turn to write: with the call itself it ends within the lease
LEASE_SECONDS = 30  # beyond the provider's timeout
MOST_RETRIES = 3
LONGEST_DELAY = 3600.0
LONGEST_PAUSE = 60.0  # where the provider names none: well again, it is asked within a minute
CREDENTIALS_DELAY = 60.0
OURS_TO_WAIT = ("held", "limited")  # not sent for reasons of our own: no try that counts
LOOK_FIRST = ("not_found", "conflict", "refused")  # answers that are believed only after a look
CODES = {"not_found": "gone", "conflict": "gone", "busy": "not_sent", "down": "not_sent"}
KNOWN_CODES = ("credentials", "no_credit", "reservation_failed", "refused")


class Later(Exception):
    """This item cannot be sent yet, for a reason that concerns no other."""


@dataclass(frozen=True, slots=True)
class Step:
    """How an item stands after a try to carry it out, and what kept the provider from answering before that."""

    state: str
    problem: ProviderError | None = None


def execute_item(*, item_id: int, provider: Provider, clock: Clock, at_once: bool = False) -> Step:
    """Carry out one approved item that is due, or `at_once`; anything else is left alone, however often called."""
    item = (
        OrderItem.objects.select_related("order__requester", "order__owner", "owned_number")
        .filter(pk=item_id)
        .first()
    )
    now = clock()
    waits = item and item.not_before and item.not_before > now and not at_once
    waits = waits or (item and item.execute_after and item.execute_after > now)
    if item is None or item.state != State.APPROVED or waits or held_back(item):
        return Step(item.state if item else "")
    try:
        if not expire_if_due(item, now):
            prepare = _prepare_purchase if is_purchase(item) else _prepare_cancel
            attempt = prepare(item, provider, clock)
            if attempt:
                record(item, attempt, send(item, attempt, provider), provider, clock)
    except Moved:
        logger.info("item %s: somebody else was first", item_id)
    except Later as reason:
        _put_off(item, str(reason), settle_seconds(), clock())
    except ProviderError as problem:
        _put_off(item, problem.text or problem.kind, _delay(item, problem), clock())
        return Step(item.state, problem)
    return Step(item.state)


def _delay(item: OrderItem, problem: ProviderError) -> float:
    """Seconds until the provider is asked again: what it says, else longer each time."""
    if isinstance(problem, CredentialsRefused):
        return CREDENTIALS_DELAY
    if problem.retry_after is not None:
        return max(1.0, min(problem.retry_after, LONGEST_DELAY))
    return min(15.0 * 2.0**item.looks, LONGEST_PAUSE)


def _put_off(item: OrderItem, why: str, delay: float, now: datetime) -> None:
    """Nothing was sent: the item stays approved and waits."""
    logger.warning("item %s is put off by %.0f s: %s", item.pk, delay, why)
    try:
        amend(item, now=now, not_before=now + timedelta(seconds=delay), looks=min(item.looks + 1, 10))
    except Moved:
        logger.info("item %s: somebody else was first", item.pk)


# Before anything is sent -----------------------------------------------------------------------------------------


def _prepare_purchase(item: OrderItem, provider: Provider, clock: Clock) -> ProviderAttempt | None:
    """Read the price right before buying, and claim the item if it is still what was approved."""
    offer = Offer(item.country, item.number)
    reading = read_quotes(provider, [offer], now=clock(), wait=READ_WAIT, caller="worker")
    if reading.problem:
        raise reading.problem
    quote = reading.quotes.get(offer.ref)
    if quote is None:
        _not_for_sale(item, find_owned(provider, offer, wait=READ_WAIT), clock())
        return None
    if not no_worse(current_quote(item), quote):
        with transaction.atomic():
            price_changed(item, quote, actor=None, now=clock())
            next_round(item.order, clock())
        return None
    known = set(OwnedNumber.objects.open().filter(number=item.number).values_list("number_key", flat=True))
    # a shared number can be for sale and ours at once
    listed = find_owned(provider, offer, wait=READ_WAIT) if item.shared else []
    if quote.number_key in {facts.number_key for facts in listed}:
        failed(item, "already_owned", now=clock())
        return None
    if quote.number_key in known:  # two possessions under one key could not be told apart
        raise Later("a number under this key is still open in our records: the next sync ends it first")
    known |= {facts.number_key for facts in listed}
    return claim(item, now=clock(), number_key=quote.number_key, quote=quote, known_keys=sorted(known))


def _not_for_sale(item: OrderItem, ours: list[ProviderNumber], now: datetime) -> None:
    """It is ours through an earlier call of this item that was answered as not done, or it is lost to others."""
    sent = item.attempts.filter(http_status__isnull=False).order_by("-id").first()
    taken = {*taken_keys(item), *(sent.known_keys if sent else ())}
    new = [facts for facts in ours if facts.number_key not in taken]
    if sent and new:
        bought(item, sent, new[0], now=now, note="found")
    else:
        failed(item, "already_owned" if ours else "gone", now=now)


def _prepare_cancel(item: OrderItem, provider: Provider, clock: Clock) -> ProviderAttempt | None:
    """Make sure that the key still stands for the number that the person named, and claim the item."""
    owned = item.owned_number
    assert owned is not None
    if owned.status == Status.ENDED:
        failed(item, "already_ended", now=clock())
        return None
    try:
        facts = provider.get_owned(owned.number_key, caller="worker", wait=READ_WAIT)
    except NotOwned as absent:
        if find_owned(provider, Offer(item.country, item.number), wait=READ_WAIT):
            failed(item, "key_mismatch", now=clock())
        elif absence_counts(owned, clock()):
            cancelled(item, None, now=clock(), note="already_gone")
        else:
            raise Later("it may be too new to be listed") from absent
        return None
    except Refused as refusal:
        if refusal.http_status is None:  # nothing was asked: the key cannot be part of an address
            failed(item, "key_unusable", now=clock())
            return None
        raise
    if not same_number(facts.number, item.number):
        failed(item, "key_mismatch", now=clock())
        return None
    return claim(item, now=clock(), number_key=owned.number_key)


def absence_counts(owned: OwnedNumber, now: datetime) -> bool:
    """A number that became ours a moment ago may not be listed yet; only later is its absence believed."""
    return now - owned.acquired_to >= timedelta(seconds=2 * settle_seconds())


def settle_seconds() -> int:
    """The least time between two looks at one unknown outcome."""
    return int(settings.SETTLE_INTERVAL_SECONDS)


def claim(
    item: OrderItem,
    *,
    now: datetime,
    number_key: str,
    quote: Quote | None = None,
    known_keys: list[str] | None = None,
) -> ProviderAttempt:
    """Commit that this worker, and nobody else, sends it now. Raises Moved when somebody else was first.

    From this commit on the item is never sent again unless the answer proves that nothing happened.
    """
    timeout = timedelta(seconds=float(settings.PROVIDER_TIMEOUT_SECONDS) + LEASE_SECONDS)
    attempt = ProviderAttempt(
        item=item,
        verb=item.kind,
        number_key=number_key,
        number=item.number,
        started_at=now,
        lease_until=now + timeout,
        known_keys=known_keys or [],
    )
    fields: dict[str, Any] = (
        {"executed_quote": quote.to_json(), "initial_month_price": quote.initial_month_price} if quote else {}
    )
    try:
        with transaction.atomic(durable=True):
            if why := held_back(item):
                raise Later(why)
            attempt.save(force_insert=True)
            move(
                item,
                State.EXECUTING,
                verb="item.executing",
                actor=None,
                now=now,
                after=_claimed(attempt, _cheaper(item, quote)),
                number_key=number_key,
                not_before=None,
                looks=0,
                **fields,
            )
    except IntegrityError as error:  # another call for this item, or for the same key, is not settled yet
        if OrderItem.objects.filter(pk=item.pk, version=item.version).exists():
            raise Later("another call for this number is not settled") from error
        raise Moved("Somebody else is carrying this out.") from error
    return attempt


def _claimed(attempt: ProviderAttempt, cheaper: dict[str, Any]) -> dict[str, Any]:
    told = {
        "attempt": attempt.pk,
        "number_key": attempt.number_key,
        "lease_until": attempt.lease_until,
    }
    return {**told, **cheaper}


def _cheaper(item: OrderItem, quote: Quote | None) -> dict[str, Any]:
    """What the log notes when the offer is not the approved one any more, but no worse."""
    approved = current_quote(item)
    if quote is None or quote.fingerprint == approved.fingerprint:
        return {}
    return {"quote_before": approved.to_json(), "quote": quote.to_json()}


def send(item: OrderItem, attempt: ProviderAttempt, provider: Provider) -> WriteResult:
    """The one write call of an attempt. Outside any transaction."""
    try:
        if is_purchase(item):
            return provider.purchase(
                number_key=attempt.number_key, number=attempt.number, country=item.country, wait=SEND_WAIT
            )
        return provider.cancel(attempt.number_key, wait=SEND_WAIT)
    except CredentialsRefused as held:
        return _unsent("held", held, CREDENTIALS_DELAY)
    except ProviderBusy as limited:
        return _unsent("limited", limited, limited.retry_after or 5.0)


def _unsent(kind: str, problem: ProviderError, retry_after: float) -> WriteResult:
    return WriteResult(Wire.NOT_DONE, error_kind=kind, text=problem.text, retry=True, retry_after=retry_after)


# After it --------------------------------------------------------------------------------------------------------


def record(
    item: OrderItem, attempt: ProviderAttempt, result: WriteResult, provider: Provider, clock: Clock
) -> None:
    """Write down an answer. Answers that can be wrong are believed only after a look at the purchased list."""
    listed: list[ProviderNumber] | None = []
    looked = result.http_status is not None and result.error_kind in LOOK_FIRST
    if looked:
        try:
            without = attempt.known_keys if is_purchase(item) else ()
            listed = find_owned(provider, Offer(item.country, item.number), without=without, wait=READ_WAIT)
        except ProviderError:
            listed = None
    write = _record_purchase if is_purchase(item) else _record_cancel
    for last in (False, False, True):
        try:
            item.refresh_from_db()
            attempt.refresh_from_db()
            if listed and is_purchase(
                item
            ):  # now, and not when it was asked: another order may have bought it since
                taken = taken_keys(item)
                listed = [facts for facts in listed if facts.number_key not in taken]
            if item.state not in (State.DONE, State.FAILED) or result.outcome == Wire.DONE or listed:
                write(item, attempt, result, listed, looked, clock())
            return
        except (
            Moved
        ):  # the sweep or a sync wrote something about it meanwhile: look again what is left to write
            if last:
                raise


def _record_purchase(
    item: OrderItem,
    attempt: ProviderAttempt,
    result: WriteResult,
    listed: list[ProviderNumber] | None,
    looked: bool,
    now: datetime,
) -> None:
    facts = answer_facts(result)
    if item.state == State.DONE:
        return
    if result.outcome == Wire.DONE and result.number:
        late = "" if item.state == State.EXECUTING else "adopted"
        bought(item, attempt, result.number, now=now, note=late, **facts)
    elif listed:
        bought(item, attempt, listed[0], now=now, note="settled", **facts)
    elif result.outcome == Wire.NOT_DONE and listed is not None:
        _not_done(item, attempt, result, now, ambiguous=looked)
    elif item.state == State.EXECUTING:
        _unknown(item, attempt, result, now)


def _record_cancel(
    item: OrderItem,
    attempt: ProviderAttempt,
    result: WriteResult,
    listed: list[ProviderNumber] | None,
    looked: bool,
    now: datetime,
) -> None:
    facts = answer_facts(result)
    gone = looked and listed == [] and result.error_kind == "not_found"
    moved_key = bool(listed) and attempt.number_key not in {each.number_key for each in listed or ()}
    if item.state == State.DONE:
        return
    if result.outcome == Wire.DONE:
        cancelled(item, attempt, now=now, **facts)
    elif gone:
        cancelled(item, attempt, now=now, note="already_gone", **facts)
    elif item.state not in (State.EXECUTING, State.UNKNOWN):
        return
    elif moved_key and result.error_kind == "not_found":
        failed(item, "key_mismatch", now=now, attempt=attempt, **facts)
    elif result.outcome == Wire.NOT_DONE and (listed or not looked):
        _not_done(item, attempt, result, now, ambiguous=False)
    elif item.state == State.EXECUTING:  # also a refusal, when the number cannot be seen to be still ours
        _unknown(item, attempt, result, now)


def _unknown(item: OrderItem, attempt: ProviderAttempt, result: WriteResult, now: datetime) -> None:
    facts = answer_facts(result)
    unknown(item, attempt, now=now, why=facts.pop("error_kind"), text=result.text, **facts)


def _not_done(
    item: OrderItem, attempt: ProviderAttempt, result: WriteResult, now: datetime, *, ambiguous: bool
) -> None:
    """Surely nothing happened: try again later where that makes sense, else it has failed."""
    facts = {**answer_facts(result), "ambiguous": attempt.ambiguous or ambiguous}
    tries = item.attempts.filter(outcome=Outcome.NOT_DONE).exclude(error_kind__in=OURS_TO_WAIT).count()
    counts = result.error_kind not in OURS_TO_WAIT
    if result.retry and item.state == State.EXECUTING and (not counts or tries < MOST_RETRIES):
        delay = result.retry_after if result.retry_after is not None else 10.0 * 2**tries
        again_at = now + timedelta(seconds=max(1.0, min(delay, LONGEST_DELAY)))
        not_sent(item, attempt, now=now, again_at=again_at, text=result.text, **facts)
        return
    code = CODES.get(result.error_kind, result.error_kind)
    code = code if code in (*KNOWN_CODES, *CODES.values()) else "refused"
    failed(item, code, now=now, text=result.text, attempt=attempt, **facts)
