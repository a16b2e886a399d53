"""Finding out what became of a call that got no definite answer. It is only looked for, never sent again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from numbersadmin.orders.errors import Moved
from numbersadmin.orders.execution import READ_WAIT, Clock, absence_counts, settle_seconds
from numbersadmin.orders.lookups import find_for_sale, find_owned
from numbersadmin.orders.machine import amend
from numbersadmin.orders.models import Kind, OrderItem, Outcome, ProviderAttempt, State
from numbersadmin.orders.quotes import Offer
from numbersadmin.orders.recording import (
    bought,
    cancelled,
    failed,
    is_purchase,
    next_look,
    taken_keys,
    unknown,
)
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import NotOwned, ProviderError
from numbersadmin.provider.outcome import RESERVATION_OVER
from numbersadmin.provider.schema import ProviderNumber, same_number

YES, NO, NO_ANSWER, PENDING = "yes", "no", "no_answer", "pending"
MOST_LOOKS_KEPT = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. `owned` and `for_sale` are yes, no, no_answer or pending; "" where it was not asked."""

    at: datetime
    owned: str
    for_sale: str = ""
    facts: ProviderNumber | None = None
    problem: ProviderError | None = None
    verdict: str = ""  # a failure code that this look alone proves

    @property
    def against(self) -> bool:
        """Does it speak against its having been done? Two such looks, far enough apart, prove it."""
        return _against({"owned": self.owned, "for_sale": self.for_sale})

    @property
    def counts(self) -> bool:
        """Did the provider answer for good? Only then are the next looks made rarer."""
        return NO_ANSWER not in (self.owned, self.for_sale) and self.owned != PENDING

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the attempt."""
        return {"at": self.at.isoformat(), "owned": self.owned, "for_sale": self.for_sale}


def _against(look: dict[str, Any]) -> bool:
    """A purchase: neither ours nor gone from sale. A cancellation (nothing asked about sale): still ours."""
    if look["for_sale"] == "":
        return bool(look["owned"] == YES)
    return bool(look["owned"] == NO and look["for_sale"] == YES)


def settle_item(*, item_id: int, provider: Provider, clock: Clock, at_once: bool = False) -> Look | None:
    """One look at an unknown outcome that is due, or `at_once`; None when there was nothing to look for."""
    items = OrderItem.objects.select_related("order__requester", "order__owner", "owned_number")
    item = items.filter(pk=item_id, state=State.UNKNOWN).first()
    if item is None or (item.not_before and item.not_before > clock() and not at_once):
        return None
    attempt = item.attempts.filter(outcome=Outcome.UNKNOWN).order_by("-id").first()
    if attempt is None:  # found out by somebody else between the two readings
        return None
    look = (_look_for_purchase if is_purchase(item) else _look_for_cancel)(item, attempt, provider, clock)
    try:
        _conclude(item, attempt, look, clock())
    except Moved:  # another look, a sync or the worker itself was first
        return None
    return look


def _look_for_purchase(item: OrderItem, attempt: ProviderAttempt, provider: Provider, clock: Clock) -> Look:
    offer, now = Offer(item.country, item.number), clock()
    try:
        ours = find_owned(provider, offer, without=attempt.known_keys, wait=READ_WAIT)
    except ProviderError as problem:
        return Look(now, NO_ANSWER, NO_ANSWER, problem=problem)
    taken = taken_keys(item)
    found = [facts for facts in ours if facts.number_key not in taken]
    if ours and not found and not item.shared:  # it can be sold once, and another order bought it
        return Look(now, NO, NO, verdict="other_order")
    if found:
        facts = found[0]
        if facts.reservation_status in RESERVATION_OVER:
            return Look(now, NO, NO, verdict="reservation_failed")
        return Look(now, PENDING if facts.reservation_status else YES, NO, facts)
    try:
        sale = find_for_sale(provider, offer, wait=READ_WAIT)
    except ProviderError as problem:
        return Look(now, NO, NO_ANSWER, problem=problem)
    return Look(now, NO, YES if sale else NO)


def _look_for_cancel(item: OrderItem, attempt: ProviderAttempt, provider: Provider, clock: Clock) -> Look:
    now = clock()
    try:
        facts = provider.get_owned(attempt.number_key, caller="worker", wait=READ_WAIT)
        return Look(now, YES if same_number(facts.number, item.number) else NO_ANSWER, facts=facts)
    except NotOwned:
        pass
    except ProviderError as problem:
        return Look(now, NO_ANSWER, problem=problem)
    try:
        elsewhere = find_owned(provider, Offer(item.country, item.number), wait=READ_WAIT)
    except ProviderError as problem:
        return Look(now, NO_ANSWER, problem=problem)
    if attempt.number_key in {facts.number_key for facts in elsewhere}:
        return Look(now, NO_ANSWER)  # the list and the single number disagree: one of them is behind
    if elsewhere:
        return Look(now, NO, verdict="key_mismatch")
    assert item.owned_number is not None
    return Look(now, NO if absence_counts(item.owned_number, now) else NO_ANSWER)


def _conclude(item: OrderItem, attempt: ProviderAttempt, look: Look, now: datetime) -> None:
    """Write down what the look proves; when it proves nothing, when to look again."""
    evidence = [*attempt.evidence, look.to_json()][-MOST_LOOKS_KEPT:]
    if look.verdict:
        failed(item, look.verdict, now=now, attempt=attempt, evidence=evidence)
    elif is_purchase(item) and look.owned == YES and look.facts:
        bought(item, attempt, look.facts, now=now, note="settled", evidence=evidence)
    elif not is_purchase(item) and look.owned == NO:
        cancelled(item, attempt, now=now, note="confirmed", evidence=evidence)
    elif proves_not_done(item, evidence):
        code = "not_bought" if is_purchase(item) else "not_cancelled"
        failed(item, code, now=now, attempt=attempt, evidence=evidence)
    else:
        looks = item.looks + look.counts
        with transaction.atomic():
            amend(item, now=now, looks=looks, not_before=next_look(looks, now))
            attempt.evidence = evidence
            attempt.save(update_fields=["evidence"])


def proves_not_done(item: OrderItem, evidence: list[dict[str, Any]]) -> bool:
    """Do the last looks, with nothing else between them, speak against it over the settling interval?

    Looks without an answer neither help nor harm. A shared number can be for sale and ours: never proved so.
    """
    if item.kind == Kind.PURCHASE and item.shared:
        return False
    against: list[datetime] = []
    for look in reversed(evidence):
        if NO_ANSWER in (look["owned"], look["for_sale"]):
            continue
        if not _against(look):
            break
        against.append(datetime.fromisoformat(look["at"]))
    return len(against) > 1 and against[0] - against[-1] >= timedelta(seconds=settle_seconds())


def abandon(attempt: ProviderAttempt, now: datetime) -> bool:
    """The worker that made this call is gone: its outcome is unknown from now on. False when it was not."""
    item = attempt.item
    if item.state != State.EXECUTING:
        return False
    try:
        unknown(item, attempt, now=now, why="lease")
    except Moved:
        return False
    return True
