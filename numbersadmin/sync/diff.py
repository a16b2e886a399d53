"""What a difference between the provider's list and our records means. Decides; reads and writes nothing."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from numbersadmin.numbers.models import EndBasis, Facts, OwnedNumber, Status
from numbersadmin.numbers.services import columns
from numbersadmin.provider.schema import Price, ProviderNumber

NOT_CHARGED = frozenset({"PENDING", "BILLING_FAILED", "ERROR", "RESERVATION_FAILED"})
GUARD_COUNT, GUARD_SHARE = 5, 10  # more than 5 numbers and more than 10 % gone at once: a person decides


class What(Enum):
    """What to do about a number on the list."""

    UPDATE = auto()  # ours under this key: take over what changed
    REOPEN = auto()  # had disappeared, is back under its key: the same possession goes on
    OPEN = auto()  # not ours yet
    RETURNED = auto()  # we cancelled it under this key, and it is there again
    REKEYED = auto()  # perhaps a number of ours under a new key; the look at the old key decides
    OTHER_NUMBER = auto()  # the key of one of ours, but another number: nothing to believe
    NOTHING = auto()  # not ours to record (yet)


@dataclass(frozen=True, slots=True)
class Records:
    """What we have on a number of the list: under its key, and under its country and digits."""

    mine: OwnedNumber | None = None  # open, with this key
    past: OwnedNumber | None = None  # the last one that ended under this key
    namesakes: list[OwnedNumber] = field(default_factory=list)  # same country and number, other keys

    @property
    def nothing(self) -> bool:
        """Have we never had this number, nor anything under its key?"""
        return self.mine is None and self.past is None and not self.namesakes

    @property
    def owned_before(self) -> bool:
        """Was this number ours once?"""
        return self.past is not None or any(each.status == Status.ENDED for each in self.namesakes)

    def twins(self, seen: Collection[str]) -> list[OwnedNumber]:
        """Open possessions of the same number that are on the list as well."""
        return [each for each in self._open_namesakes() if each.number_key in seen]

    def rekeyed_from(self, facts: ProviderNumber, seen: Collection[str]) -> OwnedNumber | None:
        """The open possession whose key this row may have replaced: same number, not shared, not on the list."""
        if facts.shared:
            return None
        gone = [e for e in self._open_namesakes() if not e.shared and e.number_key not in seen]
        return gone[0] if gone else None

    def _open_namesakes(self) -> list[OwnedNumber]:
        return [each for each in self.namesakes if each.status != Status.ENDED]


def decide(facts: ProviderNumber, records: Records, seen: Collection[str]) -> What:
    """What a row of the list means; `seen` holds every key on it."""
    if records.mine is not None:
        return What.UPDATE if facts.number == records.mine.number else What.OTHER_NUMBER
    if facts.reservation_status in NOT_CHARGED:
        return What.NOTHING  # reserved, or the reservation failed: not a number that is paid for
    if records.past is not None and records.past.number == facts.number:
        gone = records.past.end_basis != EndBasis.CANCELLED_HERE
        return What.REOPEN if gone else What.RETURNED
    if records.rekeyed_from(facts, seen):
        return What.REKEYED
    return What.OPEN


def differs(owned: OwnedNumber, facts: ProviderNumber) -> bool:
    """Does the row say anything else than our record, in what makes a version?"""
    new = columns(facts)
    return any(getattr(owned, name) != new[name] for name in Facts.COMPARED)


def with_price_of(owned: OwnedNumber, facts: ProviderNumber) -> ProviderNumber:
    """The row with the price that we know, for a list that tells no prices."""
    price = Price(
        owned.price_per_month,
        owned.setup_price,
        owned.initial_month_price,
        owned.currency,
        facts.price.problem,
    )
    return replace(facts, price=price)


def prices_withheld(vanished: int, known: int) -> bool:
    """Have so many prices vanished at once that the account may no longer see them?"""
    return vanished * 2 > known


def too_many_gone(gone: int, owned: int, listed: int) -> bool:
    """Is this more than a company gives back between two syncs, or a list with nothing on it at all?"""
    return gone > 0 and (not listed or gone > max(GUARD_COUNT, owned * GUARD_SHARE / 100))


def last_sight(valid_from: datetime, complete: datetime | None) -> datetime:
    """When present facts were surely true the last time: in the last complete list, or when first seen so."""
    return valid_from if complete is None else max(valid_from, complete)


def newest_by_key(possessions: Iterable[OwnedNumber]) -> dict[str, Records]:
    """Possessions in the order they were opened -> what we have under each key."""
    found: dict[str, Records] = {}
    for each in possessions:
        old = found.get(each.number_key, Records())
        open_now = each.status != Status.ENDED
        found[each.number_key] = replace(old, mine=each) if open_now else replace(old, past=each)
    return found
