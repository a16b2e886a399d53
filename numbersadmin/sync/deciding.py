"""What people decide about differences: given an owner, accepted, marked as cancelled outside, or watched."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import event, record_all
from numbersadmin.numbers import selectors as number_selectors
from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import EndBasis, OwnedNumber, Status
from numbersadmin.numbers.services import KEEP
from numbersadmin.sync import diff, selectors
from numbersadmin.sync.models import Decision, Drift, DriftKind, DriftState
from numbersadmin.sync.opening import SETTLES
from numbersadmin.sync.scene import starts_of_versions

ACCEPTABLE = frozenset(DriftKind) - {DriftKind.APPEARED, DriftKind.MISSING}
NOTE = 300


class CannotDecide(Exception):
    """Nothing was decided; the message says why and who was first."""


def accept(*, actor: User, drifts: Sequence[Drift], note: str, now: datetime) -> None:
    """Take note of what is different; our records have it already. All or nothing. Raises CannotDecide."""
    _only(actor, "sync.decide", drifts, ACCEPTABLE)
    with transaction.atomic():
        _decide(drifts, actor, Decision.ACCEPTED, note, now)
        _record(drifts, actor, "number.accepted", note, now)


def watch(*, actor: User, drifts: Sequence[Drift], note: str, now: datetime) -> None:
    """Keep an eye on differences: they stay undecided and ask again when they are told again."""
    _only(actor, "sync.decide", drifts, frozenset(DriftKind))
    with transaction.atomic():
        for drift in _in_order(drifts):
            if drift.state != DriftState.OPEN:
                raise CannotDecide(_why(drift))
            _move(drift, state=DriftState.WATCHED, decided_by=actor, decided_at=now, note=_short(note))
        _record(drifts, actor, "number.watched", note, now)


def adopt(
    *,
    actor: User,
    drifts: Sequence[Drift],
    owner: User,
    cost_centre: str,
    labels: list[str],
    note: str,
    now: datetime,
) -> None:
    """Give numbers that appeared outside an owner; an empty cost centre and no labels leave them as they are.

    Raises CannotDecide, and numbers.services.NumberHasMoved when one was changed meanwhile.
    """
    _only(actor, "numbers.edit_own", drifts, frozenset({DriftKind.APPEARED}))
    owned = [drift.owned for drift in drifts]
    for each in owned:
        if not number_selectors.may_edit(actor, each):
            raise CannotDecide(f"{each} has an owner or is no longer ours. Nothing was changed.")
    with transaction.atomic():
        _take(owned)
        _decide(drifts, actor, Decision.ADOPTED, note, now)
        numbers.assign(
            actor=actor,
            numbers=owned,
            owner=owner,
            cost_centre=cost_centre or KEEP,
            labels=labels or KEEP,
            reason=_short(note),
            now=now,
        )


def confirm_gone(*, actor: User, drifts: Sequence[Drift], note: str, now: datetime) -> None:
    """A person says that missing numbers are cancelled: they end between their last sight and now.

    Should one be on the list again, the next sync goes on with the same possession. Raises CannotDecide.
    """
    _only(actor, "sync.release", drifts, frozenset({DriftKind.MISSING}))
    if not _short(note):
        raise CannotDecide("Say why. It goes on record.")
    writes = selectors.own_writes(now - SETTLES)
    owned = [drift.owned for drift in drifts]
    starts = starts_of_versions(owned)
    with transaction.atomic():
        _take(owned)
        _decide(drifts, actor, Decision.GONE, note, now)
        for each in owned:
            if each.number_key in writes.keys:
                raise CannotDecide(f"An order of ours is at {each} right now. Its outcome decides.")
            since = each.missing_since
            ended = (
                each.status == Status.MISSING
                and since is not None
                and numbers.end_number(
                    owned=each,
                    basis=EndBasis.STATED,
                    ended_from=diff.last_sight(
                        starts.get(each.pk, each.acquired_to), selectors.last_complete_start(before=since)
                    ),
                    ended_to=now,
                    actor=actor,
                    now=now,
                    reason=_short(note),
                )
            )
            if not ended:
                raise CannotDecide(f"{each} is not missing any more. Nothing was changed.")


def _only(actor: User, permission: str, drifts: Sequence[Drift], kinds: frozenset[DriftKind]) -> None:
    if not actor.can(permission):
        raise CannotDecide("You may not decide this.")
    if wrong := [drift for drift in drifts if drift.kind not in kinds]:
        raise CannotDecide(f"“{wrong[0].get_kind_display()}” is not decided here. Nothing was changed.")


def _take(owned: Sequence[OwnedNumber]) -> None:
    """Numbers before differences, as a run writes them: else it and a person could wait for each other."""
    list(numbers.take(each.pk for each in owned))


def _decide(drifts: Sequence[Drift], actor: User, decision: Decision, note: str, now: datetime) -> None:
    for drift in _in_order(drifts):
        _move(
            drift,
            state=DriftState.DECIDED,
            decision=decision,
            decided_by=actor,
            decided_at=now,
            note=_short(note),
        )


def _in_order(drifts: Sequence[Drift]) -> list[Drift]:
    """Everybody takes differences in this order: else two could wait for each other."""
    return sorted(drifts, key=lambda drift: drift.pk)


def _move(drift: Drift, **fields: object) -> None:
    """One conditional UPDATE of the row as it was seen: undecided, and told as often as then."""
    as_seen = Drift.objects.undecided().filter(pk=drift.pk, times=drift.times)
    if as_seen.update(**fields) != 1:
        raise CannotDecide(_why(drift))


def _why(drift: Drift) -> str:
    number = drift.owned
    now = Drift.objects.select_related("decided_by").get(pk=drift.pk)
    if now.state == DriftState.WATCHED and now.times == drift.times and now.decided_by:
        return f"{now.decided_by.display_name} is watching {number} already. Nothing was changed."
    if now.state != DriftState.DECIDED:
        return f"A sync told of {number} again meanwhile. Nothing was changed: look again, then decide."
    first = now.decided_by.display_name if now.decided_by else "A sync"
    return f"{first} was first at {number}: {now.get_decision_display().lower()}. Nothing was changed."


def _record(drifts: Sequence[Drift], actor: User, verb: str, note: str, now: datetime) -> None:
    record_all(
        event(
            actor=actor,
            verb=verb,
            subject=drift.owned_number or drift,
            number=drift.owned.number,
            at=now,
            before=drift.before or None,
            after={"difference": drift.kind, **drift.after},
            reason=_short(note),
            related=drift.run,
        )
        for drift in drifts
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:NOTE]
