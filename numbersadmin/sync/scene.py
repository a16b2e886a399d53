"""What one run works with while it applies what it read."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from numbersadmin.numbers.models import NumberVersion, OwnedNumber
from numbersadmin.provider.schema import ProviderNumber
from numbersadmin.rows import batches
from numbersadmin.sync.diff import Records
from numbersadmin.sync.models import DriftKind, SyncRun

BATCH = 500  # rows in one transaction: on SQLite everybody else who writes waits for it
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list that differs from what we know, with what we have on it, and when it was read."""

    facts: ProviderNumber
    digest: int
    at: datetime
    records: Records


@dataclass(frozen=True, slots=True)
class Found:
    """A difference that a person should hear of; it happened in (not_before, at]."""

    kind: DriftKind
    owned: OwnedNumber
    at: datetime
    not_before: datetime | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@dataclass
class Scene:
    """One run at work. `seen`: the keys of its last reading; `since`: when the last complete run began.

    `read_at`: when the last page had been read; `newest`: the highest id of our numbers when it began.
    """

    run: SyncRun
    seen: Collection[str]
    since: datetime | None
    read_at: datetime
    clock: Callable[[], datetime]
    keep_prices: bool = False
    newest: int = 2**63 - 1
    rekeyed: list[Row] = field(default_factory=list)  # perhaps numbers of ours under a new key
    found: list[Found] = field(default_factory=list)  # in the present transaction; drift.py writes them
    over: dict[int, str] = field(default_factory=dict)  # id of a number no longer missing or gone -> why


def in_batches(items: Iterable[Item], size: int | None = None) -> Iterator[list[Item]]:
    """Lists of at most 500, or so many."""
    return batches(items, size or BATCH)


def starts_of_versions(owned: Iterable[OwnedNumber]) -> dict[int, datetime]:
    """Since when the present facts of each number are known, by its id."""
    open_ones = NumberVersion.objects.filter(owned_number__in=list(owned), valid_to__isnull=True)
    return dict(open_ones.values_list("owned_number_id", "valid_from"))
