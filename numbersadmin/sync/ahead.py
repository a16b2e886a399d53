"""Pages in their order, the next ones already under way in other threads when there may be several."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from numbersadmin.provider.schema import Page
from numbersadmin.sync.asking import Asking

SIGN_OF_LIFE = 10.0  # seconds of waiting for a page after which the run shows that it is alive
Read = tuple[Page, datetime]


class _Stopped(Exception):
    """Nobody wants the page any more."""


@dataclass
class Ahead:
    """Reads pages with up to `threads` calls under way; see `reading_ahead`. At most so many pages are in memory.

    The other threads call the provider and nothing else; they never touch the database.
    """

    asking: Asking
    threads: int
    _pool: ThreadPoolExecutor | None = None
    _under_way: dict[tuple[int, int], "Future[Read]"] = field(default_factory=dict)  # (limit, number) -> page
    _stop: Event = field(default_factory=Event)

    def get(self, number: int, limit: int, last: int) -> Read:
        """See reader.Pages. An error of a page is raised when its turn has come, whatever came of those behind."""
        if number == 0:
            self.drop()  # another reading begins
        if self.threads == 1 or last <= number:
            return self._wait(number, limit) if self._under_way else self.asking.page(number, limit)
        for each in range(number, min(last + 1, number + self.threads)):
            if (limit, each) not in self._under_way:
                self._under_way[limit, each] = self._submit(each, limit)
        return self._wait(number, limit)

    def drop(self) -> None:
        """Forget pages that nobody wants any more, and wait until no call is under way."""
        if self._pool is not None:
            self._stop.set()
            self._pool.shutdown(cancel_futures=True)
        self._pool, self._stop = None, Event()
        self._under_way.clear()

    def _submit(self, number: int, limit: int) -> "Future[Read]":
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="sync-page")
        stop = self._stop

        def alive() -> None:
            if stop.is_set():
                raise _Stopped

        return self._pool.submit(self.asking.page, number, limit, alive)

    def _wait(self, number: int, limit: int) -> Read:
        page = self._under_way.pop((limit, number), None) or self._submit(number, limit)
        while True:
            try:
                return page.result(timeout=SIGN_OF_LIFE)
            except TimeoutError:
                if page.done():  # its own, not ours
                    raise
                self.asking.beat()


@contextmanager
def reading_ahead(asking: Asking, threads: int) -> Iterator[Ahead]:
    """Pages for one run; at the end no call of it is under way any more."""
    pages = Ahead(asking, threads)
    try:
        yield pages
    finally:
        pages.drop()
