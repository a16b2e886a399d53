"""Numbers that a sync finds, or finds gone, and that a call of an order explains."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.errors import Moved
from numbersadmin.orders.models import Kind, Outcome, ProviderAttempt, State
from numbersadmin.orders.recording import bought, cancelled
from numbersadmin.provider.schema import ProviderNumber

OPEN_ENDED = (State.EXECUTING, State.UNKNOWN, State.FAILED, State.EXPIRED, State.WITHDRAWN)
MAY_HAVE_ACTED = (
    Q(outcome__isnull=True) | Q(outcome=Outcome.UNKNOWN) | Q(outcome=Outcome.NOT_DONE, ambiguous=True)
)
MOST_AT_ONCE = 500
LATEST = timedelta(days=7)  # what turns up later than this after a call that failed was not brought by it


def adopt(*, appeared: Iterable[tuple[ProviderNumber, int | None]], now: datetime) -> set[str]:
    """Give newly listed numbers (with the digests of their rows) to the orders that had asked for them.

    Returns the keys that were opened so; the caller opens the others. An order that had failed or expired is
    done after all when the call it had made shows up late. Numbers still being arranged are left alone.
    """
    rows = [(facts, digest) for facts, digest in appeared if not facts.reservation_status]
    adopted: set[str] = set()
    if not _open_ended(now).exists():
        return adopted
    for start in range(0, len(rows), MOST_AT_ONCE):
        batch = rows[start : start + MOST_AT_ONCE]
        asked = _asked_for({facts.number for facts, _ in batch}, now)
        for facts, digest in batch:
            for attempt in asked.get((facts.country, facts.number), []):
                if facts.number_key not in attempt.known_keys and _take(attempt, facts, digest, now):
                    adopted.add(facts.number_key)
                    asked[facts.country, facts.number].remove(attempt)
                    break
    return adopted


def _open_ended(now: datetime) -> QuerySet[ProviderAttempt]:
    """Calls that may have bought something without our having heard of it."""
    called = ProviderAttempt.objects.filter(MAY_HAVE_ACTED, verb=Kind.PURCHASE, item__state__in=OPEN_ENDED)
    return called.filter(
        Q(started_at__gte=now - LATEST) | Q(item__state__in=(State.EXECUTING, State.UNKNOWN))
    )


def _asked_for(numbers: set[str], now: datetime) -> dict[tuple[str, str], list[ProviderAttempt]]:
    """Calls that may have bought these numbers, the likeliest first: those still open, then the latest."""
    found = (
        _open_ended(now)
        .filter(number__in=numbers)
        .select_related("item__order__owner", "item__order__requester")
        .order_by("-id")
    )
    by_number: dict[tuple[str, str], list[ProviderAttempt]] = {}
    for attempt in sorted(found, key=lambda each: each.item.state not in (State.EXECUTING, State.UNKNOWN)):
        by_number.setdefault((attempt.item.country, attempt.item.number), []).append(attempt)
    return by_number


def _take(attempt: ProviderAttempt, facts: ProviderNumber, digest: int | None, now: datetime) -> bool:
    try:
        bought(attempt.item, attempt, facts, now=now, note="adopted", digest=digest)
    except Moved:
        return False
    return True


def adopt_cancelled(*, owned: OwnedNumber, now: datetime) -> bool:
    """A number is confirmed gone: if a cancellation of ours was sent for it, that is what ended it.

    True when the number was ended so; else the caller ends it as disappeared.
    """
    attempt = (
        ProviderAttempt.objects.filter(
            MAY_HAVE_ACTED, verb=Kind.CANCEL, item__owned_number=owned, item__state__in=OPEN_ENDED
        )
        .select_related("item__order", "item__owned_number")
        .order_by("-id")
        .first()
    )
    if attempt is None:
        return False
    try:
        cancelled(attempt.item, attempt, now=now, note="confirmed")
    except Moved:
        return False
    owned.refresh_from_db()
    return True
