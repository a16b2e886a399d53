"""A pasted list of phone numbers: which are ours, were ours, are ordered, or are not known here at all."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from numbersadmin.formats import LONGEST_SHORT_CODE, money_text, when
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import digits_of, since
from numbersadmin.orders.models import LIVE, OrderItem
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderError
from numbersadmin.provider.schema import same_number

MOST = 10_000
MOST_LOOKED_UP = 20  # numbers: a call each, and the provider answers one a second
LOOK_SECONDS = 25.0
SHOWN = 100  # rows of a kind on the page; the file has all
LONGEST = 15  # digits of a number with its country code
OURS, ORDERED, ENDED, NOT_OURS, UNREADABLE = "ours", "ordered", "ended", "not_ours", "unreadable"
KINDS = {
    OURS: "Ours",
    ORDERED: "In an open order",
    ENDED: "No longer ours",
    NOT_OURS: "Not ours",
    UNREADABLE: "Could not be read",
}
NOT_LOOKED_UP = "not looked up at Infobip"
FIELDS = (
    "line",
    "written",
    "number",
    "answer",
    "country",
    "owner",
    "since",
    "until",
    "order",
    "for_sale",
    "remark",
)
_BETWEEN = re.compile(r"[,;\t\r\n]+")
_ODD = re.compile("[\"'\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class TooMany(Exception):
    """The list is longer than MOST; the message says by how much."""


class Record(NamedTuple):
    """What is on record of an owned number, as far as the answers tell it."""

    id: int
    number: str
    country: str
    status: str
    acquired_at: datetime | None
    acquired_from: datetime | None
    acquired_to: datetime
    acquired_basis: str
    acquired_note: str
    end_basis: str
    ended_from: datetime | None
    ended_to: datetime | None
    username: str | None
    full_name: str | None


COLUMNS = [
    name.replace("username", "owner__username").replace("full_name", "owner__full_name")
    for name in Record._fields
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one entry of the list. `line` counts from 1; `number` is digits, empty if unreadable."""

    line: int
    written: str
    number: str
    kind: str
    country: str = ""
    record: Record | None = None
    order: int | None = None
    for_sale: str = ""
    remark: str = ""

    @property
    def url(self) -> str:
        """The page of the number, where it is or was ours."""
        return f"/numbers/{self.record.id}/" if self.record else ""

    @property
    def owner(self) -> str:
        """Whose it is, or was."""
        return (self.record.full_name or self.record.username or "") if self.record else ""

    @property
    def since(self) -> str:
        """Since when it is ours, and how we know."""
        return since.acquired(self.record) if self.record else ""

    @property
    def until(self) -> str:
        """Until when it was ours, and how we know."""
        one = self.record
        return since.ended(one.end_basis, one.ended_from, one.ended_to) if one and one.ended_to else ""

    @property
    def order_url(self) -> str:
        """The page of the order."""
        return f"/orders/{self.order}/" if self.order else ""


@dataclass(frozen=True, slots=True)
class Part:
    """The answers of one kind; `answers` is the beginning of them."""

    kind: str
    title: str
    count: int
    answers: list[Answer]

    @property
    def more(self) -> int:
        """How many are only in the file."""
        return self.count - len(self.answers)


def entries(text: str) -> list[tuple[int, str]]:
    """What the list is made of: line and entry, a comma, semicolon, tab or new line between two. Raises TooMany."""
    found = []
    for line, row in enumerate(text.splitlines(), 1):
        for part in _BETWEEN.split(row):
            found += [(line, one) for one in _apart(" ".join(_ODD.sub("", part).split())) if one]
    if len(found) > MOST:
        raise TooMany(f"These are {len(found):,} numbers. Check at most {MOST:,} at once.")
    return found


def _apart(part: str) -> list[str]:
    """Whole numbers with only a space between them, each for itself; the groups of one number together."""
    words = part.split(" ")
    whole = all(len(digits_of(word)) > LONGEST_SHORT_CODE for word in words)
    return words if len(words) > 1 and whole and len(digits_of(part)) > LONGEST else [part]


def answers(found: Iterable[tuple[int, str]]) -> list[Answer]:
    """What is known of each entry, in the order of the list, in two queries. A number named twice is told once."""
    read: dict[str, tuple[int, str]] = {}
    repeated: Counter[str] = Counter()
    bad = []
    for line, written in found:
        number, why = _read(written)
        if why:
            bad.append(Answer(line, written, "", UNREADABLE, remark=why))
        elif number in read:
            repeated[number] += 1
        else:
            read[number] = (line, written)
    told = [*bad, *_known(read)]
    told = [
        replace(
            one, remark="; ".join(filter(None, [one.remark, f"{repeated[one.number] + 1} times on the list"]))
        )
        if repeated[one.number]
        else one
        for one in told
    ]
    return sorted(told, key=lambda one: one.line)


