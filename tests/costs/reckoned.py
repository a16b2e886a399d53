"""What a year must cost, reckoned with fractions from what the story says; nothing of the product is used here."""

from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

MICRO = 1_000_000


def month_of(day: date) -> tuple[int, int]:
    """Its year and month."""
    return day.year, day.month


def first_month(price: str, day: date) -> Fraction:
    """The days that are left of the month, today included, of a monthly price; up at the sixth decimal."""
    of_days = monthrange(*month_of(day))[1]
    micros = Fraction(price) * (of_days - day.day + 1) / of_days * MICRO
    return Fraction(-(-micros.numerator // micros.denominator), MICRO)


@dataclass
class Life:
    """One time that a number was the account's, as the story tells it.

    `begin` is None for a number that was there before records began. Prices are (day, price, currency), the first
    from the beginning. `gone` and `back`: it left the list on a day and was found on it again on another, under the
    same key; until it was back it counted as ended.
    """

    number: str
    prices: list[tuple[date, str, str]]
    begin: date | None = None
    setup: str = "0"
    end: date | None = None
    gone: date | None = None
    back: date | None = None

    def owed(self, year: int, month: int, known_on: date) -> dict[str, Fraction]:
        """Currency -> what a month costs, as far as it is known on a day."""
        owed: dict[str, Fraction] = defaultdict(Fraction)
        this = (year, month)
        end = self.end
        if self.gone and (self.back is None or known_on < self.back):
            end = self.gone
        if self.begin and this < month_of(self.begin):
            return {}
        if end and this > month_of(end):
            return {}
        if self.begin and this == month_of(self.begin):
            _, price, currency = self.prices[0]
            owed[currency] += Fraction(self.setup) + first_month(price, self.begin)
            return dict(owed)
        price, currency = next(
            (price, currency) for day, price, currency in reversed(self.prices) if day < date(year, month, 1)
        )
        owed[currency] += Fraction(price)
        return dict(owed)


def owed(lives: list[Life], year: int, month: int, known_on: date) -> dict[str, Fraction]:
    """Currency -> what all numbers cost in a month, as far as it is known on a day; nothing is left out."""
    total: dict[str, Fraction] = defaultdict(Fraction)
    for life in lives:
        for currency, amount in life.owed(year, month, known_on).items():
            total[currency] += amount
    return {currency: amount for currency, amount in total.items() if amount}
