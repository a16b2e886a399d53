"""The ledger: what closed months cost, line by line, and every decision that led to it (docs/costs.md).

An open month is computed from what we know; only corrections made by people are kept for it. Closing a month writes
its lines here, and from then on the lines are what it cost. Nothing in the ledger is ever changed or removed.
"""

from django.db import models
from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.costs.charges import Basis, Kind
from numbersadmin.costs.months import Month
from numbersadmin.money import MoneyField
from numbersadmin.numbers.models import OwnedNumber

_MONTH = 7  # a month is stored as it is written: 2026-10


class Origin(models.TextChoices):
    """Why a line was posted."""

    CLOSE = "close", "Closing the month"
    MANUAL = "manual", "Entered by a person"
    LATE = "late", "Learned after the month was closed"
    PRICE = "price", "A price that Infobip does not state"
    INVOICE = "invoice", "A difference to an invoice"


class LedgerLine(models.Model):
    """One charge of one month that no longer changes: a computed one once its month is closed, or a correction.

    What it is about is copied, so that a number that moves to another cost centre takes no closed month along.
    `revision` is that of the close that carries it. A correction may be about an earlier month (`corrects`); a late
    one has its place among the late ones about that number and month (`sequence`), so that none is posted twice.
    """

    month = models.CharField(max_length=_MONTH)
    revision = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=[(one.value, one.value) for one in Kind])
    origin = models.CharField(max_length=10, choices=Origin.choices)
    owned_number = models.ForeignKey(
        OwnedNumber, null=True, on_delete=models.PROTECT, related_name="ledger_lines"
    )
    number_key = models.CharField(max_length=255, blank=True)
    number = models.CharField(max_length=255, blank=True)
    country = models.CharField(max_length=10, blank=True)
    type = models.CharField(max_length=60, blank=True)
    capabilities = models.CharField(max_length=200, blank=True)
    shared = models.BooleanField(default=False)
    labels = models.JSONField(default=list)
    owner = models.CharField(max_length=150, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    amount = MoneyField(null=True)  # None: not known, and waived when the month was closed
    currency = models.CharField(max_length=10, blank=True)
    basis = models.CharField(max_length=10, choices=[(one.value, one.value) for one in Basis])
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    per_month = MoneyField(null=True)
    note = models.TextField(blank=True)  # how we know; of a correction: why
    corrects = models.CharField(max_length=_MONTH, blank=True)
    sequence = models.PositiveIntegerField(null=True)
    form_token = models.CharField(max_length=60, null=True, unique=True)
    posted_at = models.DateTimeField()
    posted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="ledger_lines")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["month", "owned_number", "kind"],
                condition=~Q(kind=Kind.ADJUSTMENT),
                name="ledger_charge_once",
            ),
            models.UniqueConstraint(
                fields=["corrects", "owned_number", "currency", "sequence"],
                condition=Q(origin=Origin.LATE),
                name="ledger_late_once",
            ),
            models.CheckConstraint(
                condition=~Q(origin=Origin.LATE)
                | (Q(owned_number__isnull=False, sequence__isnull=False) & ~Q(corrects="")),
                name="ledger_late_names_its_place",
            ),
            models.CheckConstraint(
                condition=Q(origin=Origin.CLOSE, corrects="") & ~Q(kind=Kind.ADJUSTMENT)
                | (~Q(origin=Origin.CLOSE) & Q(kind=Kind.ADJUSTMENT, amount__isnull=False) & ~Q(note="")),
                name="ledger_correction_has_amount_and_reason",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | ~Q(currency=""), name="ledger_amount_has_currency"
            ),
            models.CheckConstraint(
                condition=Q(corrects="") | Q(corrects__lte=F("month")), name="ledger_corrects_no_later_month"
            ),
        ]
        indexes = [
            models.Index(fields=["month", "owned_number"], name="ledger_by_month"),
            models.Index(fields=["owned_number", "month"], name="ledger_by_number"),
            models.Index(
                fields=["corrects", "owned_number"], condition=~Q(corrects=""), name="ledger_by_corrected"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.number or 'no number'}, {self.month}"


class Action(models.TextChoices):
    """What was done to a month."""

    CLOSE = "close", "Closed"
    REOPEN = "reopen", "Reopened"


class MonthClose(models.Model):
    """A month that was closed, or opened again for corrections; the last row of a month is its state.

    `totals` is currency -> amount of everything the month carries, `sha256` the digest of those lines (ledger.py),
    `assumptions` the rules they were computed by, `rates` what the reporting currency was converted with.
    """

    month = models.CharField(max_length=_MONTH)
    revision = models.PositiveIntegerField()  # a reopening has that of the close it opens
    action = models.CharField(max_length=10, choices=Action.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="months_closed")
    second_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    totals = models.JSONField(default=dict)
    lines = models.PositiveIntegerField(default=0)
    unpriced = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    assumptions = models.JSONField(default=dict)
    rates = models.JSONField(default=list)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["month", "revision", "action"], name="month_close_once"),
            models.CheckConstraint(
                condition=Q(action=Action.CLOSE, second_by__isnull=True) & ~Q(sha256="")
                | (Q(action=Action.REOPEN, second_by__isnull=False) & ~Q(reason="") & ~Q(second_by=F("by"))),
                name="month_reopen_two_persons",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month}, revision {self.revision}"


