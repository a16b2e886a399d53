"""Numbers of ours that a complete list does not show: held for a person, or looked up one by one."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.orders import services as orders
from numbersadmin.provider.errors import BadAnswer, CredentialsRefused, NotOwned, ProviderError
from numbersadmin.provider.schema import Page, ProviderNumber
from numbersadmin.sync import diff, selectors
from numbersadmin.sync.drift import note, note_over, telling
from numbersadmin.sync.lease import beat
from numbersadmin.sync.models import DriftKind
from numbersadmin.sync.opening import SETTLES, open_rows
from numbersadmin.sync.presence import find_again, price_kept, update
from numbersadmin.sync.scene import Found, Row, Scene, in_batches, starts_of_versions

CANARIES = 3  # numbers of the list that are tried for one that answers
GIVE_UP = 3  # failed look-ups in a row after which the others are left for the next run

Look = Callable[[str], ProviderNumber]
Listed = Callable[[str], Page]


@dataclass
class Verdict:
    """What the look-ups showed of the absent numbers."""

    gone: list[OwnedNumber] = field(default_factory=list)
    there: list[tuple[OwnedNumber, ProviderNumber, datetime]] = field(default_factory=list)
    unclear: list[OwnedNumber] = field(default_factory=list)
    reason: str = ""  # why some stayed unclear


def absent(scene: Scene, unseen: Iterable[str]) -> list[OwnedNumber]:
    """Numbers that were open before the run began and are not on its list, by their keys, but for those that we
    ourselves write to.
    """
    writes = selectors.own_writes(scene.run.started_at - SETTLES)
    missed = (key for key in unseen if key not in writes.keys)
    found: list[OwnedNumber] = []
    for chunk in in_batches(missed):
        rows = OwnedNumber.objects.open().filter(number_key__in=chunk).order_by("id")
        found += [owned for owned in rows if owned.number not in writes.numbers]
    return sorted(found, key=_by_id)


def _by_id(owned: OwnedNumber) -> int:
    """In this order all numbers are changed (numbers.services.take)."""
    return owned.pk


def conclude(scene: Scene, missed: list[OwnedNumber], owned: int, look: Look, listed: Listed) -> str:
    """Confirm each absence and record what came of it; returns why some stayed unclear.

    `owned` counts what was open before; `look` asks for a key, `listed` for the list of some digits. Above the
    guard nothing is concluded: the run keeps the ids as `held`.
    """
    rekeyed = _rekeyed(scene, missed)
    if diff.too_many_gone(len(missed) - len(rekeyed), owned, len(scene.seen)):
        scene.run.held = [each.pk for each in missed if each.pk not in rekeyed]
        return ""
    return settle(scene, missed, look, listed, rekeyed)


def settle(
    scene: Scene, missed: list[OwnedNumber], look: Look, listed: Listed, rekeyed: Mapping[int, Row]
) -> str:
    """Ask for each absent number by its key and record the answers; returns why some stayed unclear."""
    verdict = look_up(missed, scene, look)
    _ask_by_digits(verdict, scene, listed, rekeyed)
    _record_gone(scene, [each for each in verdict.gone if each.pk not in rekeyed])
    _record_rekeyed(scene, [(each, rekeyed[each.pk]) for each in verdict.gone if each.pk in rekeyed])
    _record_there(scene, verdict)
    _record_unclear(scene, sorted(verdict.unclear, key=_by_id))
    there = {each.pk for each, _, _ in verdict.there}
    _open_beside(scene, [row for pk, row in rekeyed.items() if pk in there])
    return verdict.reason


def _rekeyed(scene: Scene, missed: list[OwnedNumber]) -> dict[int, Row]:
    """Absent numbers that may be on the list under a new key: id -> the row with that key."""
    absent_ids = {each.pk for each in missed}
    pairs: dict[int, Row] = {}
    for row in scene.rekeyed:
        old = row.records.rekeyed_from(row.facts, scene.seen)
        if old is not None and old.pk in absent_ids:
            pairs.setdefault(old.pk, row)
    return pairs


def look_up(missed: list[OwnedNumber], scene: Scene, look: Look) -> Verdict:
    """Ask the provider for each by its key. "Not ours" counts only while a number of the list is found as well."""
    verdict = Verdict()
    if missed and (silence := _canary_silence(scene, look)):
        return Verdict(unclear=missed, reason=silence)
    failed_in_a_row = 0
    for position, owned in enumerate(missed):
        beat(scene.run, scene.clock())
        try:
            facts = look(owned.number_key)
            verdict.there.append((owned, facts, scene.clock()))
        except NotOwned:
            verdict.gone.append(owned)
        except ProviderError as error:
            verdict.unclear.append(owned)
            verdict.reason = error.text or error.kind
            failed_in_a_row += 1
            if failed_in_a_row >= GIVE_UP or isinstance(error, CredentialsRefused):
                verdict.unclear += missed[position + 1 :]
                break
            continue
        failed_in_a_row = 0
    if verdict.gone and (silence := _canary_silence(scene, look)):
        verdict.unclear += verdict.gone
        verdict.gone, verdict.reason = [], silence
    return verdict


def _canary_silence(scene: Scene, look: Look) -> str:
    """Why the provider does not even tell of a number that its list has just shown; empty when it does."""
    silence = "the list shows no number that could be asked for by itself"
    for key in islice(scene.seen, CANARIES):
        beat(scene.run, scene.clock())
        try:
            look(key)
        except (NotOwned, BadAnswer) as error:  # perhaps given back since, or an odd row; another one tells
            silence = f"numbers of the list did not answer by themselves: {error.text or error.kind}"
        except ProviderError as error:
            return error.text or error.kind
        else:
            return ""
    return silence


def _ask_by_digits(verdict: Verdict, scene: Scene, listed: Listed, rekeyed: Mapping[int, Row]) -> None:
    """A key that is gone says nothing of its number: that may have a new key, in a row that the list skipped."""
    for owned in list(verdict.gone):
        if owned.shared or owned.pk in rekeyed:
            continue
        beat(scene.run, scene.clock())
        try:
            there = _still_listed(owned, listed(owned.number))
            reason = f"{owned.number} is listed when it is asked for by its digits" if there else ""
        except ProviderError as error:
            reason = error.text or error.kind
        if reason:
            verdict.gone.remove(owned)
            verdict.unclear.append(owned)
            verdict.reason = reason


def _still_listed(owned: OwnedNumber, page: Page) -> bool:
    """Is there this number, or a row that nobody understands, under its own key, one unknown to us, or none?"""
    keys = {row.number_key for row in page.invalid}
    for row in page.numbers:
        same = (row.country, row.number) == (owned.country, owned.number)
        if same and row.reservation_status not in diff.NOT_CHARGED:
            keys.add(row.number_key)
    others = OwnedNumber.objects.open().filter(number_key__in=keys).exclude(pk=owned.pk)
    return bool(keys - set(others.values_list("number_key", flat=True)))


def _record_gone(scene: Scene, gone: list[OwnedNumber]) -> None:
    for chunk in in_batches(gone):
        starts, now = starts_of_versions(chunk), scene.clock()
        with telling(scene, now):
            ended = sum(_end(scene, owned, starts, now) for owned in chunk)
            beat(scene.run, now, ended=scene.run.ended + ended)


def _end(scene: Scene, owned: OwnedNumber, starts: Mapping[int, datetime], now: datetime) -> bool:
    """End one number: as cancelled here if an order had sent that and never heard, else as disappeared."""
    if orders.adopt_cancelled(owned=owned, now=now):
        note_over(scene, owned, "Confirmed as cancelled here")
        return True
    ended_from = _last_seen(scene, owned, starts)
    ended = numbers.end_number(
        owned=owned,
        basis=EndBasis.DISAPPEARED,
        ended_from=ended_from,
        ended_to=max(scene.read_at, starts.get(owned.pk, owned.acquired_to)),
        actor=None,
        now=now,
        related=scene.run,
    )
    if ended:
        note_over(scene, owned, "Confirmed gone")
        note(scene, Found(DriftKind.GONE, owned, now, ended_from))
    return ended


def _last_seen(scene: Scene, owned: OwnedNumber, starts: Mapping[int, datetime]) -> datetime:
    complete = (
        selectors.last_complete_start(before=owned.missing_since) if owned.missing_since else scene.since
    )
    return diff.last_sight(starts.get(owned.pk, owned.acquired_to), complete)


def _record_rekeyed(scene: Scene, pairs: list[tuple[OwnedNumber, Row]]) -> None:
    for chunk in in_batches(pairs):
        starts = starts_of_versions(owned for owned, _ in chunk)
        with telling(scene, scene.clock()):
            changed = 0
            for owned, row in chunk:
                facts, digest = price_kept(scene, owned, row) or (row.facts, row.digest)
                changed += update(scene, owned, facts, digest, row.at, starts)
                find_again(scene, owned, scene.clock())
            beat(scene.run, scene.clock(), changed=scene.run.changed + changed)


def _record_there(scene: Scene, verdict: Verdict) -> None:
    """The list missed them, the provider knows them: what it said of each counts as any sight does."""
    for chunk in in_batches(verdict.there):
        starts = starts_of_versions(owned for owned, _, _ in chunk)
        with telling(scene, scene.clock()):
            counts: Counter[str] = Counter(rescued=len(chunk))
            for owned, facts, at in chunk:
                if facts.price.per_month is None:
                    facts = diff.with_price_of(owned, facts)
                counts["changed"] += update(scene, owned, facts, owned.digest, at, starts)
                find_again(scene, owned, at)
            beat(
                scene.run, scene.clock(), **{name: getattr(scene.run, name) + n for name, n in counts.items()}
            )


def _record_unclear(scene: Scene, unclear: list[OwnedNumber]) -> None:
    for chunk in in_batches(unclear):
        now = scene.clock()
        with telling(scene, now):
            for owned in chunk:
                seen = scene.since
                if numbers.mark_missing(owned=owned, now=now, related=scene.run):
                    note(scene, Found(DriftKind.MISSING, owned, now, seen))
            beat(scene.run, now, missing=scene.run.missing + len(chunk))


def _open_beside(scene: Scene, rows: list[Row]) -> None:
    """The old key is still ours, so the new one is a second possession of the same number."""
    for chunk in in_batches(rows):
        with telling(scene, scene.clock()):
            beat(scene.run, scene.clock(), appeared=scene.run.appeared + open_rows(scene, chunk))
