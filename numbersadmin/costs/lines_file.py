"""The lines of a month as files, all that is known of each: CSV for programs, Excel for people, in flat memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from numbersadmin import export
from numbersadmin.costs.ledger import Entry, Records, State, statement
from numbersadmin.costs.lines import LineFilter, line_of
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.costs.selectors import notes_between
from numbersadmin.formats import capability_label, country_name, phone_intl, type_name, when
from numbersadmin.money import Money


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the files: `csv` makes its cell out of an entry, `xlsx` that of a sheet."""

    name: str
    heading: str
    width: int
    csv: Callable[[Entry], Any]
    xlsx: Callable[[Entry, Calendar], Any]


def _day(moment: datetime, calendar: Calendar) -> str:
    return calendar.day(moment).isoformat()


def _amount(entry: Entry, calendar: Calendar) -> Money | None:
    charge = entry.charge
    return None if charge.amount is None else Money(charge.amount, charge.currency)


def _per_month(entry: Entry, calendar: Calendar) -> Money | None:
    charge = entry.charge
    return None if charge.per_month is None else Money(charge.per_month, charge.currency)


def _can_do(entry: Entry, calendar: Calendar) -> str:
    return ", ".join(capability_label(word) for word in entry.subject.capabilities.split(",") if word)


def _number(entry: Entry, calendar: Calendar) -> str:
    return phone_intl(entry.subject.number).replace("\xa0", " ") if entry.subject.number else ""


def _corrects(entry: Entry) -> str | None:
    return str(entry.corrects) if entry.corrects else None


COLUMNS = (
    Column("month", "Month", 10, lambda e: str(e.charge.month), lambda e, c: str(e.charge.month)),
    Column("number", "Number", 20, lambda e: e.subject.number, _number),
    Column("country", "Country", 20, lambda e: e.subject.country, lambda e, c: country_name(e.subject.country)),
    Column("type", "Type", 18, lambda e: e.subject.type, lambda e, c: type_name(e.subject.type)),
    Column("capabilities", "Can do", 14, lambda e: e.subject.capabilities, _can_do),
    Column("labels", "Labels", 20, lambda e: e.subject.label_set, lambda e, c: e.subject.label_set),
    Column("owner", "Owner", 18, lambda e: e.subject.owner, lambda e, c: e.subject.owner),
    Column("cost_centre", "Cost centre", 18, lambda e: e.subject.cost_centre, lambda e, c: e.subject.cost_centre),
    Column("kind", "What for", 24, lambda e: str(e.charge.kind), lambda e, c: line_of(e, c).words),
    Column("amount", "Amount", 14, lambda e: e.charge.amount, _amount),
    Column("currency", "Currency", 10, lambda e: e.charge.currency, lambda e, c: e.charge.currency),
    Column("basis", "How we know", 24, lambda e: str(e.charge.basis), lambda e, c: line_of(e, c).basis),
    Column("per_month", "Per month", 14, lambda e: e.charge.per_month, _per_month),
    Column("period_start", "From", 12, lambda e: e.charge.period_start, lambda e, c: _day(e.charge.period_start, c)),
    Column("period_end", "Before", 12, lambda e: e.charge.period_end, lambda e, c: _day(e.charge.period_end, c)),
    Column("corrects", "Corrects", 10, _corrects, lambda e, c: _corrects(e)),
    Column("note", "Note", 60, lambda e: e.charge.note, lambda e, c: e.charge.note),
)  # fmt: skip


def csv_lines(known: Records, month: Month, wanted: LineFilter) -> Iterator[str]:
    """The lines that fit, in the order of the page; amounts with all their decimals, moments in UTC."""
    rows = ({one.name: one.csv(entry) for one in COLUMNS} for entry in fitting(known, month, wanted))
    return export.rows_csv([one.name for one in COLUMNS], rows)


def xlsx_chunks(
    known: Records, month: Month, wanted: LineFilter, about: Iterable[tuple[str, str]]
) -> Iterator[bytes]:
    """The same as an Excel file; days are those of the account's time zone."""
    calendar = known.calendar
    rows = ([one.xlsx(entry, calendar) for one in COLUMNS] for entry in fitting(known, month, wanted))
    return export.xlsx_chunks("Charges", [(one.heading, one.width) for one in COLUMNS], rows, about)


def fitting(known: Records, month: Month, wanted: LineFilter) -> Iterator[Entry]:
    """The lines of a month that a filter lets through."""
    for entry in statement(known, month):
        if wanted.holds(entry.subject) and wanted.counts(entry.charge):
            yield entry


def about(known: Records, month: Month, *, filters: str, who: str, now: datetime) -> list[tuple[str, str]]:
    """What the last sheet says: which month in which state, how old the data is, when and for whom it was made."""
    synced = f"The sync of {when(known.listed, 'full')}" if known.listed else "Never synced"
    return [
        ("Month", month.label),
        ("State", state_words(known, month)),
        ("Filter", filters or "None, every line"),
        ("Age of the data", synced),
        ("Exported", when(now, "full")),
        ("By", who),
        ("Amounts", "With all their decimals, from list prices. Currencies are never added together."),
        ("Empty amounts", "Not known: Infobip states no price. They are part of no total."),
        ("Months", f"They begin at midnight {known.zone}."),
        *(
            ("Note", f"{one.text} ({one.by.display_name}, {when(one.at, 'full')})")
            for one in notes_between(month, month)
        ),
    ]


def state_words(known: Records, month: Month) -> str:
    """`Closed, revision 1, checksum 9f86d08...`: whether the figures can still change."""
    if (close := known.closes.get(month)) is None:
        return "Open: the figures can still change"
    if known.state(month) is State.REOPENED:
        return f"Reopened after revision {close.revision}: corrections can be added"
    return f"Closed, revision {close.revision}, checksum {close.sha256}"
