"""Invoices as they were uploaded: each row of the file, and each number as it compares with our costs."""

from django.db import models
from django.db.models import Q

from numbersadmin.accounts.models import User
from numbersadmin.costs.models import LedgerLine
from numbersadmin.money import MoneyField
from numbersadmin.numbers.models import OwnedNumber


class Encoding(models.TextChoices):
    """How a file's letters are written; the first two are told from the file itself."""

    AUTO = "auto", "UTF-8 or UTF-16"
    WINDOWS = "cp1252", "Windows-1252, from older Windows programs"


class State(models.TextChoices):
    """How far an invoice has come."""

    DRAFT = "draft", "Columns not chosen"
    COMPARED = "compared", "Compared"


class Status(models.TextChoices):
    """How one number on the invoice compares with our costs. Rows of the file that are not compared are ignored."""

    DIFFERENT = "different", "Different"
    ONLY_INVOICE = "only_invoice", "Only on the invoice"
    ONLY_LEDGER = "only_ledger", "Only with us"
    AMBIGUOUS = "ambiguous", "Ambiguous"
    SETTLED = "settled", "Settled"
    MATCHED = "matched", "Matched"


class Why(models.TextChoices):
    """What is behind a line that does not match, where we know it."""

    NEVER_OURS = "never_ours", "We have never seen this number at Infobip."
    NOT_CHARGED = "not_charged", "On record here, but not charged in this month."
    OTHER_CURRENCY = "other_currency", "Charged in another currency here."
    NO_PRICE = "no_price", "Infobip states no price for it, so ours is not known."
    OTHER_KIND = "other_kind", "Charged here, but for something else."
    COUNTRIES = (
        "countries",
        "Numbers of several countries are written like this. Correct the right one in Costs.",
    )
    NO_NUMBER = "no_number", "A correction that is about no number."


class Ignored(models.TextChoices):
    """Why a row of the file is in no sum."""

    TOTAL = "total", "A total"
    NO_NUMBER = "no_number", "No number"
    NOT_A_NUMBER = "not_a_number", "Not a phone number"
    NO_AMOUNT = "no_amount", "No amount"
    OTHER_CURRENCY = "other_currency", "Another currency"
    OTHER_MONTH = "other_month", "Another month"
    UNREADABLE = "unreadable", "Cannot be read"
    PERSON = "person", "Ignored by a person"


class Invoice(models.Model):
    """One file of the provider. `currency` is empty where each row names its own; `mapping` as of mapping.py.

    `comparison` counts how often it was compared, so that nobody posts from figures that are older.
    """

    month = models.CharField(max_length=7)
    currency = models.CharField(max_length=10, blank=True)
    reference = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64, unique=True)
    file_name = models.CharField(max_length=200)
    encoding = models.CharField(max_length=20)
    columns = models.JSONField(default=list)  # the headings
    row_count = models.PositiveIntegerField()
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    comparison = models.PositiveIntegerField(default=0)
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="invoices_uploaded")
    uploaded_at = models.DateTimeField()
    compared_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    compared_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state=State.DRAFT, comparison=0)
                | Q(state=State.COMPARED, comparison__gt=0, compared_at__isnull=False),
                name="invoice_compared_has_a_date",
            )
        ]
        indexes = [models.Index(fields=["month"], name="invoice_by_month")]

    def __str__(self) -> str:
        return f"invoice {self.reference}"


class InvoiceRow(models.Model):
    """One row of the file: its cells, and what they say. Either it is `ignored`, or one line counts it."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="rows")
    row = models.PositiveIntegerField()  # as a spreadsheet counts; the headings are row 1 or below
    raw = models.JSONField()
    number = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=10, blank=True)
    amount = MoneyField(null=True)
    currency = models.CharField(max_length=10, blank=True)
    ignored = models.CharField(max_length=20, choices=Ignored.choices, blank=True)
    reason = models.CharField(max_length=300, blank=True)  # what cannot be read, or why a person ignored it
    ignored_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "row"], name="invoice_row_once"),
            models.CheckConstraint(
                condition=Q(ignored=Ignored.PERSON, ignored_by__isnull=False) & ~Q(reason="")
                | (~Q(ignored=Ignored.PERSON) & Q(ignored_by__isnull=True)),
                name="invoice_row_ignored_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["invoice", "number"], name="invoice_row_by_number"),
            models.Index(fields=["invoice", "ignored"], condition=~Q(ignored=""), name="invoice_row_ignored"),
        ]

    def __str__(self) -> str:
        return f"row {self.row} of {self.invoice_id}"


AGREED = (Status.MATCHED, Status.SETTLED)
"""A line in one of these differs by rounding only, if at all."""


class InvoiceLine(models.Model):
    """One number in one currency, and one kind where kinds are compared: theirs, ours, and the difference.

    `theirs` is None where the invoice, `ours` where our month says nothing of it. Comparing again makes all of them
    anew; what was posted stays, because the ledger has it (`settled_by`).
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    number = models.CharField(max_length=255, blank=True)
    country = models.CharField(max_length=10, blank=True)
    kind = models.CharField(max_length=10, blank=True)
    currency = models.CharField(max_length=10)
    rows = models.PositiveIntegerField()
    theirs = MoneyField(null=True)
    ours = MoneyField(null=True)
    difference = MoneyField()  # theirs less ours
    status = models.CharField(max_length=12, choices=Status.choices)
    why = models.CharField(max_length=20, choices=Why.choices, blank=True)
    owned_number = models.ForeignKey(
        OwnedNumber, null=True, on_delete=models.PROTECT, related_name="invoice_lines"
    )
    settled_by = models.ForeignKey(LedgerLine, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "number", "currency", "kind"], name="invoice_line_once"
            ),
            models.CheckConstraint(
                condition=Q(theirs__isnull=False) | Q(ours__isnull=False), name="invoice_line_says_something"
            ),
        ]
        indexes = [models.Index(fields=["invoice", "status", "number"], name="invoice_line_by_status")]

    @property
    def agrees(self) -> bool:
        """Does it differ by rounding only, if at all?"""
        return self.status in AGREED

    def __str__(self) -> str:
        return f"{self.number or 'no number'} on {self.invoice_id}"


class MappingPreset(models.Model):
    """Which column of a file says what, kept for the next file with the same headings."""

    name = models.CharField(max_length=60, unique=True)
    headings = models.CharField(max_length=64)  # their digest, as of mapping.py
    mapping = models.JSONField()
    saved_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="invoice_mappings")
    saved_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["headings"], name="invoice_mapping_by_headings")]

    def __str__(self) -> str:
        return self.name
