"""Owned numbers, one row per uninterrupted possession, and the versions of their facts."""

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.money import MoneyField


class Status(models.TextChoices):
    """Is the number ours? `missing`: absent from the last complete list, not confirmed gone."""

    OWNED = "owned", "Active"
    MISSING = "missing", "Missing at provider"
    ENDED = "ended", "Ended"


class AcquiredBasis(models.TextChoices):
    """How we know since when a number is ours."""

    PURCHASED_HERE = "purchased_here", "Bought here"
    BOUNDED = "bounded", "Seen between two syncs"
    INFERRED = "inferred", "Inferred from the first month's price"
    STATED = "stated", "Entered by a person"
    UNKNOWN = "unknown", "Already owned when records began"


class EndBasis(models.TextChoices):
    """How we know that a number is no longer ours."""

    CANCELLED_HERE = "cancelled_here", "Cancelled here"
    DISAPPEARED = "disappeared", "Gone at the provider"


class Facts(models.Model):
    """What the provider says of a number. Prices are per currency unit, None when it did not tell."""

    number_key = models.CharField(max_length=255)
    type = models.CharField(max_length=60, blank=True)
    capabilities = models.CharField(max_length=200, blank=True)  # canonical: sorted, unique, joined by commas
    shared = models.BooleanField(default=False)
    price_per_month = MoneyField(null=True)
    setup_price = MoneyField(null=True)
    initial_month_price = MoneyField(null=True)
    currency = models.CharField(max_length=10, blank=True)

    class Meta:
        abstract = True

    # initial_month_price is outside: it may fall each day by itself (docs/provider.md)
    COMPARED: ClassVar[tuple[str, ...]] = (
        "number_key",
        "type",
        "capabilities",
        "shared",
        "price_per_month",
        "setup_price",
        "currency",
    )

    @property
    def capability_list(self) -> list[str]:
        """The capabilities, sorted."""
        return self.capabilities.split(",") if self.capabilities else []


class OwnedNumberQuerySet(models.QuerySet["OwnedNumber"]):
    """Conditions on owned numbers."""

    def open(self) -> "OwnedNumberQuerySet":
        """Those we pay for: everything that has not ended."""
        return self.exclude(status=Status.ENDED)


class OwnedNumber(Facts):
    """One uninterrupted possession of one number; its facts are those of its open version.

    An acquired or ended moment lies in (from, to]; `acquired_at` is set when it is known better than that.
    """

    number = models.CharField(max_length=255)
    country = models.CharField(max_length=10, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OWNED)
    digest = models.BigIntegerField(
        null=True
    )  # of the provider's row as last read: equal means nothing to do
    acquired_at = models.DateTimeField(null=True)
    acquired_from = models.DateTimeField(null=True)
    acquired_to = models.DateTimeField()
    acquired_basis = models.CharField(max_length=20, choices=AcquiredBasis.choices)
    acquired_note = models.CharField(max_length=200, blank=True)
    missing_since = models.DateTimeField(null=True)
    ended_from = models.DateTimeField(null=True)
    ended_to = models.DateTimeField(null=True)
    end_basis = models.CharField(max_length=20, choices=EndBasis.choices, blank=True)
    owner = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="numbers")
    cost_centre = models.CharField(max_length=100, blank=True)
    labels = models.JSONField(default=list, blank=True)
    protected_at = models.DateTimeField(null=True)  # since when giving it back needs two approvers
    protected_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="numbers_protected"
    )
    protected_reason = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = OwnedNumberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["number_key"], condition=~Q(status=Status.ENDED), name="owned_number_open_key_once"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.ENDED, ended_to__isnull=False)
                | (~Q(status=Status.ENDED) & Q(ended_to__isnull=True)),
                name="owned_number_ended_with_date",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.MISSING, missing_since__isnull=False) | ~Q(status=Status.MISSING),
                name="owned_number_missing_with_date",
            ),
            models.CheckConstraint(
                condition=Q(protected_at__isnull=True, protected_by__isnull=True, protected_reason="")
                | (Q(protected_at__isnull=False, protected_by__isnull=False) & ~Q(protected_reason="")),
                name="owned_number_protected_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["number", "id"], name="owned_number_by_number"),
            models.Index(fields=["number_key", "id"], name="owned_number_by_key"),
            models.Index(fields=["digest"], condition=~Q(status=Status.ENDED), name="owned_number_by_digest"),
            models.Index(fields=["status", "country", "number"], name="owned_number_by_country"),
            models.Index(fields=["cost_centre"], name="owned_number_by_cost_centre"),
        ]

    def __str__(self) -> str:
        return self.number


class NumberVersion(Facts):
    """What was true of an owned number from `valid_from` (seen so first) to `valid_to` (None: now).

    The change itself happened in (not_before, valid_from]. Only `valid_to` is ever updated.
    """

    owned_number = models.ForeignKey(OwnedNumber, on_delete=models.PROTECT, related_name="versions")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    raw = models.JSONField(encoder=DjangoJSONEncoder)
    source = models.CharField(max_length=20)  # sync, purchase or cancel
    source_id = models.BigIntegerField(null=True)  # the sync run or the attempt

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owned_number"], condition=Q(valid_to__isnull=True), name="number_version_one_open"
            ),
            models.UniqueConstraint(fields=["owned_number", "valid_from"], name="number_version_one_start"),
        ]

    def __str__(self) -> str:
        return f"{self.owned_number_id} from {self.valid_from:%Y-%m-%d %H:%M}"
