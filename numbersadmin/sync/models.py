"""Sync runs, each a reading of the provider's whole purchased list, and the differences that people hear of."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber


class RunStatus(models.TextChoices):
    """How a run ended. Only a complete one says anything about absence."""

    RUNNING = "running", "Running"
    COMPLETE = "complete", "Complete"
    INCOMPLETE = "incomplete", "Incomplete"
    FAILED = "failed", "Failed"
    GUARDED = "guarded", "Held for a person"
    ABANDONED = "abandoned", "Abandoned"
    RELEASED = (
        "released",
        "Carried out",
    )  # of a release only: the numbers that a guarded run held were looked up


class RunKind(models.TextChoices):
    """What a run does: read the list, or look up what a guarded run held and a person released."""

    FULL = "full", "Reading of the list"
    GUARD_RELEASE = "guard_release", "Release of held numbers"


class HeldDecision(models.TextChoices):
    """What a person said of the numbers that a guarded run held."""

    RELEASE = "release", "Released"
    REJECT = "reject", "Rejected"


class SyncRun(models.Model):
    """One reading of the purchased list, with what it found. At most one runs at a time."""

    kind = models.CharField(max_length=14, choices=RunKind.choices, default=RunKind.FULL)
    released_run = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="releases")
    status = models.CharField(max_length=12, choices=RunStatus.choices, default=RunStatus.RUNNING)
    started_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)  # None: the schedule
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    pages = models.PositiveIntegerField(default=0)
    readings = models.PositiveSmallIntegerField(default=0)  # whole lists read; more than one after a race
    count_first = models.PositiveIntegerField(null=True)
    count_last = models.PositiveIntegerField(null=True)
    page_asked = models.PositiveIntegerField(null=True)  # the limit it began with
    page_size = models.PositiveIntegerField(null=True)  # the limit of its last reading
    rows = models.PositiveIntegerField(default=0)
    distinct_keys = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    invalid = models.PositiveIntegerField(default=0)
    appeared = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)  # absent from the list, waiting for confirmation
    ended = models.PositiveIntegerField(default=0)  # confirmed gone
    rescued = models.PositiveIntegerField(default=0)  # absent from the list, but found one by one
    calls = models.PositiveIntegerField(default=0)
    prices_kept = models.PositiveIntegerField(default=0)  # rows whose price vanished with most others
    held = models.JSONField(default=list)  # ids of the numbers that a guarded run would have ended
    decision = models.CharField(max_length=8, choices=HeldDecision.choices, blank=True)  # of a guarded run
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="runs_decided")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    calibration = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    error_kind = models.CharField(max_length=20, blank=True)  # as of provider/errors.py, empty without one
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["status"], condition=Q(status=RunStatus.RUNNING), name="sync_run_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_by__isnull=True, decided_at__isnull=True)
                | (
                    ~Q(decision="")
                    & ~Q(decision_reason="")
                    & Q(decided_by__isnull=False, decided_at__isnull=False)
                ),
                name="sync_run_decided_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(kind=RunKind.FULL, released_run__isnull=True)
                | Q(kind=RunKind.GUARD_RELEASE, released_run__isnull=False),
                name="sync_run_release_of_a_run",
            ),
        ]
        indexes = [models.Index(fields=["status", "started_at"], name="sync_run_by_status")]

    def __str__(self) -> str:
        return f"sync {self.pk}"


class DriftKind(models.TextChoices):
    """What is different from what we did or knew ourselves."""

    APPEARED = "appeared", "Appeared outside"
    MISSING = "missing", "Missing"
    GONE = "gone", "Gone at the provider"
    PRICE = "price", "Price changed"
    CAPABILITIES = "capabilities", "Capabilities changed"
    KEY = "key", "Provider key changed"
    BACK = "back", "Back on the list"
    TWICE = "twice", "On the list twice"
    BILLED = "billed", "Billed, not ours"


class DriftState(models.TextChoices):
    """Does it wait for a person? Watched: somebody has looked and keeps an eye on it."""

    OPEN = "open", "Open"
    WATCHED = "watched", "Being watched"
    DECIDED = "decided", "Decided"


class Decision(models.TextChoices):
    """What a person said of a difference, or that its cause went away by itself."""

    ADOPTED = "adopted", "Given an owner"
    ACCEPTED = "accepted", "Accepted"
    GONE = "gone", "Marked as cancelled outside"
    OVER = "over", "Over by itself"


class DriftQuerySet(models.QuerySet["Drift"]):
    """Conditions on differences."""

    def undecided(self) -> "DriftQuerySet":
        """Those that a run may still add to, and a person may still decide."""
        return self.exclude(state=DriftState.DECIDED)


class Drift(models.Model):
    """One difference of one number that waits for a person. Told again, the same row counts on (`times`).

    A number that is billed and was never ours has no record and comes from no run: only `number` names it.
    """

    kind = models.CharField(max_length=12, choices=DriftKind.choices)
    owned_number = models.ForeignKey(OwnedNumber, null=True, on_delete=models.PROTECT, related_name="drifts")
    number = models.CharField(max_length=255, blank=True)
    run = models.ForeignKey(
        SyncRun, null=True, on_delete=models.PROTECT, related_name="drifts"
    )  # that told it last
    created_at = models.DateTimeField()
    told_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True)  # it happened in (not_before, told_at]
    times = models.PositiveIntegerField(default=1)
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    state = models.CharField(max_length=8, choices=DriftState.choices, default=DriftState.OPEN)
    decision = models.CharField(max_length=8, choices=Decision.choices, blank=True)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="drifts_decided")
    decided_at = models.DateTimeField(null=True)  # also when somebody began to watch it
    note = models.CharField(max_length=300, blank=True)

    objects = DriftQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owned_number", "kind"],
                condition=~Q(state=DriftState.DECIDED),
                name="drift_open_once",
            ),
            models.UniqueConstraint(
                fields=["number"],
                condition=Q(kind=DriftKind.BILLED) & ~Q(state=DriftState.DECIDED),
                name="drift_billed_once",
            ),
            models.CheckConstraint(
                condition=Q(kind=DriftKind.BILLED, owned_number__isnull=True, run__isnull=True)
                & ~Q(number="")
                | (~Q(kind=DriftKind.BILLED) & Q(owned_number__isnull=False, run__isnull=False, number="")),
                name="drift_names_its_number",
            ),
            models.CheckConstraint(
                condition=(Q(state=DriftState.DECIDED, decided_at__isnull=False) & ~Q(decision=""))
                | (~Q(state=DriftState.DECIDED) & Q(decision="")),
                name="drift_decided_with_date",
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "id"], condition=~Q(state=DriftState.DECIDED), name="drift_undecided"
            )
        ]

    @property
    def owned(self) -> OwnedNumber:
        """The number concerned; one that was never ours has no record, so this one only names it."""
        return self.owned_number or OwnedNumber(number=self.number)

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.number or self.owned_number_id}"
