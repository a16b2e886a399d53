"""Protecting numbers: giving a protected one back needs two approvers, and only another person takes it off."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.services import NumberHasMoved


class NotProtected(Exception):
    """The protection could not be changed; the message says why."""


def protect(*, actor: User, owned: OwnedNumber, reason: str, now: datetime) -> None:
    """Giving the number back needs two approvers from now on. Raises NotProtected, NumberHasMoved."""
    if not actor.can("numbers.protect"):
        raise NotProtected("Only an approver or finance protects numbers.")
    if owned.status == Status.ENDED:
        raise NotProtected("This number is no longer ours.")
    if owned.protected_at:
        raise NotProtected("This number is protected already.")
    reason = " ".join(reason.split())[:300]
    if not reason:
        raise NotProtected("Say why it is protected.")
    fields = {"protected_at": now, "protected_by": actor, "protected_reason": reason}
    _protection(owned, actor, "number.protected", fields, reason, now)


def unprotect(*, actor: User, owned: OwnedNumber, reason: str, now: datetime) -> None:
    """Take the protection off: not whoever put it on. Raises NotProtected, NumberHasMoved."""
    if not actor.can("numbers.protect"):
        raise NotProtected("Only an approver or finance takes a protection off.")
    if not owned.protected_at:
        raise NotProtected("This number is not protected any more.")
    if owned.protected_by_id == actor.pk:
        raise NotProtected(
            "You protected it yourself. Another approver or finance can take the protection off."
        )
    reason = " ".join(reason.split())[:300]
    if not reason:
        raise NotProtected("Say why it needs no protection any more.")
    fields = {"protected_at": None, "protected_by": None, "protected_reason": ""}
    _protection(owned, actor, "number.unprotected", fields, reason, now)


def _protection(
    owned: OwnedNumber, actor: User, verb: str, fields: dict[str, Any], reason: str, now: datetime
) -> None:
    before = {"protected": bool(owned.protected_at), "reason": owned.protected_reason}
    as_read = OwnedNumber.objects.filter(
        pk=owned.pk, version=owned.version, protected_at__isnull=owned.protected_at is None
    )
    with transaction.atomic():
        if as_read.update(version=F("version") + 1, **fields) != 1:
            raise NumberHasMoved(f"{owned} was changed by somebody else meanwhile. Look again, then decide.")
        record(
            actor=actor,
            verb=verb,
            subject=owned,
            at=now,
            before=before,
            after={"protected": bool(fields["protected_at"])},
            reason=reason,
        )
    for field, value in fields.items():
        setattr(owned, field, value)
    owned.version += 1
