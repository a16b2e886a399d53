"""The list of owned numbers as a file: the same rows, order and columns as on the screen, in flat memory.

CSV is for programs (digits without +, point decimals, user names), XLSX for people (international form, names).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.utils import timezone

from numbersadmin import export
from numbersadmin.audit import selectors as audit
from numbersadmin.export import MOST_XLSX
from numbersadmin.formats import capability_label, country_name, phone_intl, type_name, when
from numbersadmin.money import Money
from numbersadmin.numbers import since
from numbersadmin.numbers.importing import labels_cell
from numbersadmin.numbers.models import OwnedNumberQuerySet, Status
from numbersadmin.numbers.selectors import ORDERS

CHUNK = 2000
READ = (
    "number country type capabilities labels owner__username owner__full_name cost_centre status price_per_month"
    " setup_price currency acquired_at acquired_from acquired_to acquired_basis acquired_note"
).split()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: `csv` and `xlsx` make its cell out of a row."""

    name: str
    heading: str
    width: int
    csv: Callable[[Any], Any]
    xlsx: Callable[[Any], Any]


def _international(row: Any) -> str:
    return phone_intl(row.number).replace("\xa0", " ")  # as people type it when they search the sheet


def _words(row: Any) -> str:
    return ", ".join(capability_label(word) for word in row.capabilities.split(",") if word)


def _state(row: Any) -> str:
    return Status(row.status).label


def _money(row: Any, amount: Decimal | None) -> Money | None:
    return None if amount is None else Money(amount, row.currency)


def _owner(row: Any) -> str:
    return row.owner__full_name or row.owner__username or ""


COLUMNS: Mapping[str, tuple[Column, ...]] = {  # by the name of the column on the screen
    "number": (Column("number", "Number", 20, lambda r: r.number, _international),),
    "country": (Column("country", "Country", 20, lambda r: r.country, lambda r: country_name(r.country)),),
    "type": (Column("type", "Type", 18, lambda r: r.type, lambda r: type_name(r.type)),),
    "capabilities": (Column("capabilities", "Can do", 18, lambda r: r.capabilities, _words),),
    "labels": (
        Column("labels", "Labels", 24, lambda r: labels_cell(r.labels), lambda r: ", ".join(r.labels)),
    ),
    "owner": (
        Column("owner", "Owner", 22, lambda r: r.owner__username, _owner),
        Column("owner_name", "User name", 18, _owner, lambda r: r.owner__username or ""),
    ),
    "cost_centre": (
        Column("cost_centre", "Cost centre", 22, lambda r: r.cost_centre, lambda r: r.cost_centre),
    ),
    "since": (Column("since", "Since", 20, since.acquired_short, since.acquired_short),),
    "state": (Column("state", "State", 18, _state, _state),),
    "setup": (
        Column("setup_price", "Set-up", 12, lambda r: r.setup_price, lambda r: _money(r, r.setup_price)),
    ),
    "price": (
        Column(
            "price_per_month",
            "Per month",
            12,
            lambda r: r.price_per_month,
            lambda r: _money(r, r.price_per_month),
        ),
    ),
}
CURRENCY = Column("currency", "Currency", 10, lambda r: r.currency, lambda r: r.currency)
STANDARD = ("number", "country", "capabilities", "labels", "owner", "cost_centre", "since", "state", "price")


def columns_of(names: Sequence[str]) -> list[Column]:
    """The columns of a file for those on the screen, unknown ones left out; amounts bring their currency along."""
    chosen = [name for name in dict.fromkeys(names) if name in COLUMNS] or list(STANDARD)
    found = [column for name in chosen for column in COLUMNS[name]]
    return [*found, CURRENCY] if {"price", "setup"} & set(chosen) else found


def _rows(found: OwnedNumberQuerySet) -> Iterator[Any]:
    return found.values_list(*READ, named=True).iterator(chunk_size=CHUNK)


def in_order(found: OwnedNumberQuerySet, sort: str) -> OwnedNumberQuerySet:
    """The numbers in the order of the list; `sort` is a key of ORDERS, `-key` downwards."""
    down = sort.startswith("-")
    return found.order_by(
        *(
            F(key).desc(nulls_last=True) if down and key != "currency" else F(key).asc(nulls_last=True)
            for key in (*ORDERS[sort.removeprefix("-")], "id")
        )
    )


def csv_lines(found: OwnedNumberQuerySet, names: Sequence[str] = (), *, zone: tzinfo) -> Iterator[str]:
    """The numbers as lines of a CSV file, in the order of the queryset; days are those of the person's `zone`."""
    columns = columns_of(names)

    def cells() -> Iterator[dict[str, Any]]:
        for row in _rows(found):
            with timezone.override(zone):  # for each row: between two of them other requests have this thread
                made = {column.name: column.csv(row) for column in columns}
            yield made

    return export.rows_csv([column.name for column in columns], cells())


def xlsx_chunks(
    found: OwnedNumberQuerySet, names: Sequence[str] = (), *, about: Iterable[tuple[str, str]], zone: tzinfo
) -> Iterator[bytes]:
    """The numbers as an Excel file, made when its first bytes are asked for. `about`: what the second sheet says.

    `zone` is the person's: a stream outlasts the request that knew it. Check `too_many` first.
    """
    columns = columns_of(names)

    def cells() -> Iterator[list[Any]]:
        for row in _rows(found):
            with timezone.override(zone):
                made = [column.xlsx(row) for column in columns]
            yield made

    return export.xlsx_chunks("Numbers", [(one.heading, one.width) for one in columns], cells(), about)


def too_many(found: OwnedNumberQuerySet) -> str:
    """What to do when there are more numbers than a sheet holds; empty when there are not."""
    if found.order_by()[: MOST_XLSX + 1].count() <= MOST_XLSX:
        return ""
    return f"An Excel sheet holds {MOST_XLSX:,} numbers. Narrow the filter, or export CSV."


def last_sync() -> datetime | None:
    """When the provider's list was last read to its end, as the audit log has it."""
    ended = audit.events(audit.Filters(what="sync")).filter(verb="sync.finished", after__status="complete")
    return ended.values_list("at", flat=True).first()


def about_list(*, filters: str, count: str, who: str, now: datetime) -> list[tuple[str, str]]:
    """What the second sheet says: which numbers these are, how old the data is, when and for whom it was made."""
    synced = last_sync()
    return [
        ("Numbers", count),
        ("Filter", filters),
        ("Age of the data", f"The sync of {when(synced, 'full')}" if synced else "Never synced"),
        ("Exported", when(now, "full")),
        ("By", who),
        ("Prices", "Per month, in the currency beside them. Currencies are never added together."),
        ("Empty cells", "Not known, or there is none."),
    ]
