"""Counts large accounts ahead: figures kept in the database, each month labelled with the moment it was counted.

A small account is counted on each look at a page. A large one is counted by the worker whenever something has
happened that a figure may rest on, so that a page costs the same whatever is owned (docs/decisions/0010).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import figures as figures_now
from numbersadmin.costs.ledger import Records, State
from numbersadmin.costs.models import Count, Rollup
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import ABOUT, BASIS, BRIDGE, GROUPINGS, TOTAL, UNPRICED, Figures, Sum
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.rows import insert, new

SMALL = 5000  # numbers ever owned that are counted on each look
AT_MOST = 20_000  # and until the worker has counted them for the first time
# Events that no figure rests on: what they lead to is recorded once more, as one of a number or a cost.
UNRELATED = (
    "attestation audit budget bulk invoice item order orders policy rate sandbox sync user view".split()
)
LATE = 1000  # so many events back one may still turn up: ids are given before the commit


class NotCounted(Exception):
    """The account is large, and the worker has not counted these months yet."""


def figures(
    known: Records, first: Month, last: Month, *, by: str, shown: Month, now: datetime
) -> tuple[Figures, datetime]:
    """Figures of these months, and when they were counted. Raises NotCounted.

    They are split by one thing for the month `shown` and for those it is compared with.
    """
    counts = {count.month: count for count in _counts(first, last)}
    if not counts and not _more_than(AT_MOST):
        return figures_now.figures(known, first, last, [by], shown=shown, alike=False), now
    months = [month for month in _months(known) if first <= month <= last]
    if any(not _good(known, month, counts.get(str(month))) for month in months):
        raise NotCounted
    compared = [str(month) for month in (shown, shown.previous, shown.plus(-12), known.current.next)]
    wanted = Q(by=TOTAL) | Q(by__in=[by, BASIS, BRIDGE, UNPRICED, ABOUT], count__month__in=compared)
    rows = Rollup.objects.filter(wanted, count__month__gte=str(first), count__month__lte=str(last))
    columns = ("count__month", "by", "currency", "value", "numbers", "unpriced", "amount")
    found = Figures()
    for month, split, currency, value, *sums in rows.values_list(*columns):
        found.add(Month.parse(month).index, split, currency, value, Sum(*sums))
    return found, counts[str(shown)].at


def ahead() -> bool:
    """Is the account counted ahead?"""
    return Count.objects.exists()


def count(known: Records, now: datetime) -> list[Month]:
    """Count the months of a large account whose figures may have changed; those that were counted.

    One snapshot is read, so that all months tell of the same state; they are replaced together.
    """
    if not _more_than(SMALL):
        return []
    with _snapshot():
        events = _events()
        seen = {month: _seen(known, month, events) for month in _months(known)}
        counts = dict(Count.objects.values_list("month", "seen"))
        stale = [month for month in seen if counts.get(str(month)) != seen[month]]
        found = _counted(known, stale) if stale else Figures()
    with transaction.atomic():
        for month in stale:
            _replace(month, found, seen[month], now)
    return stale


def _counted(known: Records, stale: list[Month]) -> Figures:
    """Open months are counted together, closed ones each for itself: what is closed needs it only once."""
    found = Figures()
    runs = [(month, month) for month in stale if known.frozen(month)]
    if opened := [month for month in stale if not known.frozen(month)]:
        runs.append((min(opened), max(opened)))
    for first, last in runs:
        found.take(figures_now.figures(known, first, last, list(GROUPINGS), shown=None, alike=True))
    return found


def _replace(month: Month, found: Figures, seen: str, now: datetime) -> None:
    counted, _ = Count.objects.update_or_create(month=str(month), defaults={"at": now, "seen": seen})
    Rollup.objects.filter(count=counted).delete()
    insert(
        [
            new(
                Rollup,
                count_id=counted.pk,
                by=by,
                currency=currency,
                value=value,
                numbers=one.numbers,
                unpriced=one.unpriced,
                amount=one.amount,
            )
            for by, currency, value, one in found.in_month(month)
        ]
    )


# How far a count has seen -------------------------------------------------------------------------------------------


def _months(known: Records) -> list[Month]:
    """All months with figures, and the one ahead."""
    return [known.current.next, *known.months] if known.first else []


def _seen(known: Records, month: Month, events: str) -> str:
    """What a month's figures rest on: as long as this stays the same they do."""
    if (closed := _closed(known, month)) is not None:
        return f"{closed} {events}" if known.state(month.previous) is State.REOPENED else closed
    listed = known.calendar.month(known.listed) if known.listed else None
    return f"{known.first} {known.current} {listed} {events} {_close_of(known, month.previous)}"


def _events() -> str:
    """How far the audit log goes, as far as figures rest on it."""
    related = AuditEvent.objects.exclude(_unrelated()).order_by("-id")
    newest = related.values_list("id", flat=True).first() or 0
    return f"{newest} {related.filter(id__gt=newest - LATE).count()}"


def _closed(known: Records, month: Month) -> str | None:
    """The closes that a closed month's figures rest on; None for a month that can still change."""
    if known.state(month) is not State.CLOSED:
        return None
    return f"{_close_of(known, month)} {_close_of(known, month.previous)}"


def _close_of(known: Records, month: Month) -> str:
    close = known.closes.get(month)
    return f"{close.action}{close.pk}" if close else "open"


def _good(known: Records, month: Month, counted: Count | None) -> bool:
    """May a page show it? What was counted while the month was open is no record of the closed one."""
    closed = _closed(known, month)
    return counted is not None and (closed is None or f"{counted.seen} ".startswith(f"{closed} "))


def _unrelated() -> Q:
    return Q(*(("verb__startswith", f"{noun}.") for noun in UNRELATED), _connector=Q.OR)


def _counts(first: Month, last: Month) -> list[Count]:
    return list(Count.objects.filter(month__gte=str(first), month__lte=str(last)))


def _more_than(numbers: int) -> bool:
    return OwnedNumber.objects.order_by("id").values("id")[numbers : numbers + 1].exists()


@contextmanager
def _snapshot() -> Iterator[None]:
    """Everything read inside is of one moment: SQLite's transactions are so anyhow, PostgreSQL's on request."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
