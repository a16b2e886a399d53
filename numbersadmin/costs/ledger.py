"""What a month costs, line by line: computed while it is open, read from the ledger once it is closed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.db import models
from django.db.models import F

from numbersadmin.costs.charges import ORDER, Basis, Charge, Kind, charges
from numbersadmin.costs.models import Action, LedgerLine, MonthClose, MonthTurn, Origin
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.costs.possessions import Held, Subject, held_between


class State(StrEnum):
    """How much is known of a month, and whether it can still change. A reopened one takes corrections only."""

    OPEN = "open"
    CLOSED = "closed"
    REOPENED = "reopened"
    BEFORE_RECORDS = "before_records"
    NOT_STARTED = "not_started"


FROZEN = frozenset({State.CLOSED, State.REOPENED})
ON_RECORD = FROZEN | {State.OPEN}


@dataclass(frozen=True, slots=True)
class Records:
    """The months there are figures for: from `first` (None: nothing is on record yet) to the current one.

    `closes` has the newest row about each month that was ever closed.
    """

    first: Month | None
    current: Month
    calendar: Calendar
    listed: datetime | None
    begin: datetime | None  # the first moment that anything is known of
    closes: dict[Month, MonthClose]

    def state(self, month: Month) -> State:
        """Is there anything to say of this month, and does it still change?"""
        if month > self.current:
            return State.NOT_STARTED
        if (last := self.closes.get(month)) is not None:
            return State.CLOSED if last.action == Action.CLOSE else State.REOPENED
        return State.OPEN if self.first and self.first <= month else State.BEFORE_RECORDS

    def on_record(self, month: Month) -> bool:
        """Are there figures for this month?"""
        return self.state(month) in ON_RECORD

    def frozen(self, month: Month) -> bool:
        """Are the computed charges of this month those that were written when it was closed?"""
        return self.state(month) in FROZEN

    @property
    def zone(self) -> str:
        """The time zone that months are cut in."""
        return self.calendar.zone.key

    @property
    def closed_otherwise(self) -> MonthClose | None:
        """A close by which months began in another time zone than now: nothing is to be compared with it."""
        cut = (
            one
            for one in self.closes.values()
            if one.assumptions.get("BILLING_TIME_ZONE", self.zone) != self.zone
        )
        return next(cut, None)

    @property
    def months(self) -> list[Month]:
        """All months with figures, the latest first."""
        first = self.current.index + 1 if self.first is None else self.first.index
        return [self.current.plus(-back) for back in range(self.current.index - first + 1)]

    @property
    def to_close(self) -> Month | None:
        """The earliest month that is not closed, the only one that can be closed next; None without any record."""
        return next((month for month in reversed(self.months) if self.state(month) is not State.CLOSED), None)


class Entry(NamedTuple):
    """One line of a month's statement. Only a correction has `corrects`, the month it is about; `id` once posted."""

    charge: Charge
    subject: Subject
    id: int | None = None
    corrects: Month | None = None
    revision: int = 0


def statement(known: Records, month: Month) -> Iterator[Entry]:
    """Every line of a month on record: by the age of the number's record, and for one number in the order of `Kind`.

    Corrections that are about no number come last. None for a month that is not on record.
    """
    if not known.on_record(month):
        return
    posted = posted_lines(known, month).iterator(chunk_size=2000)
    if known.frozen(month):
        yield from map(entry_of, posted)
        return
    held = held_between(month, month, known.calendar, known.listed)
    yield from merged(computed(held, month, known.calendar), map(entry_of, posted))


def computed(held: Iterable[Held], month: Month, calendar: Calendar) -> Iterator[Entry]:
    """The lines of a month as what we know now says, whether it is closed or not."""
    for one in held:
        for charge in charges(one.possession, month, month, calendar):
            yield Entry(charge, one.subject)


def merged(computed: Iterator[Entry], posted: Iterator[Entry]) -> Iterator[Entry]:
    """Two runs of lines, each in the order of `statement`, as one."""
    later = next(posted, None)
    for entry in computed:
        while later is not None and _place(later) < _place(entry):
            yield later
            later = next(posted, None)
        yield entry
    if later is not None:
        yield later
        yield from posted


def _place(entry: Entry) -> tuple[bool, int, int]:
    return entry.subject.id is None, entry.subject.id or 0, ORDER[entry.charge.kind]


def carried(known: Records) -> models.QuerySet[LedgerLine]:
    """The ledger as it was when `known` was read.

    What a month is closed or corrected with while a page or a file is made would be counted twice, or be under the
    checksum of another revision.
    """
    last = max((str(month) for month in known.closes if known.frozen(month)), default="")
    return LedgerLine.objects.exclude(origin=Origin.CLOSE, month__gt=last)


def posted_lines(known: Records, month: Month) -> models.QuerySet[LedgerLine]:
    """The rows of the ledger that a month carries, in the order of `statement`."""
    rows = carried(known).filter(month=str(month))
    if known.state(month) is State.CLOSED:
        rows = rows.filter(revision__lte=known.closes[month].revision)
    return in_order(rows)


def in_order(rows: models.QuerySet[LedgerLine]) -> models.QuerySet[LedgerLine]:
    """Rows of one month in the order of `statement`."""
    kinds = models.Case(*(models.When(kind=kind, then=at) for kind, at in ORDER.items()))
    return rows.order_by(F("owned_number").asc(nulls_last=True), kinds, "id")


def entry_of(row: LedgerLine) -> Entry:
    """A row of the ledger as a line."""
    subject = Subject(
        row.owned_number_id,
        row.number_key,
        row.number,
        row.country,
        row.type,
        row.capabilities,
        row.shared,
        tuple(row.labels),
        row.cost_centre,
        row.owner,
    )
    charge = Charge(
        row.owned_number_id,
        Month.parse(row.month),
        Kind(row.kind),
        row.amount,
        row.currency,
        Basis(row.basis),
        row.period_start,
        row.period_end,
        row.per_month,
        row.note,
    )
    return Entry(charge, subject, row.pk, Month.parse(row.corrects) if row.corrects else None, row.revision)


def take_turn(month: Month) -> None:
    """Wait until nobody else writes to this month; the turn ends with the caller's transaction.

    Everything that posts to a month or changes its state begins with it, and reads the month's state afterwards.
    """
    MonthTurn.objects.get_or_create(month=str(month))
    MonthTurn.objects.filter(month=str(month)).update(turns=F("turns") + 1)
