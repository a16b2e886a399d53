"""Charge lines for people and for files: those of a month, those of one phone number, and the export."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from django.core.paginator import Page, Paginator

from numbersadmin.costs.charges import Basis, Charge, Kind, charges
from numbersadmin.costs.labels import single_labels
from numbersadmin.costs.ledger import Entry, Records, carried, entry_of, statement
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.costs.possessions import Held, Subject, held_of
from numbersadmin.costs.report import GROUPINGS
from numbersadmin.costs.selectors import NONE
from numbersadmin.formats import capability_label, country_name, type_name
from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber

ROWS = 50
EXPORT_FIELDS = ("number", "kind", "amount", "currency", "basis", "period_start", "period_end")
UNPRICED = "unknown"
BASIS_NAMES = {
    Basis.QUOTED: "Quoted before buying",
    Basis.LISTED: "On Infobip's list",
    Basis.COMPUTED: "Computed from days",
    Basis.INFERRED: "Inferred",
    Basis.MANUAL: "Entered by a person",
    Basis.INVOICE: "From an invoice",
}


@dataclass(frozen=True, slots=True)
class LineFilter:
    """What lines are narrowed to; empty means any, `(none)` the numbers without that value.

    `cur` may be `unknown`: the charges without an amount. `labels` is a whole set, `label` one of several.
    """

    cur: str = ""
    country: str = ""
    type: str = ""
    capabilities: str = ""
    owner: str = ""
    cost_centre: str = ""
    labels: str = ""
    label: str = ""

    @classmethod
    def of(cls, sent: Mapping[str, str]) -> "LineFilter":
        """The filter that a query string asks for; what no database can keep fits nothing."""
        return cls(**{one.name: sent.get(one.name, "").replace("\0", "\ufffd") for one in fields(cls)})

    @property
    def chosen(self) -> dict[str, str]:
        """What is set, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value}

    def holds(self, subject: Subject) -> bool:
        """Is the number one of those asked for?"""
        wanted = self.chosen
        if self.label and self.label not in single_labels(subject.label_set):
            return False
        return all(
            (value_of(subject) or NONE) == wanted[by] for by, value_of in GROUPINGS.items() if by in wanted
        )

    def counts(self, charge: Charge) -> bool:
        """Is the charge in the currency asked for?"""
        if self.cur == UNPRICED:
            return charge.amount is None
        return not self.cur or charge.currency == self.cur


def value_words(by: str, value: str) -> str:
    """A group's value as people read it; `(none)` for the numbers without one."""
    if value in ("", NONE):
        return NONE
    if by == "country":
        return country_name(value)
    if by == "type":
        return type_name(value)
    if by == "capabilities":
        return ", ".join(map(capability_label, value.split(",")))
    return value


@dataclass(frozen=True, slots=True)
class Line:
    """A charge with the number it is for, and in words what it is; `id` where the ledger has it."""

    charge: Charge
    subject: Subject
    words: str
    id: int | None = None

    @property
    def url(self) -> str:
        """The page of the number; empty where it is about none of ours."""
        return f"/numbers/{self.subject.id}/" if self.subject.id else ""

    @property
    def basis(self) -> str:
        """How the amount is known, in words."""
        return "Not known" if self.charge.amount is None else BASIS_NAMES[self.charge.basis]


@dataclass(frozen=True, slots=True)
class Lines:
    """One page of the lines of a month, with the totals of all that fit."""

    page: Page[Line]
    totals: Totals
    unpriced: int


def month_lines(known: Records, month: Month, wanted: LineFilter, page: str = "1") -> Lines:
    """The lines of a month that fit, by the age of the number's record; a page there is none of is the nearest."""
    found = [
        entry
        for entry in statement(known, month)
        if wanted.holds(entry.subject) and wanted.counts(entry.charge)
    ]
    totals = Totals.of((entry.charge.currency, entry.charge.amount) for entry in found)
    unpriced = sum(entry.charge.amount is None for entry in found)
    shown: Page[Any] = Paginator(found, ROWS).get_page(page)
    shown.object_list = [line_of(entry, known.calendar) for entry in shown.object_list]
    return Lines(shown, totals, unpriced)