def _read(written: str) -> tuple[str, str]:
    """The digits of an entry, or why there are none."""
    digits = digits_of(written.replace("(0)", "") if written.startswith(("+", "00")) else written)
    if not digits:
        return "", "no number"
    if len(digits) > LONGEST:
        return "", f"more than {LONGEST} digits"
    if len(digits) < 3:
        return "", "too few digits"
    if digits.startswith("0") and len(digits) > LONGEST_SHORT_CODE:
        return "", "without its country code"
    return digits, ""


def _known(read: dict[str, tuple[int, str]]) -> Iterator[Answer]:
    records: dict[str, dict[str, Record]] = {}
    found = OwnedNumber.objects.filter(number__in=list(read)).order_by("acquired_to", "id")
    for row in map(Record._make, found.values_list(*COLUMNS)):
        of_country = records.setdefault(row.number, {})
        before = of_country.get(row.country)
        if before is None or before.status == Status.ENDED or row.status != Status.ENDED:
            of_country[row.country] = row
    orders: dict[str, dict[str, int]] = {}
    items = OrderItem.objects.filter(state__in=LIVE, number__in=list(read))
    for digits, country, order in items.values_list("number", "country", "order_id"):
        orders.setdefault(digits, {})[country] = order
    for number, (line, written) in read.items():
        owned, ordered = records.get(number, {}), orders.get(number, {})
        blank = Answer(line, written, number, NOT_OURS, for_sale=NOT_LOOKED_UP)
        told = [_told(blank, owned.get(one), ordered.get(one), one) for one in {**owned, **ordered}]
        yield from told or [blank]


def _told(blank: Answer, owned: Record | None, order: int | None, country: str) -> Answer:
    """The answer for a number in one country."""
    ended = owned is None or owned.status == Status.ENDED
    kind = OURS if not ended else ORDERED if order else ENDED
    missing = owned is not None and owned.status == Status.MISSING
    return replace(
        blank,
        kind=kind,
        country=country,
        record=owned,
        order=order,
        for_sale=NOT_LOOKED_UP if kind == ENDED else "",
        remark="missing at Infobip, not confirmed gone" if missing else "",
    )


def parts(told: list[Answer]) -> list[Part]:
    """The answers by kind, those there are."""
    groups = {kind: [one for one in told if one.kind == kind] for kind in KINDS}
    return [Part(kind, KINDS[kind], len(of), of[:SHOWN]) for kind, of in groups.items() if of]


def open_questions(told: list[Answer]) -> list[str]:
    """The numbers that Infobip can be asked about: those that are neither ours nor ordered, the first few."""
    return list(dict.fromkeys(one.number for one in told if one.for_sale == NOT_LOOKED_UP))[:MOST_LOOKED_UP]


def looked_up(
    provider: Provider, told: list[Answer], now: datetime
) -> tuple[list[Answer], ProviderError | None]:
    """The answers with what is for sale: a call for each of the first few, until one fails or time is up."""
    said: dict[str, str] = {}
    problem, ends = None, time.monotonic() + LOOK_SECONDS
    try:
        for number in open_questions(told):
            if (left := ends - time.monotonic()) <= 0:
                break
            said[number] = _for_sale(provider, number, now, wait=left)
    except ProviderError as error:
        problem = error
    return [replace(one, for_sale=said.get(one.number, one.for_sale)) for one in told], problem


def _for_sale(provider: Provider, number: str, now: datetime, wait: float) -> str:
    page = provider.list_available(number=number, wait=wait)
    found = [one for one in page.numbers if same_number(one.number, number)]
    asked = f"asked {when(now, 'clock_zone')}"
    if found:
        price = found[0].price
        per_month = money_text(price.per_month, price.currency) if price.currency else "price unknown"
        return f"for sale, {per_month} per month, {asked}"
    if page.count is not None and page.count <= len(page.rows):
        return f"not for sale, {asked}"
    return f"unknown, Infobip lists too many like it, {asked}"


def rows(told: Iterable[Answer]) -> Iterator[dict[str, Any]]:
    """The answers as a file has them."""
    for one in told:
        row = {name: getattr(one, name) for name in FIELDS if name != "answer"}
        yield row | {"answer": KINDS[one.kind].lower()}
