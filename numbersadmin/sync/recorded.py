"""What a reading of the list is compared with: digests and keys of what is ours, and the page size that worked."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.sync import page_size
from numbersadmin.sync.models import RunStatus, SyncRun
from numbersadmin.sync.page_size import PageSize
from numbersadmin.sync.reader import Reading
from numbersadmin.sync.scene import BATCH

AT_ONCE = 2_000  # rows fetched together
TRY_MORE_AFTER = timedelta(hours=24)


@dataclass
class Recorded:
    """Our numbers when the run began, as reader.Known. `newest` is the highest id of them.

    Digests of numbers that this run opens while it reads are added, so that a second reading finds them known.
    """

    digests: set[int]
    undigested: list[str]  # keys of numbers whose row was never read, as after a purchase here
    newest: int
    opened: set[int] = field(default_factory=set)

    @property
    def owned(self) -> int:
        """How many numbers were ours when the run began."""
        return len(self.digests) - len(self.opened) + len(self.undigested)

    def add(self, digests: Collection[int]) -> None:
        """Numbers that the run has opened."""
        self.opened.update(digests)
        self.digests.update(digests)

    def of_keys(self, keys: Collection[str]) -> dict[int, str]:
        """See reader.Known."""
        every, found = list(keys), dict[int, str]()
        for start in range(0, len(every), BATCH):
            rows = OwnedNumber.objects.filter(number_key__in=every[start : start + BATCH])
            found.update(
                (digest, key)
                for digest, key in rows.values_list("digest", "number_key")
                if digest is not None
            )
        return found

    def keys_of(self, digests: Collection[int]) -> list[str]:
        """See reader.Known."""
        rows = OwnedNumber.objects.open().filter(digest__in=digests)
        return list(rows.values_list("number_key", flat=True))

    def unseen(self, reading: Reading) -> Iterator[str]:
        """Keys that were ours when the run began and that a reading did not show."""
        left = self.digests - reading.unchanged - self.opened
        keys = [*self.undigested, *(self.keys_of(left) if len(left) <= BATCH else self._keys_of_many(left))]
        return (key for key in keys if key not in reading.differing)

    def _keys_of_many(self, digests: Collection[int]) -> Iterable[str]:
        rows = OwnedNumber.objects.open().values_list("digest", "number_key").iterator(chunk_size=AT_ONCE)
        return [key for digest, key in rows if digest in digests]


def recorded() -> Recorded:
    """What is on record now; one query for the digests, and one for numbers without."""
    rows = OwnedNumber.objects.open()
    newest = OwnedNumber.objects.aggregate(newest=Max("id"))["newest"] or 0
    found: set[int | None] = set(rows.values_list("digest", flat=True).iterator(chunk_size=AT_ONCE))
    undigested = list(rows.filter(digest__isnull=True).values_list("number_key", flat=True))
    found.discard(None)
    return Recorded(found, undigested, newest)  # type: ignore[arg-type]  # None is out


def first_page_size(now: datetime) -> PageSize:
    """The limit to begin with: as set, else more than ever once a day, else that of the last complete list."""
    if settings.LIST_PAGE_SIZE:
        return PageSize(settings.LIST_PAGE_SIZE, learned=False)
    complete = SyncRun.objects.filter(status=RunStatus.COMPLETE, page_size__isnull=False)
    proven = complete.order_by("-started_at").values_list("page_size", flat=True).first()
    tried = SyncRun.objects.filter(page_asked__gte=page_size.LARGEST, started_at__gt=now - TRY_MORE_AFTER)
    if proven != page_size.LARGEST and tried.exists():
        return PageSize(proven or page_size.DOCUMENTED, learned=True, proven=proven)
    return PageSize(page_size.LARGEST, learned=True, proven=proven)
