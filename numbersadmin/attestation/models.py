"""Rounds of attestation, a sheet of numbers for each owner, what is chosen for each, and the decisions kept."""

from django.db import models
from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.attestation import words
from numbersadmin.formats import Look
from numbersadmin.money import MoneyField
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import Order


class SheetState(models.TextChoices):
    """Where a sheet stands."""

    OPEN = "open", "Waiting for its owner"
    OVERDUE = "overdue", "Not answered in time"
    ANSWERED = "answered", "Answered"
    UNANSWERED = "unanswered", "Never answered"  # the round was closed before


WAITING = (SheetState.OPEN, SheetState.OVERDUE)


class Choice(models.TextChoices):
    """What an owner can say of a number."""

    KEEP = "keep", "Keep"
    HAND_OVER = "hand_over", "Hand over"
    GIVE_BACK = "give_back", "Give back"


class LineState(models.TextChoices):
    """What has become of a number in a round."""

    OPEN = "open", "Not answered"
    KEPT = "kept", "Kept"
    GIVEN_BACK = "given_back", "Cancellation ordered"
    HANDING = "handing", "Waits to be taken over"
    HANDED = "handed", "Taken over"
    RETURNED = "returned", "Not taken over, stays"
    SKIPPED = "skipped", "Nothing done"
    UNANSWERED = "unanswered", "Never answered"


class Verdict(models.TextChoices):
    """One act on a number of a round, as it is kept for ever."""

    KEEP = "keep", "Keep"
    HAND_OVER = "hand_over", "Hand over"
    GIVE_BACK = "give_back", "Give back"
    SKIPPED = "skipped", "Nothing done"
    UNANSWERED = "unanswered", "Never answered"
    ACCEPTED = "accepted", "Taken over"
    REFUSED = "refused", "Not taken over"
    LAPSED = "lapsed", "Not taken over in time"
    VOID = "void", "Nothing to take over"


ANSWERS = (Verdict.KEEP, Verdict.HAND_OVER, Verdict.GIVE_BACK, Verdict.SKIPPED, Verdict.UNANSWERED)


class Round(models.Model):
    """One attestation of all numbers owned when it was opened; at most one is open (`open_mark`).

    Opening is done in batches: numbers up to id `filled_to` are on their sheets, `ready_at` is set at the end.
    """

    period = models.DateField(
        null=True
    )  # the first day of the months it is due for; none when a person began it
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="attestations_opened"
    )
    due_on = models.DateField()  # the last day to answer, in the billing time zone
    numbers_to = models.BigIntegerField()
    filled_to = models.BigIntegerField(default=0)
    ready_at = models.DateTimeField(null=True)
    open_mark = models.BooleanField(null=True, default=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="attestations_closed"
    )
    close_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["open_mark"], condition=Q(open_mark=True), name="attestation_one_open_round"
            ),
            models.UniqueConstraint(
                fields=["period"], condition=Q(period__isnull=False), name="attestation_one_round_a_period"
            ),
            models.CheckConstraint(
                condition=Q(open_mark=True, closed_at__isnull=True)
                | Q(open_mark__isnull=True, closed_at__isnull=False),
                name="attestation_closed_with_date",
            ),
        ]

    def __str__(self) -> str:
        return f"attestation {self.pk}"


class Sheet(models.Model):
    """The numbers of one owner in a round; no owner: those of nobody, which administrators answer for."""

    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="sheets")
    owner = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="attestation_sheets")
    due_on = models.DateField()
    state = models.CharField(max_length=10, choices=SheetState.choices, default=SheetState.OPEN)
    version = models.PositiveIntegerField(default=1)  # what was seen is what is answered
    told = models.PositiveSmallIntegerField(default=0)  # how far its owner was written to (notices.py)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="attestation_sheets_answered"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["round", "owner"],
                condition=Q(owner__isnull=False),
                name="attestation_one_sheet_an_owner",
            ),
            models.UniqueConstraint(
                fields=["round"], condition=Q(owner__isnull=True), name="attestation_one_sheet_of_nobody"
            ),
            models.CheckConstraint(
                condition=Q(state=SheetState.ANSWERED, answered_at__isnull=False, answered_by__isnull=False)
                | (~Q(state=SheetState.ANSWERED) & Q(answered_at__isnull=True, answered_by__isnull=True)),
                name="attestation_answered_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"sheet of {self.owner.username if self.owner else 'nobody'} in attestation {self.round_id}"

    @property
    def look(self) -> Look:
        """How its state is shown."""
        nobodys = self.owner_id is None and self.state == SheetState.OPEN
        return words.NOBODYS if nobodys else words.SHEETS[self.state]


class Line(models.Model):
    """One number on a sheet, with its price and cost centre when the round was opened. `choice` is a draft."""

    sheet = models.ForeignKey(Sheet, on_delete=models.PROTECT, related_name="lines")
    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="lines")
    owned_number = models.ForeignKey(OwnedNumber, on_delete=models.PROTECT, related_name="attestation_lines")
    price_per_month = MoneyField(null=True)
    currency = models.CharField(max_length=10, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=LineState.choices, default=LineState.OPEN)
    choice = models.CharField(max_length=10, choices=Choice.choices, blank=True)
    to_person = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="attestation_lines_received"
    )
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "owned_number"], name="attestation_number_once_a_round"),
            models.CheckConstraint(
                condition=~Q(choice=Choice.HAND_OVER) | Q(to_person__isnull=False),
                name="attestation_hand_over_to_someone",
            ),
            models.CheckConstraint(
                condition=~Q(choice=Choice.GIVE_BACK) | ~Q(reason=""),
                name="attestation_give_back_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["sheet", "state", "choice"], name="attestation_line_by_state"),
            models.Index(
                fields=["to_person"], condition=Q(state=LineState.HANDING), name="attestation_line_handing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owned_number} in attestation {self.round_id}"

    @property
    def look(self) -> Look:
        """How its state is shown, or its choice while it is a draft."""
        return words.LINES[self.choice or self.state if self.state == LineState.OPEN else self.state]


class Decision(models.Model):
    """What was decided on a number, by whom and when; append-only. An answer, and for a hand-over what followed."""

    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    to_person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey(
        Order, null=True, on_delete=models.PROTECT, related_name="attestation_decisions"
    )
    reason = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="attestation_decisions")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["line"], condition=Q(verdict__in=ANSWERS), name="attestation_answered_once"
            ),
            models.UniqueConstraint(
                fields=["line"], condition=~Q(verdict__in=ANSWERS), name="attestation_followed_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} of line {self.line_id}"
