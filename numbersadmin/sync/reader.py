"""Reading the purchased list page by page: when to stop, and what makes a reading complete."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from math import ceil
from typing import NamedTuple, Protocol

from numbersadmin.provider.errors import BadAnswer, ProviderError
from numbersadmin.provider.schema import InvalidRow, Page, ProviderNumber, Row
from numbersadmin.sync.page_size import PageSize

REREADS = 3  # a list that changes while it is read is read again; the windows for that are short
KEPT_DECODED = 4_000  # a row takes some 3 KB so, and 0.5 KB as it came
LONGEST = 20_000  # pages, should the provider never stop


class Sight(NamedTuple):
    """A row that differs from what we know, and when it had been read; decoded once if few are kept so."""

    row: Row
    at: datetime
    decoded: ProviderNumber | None = None

    @property
    def facts(self) -> ProviderNumber:
        """What the row says; only rows that are understood are kept as sights."""
        number = self.decoded or self.row.decode()
        assert isinstance(number, ProviderNumber)
        return number


class Known(Protocol):
    """What we have on record. `digests`: those of the rows of all our numbers as last read."""

    digests: set[int]

    def of_keys(self, keys: Collection[str]) -> Mapping[int, str]:
        """The recorded digests of these keys -> the key; a key that was ours more than once may have several."""
        ...

    def keys_of(self, digests: Collection[int]) -> list[str]:
        """The keys of numbers of ours with these digests."""
        ...


class Pages(Protocol):
    """Where pages come from."""

    def get(self, number: int, limit: int, last: int) -> tuple[Page, datetime]:
        """Page `number`, counted from 0, and when it was read; those up to `last` will be wanted next."""
        ...


@dataclass
class Reading:
    """One reading of the whole list, all of it with one limit.

    Rows as we know them are kept as `unchanged`, eight bytes of digest each; all others under their key as
    `differing`: the row, or None when its fields cannot be understood. The last copy of a key wins.
    """

    limit: int
    learns: bool  # whether to stop when pages turn out to be smaller than the limit
    unchanged: set[int] = field(default_factory=set)
    differing: dict[str, Sight | None] = field(default_factory=dict)
    recorded: dict[int, str] = field(default_factory=dict)  # digests that we have for keys of `differing`
    pages: int = 0
    rows: int = 0
    keyless: int = 0
    invalid: int = 0
    largest: int = 0
    counts: list[int | None] = field(default_factory=list)
    capped_at: int = 0  # rows that pages have instead of the limit
    done: bool = False
    stopped: str = ""  # why it ended before the list did
    error: ProviderError | None = None

    @property
    def distinct(self) -> int:
        """Different keys so far."""
        return len(self.unchanged) + len(self.differing)

    @property
    def duplicates(self) -> int:
        """Rows beyond the first of a key."""
        return self.rows - self.keyless - self.distinct

    @property
    def last_page(self) -> int:
        """The number of the page on which the list should end, as far as is known."""
        count = self.counts[0] if self.counts else None
        return self.pages if not count or not self.largest else ceil(count / self.largest) - 1

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
        if self.counts[-1] not in (None, self.distinct):
            return f"{self.distinct} numbers were listed, but {self.counts[-1]} announced"
        return ""

    def take(self, page: Page, known: Known, at: datetime) -> None:
        """Add the next page."""
        before, rows = self.distinct, len(page.raws)
        digests = set(page.digests)
        new = digests - known.digests
        if new or not self.recorded.keys().isdisjoint(digests):
            self._look_at(page, new, known, at)
        else:
            self.unchanged |= digests
        self.pages += 1
        self.rows += rows
        self.largest = max(self.largest, rows)
        self.counts.append(page.count)
        self._judge(page, new=self.distinct - before)

    def _look_at(self, page: Page, new: set[int], known: Known, at: datetime) -> None:
        """Add a page of which not every row is as we know it, row by row."""
        decoded = {place: page.row(place).decode() for place, each in enumerate(page.digests) if each in new}
        keys = {each.number_key for each in decoded.values()} - {""}
        ours = known.of_keys(keys - self.differing.keys()) if known.digests else {}
        self.recorded.update(ours)
        before: dict[str, list[int]] = {}
        for digest, key in ours.items():
            before.setdefault(key, []).append(digest)
        for place, digest in enumerate(page.digests):
            number = decoded.get(place)
            if number is None:
                self.unchanged.add(digest)
                if digest in self.recorded:
                    self.differing.pop(self.recorded[digest], None)
            elif not number.number_key:
                self.keyless += 1
            else:
                self.unchanged.difference_update(before.get(number.number_key, ()))
                if isinstance(number, InvalidRow):
                    self.invalid += 1
                    self.differing[number.number_key] = None
                else:
                    kept = number if len(self.differing) < KEPT_DECODED else None
                    self.differing[number.number_key] = Sight(page.row(place), at, kept)

    def _judge(self, page: Page, new: int) -> None:
        """Is the list over? A short page says nothing: the provider may send fewer rows than asked for."""
        if not page.raws or (page.count is not None and self.distinct >= page.count):
            self.done = True
        elif self._is_capped(page):
            self.done, self.capped_at = True, self.largest
            self.stopped = f"pages have {self.largest:,} rows, not the {self.limit:,} asked for"
        elif not new:
            self.done, self.stopped = True, f"page {self.pages} brought nothing new"
        elif self.pages >= self._most_pages():
            self.done, self.stopped = True, f"the list did not end after {self.pages} pages"

    def _is_capped(self, page: Page) -> bool:
        """Does the list go on although its first page was short? Then it is read with what the pages hold.

        Whether page 1 then begins behind the rows that came, or behind those asked for, nobody has documented.
        """
        goes_on = page.count is not None if self.pages == 1 else self.pages == 2
        return self.learns and goes_on and self.largest < self.limit

    def _most_pages(self) -> int:
        count = self.counts[0]
        return LONGEST if count is None else min(LONGEST, ceil(count / self.largest) + 2)


@dataclass
class Listed(Collection[str]):
    """The keys that some readings saw, without keeping those of numbers that are as we know them."""

    readings: list[Reading]
    known: Known

    def __contains__(self, key: object) -> bool:
        if any(key in reading.differing for reading in self.readings):
            return True
        digests = self.known.of_keys([str(key)])
        return any(digest in reading.unchanged for reading in self.readings for digest in digests)

    def __len__(self) -> int:
        return max(reading.distinct for reading in self.readings)

    def __iter__(self) -> Iterator[str]:
        for reading in self.readings:
            digests = iter(reading.unchanged)
            while some := list(islice(digests, 10)):
                yield from self.known.keys_of(some)
            yield from reading.differing


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

    def sights(self) -> dict[str, Sight | None]:
        """Everything that differs from what we know, as the latest reading saw it."""
        if len(self.all) == 1:
            return self.last.differing
        merged: dict[str, Sight | None] = {}
        recorded: dict[int, str] = {}
        for reading in self.all:
            for digest in recorded.keys() & reading.unchanged:
                merged.pop(recorded[digest], None)
            merged.update(reading.differing)
            recorded.update(reading.recorded)
        return merged


def read_list(
    pages: Pages, known: Known, size: PageSize, on_page: Callable[[Readings], None] = lambda readings: None
) -> Readings:
    """Read the whole list, and again up to three times while it is not complete.

    `on_page` is told of every page. A ProviderError ends a reading; what its pages showed before still counts, and
    only an answer that made no sense is worth another try here, for the client has repeated the other calls
    already. Readings that only found out how many rows a page may have come on top, each with a smaller limit.
    """
    readings, rereads = Readings(), 0
    while True:
        readings.all.append(Reading(size.limit, size.learned))
        _read_once(readings, pages, known, on_page)
        last = readings.last
        if size.lower(last.capped_at, None if last.pages else last.error):
            continue
        if rereads == REREADS or not _worth_again(last):
            return readings
        rereads += 1


def _read_once(readings: Readings, pages: Pages, known: Known, on_page: Callable[[Readings], None]) -> None:
    reading = readings.last
    while not reading.done:
        try:
            page, at = pages.get(reading.pages, reading.limit, reading.last_page)
        except ProviderError as error:
            reading.error, reading.done = error, True
            return
        reading.take(page, known, at)
        on_page(readings)


def _worth_again(reading: Reading) -> bool:
    if isinstance(reading.error, BadAnswer):
        return reading.error.kind == BadAnswer.kind  # not a redirect: that is a setting
    return reading.error is None and bool(reading.trouble)


def _counted(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def _told(count: int | None) -> str:
    return "none" if count is None else f"{count:,}"
