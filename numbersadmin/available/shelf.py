"""Pages of the provider's list of numbers for sale, kept a short while for all processes of this machine.

Searching, sorting and paging go over the same pages, and the provider allows one list call a second: what one
request has read, the next one need not read again. Only a convenience: a file that cannot be used is a shelf
with nothing on it.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from numbersadmin.orders.selectors import Offer
from numbersadmin.provider.schema import Page, Price, ProviderNumber

logger = logging.getLogger(__name__)

FRESH = timedelta(seconds=30)  # so old may a page be
STEADY = timedelta(minutes=5)  # so old may a later page be while the list has not changed its length
FORGET = timedelta(hours=1)
WAIT_SECONDS = 1.0

KINDS = ("country", "type", "capability")
Result = TypeVar("Result")

_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])

SCHEMA = """
CREATE TABLE IF NOT EXISTS page (
    query TEXT, number INTEGER, asked_at REAL, count INTEGER, rows BLOB, PRIMARY KEY (query, number)
);
CREATE TABLE IF NOT EXISTS offer (
    ref TEXT PRIMARY KEY, asked_at REAL, currency TEXT, setup TEXT, month TEXT, monthly TEXT
);
CREATE TABLE IF NOT EXISTS seen (kind TEXT, word TEXT, PRIMARY KEY (kind, word));
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an offer cost when it was last on a page; None where the provider did not tell."""

    currency: str
    setup: Decimal | None
    month: Decimal | None
    monthly: Decimal | None


class Shelf:
    """The kept pages, what their offers cost, and which countries, types and capabilities were seen."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, query: str, number: int, now: datetime, count: int | None) -> Page | None:
        """The page if it is fresh, or a later page of a list whose first page still tells the same `count`."""

        def read(file: sqlite3.Connection) -> tuple[float, int | None, bytes] | None:
            found = file.execute(
                "SELECT asked_at, count, rows FROM page WHERE query = ? AND number = ?", (query, number)
            ).fetchone()
            return tuple(found) if found else None

        nothing: tuple[float, int | None, bytes] | None = None
        kept = self._use(read, nothing)
        if kept is None:
            return None
        asked_at = datetime.fromtimestamp(kept[0], UTC)
        steady = number > 0 and count is not None and kept[1] == count
        if not timedelta(0) <= now - asked_at <= (STEADY if steady else FRESH):
            return None
        return Page(raws=_raw_rows.decode(kept[2]), count=kept[1], asked_at=asked_at)

    def put(self, query: str, number: int, page: Page, now: datetime) -> None:
        """Keep a page that was just read, and forget what is old."""
        at = now.timestamp()
        rows = b"[" + b",".join(page.raws) + b"]"
        offers = [(ref_of(one), at, one.price.currency, *_prices(one.price)) for one in page.numbers]
        words = {(kind, word) for one in page.numbers for kind, word in _words(one) if word}

        def write(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM page WHERE asked_at < ?", ((now - STEADY).timestamp(),))
            file.execute("DELETE FROM offer WHERE asked_at < ?", ((now - FORGET).timestamp(),))
            file.execute(
                "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?)", (query, number, at, page.count, rows)
            )
            file.executemany("INSERT OR REPLACE INTO offer VALUES (?, ?, ?, ?, ?, ?)", offers)
            file.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", sorted(words))

        self._use(write, None)

    def asked(self, refs: Iterable[str]) -> dict[str, Asked]:
        """What these offers cost when they were last seen; those not seen lately are left out."""

        def read(file: sqlite3.Connection) -> list[tuple[str, ...]]:
            every = "SELECT ref, currency, setup, month, monthly FROM offer WHERE ref = ?"
            return [row for ref in refs for row in file.execute(every, (ref,))]

        found: dict[str, Asked] = {}
        for ref, currency, *prices in self._use(read, list[tuple[str, ...]]()):
            found[ref] = Asked(currency, *(None if price is None else Decimal(price) for price in prices))
        return found

    def seen(self) -> dict[str, list[str]]:
        """The words that the provider has used, sorted, by kind: country, type, capability."""

        def read(file: sqlite3.Connection) -> list[tuple[str, str]]:
            return file.execute("SELECT kind, word FROM seen ORDER BY word").fetchall()

        words: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for kind, word in self._use(read, list[tuple[str, str]]()):
            words.setdefault(kind, []).append(word)
        return words

    def currency(self) -> str:
        """The currency of every offer seen lately; empty when there are several, or none."""

        def read(file: sqlite3.Connection) -> list[tuple[str]]:
            return file.execute("SELECT DISTINCT currency FROM offer WHERE currency <> '' LIMIT 2").fetchall()

        found = self._use(read, list[tuple[str]]())
        return found[0][0] if len(found) == 1 else ""

    def _use(self, act: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Run `act` in one transaction; what it returns, or `otherwise` when the file cannot be used."""
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=WAIT_SECONDS)) as file, file:
                file.execute("PRAGMA synchronous = OFF")  # losing it costs a call, no more
                file.executescript(SCHEMA)
                return act(file)
        except sqlite3.Error as error:
            logger.warning("the kept pages cannot be used: %s", error)
            return otherwise


def ref_of(number: ProviderNumber) -> str:
    """The number as links and checkboxes name it."""
    return Offer(number.country, number.number).ref


def _prices(price: Price) -> list[str | None]:
    return [None if one is None else str(one) for one in (price.setup, price.initial_month, price.per_month)]


def _words(number: ProviderNumber) -> Iterator[tuple[str, str]]:
    yield "country", number.country
    yield "type", number.type
    yield from (("capability", one) for one in number.capabilities)
