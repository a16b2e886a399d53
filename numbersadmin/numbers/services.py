"""Every write to owned numbers: opening, changing, missing, ending, and who they belong to.

The caller says what was seen and when; each function writes the row, its versions and its audit events together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from django.db import connection, models, transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import event, record, record_all
from numbersadmin.numbers import triggers
from numbersadmin.numbers.models import (
    AcquiredBasis,
    EndBasis,
    Facts,
    NumberVersion,
    OwnedNumber,
    OwnedNumberQuerySet,
    Status,
)
from numbersadmin.provider.schema import ProviderNumber
from numbersadmin.rows import insert, new


class Keep(Enum):
    """Marks an argument that leaves the field as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP
ENDINGS = {
    EndBasis.CANCELLED_HERE: "number.cancelled",
    EndBasis.DISAPPEARED: "number.disappeared",
    EndBasis.STATED: "number.confirmed_gone",
}


class NumberHasMoved(Exception):
    """Somebody else changed the number first; nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A number that became ours: what the provider says of it, since when, how we know, and for whom."""

    facts: ProviderNumber
    acquired_to: datetime
    basis: AcquiredBasis
    verb: str  # number.purchased, number.appeared, number.adopted or number.reacquired
    digest: int | None = None
    acquired_at: datetime | None = None
    acquired_from: datetime | None = None
    initial_month_price: Decimal | None = None  # of the offer, where the provider's answer does not tell it
    owner: User | None = None
    cost_centre: str = ""
    related: models.Model | None = None


def take(ids: Iterable[int]) -> OwnedNumberQuerySet:
    """Those of the numbers that are ours, as they stand now; nobody else changes them before the transaction ends.

    Whoever changes several numbers in one transaction takes them, or changes them, in the order of their ids: else
    two would wait for each other, and PostgreSQL would break one off. (SQLite has one writer at a time.)
    """
    found = OwnedNumber.objects.open().filter(pk__in=list(ids))
    return found.order_by("pk").select_for_update(no_key=True)


def columns(facts: ProviderNumber) -> dict[str, Any]:
    """The columns of `Facts` that a row of the provider fills."""
    return {
        "number_key": facts.number_key,
        "type": facts.type,
        "capabilities": ",".join(facts.capabilities),
        "shared": facts.shared,
        "price_per_month": facts.price.per_month,
        "setup_price": facts.price.setup,
        "initial_month_price": facts.price.initial_month,
        "currency": facts.price.currency,
    }


def open_numbers(
    *, openings: Sequence[Opening], actor: User | None, now: datetime, source: str, source_id: int | None
) -> list[OwnedNumber]:
    """Record numbers that became ours, with a first version and an event each, in one transaction."""
    rows = [_new_row(opening) for opening in openings]
    pairs = list(zip(rows, openings, strict=True))
    with transaction.atomic():
        with triggers.all_at_once(connection, len(rows)):
            insert(rows)
        insert([_version(row, one.facts, now, one.acquired_from, source, source_id) for row, one in pairs])
        record_all(_opened(row, one, actor, now) for row, one in pairs)
    return rows


def _new_row(opening: Opening) -> OwnedNumber:
    row = new(
        OwnedNumber,
        **columns(opening.facts),
        number=opening.facts.number,
        country=opening.facts.country,
        digest=opening.digest,
        acquired_at=opening.acquired_at,
        acquired_from=opening.acquired_from,
        acquired_to=opening.acquired_to,
        acquired_basis=opening.basis,
        cost_centre=opening.cost_centre,
    )
    if opening.owner is not None:
        row.owner = opening.owner
    if opening.initial_month_price is not None:
        row.initial_month_price = opening.initial_month_price
    return row


def _version(
    row: OwnedNumber,
    facts: ProviderNumber,
    now: datetime,
    not_before: datetime | None,
    source: str,
    source_id: int | None,
) -> NumberVersion:
    version = new(
        NumberVersion,
        **columns(facts),
        owned_number_id=row.pk,
        valid_from=now,
        not_before=not_before,
        raw=facts.raw,
        source=source,
        source_id=source_id,
    )
    version.initial_month_price = row.initial_month_price
    return version


