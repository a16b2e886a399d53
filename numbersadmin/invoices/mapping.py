"""What the cells of a row say, once a person has said which column holds what and how figures are written."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from numbersadmin.costs.selectors import Month
from numbersadmin.export import uncell
from numbersadmin.invoices.models import Ignored
from numbersadmin.money import to_micro
from numbersadmin.numbers.selectors import digits_of

SETUP, MONTHLY = "setup", "monthly"
KINDS = {SETUP: "Set-up", MONTHLY: "Monthly"}
SETUP_WORDS = "setup, set-up, one-time, activation"
ORDERS = {"dmy": ("day", "month", "year"), "mdy": ("month", "day", "year"), "ymd": ("year", "month", "day")}
LARGEST = 10**12
_TOTAL = re.compile(r"\b(sub)?(total|sum|summe|gesamt|suma|totale)\b", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")
_SHORTENED = re.compile(r"[+-]?\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
_SPACES = str.maketrans("\u00a0\u202f\u2019\u2212", "  '-")  # as they come out of spreadsheets and web pages


@dataclass(frozen=True, slots=True)
class Mapping:
    """Columns by their place; None where the file has no such column.

    `decimal` and `thousands` are the signs in figures, `order` the parts of a date (a key of ORDERS), `setup_words`
    what the kind of a set-up holds, all else being monthly.
    """

    number: int
    amount: int
    description: int | None = None
    currency: int | None = None
    kind: int | None = None
    date: int | None = None
    decimal: str = "."
    thousands: str = ""
    order: str = ""
    setup_words: str = SETUP_WORDS

    @property
    def by_kind(self) -> bool:
        """Are set-up and monthly cost compared separately?"""
        return self.kind is not None

    def stored(self) -> dict[str, Any]:
        """As the database keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Read:
    """What one row says; with `ignored` it is in no sum, and `reason` tells what cannot be read."""

    number: str = ""
    kind: str = ""
    amount: Decimal | None = None
    currency: str = ""
    ignored: str = ""
    reason: str = ""


class Misread(Exception):
    """A cell that makes no sense; the message says what is wrong with it."""


def digest_of(headings: Sequence[str]) -> str:
    """The same for files with the same headings, however they are spaced and in whatever case."""
    words = "\0".join(" ".join(one.casefold().split()) for one in headings)
    return hashlib.sha256(words.encode()).hexdigest()


def read(cells: Sequence[str], by: Mapping, *, currency: str, month: Month) -> Read:
    """A row of an invoice for a month, in one currency or (with "") in those that the rows name."""
    number, amount, named = "", None, currency
    try:
        amount = _amount(cells[by.amount], by)
        if by.currency is not None:
            named = _currency(cells[by.currency])
        day = _day(cells[by.date], by.order) if by.date is not None else None
        number = _number(cells[by.number])
    except Misread as problem:
        if not cells[by.number] and _is_total(cells):
            return Read(amount=amount, currency=named, ignored=Ignored.TOTAL)
        return Read(amount=amount, currency=named, ignored=Ignored.UNREADABLE, reason=str(problem))
    ignored = _ignored(cells, cells[by.number], number, amount)
    if not ignored and currency and named != currency:
        ignored = Ignored.OTHER_CURRENCY
    if not ignored and day and Month.of(day.year, day.month) != month:
        ignored = Ignored.OTHER_MONTH
    return Read(number, _kind(cells[by.kind], by) if by.kind is not None else "", amount, named, ignored)


def _ignored(cells: Sequence[str], written: str, number: str, amount: Decimal | None) -> str:
    if not number and _is_total(cells):
        return Ignored.TOTAL
    if not written:
        return Ignored.NO_NUMBER
    if not number:
        return Ignored.NOT_A_NUMBER
    return "" if amount is not None else Ignored.NO_AMOUNT


def _is_total(cells: Sequence[str]) -> bool:
    return any(_TOTAL.search(cell) for cell in cells)


def _number(cell: str) -> str:
    """The digits of a phone number, empty where the cell holds none."""
    text = uncell(cell).removeprefix("=").strip('"')
    if _SHORTENED.fullmatch(text):
        raise Misread("A spreadsheet has shortened the number. Format its column as text.")
    if re.fullmatch(r"\d+\.0+", text):  # a spreadsheet's figure, exact all the same
        text = text.partition(".")[0]
    digits = digits_of(text)
    return digits if len(digits) <= 20 else ""


def _amount(cell: str, by: Mapping) -> Decimal | None:
    """The amount of a cell, None for an empty one."""
    text = uncell(cell).translate(_SPACES).strip()
    if not text:
        return None
    whole = rf"\d{{1,3}}(?:{re.escape(by.thousands)}\d{{3}})+|\d+" if by.thousands else r"\d+"
    if not re.fullmatch(rf"[+-]?(?:{whole})(?:{re.escape(by.decimal)}\d+)?", text, re.ASCII):
        raise Misread(f"“{cell[:40]}” is no amount with the decimal sign “{by.decimal}”.")
    amount = Decimal(text.replace(by.thousands, "").replace(by.decimal, "."))
    try:
        to_micro(amount)
    except ValueError as error:
        raise Misread(f"“{cell[:40]}” has more than 6 decimals.") from error
    if abs(amount) >= LARGEST:
        raise Misread(f"“{cell[:40]}” is too large.")
    return amount


def _currency(cell: str) -> str:
    code = uncell(cell).strip().upper()
    if not _CURRENCY.fullmatch(code):
        raise Misread(f"“{cell[:40]}” is no currency. A currency is three letters, as EUR.")
    return code


def _kind(cell: str, by: Mapping) -> str:
    words = [word.strip().casefold() for word in by.setup_words.split(",")]
    return SETUP if any(word and word in cell.casefold() for word in words) else MONTHLY


def _day(cell: str, order: str) -> date | None:
    """The day of a cell, whatever parts it; None for an empty one. A time behind it is left out."""
    if not cell:
        return None
    found = re.match(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:[ T].*)?$", cell, re.ASCII)
    try:
        parts = dict(zip(ORDERS[order], map(int, found.groups()), strict=True)) if found else {}
        return date(parts["year"], parts["month"], parts["day"])
    except (KeyError, ValueError) as error:
        raise Misread(f"“{cell[:40]}” is no date in the order that was chosen.") from error
