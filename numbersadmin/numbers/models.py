"""Owned numbers, one row per uninterrupted possession, the versions of their facts, and how people list them."""

from collections.abc import Iterable
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.accounts.roles import Role
from numbersadmin.money import MoneyField

MOST_LABELS, LONGEST_LABEL = 20, 40


def label_list(words: Iterable[str]) -> list[str]:
    """Labels written one way, each once. Raises ValidationError when there are too many or one is too long."""
    labels = list(dict.fromkeys(filter(None, (" ".join(one.split()) for one in words))))
    if len(labels) > MOST_LABELS:
        raise ValidationError(f"At most {MOST_LABELS} labels.")
    if long := [one for one in labels if len(one) > LONGEST_LABEL]:
        raise ValidationError(f"“{long[0]}” is longer than {LONGEST_LABEL} letters.")
    return labels


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
    STATED = "stated", "Confirmed gone by a person"


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
    owner = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="numbers", db_index=False
    )  # the list's index begins with it
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
            # one for each order of the list (numbers/listing.py); they serve the filters as well
            models.Index(fields=["number", "id"], name="owned_number_by_number"),
            models.Index(fields=["number_key", "id"], name="owned_number_by_key"),
            models.Index(fields=["digest"], condition=~Q(status=Status.ENDED), name="owned_number_by_digest"),
            models.Index(fields=["country", "number", "id"], name="owned_number_by_place"),
            models.Index(fields=["owner", "number", "id"], name="owned_number_by_owner"),
            models.Index(fields=["cost_centre", "number", "id"], name="owned_number_by_centre"),
            models.Index(fields=["acquired_to", "number", "id"], name="owned_number_by_since"),
            models.Index(fields=["status", "number", "id"], name="owned_number_by_status"),
            models.Index(
                fields=["currency", "price_per_month", "number", "id"], name="owned_number_by_price"
            ),
            models.Index(
                fields=["status", "country", "number"],
                condition=Q(owner__isnull=True),
                name="owned_number_spare",
            ),
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


class NumberTally(models.Model):
    """How many numbers share these values, and their price: the sum of all rows with the same values is the truth.

    The database itself adds rows as numbers change (numbers/triggers.py), some of them negative; nothing of ours
    writes here but `tally.settle`, which puts rows with the same values together.
    """

    status = models.CharField(max_length=10)
    country = models.CharField(max_length=10)
    currency = models.CharField(max_length=10)
    capabilities = models.CharField(max_length=200)
    owner_id = models.BigIntegerField(null=True)
    cost_centre = models.CharField(max_length=100)
    numbers = models.BigIntegerField()
    micro = models.BigIntegerField()  # per month, in micro-units; unknown prices are not in it
    unpriced = models.BigIntegerField()  # how many have no known price

    KEYS: ClassVar[tuple[str, ...]] = (
        "status",
        "country",
        "currency",
        "capabilities",
        "owner_id",
        "cost_centre",
    )
    FIGURES: ClassVar[tuple[str, ...]] = ("numbers", "micro", "unpriced")

    def __str__(self) -> str:
        return f"{self.numbers} {self.status} {self.country}"


class SavedView(models.Model):
    """Filters of the list under a name; its maker's alone, or shown to everybody with a role as well."""

    maker = models.ForeignKey(User, on_delete=models.PROTECT, related_name="saved_views")
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=1000)  # as `forms.query_of` writes it
    role = models.CharField(max_length=20, choices=Role.choices, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["maker", "name"], name="saved_view_name_once")]

    def __str__(self) -> str:
        return self.name


class ListPreference(models.Model):
    """How one person wants the list: the columns, and the view that it opens with."""

    person = models.OneToOneField(User, on_delete=models.CASCADE, related_name="list_preference")
    hidden = models.JSONField(default=list)  # the columns that are not shown
    opens_with = models.ForeignKey(SavedView, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"list of {self.person_id}"


class BulkKind(models.TextChoices):
    """Where a bulk change comes from."""

    CHANGE = "change", "Bulk change"
    IMPORT = "import", "Import"
    UNDO = "undo", "Undo"


class BulkState(models.TextChoices):
    """How far a bulk change is. `draft`: previewed, nothing done; `refused`: an import of which nothing was done."""

    DRAFT = "draft", "Preview"
    WAITING = "waiting", "Under way"
    DONE = "done", "Done"
    REFUSED = "refused", "Nothing changed"


class BulkChange(models.Model):
    """One change of many owned numbers, planned number by number when it is previewed (docs/bulk.md)."""

    kind = models.CharField(max_length=10, choices=BulkKind.choices)
    state = models.CharField(max_length=10, choices=BulkState.choices, default=BulkState.DRAFT)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="bulk_changes")
    undoes = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="undoings")
    wanted = models.JSONField(default=dict)  # what all get; empty where each number has its own
    preview = models.JSONField(default=dict)  # what the person was shown
    back = models.CharField(max_length=2000, blank=True)  # query of the list it was chosen from
    reason = models.CharField(max_length=500, blank=True)
    planned = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(default=0)  # planned, but not changed after all
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)  # until then a worker has it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["undoes"],
                condition=~Q(state__in=["draft", "refused"]),
                name="bulk_change_undone_once",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="bulk_change_by_state"),
            models.Index(fields=["confirmed_at"], name="bulk_change_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    def get_absolute_url(self) -> str:
        """Its page."""
        return f"/numbers/change/{self.pk}/"


class BulkBatch(models.Model):
    """At most 500 numbers of a bulk change: what was planned, and once done what became of each."""

    change = models.ForeignKey(BulkChange, on_delete=models.CASCADE, related_name="batches")
    done = models.BooleanField(default=False)
    plan = models.JSONField()  # [id, version as previewed, what it gets or null for what all get]
    results = models.JSONField(default=list)  # [id, before, after], the changed fields only
    left = models.JSONField(default=list)  # [id, why]

    class Meta:
        indexes = [models.Index(fields=["change", "done", "id"], name="bulk_batch_by_change")]

    def __str__(self) -> str:
        return f"batch {self.pk} of {self.change_id}"