def _opened(row: OwnedNumber, opening: Opening, actor: User | None, now: datetime) -> AuditEvent:
    return event(
        actor=actor,
        by_provider=actor is None and opening.verb != "number.purchased",
        verb=opening.verb,
        subject=row,
        at=now,
        after={
            **_facts_json(row),
            "acquired_at": row.acquired_at,
            "acquired_from": row.acquired_from,
            "acquired_to": row.acquired_to,
            "acquired_basis": row.acquired_basis,
            "owner": opening.owner.username if opening.owner else None,
            "cost_centre": row.cost_centre,
        },
        related=opening.related,
    )


def _facts_json(
    row: Facts, fields: Iterable[str] = (*Facts.COMPARED, "initial_month_price")
) -> dict[str, Any]:
    return {field: getattr(row, field) for field in fields}


def change_facts(
    *,
    owned: OwnedNumber,
    facts: ProviderNumber,
    digest: int | None,
    now: datetime,
    not_before: datetime | None,
    source: str,
    source_id: int | None,
    related: models.Model | None = None,
) -> bool:
    """Take over what the provider says now; True when something that counts differs, which makes a version.

    A change of the first month's price alone makes none: it may fall daily by itself.
    """
    new = columns(facts)
    changed = [field for field in Facts.COMPARED if getattr(owned, field) != new[field]]
    before = _facts_json(owned, changed)
    if new["initial_month_price"] is None:
        new["initial_month_price"] = owned.initial_month_price  # not told is not zero, and not forgotten
    for field, value in new.items():
        setattr(owned, field, value)
    owned.digest = digest
    with transaction.atomic():
        # Only while it is ours: a cancellation that ends it at this moment has the last word.
        still = OwnedNumber.objects.open().filter(pk=owned.pk).update(**new, digest=digest)
        if not still or not changed:
            return False
        owned.versions.filter(valid_to__isnull=True).update(valid_to=now)
        _version(owned, facts, now, not_before, source, source_id).save(force_insert=True)
        after = _facts_json(owned, changed)
        for verb, fields in _verbs_of(changed).items():
            record(
                actor=None,
                by_provider=True,
                verb=verb,
                subject=owned,
                at=now,
                before={field: before[field] for field in fields},
                after={field: after[field] for field in fields},
                related=related,
            )
    return True


def _verbs_of(changed: Iterable[str]) -> dict[str, list[str]]:
    verbs = {
        "price_per_month": "number.price_changed",
        "setup_price": "number.price_changed",
        "currency": "number.price_changed",
        "capabilities": "number.capabilities_changed",
        "number_key": "number.key_changed",
    }
    by_verb: dict[str, list[str]] = {}
    for field in changed:
        by_verb.setdefault(verbs.get(field, "number.attributes_changed"), []).append(field)
    return by_verb


def mark_missing(*, owned: OwnedNumber, now: datetime, related: models.Model | None = None) -> bool:
    """The number was absent from a complete list; it stays ours until that is confirmed."""
    with transaction.atomic():
        if not _move(owned, Status.OWNED, Status.MISSING, missing_since=now):
            return False
        record(actor=None, by_provider=True, verb="number.missing", subject=owned, at=now, related=related)
    return True


def found_again(*, owned: OwnedNumber, now: datetime, related: models.Model | None = None) -> bool:
    """A missing number is on the list, or was found by itself."""
    since = owned.missing_since
    with transaction.atomic():
        if not _move(owned, Status.MISSING, Status.OWNED, missing_since=None):
            return False
        record(
            actor=None,
            by_provider=True,
            verb="number.found_again",
            subject=owned,
            at=now,
            before={"missing_since": since},
            related=related,
        )
    return True


