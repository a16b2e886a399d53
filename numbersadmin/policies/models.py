"""Approval policies as they were proposed and confirmed, budgets of cost centres, and stops of all orders."""

from django.db import models
from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.money import MoneyField


class PolicyMode(models.TextChoices):
    """How many people an order needs under a policy."""

    AUTO = "auto", "Nobody: the rule approves"
    ONE = "one", "One approver"
    TWO = "two", "Two approvers"


class PolicyState(models.TextChoices):
    """Where a policy stands. Only `active` ones are in force."""

    PROPOSED = "proposed", "Waits for finance"
    ACTIVE = "active", "In force"
    RETIRED = "retired", "No longer in force"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Change(models.TextChoices):
    """What a proposal does once it is confirmed."""

    ADD = "add", "New rule"
    CHANGE = "change", "Changed rule"
    RETIRE = "retire", "Rule to be ended"


class ApprovalPolicy(models.Model):
    """One rule, or a proposal to change or end one (`replaces`). Limits are per order; None is no limit.

    A rule is never edited: a change is a new row that retires the old one when finance confirms it.
    """

    kind = models.CharField(max_length=10, choices=[("purchase", "Purchase"), ("cancel", "Cancellation")])
    country = models.CharField(max_length=2, blank=True)  # empty: any
    currency = models.CharField(max_length=3, blank=True)  # empty: any
    max_monthly = MoneyField(null=True)
    max_setup = MoneyField(null=True)
    mode = models.CharField(max_length=10, choices=PolicyMode.choices)
    state = models.CharField(max_length=10, choices=PolicyState.choices, default=PolicyState.PROPOSED)
    change = models.CharField(max_length=10, choices=Change.choices, default=Change.ADD)
    replaces = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="proposals")
    reason = models.TextField()
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="policies_proposed")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="policies_decided")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(mode=PolicyMode.AUTO)
                | (~Q(currency="") & Q(max_monthly__isnull=False, max_setup__isnull=False)),
                name="policy_auto_has_limits",
            ),
            models.CheckConstraint(  # an amount without a currency is none
                condition=~Q(currency="") | Q(max_monthly__isnull=True, max_setup__isnull=True),
                name="policy_limit_names_currency",
            ),
            models.CheckConstraint(
                condition=(Q(max_monthly__isnull=True) | Q(max_monthly__gte=0))
                & (Q(max_setup__isnull=True) | Q(max_setup__gte=0)),
                name="policy_limit_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[PolicyState.REJECTED, PolicyState.WITHDRAWN])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="policy_ended_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[PolicyState.ACTIVE, PolicyState.RETIRED])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="policy_in_force_is_confirmed",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True)
                | Q(state=PolicyState.WITHDRAWN)
                | ~Q(decided_by=F("proposed_by")),
                name="policy_two_persons",
            ),
            models.CheckConstraint(
                condition=Q(change=Change.ADD, replaces__isnull=True)
                | (~Q(change=Change.ADD) & Q(replaces__isnull=False)),
                name="policy_change_names_rule",
            ),
            models.UniqueConstraint(
                fields=["replaces"], condition=Q(state=PolicyState.PROPOSED), name="policy_one_proposal_waits"
            ),
        ]
        indexes = [models.Index(fields=["state"], name="policy_by_state")]

    def __str__(self) -> str:
        return f"rule {self.pk}"


class Budget(models.Model):
    """What a cost centre may commit per month in one currency, from `month` (its first day) until a later row.

    Rows are only added; of several for the same month the newest counts. No amount: no budget from then on.
    """

    cost_centre = models.CharField(max_length=100, blank=True)
    currency = models.CharField(max_length=3)
    month = models.DateField()
    amount = MoneyField(null=True)
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="budgets_set")
    set_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0), name="budget_not_negative"
            )
        ]
        indexes = [models.Index(fields=["cost_centre", "currency", "month", "id"], name="budget_by_centre")]

    def __str__(self) -> str:
        return f"budget of {self.cost_centre or 'no cost centre'} in {self.currency}"


class Stop(models.Model):
    """All buying and cancelling stopped by an administrator, until it is lifted."""

    reason = models.TextField()
    stopped_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="stops")
    stopped_at = models.DateTimeField()
    lifted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="stops_lifted")
    lifted_at = models.DateTimeField(null=True)
    lift_reason = models.TextField(blank=True)
    open_mark = models.BooleanField(null=True, default=True)  # True while open, then NULL

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["open_mark"], condition=Q(open_mark=True), name="stop_one_at_a_time"
            ),
            models.CheckConstraint(
                # Said twice, because a comparison with NULL is neither true nor false, and a CHECK lets it pass.
                condition=Q(
                    open_mark=True, open_mark__isnull=False, lifted_at__isnull=True, lifted_by__isnull=True
                )
                | Q(open_mark__isnull=True, lifted_at__isnull=False, lifted_by__isnull=False),
                name="stop_lifted_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"stop {self.pk}"