class AskState(models.TextChoices):
    """Where a request to reopen a month stands."""

    OPEN = "open", "Waits for a second person"
    CONFIRMED = "confirmed", "Reopened"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ReopenAsk(models.Model):
    """One person asks to reopen a closed month; another one decides."""

    month = models.CharField(max_length=_MONTH)
    revision = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=AskState.choices, default=AskState.OPEN)
    reason = models.TextField()
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reopen_asks")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["month"], condition=Q(state=AskState.OPEN), name="reopen_ask_one_waits"
            ),
            models.CheckConstraint(
                condition=Q(state=AskState.OPEN, decided_by__isnull=True)
                | Q(state=AskState.WITHDRAWN, decided_by__isnull=False)
                | (
                    Q(state__in=[AskState.CONFIRMED, AskState.REFUSED], decided_by__isnull=False)
                    & ~Q(decided_by=F("asked_by"))
                ),
                name="reopen_ask_two_persons",
            ),
        ]

    def __str__(self) -> str:
        return f"reopening of {self.month}"


class Waiver(models.Model):
    """Finance lets a month close although one number's price in it is not known, for a reason."""

    month = models.CharField(max_length=_MONTH)
    owned_number = models.ForeignKey(OwnedNumber, on_delete=models.PROTECT, related_name="waivers")
    reason = models.TextField()
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="waivers")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["month", "owned_number"], name="waiver_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="waiver_has_reason"),
        ]

    def __str__(self) -> str:
        return f"waiver of {self.month}"


class ExchangeRate(models.Model):
    """What one unit of a currency was worth in another one in a month, as finance entered it (rates.py).

    `rate` is the exact decimal as text: what people entered, to the last digit, on either database.
    """

    month = models.CharField(max_length=_MONTH)
    from_currency = models.CharField(max_length=3)
    to_currency = models.CharField(max_length=3)
    rate = models.CharField(max_length=30)
    source_note = models.CharField(max_length=200)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["month", "from_currency", "to_currency"], name="rate_once"),
            models.CheckConstraint(
                condition=~Q(from_currency=F("to_currency")) & ~Q(source_note=""),
                name="rate_of_two_with_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_currency} to {self.to_currency}, {self.month}"


class MonthTurn(models.Model):
    """Who writes to a month takes its turn first, so that nothing is posted while it is being closed (ledger.py)."""

    month = models.CharField(max_length=_MONTH, unique=True)
    turns = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.month


class MonthNote(models.Model):
    """What people want to be remembered about a month: `moved the hotline to new numbers`."""

    month = models.CharField(max_length=_MONTH)
    text = models.CharField(max_length=200)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="month_notes")
    at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="month_note_has_text")]
        indexes = [models.Index(fields=["month", "id"], name="month_note_by_month")]

    def __str__(self) -> str:
        return f"note on {self.month}"

    @property
    def label(self) -> str:
        """The month as people write it."""
        return Month.parse(self.month).label


class Count(models.Model):
    """The figures of one month as they were counted at `at`; a count is current as long as `seen` is what there is.

    Only large accounts have any (counting.py): everything here can be made anew, and is replaced as a whole.
    """

    month = models.CharField(max_length=_MONTH, unique=True)
    at = models.DateTimeField()
    seen = models.CharField(max_length=200)  # how far everything was that the figures rest on

    def __str__(self) -> str:
        return f"count of {self.month}"


class Rollup(models.Model):
    """One figure of a counted month: what it is split by, the currency and the value (report.py)."""

    count = models.ForeignKey(Count, on_delete=models.CASCADE, related_name="rollups", db_index=False)
    by = models.CharField(max_length=20)
    currency = models.CharField(max_length=10)
    value = models.TextField()
    numbers = models.BigIntegerField()
    unpriced = models.BigIntegerField()
    amount = MoneyField()

    class Meta:
        indexes = [models.Index(fields=["count", "by"], name="rollup_by_count")]

    def __str__(self) -> str:
        return f"{self.by} {self.value} of {self.count_id}"
