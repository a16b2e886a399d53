"""Exact money: a database field of integer micro-units, totals per currency, rounding and proration.

An amount is a `Decimal` in Python and a whole number of micro-units (10^-6) in the database, because SQLite
keeps decimals as floats. An unknown amount is None, never 0. Nothing here adds two currencies.
"""

import calendar
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

MICRO = 1_000_000
ZERO = Decimal(0)

# Minor units by ISO 4217 where they are not 2 (ISO 4217 list one; Babel's figures are CLDR's and differ).
_MINOR_UNITS = (
    dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
    | dict.fromkeys("CLF UYW".split(), 4)
)


def to_micro(amount: Decimal) -> int:
    """Whole micro-units of an amount; ValueError when it is no exact, finite amount of at most 6 decimals."""
    if type(amount) is not Decimal:
        if not isinstance(amount, Decimal | int) or isinstance(amount, bool):
            raise ValueError(f"an amount is a Decimal, not {type(amount).__name__}")
        amount = Decimal(amount)
    if not amount.is_finite():
        raise ValueError(f"{amount} is no amount")
    if from_micro(whole := int(amount.scaleb(6))) != amount:  # compared with what was given: scaleb may round
        raise ValueError(f"{amount} has more than 6 decimals")
    return whole


def from_micro(micro: int) -> Decimal:
    """The amount of so many micro-units, with 6 decimals."""
    return Decimal(int(micro)).scaleb(-6)


class MoneyField(models.BigIntegerField):
    """An exact amount: Decimal in Python, BIGINT micro-units in the database; `Sum` over it is exact on both."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else from_micro(value)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        try:
            return from_micro(to_micro(Decimal(str(value))))
        except (ArithmeticError, ValueError) as error:
            raise ValidationError(f"{value} is no amount of money") from error

    def get_prep_value(self, value: Any) -> int | None:
        return None if value is None else to_micro(value)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency; adding another currency raises ValueError."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} are never added")
        return Money(self.amount + other.amount, self.currency)


class Totals(Mapping[str, Decimal]):
    """Currency -> exact amount, in the order of the codes. There is no way to make one figure of it."""

    def __init__(self, amounts: Mapping[str, Decimal] | None = None) -> None:
        self._amounts: dict[str, Decimal] = dict(amounts or {})

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Decimal | None]]) -> "Totals":
        """Totals of (currency, amount) pairs; unknown amounts (None) are left out, the caller counts them."""
        totals = cls()
        for currency, amount in pairs:
            if amount is not None:
                totals._amounts[currency] = totals._amounts.get(currency, ZERO) + amount
        return totals

    def __getitem__(self, currency: str) -> Decimal:
        return self._amounts[currency]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._amounts))

    def __len__(self) -> int:
        return len(self._amounts)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals.of([*self.items(), *other.items()])

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals.of([*self.items(), *((currency, -amount) for currency, amount in other.items())])

    def times(self, factor: int) -> "Totals":
        """Each amount so many times, as for 12 months."""
        return Totals({currency: amount * factor for currency, amount in self.items()})

    def __repr__(self) -> str:
        return f"Totals({dict(self.items())!r})"


def minor_units(currency: str) -> int:
    """Decimals that a currency is shown with (ISO 4217; 2 for an unknown code)."""
    return _MINOR_UNITS.get(currency, 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount as it is shown: rounded half-up to the currency's minor units, once, at the end."""
    return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def rounded_lines(amounts: list[Decimal], currency: str) -> list[Decimal]:
    """Amounts rounded so that they add up to their rounded total (largest remainders get the missing units)."""
    unit = Decimal(1).scaleb(-minor_units(currency))
    floors = [amount.quantize(unit, ROUND_FLOOR) for amount in amounts]
    missing = int((rounded(sum(amounts, ZERO), currency) - sum(floors, ZERO)) / unit)
    by_remainder = sorted(range(len(amounts)), key=lambda i: (floors[i] - amounts[i], i))
    for index in by_remainder[:missing]:
        floors[index] += unit
    return floors


def days_in_month(day: date) -> int:
    """Days of the calendar month that a day lies in."""
    return calendar.monthrange(day.year, day.month)[1]


def prorate(price: Decimal, days: int, of_days: int) -> Decimal:
    """A monthly price's share of so many days, rounded up at the 6th decimal as the provider's own figures are.

    An estimate: where the provider states the first month's price, that figure is used instead.
    """
    return from_micro(-((-to_micro(price) * days) // of_days))
