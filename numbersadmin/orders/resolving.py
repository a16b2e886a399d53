"""Deciding an unknown outcome by hand: one person says what it was and how they know, a second one confirms.

Only what looking could not find out is decided so, and only after the looks have run out.
"""

from datetime import datetime

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.orders.errors import Incomplete, Moved, NotAllowed, OwnOrder
from numbersadmin.orders.machine import moved
from numbersadmin.orders.models import OrderItem, Outcome, ProviderAttempt, Resolution, State
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.recording import bought, cancelled, failed, is_purchase
from numbersadmin.provider.schema import Price, ProviderNumber

LOOKS_ENOUGH = 10  # looks with an answer after which a person may decide
LONGEST_EVIDENCE = 1000


def looks_ran_out(item: OrderItem) -> bool:
    """Has the program looked often enough without finding out?"""
    return item.state == State.UNKNOWN and item.looks >= LOOKS_ENOUGH


def propose_outcome(
    *, actor: User, item: OrderItem, done: bool, evidence: str, number_key: str = "", now: datetime
) -> Resolution:
    """Say what an unknown outcome was, with evidence. Nothing changes until somebody else confirms it."""
    if not actor.can("orders.resolve"):
        raise NotAllowed("Only an administrator can decide an unknown outcome by hand.")
    item.refresh_from_db()
    if item.state != State.UNKNOWN:
        raise moved(item)
    if not looks_ran_out(item):
        raise NotAllowed(
            "It is still being looked for. It can be decided by hand when the looks have run out."
        )
    if not evidence.strip():
        raise Incomplete("Say how you know. It goes on record with your name.", field="evidence")
    if len(evidence.strip()) > LONGEST_EVIDENCE:
        raise Incomplete(f"Keep it to {LONGEST_EVIDENCE} characters.", field="evidence")
    try:
        with transaction.atomic():
            said = Resolution.objects.create(
                item=item,
                attempt=_attempt(item),
                done=done,
                evidence=evidence.strip(),
                number_key=number_key.strip()[:255] if done else "",
                proposed_by=actor,
                proposed_at=now,
            )
            record(
                actor=actor,
                verb="item.outcome_proposed",
                subject=item,
                at=now,
                after={"resolution": said.pk, "done": done, "number_key": said.number_key},
                reason=said.evidence,
                related=item.order,
            )
    except IntegrityError as error:
        raise Moved("Somebody has said already what it was. Look at it as it is now.") from error
    return said


def confirm_outcome(*, actor: User, resolution: Resolution, now: datetime) -> None:
    """The second person agrees: the item becomes what was said."""
    item = _decide(actor, resolution)
    with transaction.atomic():
        _close(actor, resolution, confirmed=True, now=now)
        if not resolution.done:
            code = "said_not_bought" if is_purchase(item) else "said_not_cancelled"
            failed(item, code, now=now, actor=actor, attempt=resolution.attempt)
        elif is_purchase(item):
            facts = _facts(item, resolution.number_key)
            bought(item, resolution.attempt, facts, now=now, note="by_hand", actor=actor)
        else:
            cancelled(item, resolution.attempt, now=now, note="by_hand", actor=actor)


def refuse_outcome(*, actor: User, resolution: Resolution, reason: str, now: datetime) -> None:
    """The second person does not agree: it stays unknown."""
    item = _decide(actor, resolution)
    if not reason.strip():
        raise Incomplete("Say why you do not agree.", field="reason")
    with transaction.atomic():
        _close(actor, resolution, confirmed=False, now=now)
        record(
            actor=actor,
            verb="item.outcome_refused",
            subject=item,
            at=now,
            after={"resolution": resolution.pk},
            reason=reason.strip(),
            related=item.order,
        )


def _decide(actor: User, resolution: Resolution) -> OrderItem:
    """The item, when this person may be the second one."""
    if not actor.can("orders.confirm_outcome"):
        raise NotAllowed("Only an approver or finance can confirm what somebody else found out.")
    if actor.pk == resolution.proposed_by_id:
        raise OwnOrder("You said it yourself, so somebody else has to confirm it.")
    item = OrderItem.objects.select_related("order__owner", "order__requester", "owned_number").get(
        pk=resolution.item_id
    )
    if item.state != State.UNKNOWN:
        raise moved(item)
    return item


def _close(actor: User, resolution: Resolution, *, confirmed: bool, now: datetime) -> None:
    waits = Resolution.objects.filter(pk=resolution.pk, decided_at__isnull=True).exclude(proposed_by=actor)
    if waits.update(decided_by=actor, decided_at=now, confirmed=confirmed) != 1:
        raise Moved("Somebody has decided on it already. Look at it as it is now.")


def _attempt(item: OrderItem) -> ProviderAttempt:
    sent = item.attempts.filter(outcome=Outcome.UNKNOWN).order_by("-id").first()
    if sent is None:  # found out by the program between the two readings
        raise moved(item)
    return sent


def _facts(item: OrderItem, number_key: str) -> ProviderNumber:
    """The number as it was offered, under the key that the person saw, else the one that was sent."""
    quote = Quote.from_json(item.executed_quote or item.quote)
    return ProviderNumber(
        number_key=number_key or item.number_key,
        number=item.number,
        country=item.country,
        type=quote.type,
        capabilities=quote.capabilities,
        shared=quote.shared,
        price=Price(
            per_month=quote.price_per_month,
            setup=quote.setup_price,
            initial_month=quote.initial_month_price,
            currency=quote.currency,
            problem="",
        ),
        reservation_status="",
        can_edit=None,
        keywords=(),
        raw={},
    )
