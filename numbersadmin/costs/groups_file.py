"""A month split by one thing, as files: a row for each group and currency."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from numbersadmin import export
from numbersadmin.costs.ledger import Records, statement
from numbersadmin.costs.lines import value_words
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Sum
from numbersadmin.costs.summary import summarise
from numbersadmin.money import Money


def csv_lines(known: Records, month: Month, by: str) -> Iterator[str]:
    """The groups, the dearest first in each currency; an empty value are the numbers without one.

    `without_amount` counts charges whose amount is not known: they are not part of `amount`.
    """
    fields = ("month", by, "currency", "numbers", "amount", "without_amount")
    rows = (
        dict(zip(fields, (str(month), *found), strict=True))
        for found in (
            (value, currency, part.numbers, amount_of(part, currency), part.unpriced)
            for currency, value, part in groups(known, month, by)
        )
    )
    return export.rows_csv(fields, rows)


def xlsx_chunks(
    known: Records, month: Month, by: str, heading: str, about: Iterable[tuple[str, str]]
) -> Iterator[bytes]:
    """The same as an Excel file, with values in words."""
    columns = [(heading, 28), ("Currency", 10), ("Numbers", 10), ("Amount", 16), ("Without an amount", 18)]
    rows: Iterator[list[Any]] = (
        [value_words(by, value), currency, part.numbers, _money(part, currency), part.unpriced]
        for currency, value, part in groups(known, month, by)
    )
    return export.xlsx_chunks(heading, columns, rows, about)


def groups(known: Records, month: Month, by: str) -> Iterator[tuple[str, str, Sum]]:
    """Currency, value and sums of each group of a month."""
    found = summarise(statement(known, month), [by])
    for currency in found.parts:
        for value, part in found.of(by, currency):
            yield currency, value, part


def amount_of(part: Sum, currency: str) -> Decimal | None:
    """The exact sum of a group; None where no currency or no amount is known."""
    return part.known if currency else None


def _money(part: Sum, currency: str) -> Money | None:
    amount = amount_of(part, currency)
    return None if amount is None else Money(amount, currency)