def reopen(
    *,
    owned: OwnedNumber,
    facts: ProviderNumber,
    digest: int | None,
    now: datetime,
    source: str,
    source_id: int | None,
    related: models.Model | None = None,
) -> bool:
    """A number that had disappeared is back under the same key: the same possession goes on, with its gap told."""
    gap = {"ended_from": owned.ended_from, "ended_to": owned.ended_to}
    last_seen = owned.ended_to
    with transaction.atomic():
        if not _move(
            owned,
            Status.ENDED,
            Status.OWNED,
            ended_from=None,
            ended_to=None,
            end_basis="",
            missing_since=None,
            **columns(facts) | {"digest": digest},
        ):
            return False
        _version(owned, facts, now, last_seen, source, source_id).save(force_insert=True)
        record(
            actor=None,
            by_provider=True,
            verb="number.reappeared",
            subject=owned,
            at=now,
            before=gap,
            after=_facts_json(owned),
            related=related,
        )
    return True


def end_number(
    *,
    owned: OwnedNumber,
    basis: EndBasis,
    ended_from: datetime | None,
    ended_to: datetime,
    actor: User | None,
    now: datetime,
    related: models.Model | None = None,
    reason: str = "",
) -> bool:
    """The number is no longer ours; it ended in (ended_from, ended_to]. False when it had ended already."""
    with transaction.atomic():
        was = owned.status
        if was == Status.ENDED or not _move(
            owned,
            was,
            Status.ENDED,
            ended_from=ended_from,
            ended_to=ended_to,
            end_basis=basis,
            missing_since=None,
        ):
            return False
        owned.versions.filter(valid_to__isnull=True).update(valid_to=ended_to)
        record(
            actor=actor,
            by_provider=basis == EndBasis.DISAPPEARED,
            verb=ENDINGS[basis],
            subject=owned,
            at=now,
            before={"status": was, "price_per_month": owned.price_per_month, "currency": owned.currency},
            after={
                "status": Status.ENDED,
                "ended_from": ended_from,
                "ended_to": ended_to,
                "end_basis": basis,
            },
            related=related,
            reason=reason,
        )
    return True


def _move(owned: OwnedNumber, old: str, new: str, **changes: Any) -> bool:
    """One conditional UPDATE; the row in hand follows when it was the one that moved."""
    changes["status"] = new
    moved = OwnedNumber.objects.filter(pk=owned.pk, status=old).update(version=F("version") + 1, **changes)
    if moved:
        for field, value in changes.items():
            setattr(owned, field, value)
        owned.version += 1
    return bool(moved)


def assign(
    *,
    actor: User | None,
    numbers: Iterable[OwnedNumber],
    now: datetime,
    owner: User | None | Keep = KEEP,
    cost_centre: str | Keep = KEEP,
    labels: list[str] | Keep = KEEP,
    reason: str = "",
) -> int:
    """Say whose the numbers are; returns how many changed. Raises NumberHasMoved when a row changed meanwhile."""
    wanted = {"owner": owner, "cost_centre": cost_centre, "labels": labels}
    wanted = {field: value for field, value in wanted.items() if value is not KEEP}
    count = 0
    with transaction.atomic():
        for row in sorted(numbers, key=lambda row: row.pk):
            changed = {field: value for field, value in wanted.items() if getattr(row, field) != value}
            if not changed:
                continue
            before = {field: _plain(getattr(row, field)) for field in changed}
            touched = OwnedNumber.objects.filter(pk=row.pk, version=row.version)
            if not touched.update(version=F("version") + 1, **changed):
                raise NumberHasMoved(
                    f"{row} was changed by somebody else meanwhile. Look again, then decide."
                )
            for field, value in changed.items():
                setattr(row, field, value)
            row.version += 1
            after = {field: _plain(value) for field, value in changed.items()}
            record(
                actor=actor,
                verb="number.assigned",
                subject=row,
                at=now,
                before=before,
                after=after,
                reason=reason,
            )
            count += 1
    return count


def _plain(value: Any) -> Any:
    return value.username if isinstance(value, User) else value
