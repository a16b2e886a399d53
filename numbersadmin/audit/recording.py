"""Recording events: the one function every change calls inside its own transaction."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models

from numbersadmin import web
from numbersadmin.audit.models import ActorType, AuditEvent
from numbersadmin.rows import insert, new

Facts = Mapping[str, Any]
PROVIDER, SYSTEM = ActorType.PROVIDER.label, ActorType.SYSTEM.label


def event(
    *,
    actor: Any | None,
    verb: str,
    subject: models.Model,
    at: datetime,
    before: Facts | None = None,
    after: Facts | None = None,
    reason: str = "",
    related: models.Model | None = None,
    number: str = "",
    by_provider: bool = False,
) -> AuditEvent:
    """An unsaved event. `actor` is a person or None for the program itself; `verb` is noun.verb.

    `before` and `after` hold the changed fields only, never a secret; `number` is the phone number concerned
    (taken from the subject when it has one); `by_provider` marks what happened on the provider's side.
    """
    here = web.facts()
    return new(
        AuditEvent,
        at=at,
        actor_type=ActorType.USER if actor else ActorType.PROVIDER if by_provider else ActorType.SYSTEM,
        actor_id=actor.pk if actor else None,
        actor=actor.username if actor else PROVIDER if by_provider else SYSTEM,
        roles=",".join(sorted(actor.roles)) if actor else "",
        verb=verb,
        subject_type=subject._meta.model_name or "",
        subject_id=subject.pk,
        subject=str(subject)[:200],
        number=number or getattr(subject, "number", ""),
        related_type=(related._meta.model_name or "") if related else "",
        related_id=related.pk if related else None,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        reason=reason,
        request_id=here.request_id,
        ip=here.ip,
        source=here.source,
    )


def record(**facts: Any) -> AuditEvent:
    """Save one event (arguments of `event`) in the caller's transaction."""
    saved = event(**facts)
    saved.save(force_insert=True)
    return saved


def record_all(events: Iterable[AuditEvent]) -> None:
    """Save many events in the caller's transaction, as a sync does."""
    insert(list(events))
