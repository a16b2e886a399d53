"""Calendar months as the account is billed: a month's name, its neighbours, its limits in one time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from numbersadmin.money import days_in_month

_FORM = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""A year on either side is left, so that every month that can be named has neighbours and limits."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, `2026-10`. `index` counts months, so that two of them can be subtracted."""

    index: int

    @classmethod
    def of(cls, year: int, month: int) -> "Month":
        """The month of a year."""
        return cls(year * 12 + month - 1)

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month written `2026-10`; ValueError for anything else."""
        if not (found := _FORM.fullmatch(text)) or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
            raise ValueError(f"{text!r} is no month, a month is written 2026-10")
        return cls.of(int(found[1]), int(found[2]))

    @property
    def year(self) -> int:
        """The year it lies in."""
        return self.index // 12

    @property
    def number(self) -> int:
        """1 for January."""
        return self.index % 12 + 1

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        """Its last day."""
        return date(self.year, self.number, self.days)

    @property
    def days(self) -> int:
        """How many days it has."""
        return days_in_month(self.first_day)

    def plus(self, months: int) -> "Month":
        """The month so many months later."""
        return Month(self.index + months)

    @property
    def previous(self) -> "Month":
        """The month before."""
        return self.plus(-1)

    @property
    def next(self) -> "Month":
        """The month after."""
        return self.plus(1)

    @property
    def label(self) -> str:
        """October 2026."""
        return f"{self.first_day:%B} {self.year}"

    @property
    def name(self) -> str:
        """October."""
        return f"{self.first_day:%B}"

    @property
    def short(self) -> str:
        """Oct."""
        return f"{self.first_day:%b}"

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


class Calendar:
    """The months of one time zone: which one a moment lies in, and the moments at which one begins and ends."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._starts: dict[int, datetime] = {}

    @cached_property
    def _utc(self) -> bool:
        return self.zone.key == "UTC"

    def index(self, moment: datetime) -> int:
        """`Month.index` of the month that an aware moment lies in."""
        if self._utc and moment.tzinfo is UTC:
            return moment.year * 12 + moment.month - 1
        local = moment.astimezone(self.zone)
        month = Month.of(local.year, local.month)
        # Clocks set back over midnight show the old month's last minutes twice; a month begins only once.
        return month.index + (moment >= self.end(month))

    def month(self, moment: datetime) -> Month:
        """The month that an aware moment lies in."""
        return Month(self.index(moment))

    def day(self, moment: datetime) -> date:
        """The calendar day that an aware moment lies in."""
        return moment.astimezone(self.zone).date()

    def start(self, month: Month) -> datetime:
        """The moment, in UTC, at which a month begins."""
        if month.index not in self._starts:
            self._starts[month.index] = self.midnight(month.first_day)
        return self._starts[month.index]

    def end(self, month: Month) -> datetime:
        """The moment, in UTC, at which the next month begins: the first that no longer belongs to it."""
        return self.start(month.next)

    def midnight(self, day: date) -> datetime:
        """The moment, in UTC, at which a day begins.

        Where clocks go forward at midnight the day begins when they have: 01:00 there is the moment that
        the missing 00:00 names.
        """
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def next_midnight(self, day: date) -> datetime:
        """The moment, in UTC, at which a day has ended."""
        return self.midnight(day + timedelta(days=1))
