"""Orders, their items, the decisions on them, and the write calls made for them."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.money import MoneyField
from numbersadmin.numbers.models import OwnedNumber


class Kind(models.TextChoices):
    """What an order asks for."""

    PURCHASE = "purchase", "Purchase"
    CANCEL = "cancel", "Cancellation"


class State(models.TextChoices):
    """Where an item stands; orders/machine.py says what may follow what."""

    PENDING = "pending", "Waiting for approval"
    APPROVED = "approved", "Approved"
    EXECUTING = "executing", "In progress"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"


LIVE = (State.PENDING, State.APPROVED, State.EXECUTING, State.UNKNOWN)


class Verdict(models.TextChoices):
    """What an approver said."""

    APPROVE = "approve", "Approved"
    REJECT = "reject", "Rejected"


class Mode(models.TextChoices):
    """Who decides on an order, as its rule says."""

    AUTO = "auto", "Approved by its rule"
    ONE = "one", "One approver"
    TWO = "two", "Two approvers"


class Timing(models.TextChoices):
    """When a cancellation is sent."""

    MONTH_END = "month_end", "On the last day of the paid month"
    NOW = "now", "Now"


class Role(models.TextChoices):
    """As what a person decides: one of the approvers, or the one more from finance over a budget."""

    APPROVER = "approver", "Approver"
    FINANCE = "finance", "Finance"


class Outcome(models.TextChoices):
    """What became of one write call; no value while it runs."""

    OK = "ok", "Done"
    NOT_DONE = "not_done", "Not done"
    UNKNOWN = "unknown", "Unknown"


class Order(models.Model):
    """What a person asks for: buy these numbers, or cancel these. `form_token` makes one form one order."""

    kind = models.CharField(max_length=10, choices=Kind.choices)
    requester = models.ForeignKey(User, on_delete=models.PROTECT, related_name="orders")
    reason = models.TextField()
    owner = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="orders_owned")
    cost_centre = models.CharField(max_length=100, blank=True)
    sender_id = models.BooleanField(default=False)  # the requester wants to send from the numbers
    form_token = models.CharField(max_length=64, unique=True)
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.ONE)
    rule = models.BigIntegerField(null=True)  # the policy that decided on the mode
    rule_words = models.TextField(blank=True)  # why, as people were told
    auto_serial = models.PositiveIntegerField(null=True)  # the so many-th order without approver
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    finance_needed = models.BooleanField(default=False)  # over budget: one more approver, from finance
    timing = models.CharField(max_length=10, choices=Timing.choices, default=Timing.NOW)
    search = models.JSONField(null=True)  # the filters whose first so many numbers were ordered
    paused_at = models.DateTimeField(null=True)  # two unknown outcomes in a row: the rest waits for a person
    round = models.PositiveSmallIntegerField(
        default=1
    )  # a changed price voids the decisions and starts the next
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["requester", "created_at"], name="order_by_requester")]
        constraints = [
            # Two orders at once, whoever asks, cannot both be the next one without approver: one counts again.
            models.UniqueConstraint(fields=["auto_serial"], name="order_auto_in_turn"),
            models.CheckConstraint(
                condition=Q(mode=Mode.AUTO, auto_serial__isnull=False)
                | (~Q(mode=Mode.AUTO) & Q(auto_serial__isnull=True)),
                name="order_auto_is_counted",
            ),
            models.CheckConstraint(
                condition=~Q(mode=Mode.TWO) | Q(approvals_needed=2), name="order_two_need_two"
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"


class OrderItem(models.Model):
    """One number of an order. Quotes are the provider's offer as JSON: asked for, approved, and when executed."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="items")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    number = models.CharField(max_length=255)
    number_key = models.CharField(max_length=255)
    country = models.CharField(max_length=10, blank=True)
    shared = models.BooleanField(default=False)
    owned_number = models.ForeignKey(
        OwnedNumber, null=True, on_delete=models.PROTECT, related_name="order_items"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    failure = models.CharField(max_length=30, blank=True)  # a code; templates have the words
    failure_text = models.CharField(max_length=300, blank=True)  # the provider's own words
    note = models.CharField(max_length=30, blank=True)  # how it became done, when not by the plain answer
    quote = models.JSONField(encoder=DjangoJSONEncoder)
    approved_quote = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    executed_quote = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    changed_quote = models.JSONField(
        null=True, encoder=DjangoJSONEncoder
    )  # what stopped it: the provider's new offer
    checked_quote = models.JSONField(null=True, encoder=DjangoJSONEncoder)  # last read for a decision
    checked_at = models.DateTimeField(null=True)
    fingerprint = models.CharField(max_length=64)
    approved_at = models.DateTimeField(null=True)
    approved_price_per_month = MoneyField(null=True)
    approved_setup_price = MoneyField(null=True)
    initial_month_price = MoneyField(null=True)  # of the quote read right before the purchase
    currency = models.CharField(max_length=10, blank=True)
    execute_after = models.DateTimeField(null=True)  # approved for later, as a cancellation at month's end
    not_before = models.DateTimeField(
        null=True
    )  # earliest next step: a retry, or the next look at an unknown outcome
    looks = models.PositiveSmallIntegerField(
        default=0
    )  # tries in a row that led nowhere: sets the next distance
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["country", "number"],
                condition=Q(kind=Kind.PURCHASE, state__in=LIVE),
                name="order_item_one_live_purchase",
            ),
            models.UniqueConstraint(
                fields=["owned_number"],
                condition=Q(kind=Kind.PURCHASE, state=State.DONE),
                name="order_item_one_bought_it",
            ),
            models.UniqueConstraint(
                fields=["owned_number"],
                condition=Q(kind=Kind.CANCEL, state__in=LIVE),
                name="order_item_one_live_cancel",
            ),
            models.CheckConstraint(
                condition=~Q(kind=Kind.CANCEL) | Q(owned_number__isnull=False),
                name="order_item_cancel_names_number",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"], name="order_item_by_state"),
            models.Index(fields=["number"], name="order_item_by_number"),
        ]

    def __str__(self) -> str:
        return f"{self.number} of order {self.order_id}"


