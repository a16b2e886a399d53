"""Planning a bulk change: its numbers are gone through once, so that what is shown is what will be done."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numbersadmin.accounts.models import User
from numbersadmin.numbers import bulk
from numbersadmin.numbers.bulk import Left
from numbersadmin.numbers.models import BulkBatch, BulkChange, BulkKind, OwnedNumber, OwnedNumberQuerySet

BATCH = 500
SHOWN = 10  # of each list in a preview
MOST_GROUPS = 20_000  # kept apart while they are counted; whatever comes after is summed up
Planned = tuple[OwnedNumber, dict[str, Any] | None, Left | None]  # what it gets of its own, why it is left


class TooMany(Exception):
    """More numbers than one bulk change may have; nothing was planned."""


@dataclass(slots=True)
class Preview:
    """What a person is shown, gathered in memory that does not grow with the number of rows."""

    names: dict[int, str]
    seen: int = 0
    planned: int = 0
    how: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)
    first_left: list[dict[str, Any]] = field(default_factory=list)

    def leave(self, row: OwnedNumber, why: Left) -> None:
        """Count a number that stays as it is."""
        self.seen += 1
        self.left[why.value] += 1
        if len(self.first_left) < SHOWN and why != Left.SAME:
            self.first_left.append({"id": row.pk, "number": row.number, "why": why.label})

    def change(self, row: OwnedNumber, after: Mapping[str, Any]) -> None:
        """Count a number that changes."""
        self.seen += 1
        self.planned += 1
        before = bulk.fields_of(row)
        words = [
            (name, bulk.in_words(name, before[name], self.names), bulk.in_words(name, value, self.names))
            for name, value in after.items()
        ]
        for key in words:
            full = key not in self.how and len(self.how) >= MOST_GROUPS
            self.how[(key[0], "others", "others") if full else key] += 1
        if len(self.first) < SHOWN:
            self.first.append(
                {
                    "id": row.pk,
                    "number": row.number,
                    "country": row.country,
                    "changes": [[bulk.LABELS[name], was, will_be] for name, was, will_be in words],
                }
            )

    def as_json(self) -> dict[str, Any]:
        """What is kept of it: for each new value the numbers of each old one, the commonest first."""
        groups: dict[tuple[str, str], Counter[str]] = {}
        for (name, was, will_be), count in self.how.items():
            groups.setdefault((name, will_be), Counter())[was] += count
        ordered = sorted(groups.items(), key=lambda group: -group[1].total())
        return {
            "seen": self.seen,
            "how": [
                {
                    "field": bulk.LABELS[name],
                    "after": will_be,
                    "before": before.most_common(SHOWN),
                    "others": sum(count for _, count in before.most_common()[SHOWN:]),
                }
                for (name, will_be), before in ordered[:SHOWN]
            ],
            "more": sum(before.total() for _, before in ordered[SHOWN:]),
            "left": [[str(Left(why).label), count] for why, count in self.left.most_common()],
            "first": self.first,
            "first_left": self.first_left,
        }


def plan_change(
    *, actor: User, found: OwnedNumberQuerySet, wanted: Mapping[str, Any], back: str, now: datetime
) -> BulkChange:
    """Plan that all of these numbers get what is wanted. Raises TooMany."""
    if found.order_by()[: bulk.MOST + 1].count() > bulk.MOST:
        raise TooMany(f"At most {bulk.MOST:,} numbers are changed at once. Narrow the filter.")
    change = BulkChange(kind=BulkKind.CHANGE, actor=actor, wanted=dict(wanted), back=back, created_at=now)
    return plan(change=change, rows=((row, None, None) for row in each_of(found)), now=now)


def each_of(found: OwnedNumberQuerySet) -> Iterator[OwnedNumber]:
    """The numbers in the order of their ids, read again 500 at a time: no cursor stays open while we write."""
    ids = array("q", found.order_by().values_list("pk", flat=True).iterator(chunk_size=BATCH * 10))
    yield from each_id(sorted(ids))


def each_id(ids: Sequence[int]) -> Iterator[OwnedNumber]:
    """The numbers with these ids, 500 at a time, in that order; ids of none are passed over."""
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        rows = bulk.rows_of(some)
        yield from (rows[pk] for pk in some if pk in rows)


def plan(*, change: BulkChange, rows: Iterable[Planned], now: datetime) -> BulkChange:
    """Save a draft with what becomes of each number. One that was not planned to its end cannot be confirmed."""
    change.save(force_insert=True)
    preview = Preview(names=bulk.display_names())
    waiting: list[list[Any]] = []
    for row, own, why in rows:
        result = why or bulk.outcome(row, change.wanted if own is None else own, change=change, now=now)
        if isinstance(result, Left):
            preview.leave(row, result)
            continue
        preview.change(row, result)
        waiting.append([row.pk, row.version, own])
        if len(waiting) == BATCH:
            BulkBatch.objects.create(change=change, plan=waiting)
            waiting = []
    if waiting:
        BulkBatch.objects.create(change=change, plan=waiting)
    change.planned, change.preview = preview.planned, change.preview | preview.as_json()
    change.save(update_fields=["planned", "preview"])
    return change
