"""Reading the provider's list of numbers for sale, page by page, within what a person may be kept waiting."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from numbersadmin.available.shelf import Shelf
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError
from numbersadmin.provider.schema import Page, ProviderNumber

FIRST_WAIT = 3.0  # seconds that the first call of a search may wait for its turn
ENOUGH = 2.0  # seconds after which a search does not begin another call, but shows what it has
NEXT_WAIT = 1.5


@dataclass(frozen=True, slots=True)
class Query:
    """What the provider itself filters by; `number` is a part of one."""

    country: str = ""
    capabilities: tuple[str, ...] = ()
    number: str = ""


@dataclass(slots=True)
class Stretch:
    """The beginning of the list as far as it was read, each number once.

    `read`: rows that were read, with those that could not be understood. `listed`: how many the provider says
    there are. `problem`: why reading stopped before it was `whole` or long enough.
    """

    numbers: list[ProviderNumber] = field(default_factory=list)
    read: int = 0
    invalid: int = 0
    listed: int | None = None
    whole: bool = False
    oldest: datetime | None = None  # when the oldest of its pages was read
    problem: ProviderError | None = None


class Listing:
    """The provider's list under one query: kept pages first, calls for the others."""

    def __init__(
        self, provider: Provider, shelf: Shelf, query: Query, *, account: str, now: datetime
    ) -> None:
        self._provider = provider
        self._shelf = shelf
        self._query = query
        self._name = "|".join(
            [account, str(provider.page_size), query.country, ",".join(query.capabilities), query.number]
        )
        self._now = now
        self._began = time.monotonic()
        self._count: int | None = None  # that the first page told

    def page(self, number: int) -> Page:
        """One page, counted from 0. Raises ProviderError."""
        page = self._shelf.get(self._name, number, self._now, self._count)
        if page is None:
            page = self._provider.list_available(
                page=number,
                country=self._query.country,
                capabilities=self._query.capabilities,
                number=self._query.number,
                caller="person",
                wait=self._wait(),
            )
            self._shelf.put(self._name, number, page, self._now)
        if number == 0:
            self._count = page.count
        return page

    def _wait(self) -> float:
        """How long the next call may wait for its turn; raises ProviderBusy when the person has waited enough."""
        waited = time.monotonic() - self._began
        if waited > ENOUGH:
            raise ProviderBusy("one search reads only so much at a time", retry_after=1)
        return NEXT_WAIT if waited > 0.05 else FIRST_WAIT

    def beginning(self, rows: int) -> Stretch:
        """At least so many rows from the start of the list, as far as they are there and time allows.

        Raises ProviderError when not even the first page can be read; later trouble is told in `problem`.
        """
        stretch, seen = Stretch(), set[str]()
        for number in range(rows + 1):
            if stretch.read >= rows:
                break
            try:
                page = self.page(number)
            except ProviderError as problem:
                if number == 0:
                    raise
                stretch.problem = problem
                break
            fresh = [one for one in page.decoded if one.number_key not in seen or not one.number_key]
            seen.update(one.number_key for one in fresh)
            stretch.read += len(fresh)
            stretch.oldest = min(page.asked_at, stretch.oldest or page.asked_at)
            stretch.numbers += [one for one in fresh if isinstance(one, ProviderNumber)]
            stretch.invalid += sum(not isinstance(one, ProviderNumber) for one in fresh)
            stretch.listed = page.count
            if not fresh or (page.count is not None and stretch.read >= page.count):
                stretch.whole = True
                break
        return stretch
