"""Sync runs: each reading of the provider's whole purchased list."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from numbersadmin.accounts.models import User


class RunStatus(models.TextChoices):
    """How a run ended. Only a complete one says anything about absence."""

    RUNNING = "running", "Running"
    COMPLETE = "complete", "Complete"
    INCOMPLETE = "incomplete", "Incomplete"
    FAILED = "failed", "Failed"
    GUARDED = "guarded", "Held for a person"
    ABANDONED = "abandoned", "Abandoned"


class SyncRun(models.Model):
    """One reading of the purchased list, with what it found. At most one runs at a time."""

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
    calibration = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    error_kind = models.CharField(max_length=20, blank=True)  # as of provider/errors.py, empty without one
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["status"], condition=Q(status=RunStatus.RUNNING), name="sync_run_one_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["status", "started_at"], name="sync_run_by_status")]

    def __str__(self) -> str:
        return f"sync {self.pk}"
