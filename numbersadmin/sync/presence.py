"""What the list shows is believed: numbers that appeared, changed, or are back. At most 500 in a transaction."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from django.db import IntegrityError

from numbersadmin.audit.services import record
from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import Facts, OwnedNumber, Status
from numbersadmin.provider.schema import ProviderNumber
from numbersadmin.sync import diff, selectors
from numbersadmin.sync.diff import Records, What
from numbersadmin.sync.drift import note, note_changes, note_over, telling
from numbersadmin.sync.lease import beat, fenced
from numbersadmin.sync.models import DriftKind
from numbersadmin.sync.opening import open_rows
from numbersadmin.sync.reader import Reading, Sight
from numbersadmin.sync.recorded import Recorded
from numbersadmin.sync.scene import Found, Row, Scene, in_batches, starts_of_versions

EARLY = 2_000  # new numbers that are kept in memory before they are recorded
TRIES = 3  # a purchase may record the same number at the same moment; looking again finds it
Done = TypeVar("Done")
Act = Callable[[Scene, list[tuple[str, Sight]]], Done]


def believe(scene: Scene, sights: Mapping[str, Sight | None], listed: Collection[str]) -> None:
    """Record everything that differs from what we know, and that missing numbers are there again.

    `listed` has the keys that any reading saw.
    """
    differing = [(key, sight) for key, sight in sights.items() if sight is not None]
    _keep_prices_if_withheld(scene, differing, len(listed))
    for chunk in in_batches(differing):
        _in_one(scene, chunk, _believe_chunk)
    _found_again(scene, listed)


@dataclass
class Early:
    """Records new numbers while the list is still being read, so that few rows are kept in memory.

    Only those whose number we have never had: what they mean does not hang on the rest of the list.
    """

    scene: Scene
    known: Recorded
    _looked_at: int = 0

    def look(self, reading: Reading) -> None:
        """Record what has come together since the last look, when it is enough."""
        if len(reading.differing) < self._looked_at:
            self._looked_at = 0  # another reading
        if len(reading.differing) - self._looked_at < EARLY:
            return
        latest = list(islice(reading.differing.items(), self._looked_at, None))
        for chunk in in_batches(((key, sight) for key, sight in latest if sight is not None), EARLY):
            for row in _in_one(self.scene, chunk, _open_unknown):
                self.known.add([row.digest])
                reading.unchanged.add(row.digest)
                del reading.differing[row.facts.number_key]
        self._looked_at = len(reading.differing)


def _in_one(scene: Scene, chunk: list[tuple[str, Sight]], act: Act[Done]) -> Done:
    """One transaction; once more when somebody else has just recorded one of the numbers."""
    for tries_left in reversed(range(TRIES)):
        try:
            with telling(scene, scene.clock()):
                return act(scene, chunk)
        except IntegrityError:
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def _open_unknown(scene: Scene, chunk: list[tuple[str, Sight]]) -> list[Row]:
    rows = [row for row in rows_with_records(chunk) if row.records.nothing]
    rows = [row for row in rows if diff.decide(row.facts, row.records, ()) == What.OPEN]
    appeared = scene.run.appeared + open_rows(scene, rows)
    beat(scene.run, scene.clock(), appeared=appeared)
    return rows


def _believe_chunk(scene: Scene, chunk: list[tuple[str, Sight]]) -> None:
    rows = rows_with_records(chunk)
    by_meaning: dict[What, list[Row]] = defaultdict(list)
    for row in rows:
        by_meaning[diff.decide(row.facts, row.records, scene.seen)].append(row)
    counts = _update(scene, by_meaning[What.UPDATE])
    counts["appeared"] += sum(_reopen(scene, row) for row in by_meaning[What.REOPEN])
    counts["appeared"] += open_rows(scene, by_meaning[What.OPEN] + by_meaning[What.RETURNED])
    counts["invalid"] += len(by_meaning[What.OTHER_NUMBER])
    if counts:
        run = scene.run
        beat(run, scene.clock(), **{name: getattr(run, name) + more for name, more in counts.items()})
    scene.rekeyed += by_meaning[What.REKEYED]


def rows_with_records(chunk: Iterable[tuple[str, Sight]]) -> list[Row]:
    """Rows of the list with what we have under their keys and on their numbers; a few queries for all."""
    sights = dict(chunk)
    facts = {key: sight.facts for key, sight in sights.items()}
    possessions = OwnedNumber.objects.order_by("id")
    by_key = diff.newest_by_key(possessions.filter(number_key__in=facts))
    strange = {each.number for key, each in facts.items() if key not in by_key or by_key[key].mine is None}
    by_number: dict[tuple[str, str], list[OwnedNumber]] = defaultdict(list)
    for owned in possessions.filter(number__in=strange) if strange else ():
        by_number[owned.country, owned.number].append(owned)
    rows = []
    for key, each in facts.items():
        records = by_key.get(key) or Records()
        records.namesakes.extend(
            n for n in by_number.get((each.country, each.number), ()) if n.number_key != key
        )
        rows.append(Row(each, sights[key].row.digest, sights[key].at, records))
    return rows


def _update(scene: Scene, rows: list[Row]) -> Counter[str]:
    counts: Counter[str] = Counter()
    found = [(row.records.mine, row) for row in rows if row.records.mine is not None]
    starts = starts_of_versions(owned for owned, _ in found)
    for owned, row in sorted(found, key=lambda each: each[0].pk):  # see numbers.services.take
        kept = price_kept(scene, owned, row)
        facts, digest = kept or (row.facts, row.digest)
        counts["prices_kept"] += kept is not None
        counts["changed"] += update(scene, owned, facts, digest, row.at, starts)
    return +counts


def price_kept(scene: Scene, owned: OwnedNumber, row: Row) -> tuple[ProviderNumber, int | None] | None:
    """The row with our price and the digest we had, so that it is looked at again; None to believe it as it is."""
    if scene.keep_prices and _lost_price(owned, row.facts):
        return diff.with_price_of(owned, row.facts), owned.digest
    return None


def update(
    scene: Scene,
    owned: OwnedNumber,
    facts: ProviderNumber,
    digest: int | None,
    at: datetime,
    starts: Mapping[int, datetime],
) -> bool:
    """Take over what the provider said at a moment; True for a new version.

    What was read before our record was made (a purchase recorded meanwhile) says nothing new.
    """
    start, differs = starts.get(owned.pk, owned.acquired_to), diff.differs(owned, facts)
    if at < start or (differs and at == start) or (not differs and digest == owned.digest):
        return False
    complete = (
        selectors.last_complete_start(before=owned.missing_since) if owned.missing_since else scene.since
    )
    not_before = diff.last_sight(start, complete) if differs else None
    before = {name: getattr(owned, name) for name in Facts.COMPARED}
    changed = numbers.change_facts(
        owned=owned,
        facts=facts,
        digest=digest,
        now=at,
        not_before=not_before,
        source="sync",
        source_id=scene.run.pk,
        related=scene.run,
    )
    if changed:
        note_changes(scene, owned, before, at, not_before)
    return changed


def _reopen(scene: Scene, row: Row) -> bool:
    past = row.records.past
    assert past is not None
    ended_to, end_basis = past.ended_to, past.end_basis
    back = numbers.reopen(
        owned=past,
        facts=row.facts,
        digest=row.digest,
        now=row.at,
        source="sync",
        source_id=scene.run.pk,
        related=scene.run,
    )
    if back:
        note_over(scene, past, "Found again")
        gone = {"ended_to": ended_to, "end_basis": end_basis}
        note(scene, Found(DriftKind.BACK, past, row.at, ended_to, before=gone))
    return back


def _found_again(scene: Scene, listed: Collection[str]) -> None:
    missing = OwnedNumber.objects.filter(status=Status.MISSING).order_by("pk")
    for chunk in in_batches(owned for owned in missing if owned.number_key in listed):
        with telling(scene, scene.clock()):
            for owned in chunk:
                find_again(scene, owned, scene.clock())


def find_again(scene: Scene, owned: OwnedNumber, at: datetime) -> None:
    """A number that may have been missing is there."""
    if numbers.found_again(owned=owned, now=at, related=scene.run):
        note_over(scene, owned, "Found again")


def _lost_price(owned: OwnedNumber, facts: ProviderNumber) -> bool:
    return owned.price_per_month is not None and facts.price.per_month is None


def _keep_prices_if_withheld(scene: Scene, differing: list[tuple[str, Sight]], seen: int) -> None:
    """Prices that vanish for most numbers at once were not abolished: the account may no longer see them."""
    if not differing:
        return
    priced = OwnedNumber.objects.open().filter(price_per_month__isnull=False, pk__lte=scene.newest)
    known = min(priced.count(), seen)
    if not known or not diff.prices_withheld(len(differing), known):
        return  # no prices to lose, or too few rows differ at all
    vanished = 0
    for chunk in in_batches(differing):
        rows = rows_with_records(chunk)
        vanished += sum(bool(row.records.mine) and _lost_price(row.records.mine, row.facts) for row in rows)  # type: ignore[arg-type]
    scene.keep_prices = vanished > 0 and diff.prices_withheld(vanished, known)
    if scene.keep_prices and not selectors.prices_were_withheld(scene.run):
        with fenced(scene.run, scene.clock()):
            record(
                actor=None,
                by_provider=True,
                verb="sync.prices_withheld",
                subject=scene.run,
                at=scene.clock(),
                after={"numbers": vanished, "of": known},
            )
