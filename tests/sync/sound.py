"""What has to be true of our records, by themselves and beside what the provider really did (domain 18 to 26)."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import AcquiredBasis, NumberVersion, OwnedNumber, Status

OPENED = ("number.purchased", "number.appeared", "number.adopted", "number.reacquired")
CHANGED = (
    "number.price_changed",
    "number.capabilities_changed",
    "number.key_changed",
    "number.attributes_changed",
)
REMARKS = ("number.back_after_cancel", "number.listed_twice")
ENDED = ("number.disappeared", "number.cancelled")


@dataclass(frozen=True, slots=True)
class Bought:
    """One possession as the provider has it."""

    number: str
    key: str | None
    shared: bool
    shown: bool


Truth = dict[tuple[int, int], Bought]  # (id, lives) of a row of the sandbox: one possession each


@dataclass(frozen=True, slots=True)
class Ours:
    """One possession as we have it."""

    number: str
    key: str


def truth(told: Iterable[dict[str, Any]], names: dict[int, str]) -> Truth:
    """What the sandbox says is bought; `names` remembers the numbers of rows that have lost theirs."""
    found: Truth = {}
    for row in told:
        name = names[row["id"]] = row["number"] or names[row["id"]]
        found[row["id"], row["lives"]] = Bought(name, row["number_key"], row["shared"], row["shown"])
    return found


def ours() -> dict[int, Ours]:
    """Everything that is open by our records."""
    rows = OwnedNumber.objects.open().values_list("pk", "number", "number_key")
    return {pk: Ours(number, key) for pk, number, key in rows}


def falsely_ended(
    before: Truth, after: Truth, open_before: dict[int, Ours], open_after: dict[int, Ours]
) -> list[Ours]:
    """Possessions that we ended although the provider had them throughout: by key, and by number if not shared."""
    keys = {old.key for at, old in before.items() if at in after and after[at].key == old.key}
    numbers = {old.number for at, old in before.items() if at in after and not old.shared}
    still = {each.number for each in open_after.values()}
    ended = [each for pk, each in open_before.items() if pk not in open_after]
    return [
        each for each in ended if each.key in keys or (each.number in numbers and each.number not in still)
    ]


def check(acts: Sequence[dict[str, Any]], hidden: Collection[str]) -> None:
    """All of our records; `hidden` are numbers that a complete list did not show, so nobody can date them."""
    possessions = list(OwnedNumber.objects.order_by("pk"))
    keys = Counter(each.number_key for each in possessions if each.status != Status.ENDED)
    assert set(keys.values()) <= {1}, f"two open possessions of one key: {keys}"
    versions = _by_owned(NumberVersion.objects.order_by("owned_number_id", "valid_from"), "owned_number_id")
    events = _by_owned(
        AuditEvent.objects.filter(subject_type="ownednumber").order_by("subject_id", "id"), "subject_id"
    )
    for owned in possessions:
        check_versions(owned, versions[owned.pk], events[owned.pk])
        check_events(owned, events[owned.pk])
        check_dates(owned, acts, exact=owned.number not in hidden)


def _by_owned(rows: Any, name: str) -> dict[int, list[Any]]:
    return {pk: list(group) for pk, group in groupby(rows, key=lambda row: getattr(row, name))}


def check_versions(owned: OwnedNumber, versions: list[NumberVersion], events: list[AuditEvent]) -> None:
    """Ordered, without gaps but those that were told, adjacent ones differ, one open iff the number is."""
    again = {event.at for event in events if event.verb == "number.reappeared"}
    for old, new in pairwise(versions):
        assert old.valid_to is not None
        if new.valid_from in again:
            assert old.valid_to <= new.valid_from
            continue
        assert old.valid_to == new.valid_from, "a gap between two versions, or one within another"
        assert any(getattr(old, f) != getattr(new, f) for f in NumberVersion.COMPARED), "two equal versions"
        assert new.not_before is not None
        assert old.valid_from <= new.not_before <= new.valid_from
    ends = [version.valid_to is None for version in versions]
    assert ends == [False] * (len(versions) - 1) + [owned.status != Status.ENDED], "which version is open?"
    assert all(getattr(owned, f) == getattr(versions[-1], f) for f in NumberVersion.COMPARED)


def check_events(owned: OwnedNumber, events: list[AuditEvent]) -> None:
    """Folding what happened to a possession gives its row."""
    row: dict[str, Any] = {}
    for event in events:
        after = event.after or {}
        assert bool(row) != (event.verb in OPENED), f"{event.verb} at the wrong time"
        if event.verb in OPENED:
            row = {**after, "status": Status.OWNED, "end_basis": ""}
        elif event.verb in CHANGED:
            for name, old in (event.before or {}).items():
                assert _exact(name, row[name]) == _exact(name, old), "another row was changed"
            row |= after
        elif event.verb == "number.missing":
            row["status"] = Status.MISSING
        elif event.verb == "number.found_again":
            row["status"] = Status.OWNED
        elif event.verb in ENDED:
            row |= {name: after[name] for name in ("status", "end_basis")}
        elif event.verb == "number.reappeared":
            row |= {**after, "status": Status.OWNED, "end_basis": ""}
    names = ("status", "end_basis", "acquired_basis", *NumberVersion.COMPARED)
    told = {name: _exact(name, row[name]) for name in names}
    assert told == {name: getattr(owned, name) for name in names}, "the events tell another number"


def _exact(name: str, told: Any) -> Any:
    return told if told is None or "price" not in name else Decimal(told)


def check_dates(owned: OwnedNumber, acts: Sequence[dict[str, Any]], *, exact: bool) -> None:
    """It became ours in (from, to] and ended not before that; both times the provider did something then."""
    known = owned.acquired_basis != AcquiredBasis.UNKNOWN
    if known:
        assert owned.acquired_from is None or owned.acquired_from <= (owned.acquired_at or owned.acquired_to)
        assert owned.acquired_at is None or owned.acquired_at <= owned.acquired_to
    if owned.status == Status.ENDED:
        assert owned.ended_to is not None
        assert owned.acquired_to <= owned.ended_to
        assert owned.ended_from is None or owned.ended_from <= owned.ended_to
    if not exact:
        return
    if known and owned.acquired_from is not None:
        assert _any(acts, owned, "purchase", owned.acquired_from, owned.acquired_to), "not bought then"
    if owned.status == Status.ENDED and owned.ended_from is not None and owned.ended_to is not None:
        assert _any(acts, owned, "cancel", owned.ended_from, owned.ended_to), "not given back then"


def _any(acts: Sequence[dict[str, Any]], owned: OwnedNumber, act: str, lo: datetime, hi: datetime) -> bool:
    return any(
        act in each["act"]
        and each["number"] == owned.number
        and lo <= datetime.fromisoformat(each["at"]) <= hi
        for each in acts
    )
