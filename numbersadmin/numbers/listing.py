"""The list of owned numbers a page at a time: every page costs the same, however far down it is.

A page begins after the last row of the one before (its sort values and id, signed into the link), never at a
count. What each part of an order is indexed by stands in `models.OwnedNumber`; docs/numbers.md has the why.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.core import signing
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, Value
from django.db.models.functions import Coalesce

from numbersadmin.accounts.models import User
from numbersadmin.money import Totals
from numbersadmin.numbers import tally
from numbersadmin.numbers.models import OwnedNumber, OwnedNumberQuerySet
from numbersadmin.numbers.rows import OWNER_FIELDS, ROW_FIELDS, NumberRow
from numbersadmin.numbers.selectors import (
    ACTIVE,
    EVERY,
    ORDERS,
    SHORT,
    NumberFilter,
    digits_of,
    matching,
    with_text,
)
from numbersadmin.numbers.tally import Facets, Tally
from numbersadmin.rows import beginning, by_index_only

ROWS = 50
COUNTED = 1000  # what a text finds is counted up to here
FEW = 3000  # so many rows are looked up and sorted in no time
_SALT = "numbers.list"
PARTED = ("owner__username", "status", "currency")  # orders by these are cut into parts (`_parts`)
_KEYS = {sort: tuple(key for key in keys if key not in PARTED) for sort, keys in ORDERS.items()}


class NoSuchPage(Exception):
    """The link to a page was not made by this list, or for another order of it."""


@dataclass(frozen=True, slots=True)
class NumberList:
    """A page of rows. `facets` and `totals` are None when more fit a text than are counted; then `count` is, too.

    `first` is the place of the first row among all, None when that is not known. `back` and `on` are the marks of
    the pages before and after, empty where there is none.
    """

    rows: list[NumberRow]
    count: int | None
    totals: Totals | None
    unknown_prices: int
    facets: Facets | None
    first: int | None
    back: str
    on: str
    begins: bool  # numbers that begin with the digits come before those that have them inside
    kept: Tally  # of all numbers there are

    @property
    def last(self) -> int | None:
        """The place of the last row among all."""
        return self.first + len(self.rows) - 1 if self.first else None


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one value, which stand together in the order; inside they follow `keys`, and the id at the end.

    `beside`: columns that are the same in all of them, for the database to see that an index is in this order.
    """

    value: Any
    where: Q
    keys: tuple[str, ...]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: the part and the keys of the row beside it, and the place of its first row."""

    part: Any
    keys: list[Any]
    first: int | None


class _Beyond(Func):
    """`(a, b, id) > (x, y, z)`: what an index of these columns answers at any depth, unlike nested ORs."""

    output_field = BooleanField()

    def __init__(self, columns: list[Any], values: list[Any], *, sign: str) -> None:
        super().__init__(*columns, *values)
        self.sign = sign

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, Any]:
        compiled = [compiler.compile(expression) for expression in self.get_source_expressions()]
        sql, half = [one for one, _ in compiled], len(compiled) // 2
        parameters = [value for _, values in compiled for value in values]
        return f"({', '.join(sql[:half])}) {self.sign} ({', '.join(sql[half:])})", parameters


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is known of the rows that fit: `facets` when they were counted, `each` when for all filters."""

    facets: Facets | None
    each: bool
    tally: Tally
    text: Q
    kept: Tally  # of all numbers there are

    @property
    def count(self) -> int | None:
        return self.facets.count if self.facets else None

    @property
    def few(self) -> bool:
        return self.facets is not None and self.facets.count <= FEW


