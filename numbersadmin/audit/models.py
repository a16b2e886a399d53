"""The audit log: one row for each change, never altered, never removed; and the seals over these rows."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Func, Q


class ActorType(models.TextChoices):
    """Who acted: a person, our own program, or the provider's side."""

    USER = "user", "Person"
    SYSTEM = "system", "numbersadmin"
    PROVIDER = "provider", "Infobip"


class KindOf(Func):
    """The kind of a verb, which is its noun: `order` of `order.approved`."""

    output_field = models.CharField()
    template = "substr(%(expressions)s, 1, instr(%(expressions)s, '.') - 1)"

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, template="split_part(%(expressions)s, '.', 1)")


class AuditEvent(models.Model):
    """One change. It has no foreign key, so it neither blocks nor loses anything; names are copied as text."""

    at = models.DateTimeField()
    actor_type = models.CharField(max_length=10, choices=ActorType.choices)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150)
    roles = models.CharField(max_length=120, blank=True)
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=30)
    subject_id = models.BigIntegerField()
    subject = models.CharField(max_length=200)
    number = models.CharField(max_length=255, blank=True)
    related_type = models.CharField(max_length=30, blank=True)
    related_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    ip = models.GenericIPAddressField(null=True)
    source = models.CharField(max_length=10)

    class Meta:
        indexes = [  # a sync writes many events of one moment: the id keeps them apart
            models.Index(fields=["subject_type", "subject_id", "at"], name="audit_by_subject"),
            models.Index(fields=["actor", "at", "id"], name="audit_by_actor"),
            models.Index(KindOf("verb"), "at", "id", name="audit_by_kind"),
            models.Index(fields=["number", "at", "id"], name="audit_by_number"),
            models.Index(fields=["related_id"], condition=Q(related_type="order"), name="audit_by_order"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
            models.Index(fields=["request_id"], name="audit_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"


class SealKind(models.TextChoices):
    """What gave rise to a seal."""

    DAILY = "daily", "Daily"
    CLOSE = "close", "Closing a month"


class Seal(models.Model):
    """A digest over all events up to one, chained to the seal before it (seal.py, docs/audit_seal.md).

    Seals are counted: 1, 2, 3. `events` lie after the seal before and up to `through_id`; `previous` is that seal's
    digest, empty for the first. `sha256` is over all of this and every event.
    """

    number = models.PositiveIntegerField(primary_key=True)
    kind = models.CharField(max_length=10, choices=SealKind.choices)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    through_id = models.BigIntegerField()
    events = models.PositiveBigIntegerField()
    previous = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"seal {self.number}"
