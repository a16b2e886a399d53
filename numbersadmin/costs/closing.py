"""Closing a month: its lines are written to the ledger for good, with a digest that tells whether they still stand.

One transaction under the month's turn. It needs no preparation outside: what waits for it meanwhile is only another
close or a correction of the same month (bench/close.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs import checklist, counting, rules
from numbersadmin.costs.charges import Charge
from numbersadmin.costs.checklist import Item, Weight
from numbersadmin.costs.digest import Digest, LineSums, totals_in
from numbersadmin.costs.figures import line_sums
from numbersadmin.costs.ledger import Entry, Records, entry_of, in_order, statement, take_turn
from numbersadmin.costs.models import Action, LedgerLine, MonthClose, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.posting import last_close
from numbersadmin.costs.rates import for_close
from numbersadmin.costs.selectors import records
from numbersadmin.money import Totals
from numbersadmin.rows import batches, insert_values

AT_ONCE = 2000  # lines are written
_SAME = ("month", "revision", "origin", "corrects", "posted_at", "posted_by_id")  # for all lines of a close
_COLUMNS = ("owned_number_id", *Subject._fields[1:], *Charge._fields[2:], *_SAME)


class CannotClose(Exception):
    """The month stays open; the message says why. `items` are those of the checklist that stand against it."""

    def __init__(self, message: str, items: list[Item] | None = None) -> None:
        super().__init__(message)
        self.items = items or []


class AlreadyClosed(Exception):
    """Somebody closed it first."""

    def __init__(self, first: MonthClose) -> None:
        super().__init__(f"{first.by.display_name} has closed {Month.parse(first.month).label} already.")
        self.first = first


class Moved(Exception):
    """The figures are no longer those that the person was shown; nothing was closed."""


@dataclass(frozen=True, slots=True)
class Review:
    """A month before it is closed: what it adds up to, and what stands against closing it."""

    figures: LineSums
    items: list[Item]

    @property
    def ready(self) -> bool:
        """Does nothing stand against it?"""
        return not any(item.weight is Weight.BLOCKS for item in self.items)


def review(known: Records, month: Month, now: datetime) -> Review:
    """The checklist and the figures of a month on record."""
    figures = line_sums(known, month, checklist.waived(month), alike=counting.ahead())
    return Review(figures, checklist.items(known, month, figures, now))


def close(*, month: Month, shown: dict[str, Any], actor: User, now: datetime) -> MonthClose:
    """Close a month for which the person was shown these figures (`LineSums.facts`).

    Raises AlreadyClosed, CannotClose with what stands against it, and Moved when the figures have changed.
    """
    with transaction.atomic():
        take_turn(month)
        last = last_close(month)
        if last is not None and last.action == Action.CLOSE:
            raise AlreadyClosed(last)
        known = records(now)
        if against := [one for one in checklist.outside(known, month, now) if one.weight is Weight.BLOCKS]:
            raise CannotClose(against[0].text, against)
        revision = last.revision + 1 if last else 1
        figures, digest = _write(known, month, revision, actor, now)
        if figures.open_prices:
            item = checklist.prices(month, figures)
            raise CannotClose(item.text, [item])
        if figures.facts != shown:
            raise Moved(f"The figures of {month.label} have changed since the page was shown.")
        closed = MonthClose.objects.create(
            month=str(month),
            revision=revision,
            action=Action.CLOSE,
            at=now,
            by=actor,
            sha256=digest,
            assumptions=rules.assumptions(),
            rates=for_close(month),
            **figures.facts,
        )
        told = {"month": str(month), "revision": revision, "sha256": digest, **figures.facts}
        record(actor=actor, verb="cost.month_closed", subject=closed, after=told, at=now)
    return closed


def _write(known: Records, month: Month, revision: int, actor: User, now: datetime) -> tuple[LineSums, str]:
    """Write what is not in the ledger yet, some lines at a time; what all lines add up to, and their digest."""
    figures, digest = LineSums(checklist.waived(month)), Digest()
    same = (str(month), revision, Origin.CLOSE, "", now, actor.pk)
    for some in batches(statement(known, month), AT_ONCE):
        for entry in some:
            figures.add(entry)
        digest.add(some)
        new = ((*entry.subject, *entry.charge[2:], *same) for entry in some if entry.id is None)
        insert_values(LedgerLine, _COLUMNS, new)
    return figures, digest.text


# Looking at what was closed -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Revision:
    """One row about a month. Of a close `change` is the difference to the one before, None for the first."""

    row: MonthClose
    totals: Totals
    change: Totals | None


def revisions(month: Month) -> list[Revision]:
    """Every close and reopening of a month, the oldest first."""
    rows = MonthClose.objects.filter(month=str(month)).select_related("by", "second_by").order_by("id")
    found: list[Revision] = []
    before: Totals | None = None
    for row in rows:
        totals = totals_in(row.totals)
        if row.action == Action.REOPEN:
            found.append(Revision(row, totals, None))
            continue
        found.append(Revision(row, totals, None if before is None else _changed(totals - before)))
        before = totals
    return found


def _changed(totals: Totals) -> Totals:
    return Totals({currency: amount for currency, amount in totals.items() if amount})


class Check(NamedTuple):
    """What a close said, against the ledger as it is now: do its lines give the checksum, and its figures?"""

    lines: bool
    figures: bool


def verify(month: Month) -> dict[int, Check]:
    """Revision -> do its lines and its figures (`LineSums.facts`) still hold? Computed anew from the ledger."""
    closes = MonthClose.objects.filter(month=str(month), action=Action.CLOSE)
    return {one.revision: _check(one) for one in closes.order_by("revision")}


def _check(closed: MonthClose) -> Check:
    figures, digest = LineSums(), Digest()
    for some in batches(_lines_of(closed), AT_ONCE):
        for entry in some:
            figures.add(entry)
        digest.add(some)
    said = {"totals": closed.totals, "lines": closed.lines, "unpriced": closed.unpriced}
    return Check(digest.text == closed.sha256, figures.facts == said)


def _lines_of(closed: MonthClose) -> Iterator[Entry]:
    """The lines that a close carried: later revisions only add some."""
    rows = LedgerLine.objects.filter(month=closed.month, revision__lte=closed.revision)
    return map(entry_of, in_order(rows).iterator(chunk_size=2000))
