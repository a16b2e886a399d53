"""Reading the purchased list page by page: when to stop, and what makes a reading complete."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import NamedTuple

from numbersadmin.provider.errors import BadAnswer, ProviderError
from numbersadmin.provider.schema import InvalidRow, Page, Row

REREADS = 3  # a list that changes while it is read is read again; the windows for that are short
LONGEST = 20_000  # pages, should the provider never stop


class Sight(NamedTuple):
    """A row that differs from what we know, and when it had been read."""

    row: Row
    at: datetime


@dataclass
class Reading:
    """One reading of the whole list. `seen`: key -> the row if it differs from what we know, else None.

    A row whose fields cannot be understood counts as seen, and as `invalid`; the last copy of a key wins.
    """

    seen: dict[str, Sight | None] = field(default_factory=dict)
    pages: int = 0
    rows: int = 0
    keyless: int = 0
    invalid: int = 0
    largest: int = 0
    counts: list[int | None] = field(default_factory=list)
    done: bool = False
    stopped: str = ""  # why it ended before the list did
    error: ProviderError | None = None

    @property
    def duplicates(self) -> int:
        """Rows beyond the first of a key."""
        return self.rows - self.keyless - len(self.seen)

    @property
    def trouble(self) -> str:
        """Why nothing may be concluded from what is absent; empty for a complete reading."""
        if self.error is not None:
            return self.error.text or self.error.kind
        if self.keyless:
            return _counted(self.keyless, "row had no key", "rows had no key")
        if self.stopped:
            return self.stopped
        if len(set(self.counts)) > 1:
            return f"the count changed from {_told(self.counts[0])} to {_told(self.counts[-1])}"
        if self.duplicates:
            return _counted(self.duplicates, "number was listed twice", "numbers were listed twice")
        if self.counts[-1] not in (None, len(self.seen)):
            return f"{len(self.seen)} numbers were listed, but {self.counts[-1]} announced"
        return ""

    def take(self, page: Page, known: Mapping[int, str], at: datetime) -> None:
        """Add the next page; `known` maps the digests of unchanged rows to their keys."""
        before = len(self.seen)
        for row in page.rows:
            key = known.get(row.digest)
            if key is not None:
                self.seen[key] = None
            else:
                self._look_at(row, at)
        self.pages += 1
        self.rows += len(page.rows)
        self.largest = max(self.largest, len(page.rows))
        self.counts.append(page.count)
        self._judge(page, new=len(self.seen) - before)

    def _look_at(self, row: Row, at: datetime) -> None:
        number = row.decode()
        if not number.number_key:
            self.keyless += 1
        elif isinstance(number, InvalidRow):
            self.invalid += 1
            self.seen[number.number_key] = None
        else:
            self.seen[number.number_key] = Sight(row, at)

    def _judge(self, page: Page, new: int) -> None:
        """Is the list over? A short page says nothing: the provider may send fewer rows than asked for."""
        if not page.rows or (page.count is not None and len(self.seen) >= page.count):
            self.done = True
        elif not new:
            self.done, self.stopped = True, f"page {self.pages} brought nothing new"
        elif self.pages >= self._most_pages():
            self.done, self.stopped = True, f"the list did not end after {self.pages} pages"

    def _most_pages(self) -> int:
        count = self.counts[0]
        return LONGEST if count is None else min(LONGEST, ceil(count / self.largest) + 2)


@dataclass
class Readings:
    """All readings of one run. Presence is believed from any of them, absence only from a complete last one."""

    all: list[Reading] = field(default_factory=list)

    @property
    def last(self) -> Reading:
        """The one that decides."""
        return self.all[-1]

    @property
    def pages(self) -> int:
        """Pages of all readings together."""
        return sum(reading.pages for reading in self.all)

    @property
    def complete(self) -> bool:
        """May absence be concluded?"""
        return not self.last.trouble

    def seen(self) -> dict[str, Sight | None]:
        """Everything that any reading saw, as its latest reading saw it."""
        if len(self.all) == 1:
            return self.last.seen
        merged: dict[str, Sight | None] = {}
        for reading in self.all:
            merged.update(reading.seen)
        return merged


def read_list(
    list_page: Callable[[int], Page],
    known: Mapping[int, str],
    clock: Callable[[], datetime],
    on_page: Callable[[Readings], None],
) -> Readings:
    """Read the whole list, and again up to three times while it is not complete.

    `list_page(n)` gets page n, counted from 0; `on_page` is told of every page. A ProviderError ends a reading;
    what its pages showed before still counts, and only an answer that made no sense is worth another try here,
    for the client has repeated the other calls already.
    """
    readings = Readings()
    while not readings.all or (_worth_again(readings.last) and len(readings.all) <= REREADS):
        readings.all.append(Reading())
        _read_once(readings, list_page, known, clock, on_page)
    return readings


def _read_once(
    readings: Readings,
    list_page: Callable[[int], Page],
    known: Mapping[int, str],
    clock: Callable[[], datetime],
    on_page: Callable[[Readings], None],
) -> None:
    reading = readings.last
    while not reading.done:
        try:
            page = list_page(reading.pages)
        except ProviderError as error:
            reading.error, reading.done = error, True
            return
        reading.take(page, known, clock())
        on_page(readings)


def _worth_again(reading: Reading) -> bool:
    if isinstance(reading.error, BadAnswer):
        return reading.error.kind == BadAnswer.kind  # not a redirect: that is a setting
    return reading.error is None and bool(reading.trouble)


def _counted(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def _told(count: int | None) -> str:
    return "none" if count is None else f"{count:,}"
