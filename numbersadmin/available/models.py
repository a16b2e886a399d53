"""People asking for a number that is ours already and that nobody uses, instead of buying one."""

from django.db import models
from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber


class AskState(models.TextChoices):
    """What became of it."""

    OPEN = "open", "Waiting"
    GIVEN = "given", "Given"
    REFUSED = "refused", "Not given"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Ask(models.Model):
    """One person asks for one owned number without an owner; whoever may give numbers answers."""

    owned_number = models.ForeignKey(OwnedNumber, on_delete=models.PROTECT, related_name="asks")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="asks")
    asked_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=AskState.choices, default=AskState.OPEN)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="asks_decided")
    decided_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owned_number", "asked_by"],
                condition=Q(state=AskState.OPEN),
                name="ask_one_open_a_person",
            ),
            models.CheckConstraint(
                condition=Q(state=AskState.OPEN, decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(state=AskState.OPEN) & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="ask_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(state=AskState.WITHDRAWN) | Q(decided_by=F("asked_by")),
                name="ask_withdrawn_by_who_asked",
            ),
        ]
        indexes = [models.Index(fields=["state", "asked_at"], name="ask_by_state")]

    def __str__(self) -> str:
        return f"ask for {self.owned_number}"