class Decision(models.Model):
    """One person's verdict on an order; append-only."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="decisions")
    round = models.PositiveSmallIntegerField()
    approver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="decisions")
    requester = models.ForeignKey(User, on_delete=models.PROTECT, related_name="decisions_received")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.APPROVER)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    item_ids = models.JSONField()
    fingerprint = models.CharField(max_length=64)
    comment = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "round", "approver"], name="decision_once_per_person"),
            models.CheckConstraint(condition=~Q(approver=F("requester")), name="decision_four_eyes"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} of order {self.order_id}"


class ProviderAttempt(models.Model):
    """One write call to the provider, committed before it is sent. No outcome while it runs."""

    item = models.ForeignKey(OrderItem, on_delete=models.PROTECT, related_name="attempts")
    verb = models.CharField(max_length=10, choices=Kind.choices)
    number_key = models.CharField(max_length=255)
    number = models.CharField(max_length=255)
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, null=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    error_kind = models.CharField(max_length=40, blank=True)
    response = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    evidence = models.JSONField(default=list, encoder=DjangoJSONEncoder)  # what each look found
    ambiguous = models.BooleanField(
        default=False
    )  # it may have acted although nobody could tell, or still may
    was_unknown = models.BooleanField(default=False)  # its answer told nothing, whatever became clear later
    known_keys = models.JSONField(default=list)  # keys of the same number that were ours before it was sent

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"],
                condition=Q(outcome__isnull=True) | Q(outcome__in=[Outcome.OK, Outcome.UNKNOWN]),
                name="attempt_one_live_per_item",
            ),
            # Whatever the verb: were a number bought again while giving it back is unknown, and its key the same,
            # no look at the purchased list could tell what became of either.
            models.UniqueConstraint(
                fields=["number_key"],
                condition=Q(outcome__isnull=True) | Q(outcome=Outcome.UNKNOWN),
                name="attempt_one_live_per_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.number}"


class Resolution(models.Model):
    """An unknown outcome decided by hand: one person says what it was and how they know, another confirms."""

    item = models.ForeignKey(OrderItem, on_delete=models.PROTECT, related_name="resolutions")
    attempt = models.ForeignKey(ProviderAttempt, on_delete=models.PROTECT, related_name="resolutions")
    done = models.BooleanField()  # what is said: that the provider did it, or that it did not
    evidence = models.TextField()
    number_key = models.CharField(max_length=255, blank=True)  # as the portal shows it, where it was bought
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="resolutions_proposed")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="resolutions_decided"
    )
    decided_at = models.DateTimeField(null=True)
    confirmed = models.BooleanField(null=True)  # None while it waits

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=Q(decided_at__isnull=True), name="resolution_one_waits"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("proposed_by")),
                name="resolution_two_persons",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, decided_at__isnull=True, confirmed__isnull=True)
                | Q(decided_by__isnull=False, decided_at__isnull=False, confirmed__isnull=False),
                name="resolution_decided_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"resolution of {self.item}"