def line_of(entry: Entry, calendar: Calendar) -> Line:
    """A line of a statement in words."""
    return Line(entry.charge, entry.subject, words(entry, calendar), entry.id)


def words(entry: Entry, calendar: Calendar) -> str:
    """What a charge is for: `Set-up, once`, `First month, 14 to 31 Oct`, `Full month`, `Correction for September`."""
    charge = entry.charge
    if charge.kind is Kind.ADJUSTMENT:
        about = entry.corrects
        return "Correction" if about is None or about == charge.month else f"Correction for {about.label}"
    if charge.kind is Kind.SETUP:
        return "Set-up, once"
    if charge.kind is Kind.RECURRING:
        return "Full month"
    first = calendar.day(charge.period_start)
    last = calendar.day(charge.period_end - timedelta(microseconds=1))
    return (
        f"First month, {first.day} to {last.day} {last:%b}"
        if first < last
        else f"First month, {last.day} {last:%b}"
    )


# One phone number ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NumberCost:
    """What a phone number has cost so far, over every time it was ours; the newest line first."""

    lines: list[Line]
    totals: Totals
    unpriced: int
    possessions: int
    first: Month | None

    @property
    def months(self) -> str:
        """`July to October 2026`, the months that are charged; empty without a charge."""
        if not self.lines:
            return ""
        first, last = self.lines[-1].charge.month, self.lines[0].charge.month
        if first == last:
            return last.label
        return f"{first.name if first.year == last.year else first.label} to {last.label}"


def number_cost(known: Records, owned: OwnedNumber) -> NumberCost:
    """All charges of a phone number up to the current month, which counts as the month it is charged as.

    Closed months are what the ledger says of it; corrections count in the month that they were posted in.
    """
    holdings = list(held_of(owned.number, owned.country, known.listed))
    entries = [entry for entry in _computed(known, holdings) if not known.frozen(entry.charge.month)]
    posted = carried(known).filter(owned_number__in=[held.subject.id for held in holdings])
    entries += map(entry_of, posted)
    order = list(Kind)
    entries.sort(
        key=lambda one: (one.charge.month, one.subject.id or 0, order.index(one.charge.kind), one.id or 0)
    )
    lines = [line_of(entry, known.calendar) for entry in entries]
    return NumberCost(
        lines=lines[::-1],
        totals=Totals.of((line.charge.currency, line.charge.amount) for line in lines),
        unpriced=sum(line.charge.amount is None for line in lines),
        possessions=len(holdings),
        first=lines[0].charge.month if lines else None,
    )


def _computed(known: Records, holdings: list[Held]) -> Iterator[Entry]:
    """What we know now says of every month of these possessions."""
    first = known.first or known.current
    for held in holdings:  # an inferred or entered day may lie before the first record
        moments = (held.possession.acquired_at, held.possession.acquired_from, held.possession.acquired_to)
        first = min(first, *(known.calendar.month(at) for at in moments if at))
    for held in holdings:
        for charge in charges(held.possession, first, known.current, known.calendar):
            yield Entry(charge, held.subject)


# Export -------------------------------------------------------------------------------------------------------------


def export_rows(known: Records, month: Month) -> Iterator[dict[str, Any]]:
    """The lines of a month as files have them; none for a month that is not on record."""
    for entry in statement(known, month):
        charge = entry.charge
        yield {
            "number": entry.subject.number,
            "kind": str(charge.kind),
            "amount": charge.amount,
            "currency": charge.currency or None,
            "basis": str(charge.basis),
            "period_start": charge.period_start,
            "period_end": charge.period_end,
        }


def export_month(known: Records, month: Month) -> dict[str, Any]:
    """A month as JSON has it: its state, its totals per currency, and every line."""
    lines = list(export_rows(known, month))
    totals = Totals.of((line["currency"], line["amount"]) for line in lines)
    return {"month": str(month), "state": str(known.state(month)), "totals": totals, "lines": lines}