def number_list(
    wanted: NumberFilter, *, after: str = "", before: str = "", at_end: bool = False
) -> NumberList:
    """One page of the matching numbers with what all of them cost: the first, the last, or one beside a mark.

    Raises NoSuchPage for a mark that is not of this list.
    """
    counted = _counted(wanted)
    down = wanted.sort.startswith("-")
    place = _place(after or before, wanted) if after or before else None
    parts = _parts(wanted, counted, place)
    backwards = at_end or bool(before)
    limit = ROWS
    if at_end and counted.count:
        limit = counted.count % ROWS or ROWS  # as if one had come there page by page
    rows = _rows(wanted, counted, parts, place, down=down, backwards=backwards, limit=limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()
    first = _first(counted, place, len(rows), backwards=backwards, at_end=at_end, more=more)
    earlier, later = (more, bool(before)) if backwards else (bool(after), more)
    begins = _begins(wanted, counted)
    back = _mark(wanted, rows[0], first and first - ROWS, begins) if rows and earlier else ""
    on = _mark(wanted, rows[-1], first and first + len(rows), begins) if rows and later else ""
    shown = [NumberRow(**{name: row[name] for name in (*ROW_FIELDS, *OWNER_FIELDS)}) for row in rows]
    known = counted.facets
    return NumberList(
        rows=shown,
        count=counted.count,
        totals=known.totals if known else None,
        unknown_prices=known.unknown_prices if known else 0,
        facets=known if counted.each else None,
        first=first if rows else None,
        back=back,
        on=on,
        begins=begins,
        kept=counted.kept,
    )


def _first(
    counted: _Counted, place: Place | None, shown: int, *, backwards: bool, at_end: bool, more: bool
) -> int | None:
    """The place of the page's first row; numbers that came or went meanwhile are made up for at both ends."""
    if (at_end or (place and not backwards and not more)) and counted.count is not None:
        return max(counted.count - shown + 1, 1)
    if place is None:
        return None if at_end else 1
    if backwards and not more:
        return 1
    return max(place.first, 1) if place.first is not None else None


def _counted(wanted: NumberFilter) -> _Counted:
    """From the kept tally; a text is counted now, unless it finds too many."""
    kept = tally.kept()
    if not wanted.q.strip():
        return _Counted(kept.facets(wanted), True, kept, Q(), kept)
    text, alone = with_text(wanted.q), NumberFilter(q=wanted.q, state=EVERY)
    digits = digits_of(wanted.q)
    text_alone = matching(alone, text=text)
    # many begin with the digits: seen at once in the index of the numbers
    begin = bool(digits) and _some(OwnedNumber.objects.filter(beginning(digits))) > COUNTED
    if not begin and _are_few(text_alone):
        found = tally.of(text_alone)
        return _Counted(found.facets(wanted), True, found, text, kept)
    narrower = wanted.state not in (ACTIVE, EVERY) or replace(wanted, state=EVERY, sort="number") != alone
    if narrower and _are_few(found_here := matching(wanted, text=text)):
        return _Counted(tally.of(found_here).facets(wanted), False, kept, text, kept)
    return _Counted(None, False, kept, text, kept)


def _are_few(found: OwnedNumberQuerySet) -> bool:
    """At most COUNTED?"""
    with by_index_only():
        return _some(found) <= COUNTED


def _some(found: OwnedNumberQuerySet) -> int:
    return found.values("pk")[: COUNTED + 1].count()


def _parts(wanted: NumberFilter, counted: _Counted, place: Place | None) -> list[Part]:
    """The order as parts one after the other; those that have no rows are left out where that is known."""
    sort, down = wanted.sort.removeprefix("-"), wanted.sort.startswith("-")
    keys = _KEYS[sort]
    if sort not in ("owner", "state", "price"):
        if _begins(wanted, counted):
            begins = beginning(digits_of(wanted.q))
            return [Part(True, begins, keys), Part(False, ~begins, keys)]
        return [Part(None, Q(), keys)]
    facets = counted.facets or counted.tally.facets(wanted)
    here = {place.part} if place else set()
    if sort == "state":
        values = {
            one for one, count in facets.statuses.items() if count and tally.in_state(one, wanted.state)
        }
        return [Part(one, Q(status=one), keys, ("status",)) for one in sorted(values | here, reverse=down)]
    if sort == "owner":
        owners = _owners(wanted, counted, facets, here, down=down)
        return [Part(one, Q(owner=one), keys, ("owner_id",)) for one in owners]
    # prices are put in order within each currency, never across; unknown ones at its end
    currencies = sorted({one for one, count in facets.currencies.items() if count} | {one for one, _ in here})
    return [
        part
        for currency in currencies
        for part in (
            Part((currency, True), Q(currency=currency, price_per_month__isnull=False), keys, ("currency",)),
            Part((currency, False), Q(currency=currency, price_per_month=None), ("number",), keys[:1]),
        )
    ]


def _owners(
    wanted: NumberFilter, counted: _Counted, facets: Facets, here: set[Any], *, down: bool
) -> list[int | None]:
    """Ids in the order of the user names; nobody is last."""
    ids = {one for one, count in facets.owners.items() if count} | here
    if wanted.owner:
        ids &= {counted.tally.owners.get(wanted.owner)}
    names = User.objects.filter(pk__in=ids - {None}).order_by("-username" if down else "username")
    return [*names.values_list("pk", flat=True), *([None] if None in ids else [])]


def _rows(
    wanted: NumberFilter,
    counted: _Counted,
    parts: list[Part],
    place: Place | None,
    *,
    down: bool,
    backwards: bool,
    limit: int,
) -> list[dict[str, Any]]:
    """Rows from the place on, part after part until there are enough."""
    if backwards:
        parts = parts[::-1]
    if place:
        values = [part.value for part in parts]
        if place.part not in values:  # its last number has gone elsewhere
            raise NoSuchPage
        parts = parts[values.index(place.part) :]
    following = (
        connection.vendor == "sqlite" and not counted.few and wanted.sort.removeprefix("-") != "number"
    )
    rows: list[dict[str, Any]] = []
    for at, part in enumerate(parts):
        text = Q() if part.value is True else counted.text  # its beginning says it all
        found = matching(wanted, by_index=not following, text=text).values(
            *ROW_FIELDS, "owner_id", **OWNER_FIELDS
        )
        start = place.keys if place and at == 0 else None
        follow = _follows(part, wanted, counted)
        rows += _of_part(found, part, start, down=down != backwards, follow=follow)[: limit - len(rows)]
        if len(rows) == limit:
            break
    return rows


def _follows(part: Part, wanted: NumberFilter, counted: _Counted) -> bool:
    """Is an index in the order followed until the page is full? Else what fits is looked up and then sorted."""
    if counted.facets is not None:
        return not counted.few
    return part.value is True or not _stand_together(wanted)


def _stand_together(wanted: NumberFilter) -> bool:
    """Do the many numbers with these digits stand together in this order, perhaps far from its beginning?

    Any three digits are somewhere in every hundredth number. More digits find many only as a beginning: to follow
    the order of numbers or countries might then pass most of the others first.
    """
    return len(digits_of(wanted.q)) > SHORT and wanted.sort.removeprefix("-") in ("number", "country")


def _begins(wanted: NumberFilter, counted: _Counted) -> bool:
    """Do the numbers that begin with the digits come first, and those with the digits inside after them?"""
    return counted.facets is None and _stand_together(wanted) and wanted.sort.removeprefix("-") == "number"


def _of_part(found: Any, part: Part, start: list[Any] | None, *, down: bool, follow: bool) -> Any:
    # an expression is in no index, so that the database looks up the filters and sorts what they find
    columns: list[Any] = [F(key) if follow else Coalesce(F(key), F(key)) for key in (*part.keys, "id")]
    found = found.filter(part.where) if follow or not part.beside else _within(found, part)
    if start is not None:
        names = zip((*part.keys, "id"), start, strict=True)
        values = [Value(value, output_field=_field(name)) for name, value in names]
        found = found.filter(_Beyond(columns, values, sign="<" if down else ">"))
    columns = [*(F(name) for name in part.beside if follow), *columns]
    return found.order_by(*(column.desc() if down else column.asc() for column in columns))


def _within(found: Any, part: Part) -> Any:
    """The rows of a part, without an index of its columns: SQLite would take that instead of the filter's."""
    conditions: dict[str, Any] = dict(part.where.children)  # type: ignore[arg-type]
    columns = {name.partition("__")[0] for name in conditions}
    found = found.alias(**{f"part_{column}": Coalesce(F(column), F(column)) for column in columns})
    return found.filter(**{f"part_{name}": value for name, value in conditions.items()})


def _mark(wanted: NumberFilter, row: dict[str, Any], first: int | None, begins: bool) -> str:
    """A row's place in the order, to begin the page beside it; signed, so that it comes back as it was."""
    sort = wanted.sort.removeprefix("-")
    part: Any = {"owner": row["owner_id"], "state": row["status"]}.get(sort)
    keys = _KEYS[sort]
    if begins:
        part = row["number"].startswith(digits_of(wanted.q))
    if sort == "price":
        known = row["price_per_month"] is not None
        part, keys = (row["currency"], known), keys if known else ("number",)
    return signing.dumps([sort, part, [str(row[key]) for key in (*keys, "id")], first], salt=_SALT)


def _place(mark: str, wanted: NumberFilter) -> Place:
    try:
        sort, part, texts, first = signing.loads(mark, salt=_SALT)
    except signing.BadSignature as error:
        raise NoSuchPage from error
    if sort != wanted.sort.removeprefix("-"):
        raise NoSuchPage
    part = tuple(part) if isinstance(part, list) else part
    keys = ("number",) if sort == "price" and not part[1] else _KEYS[sort]
    names = zip((*keys, "id"), texts, strict=True)
    return Place(part, [_field(name).to_python(text) for name, text in names], first)


def _field(name: str) -> Any:
    return OwnedNumber._meta.get_field(name)
