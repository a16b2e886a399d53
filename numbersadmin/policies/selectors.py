"""Which policy decides on an order and why, what a cost centre may spend, and whether everything is stopped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.formats import country_name, money_text
from numbersadmin.money import ZERO
from numbersadmin.policies.models import ApprovalPolicy, Budget, Change, PolicyMode, PolicyState, Stop

STRICTNESS = [PolicyMode.AUTO, PolicyMode.ONE, PolicyMode.TWO]
ASKS_FOR = {
    PolicyMode.AUTO: "approves it without a person",
    PolicyMode.ONE: "asks for one approver",
    PolicyMode.TWO: "asks for two approvers",
}
THINGS = {"purchase": "purchases", "cancel": "cancellations"}
NO_RULE = "No rule covers this, so one approver decides."


@dataclass(frozen=True, slots=True)
class Ask:
    """One item of an order as rules see it; prices of a full month and of the set-up, None when unknown."""

    kind: str
    country: str
    currency: str
    per_month: Decimal | None
    setup: Decimal | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Who decides on an order: auto, one or two; by which policy; and why, in words."""

    mode: str
    policy_id: int | None
    words: str


@dataclass(frozen=True, slots=True)
class _Sum:
    monthly: Decimal | None
    setup: Decimal | None

    def plus(self, monthly: Decimal | None, setup: Decimal | None) -> "_Sum":
        """Unknown stays unknown."""
        return _Sum(
            None if self.monthly is None or monthly is None else self.monthly + monthly,
            None if self.setup is None or setup is None else self.setup + setup,
        )


def ruling(
    *, kind: str, asks: Sequence[Ask], auto_spent: Mapping[str, tuple[Decimal, Decimal]] | None = None
) -> Ruling:
    """Judge an order. Each (country, currency) in it is judged by the whole order's totals; the strictest counts.

    `auto_spent`: what the person had approved by rules in the last 24 hours, currency -> (monthly, set-up);
    it is added before a rule may approve by itself, so that taking an order apart does not help. A currency is
    a key when there was anything in it.
    """
    active = ApprovalPolicy.objects.filter(state=PolicyState.ACTIVE, kind=kind)
    return judge(list(active), asks, auto_spent or {})


def judge(
    active: Sequence[ApprovalPolicy], asks: Sequence[Ask], auto_spent: Mapping[str, tuple[Decimal, Decimal]]
) -> Ruling:
    """The same by these rules."""
    totals: dict[str, _Sum] = {}
    for ask in asks:
        before = totals.get(ask.currency, _Sum(ZERO, ZERO))
        totals[ask.currency] = before.plus(ask.per_month, ask.setup)
    found = [
        _judge(active, country, currency, totals[currency], auto_spent.get(currency))
        for country, currency in sorted({(ask.country, ask.currency) for ask in asks})
    ]
    strictest = max(found, key=lambda one: _strictness(one[0]), default=(PolicyMode.ONE, None, True))
    mode, policy, within = strictest
    words = words_of_ruling(policy, within=within) if policy else NO_RULE
    return Ruling(mode, policy.pk if policy else None, words)


def _judge(
    active: Sequence[ApprovalPolicy],
    country: str,
    currency: str,
    total: _Sum,
    spent: tuple[Decimal, Decimal] | None,
) -> tuple[str, ApprovalPolicy | None, bool]:
    """The first rule whose limits hold, narrowest first; of those as narrow, the smallest limits first.

    A rule passed over, because the order is above its limits, is never followed by a laxer one: then it counts
    itself (the last value is False). So more money never needs fewer people, whatever the rules are.
    """
    fitting = [rule for rule in active if rule.country in ("", country) and rule.currency in ("", currency)]
    after_others = _holds_after_others(active, currency, total, spent)
    passed: ApprovalPolicy | None = None
    first: tuple[str, ApprovalPolicy | None] = (PolicyMode.ONE, None)
    for rule in sorted(fitting, key=_order):
        if _holds(rule, total) and (rule.mode != PolicyMode.AUTO or after_others):
            first = (rule.mode, rule)
            break
        if passed is None or _strictness(rule.mode) > _strictness(passed.mode):
            passed = rule
    if passed and _strictness(passed.mode) > _strictness(first[0]):
        return passed.mode, passed, False
    return *first, True


def _holds_after_others(
    active: Iterable[ApprovalPolicy], currency: str, total: _Sum, spent: tuple[Decimal, Decimal] | None
) -> bool:
    """May a rule still approve by itself after what rules let through in the last 24 hours?

    Nobody knows any more which rule let what through, so together they stay within the smallest limits of
    the currency: otherwise an order taken apart by country would pass where the whole does not.
    """
    if spent is None:
        return True
    together = total.plus(*spent)
    autos = [rule for rule in active if rule.mode == PolicyMode.AUTO and rule.currency == currency]
    return all(_holds(rule, together) for rule in autos)


def _holds(rule: ApprovalPolicy, amounts: _Sum) -> bool:
    return _within(amounts.monthly, rule.max_monthly) and _within(amounts.setup, rule.max_setup)


def _strictness(mode: str) -> int:
    return STRICTNESS.index(PolicyMode(mode))


def _order(rule: ApprovalPolicy) -> tuple[bool, bool, bool, Decimal, bool, Decimal, int, int]:
    return (
        not rule.country,
        not rule.currency,
        rule.max_monthly is None,
        rule.max_monthly or ZERO,
        rule.max_setup is None,
        rule.max_setup or ZERO,
        -_strictness(rule.mode),
        rule.pk,
    )


def _within(amount: Decimal | None, limit: Decimal | None) -> bool:
    """Is it known and within the limit? Without a limit everything is, known or not."""
    return limit is None or (amount is not None and amount <= limit)


def words_of_ruling(rule: ApprovalPolicy, *, within: bool = True) -> str:
    """`Rule 4 asks for two approvers: purchases in EUR, up to 100.00 EUR per month.`"""
    words = f"Rule {rule.pk} {ASKS_FOR[PolicyMode(rule.mode)]}: {scope_of(rule)}."
    return words if within else f"{words} This is not within its limits, which never takes fewer people."


def scope_of(rule: ApprovalPolicy) -> str:
    """What a rule covers: `purchases in Germany in EUR up to 100.00 EUR per month and 0.00 EUR set-up`."""
    parts = [THINGS[rule.kind]]
    if rule.country:
        parts.append(f"in {country_name(rule.country)}")
    if rule.currency:
        parts.append(f"in {rule.currency}")
    limits = [
        f"{money_text(limit, rule.currency)} {what}"
        for limit, what in ((rule.max_monthly, "per month"), (rule.max_setup, "set-up"))
        if limit is not None
    ]
    return " ".join(parts) + (f", up to {' and '.join(limits)}" if limits else ", whatever they cost")


def active_policies() -> QuerySet[ApprovalPolicy]:
    """The rules in force, as they are looked through for people."""
    found = ApprovalPolicy.objects.filter(state=PolicyState.ACTIVE).select_related(
        "proposed_by", "decided_by"
    )
    return found.order_by("-kind", "-country", "-currency", "max_monthly", "id")


def waiting_for_confirmation(user: User) -> QuerySet[ApprovalPolicy]:
    """The proposals that this person may confirm."""
    if not user.can("policies.confirm"):
        return ApprovalPolicy.objects.none()
    waiting = ApprovalPolicy.objects.filter(state=PolicyState.PROPOSED).exclude(proposed_by=user)
    return waiting.select_related("proposed_by", "replaces").order_by("proposed_at", "id")


def budgets_in(cost_centres: Iterable[str], month: date) -> dict[tuple[str, str], Decimal]:
    """The budgets in force in a month (its first day): (cost centre, currency) -> amount."""
    rows = Budget.objects.filter(cost_centre__in=list(cost_centres), month__lte=month).order_by("month", "id")
    latest = {(row.cost_centre, row.currency): row.amount for row in rows}
    return {key: amount for key, amount in latest.items() if amount is not None}


def current_stop() -> Stop | None:
    """The stop that is on now."""
    return Stop.objects.filter(open_mark=True).first()


# For the pages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A rule or a proposal as a table shows it."""

    policy: ApprovalPolicy
    heading: str
    words: str
    confirmers: list[User]


@dataclass(frozen=True, slots=True)
class TermLine:
    """One term of a rule in words; in a proposed change `was` has the old one where there is one."""

    label: str
    now: str
    was: str = ""

    @property
    def changed(self) -> bool:
        return self.was != self.now


def in_words(policies: Iterable[ApprovalPolicy]) -> list[PolicyRow]:
    """Each with what it covers in words and, while it waits, who can confirm it."""
    people = list(holders_of("policies.confirm"))
    return [
        PolicyRow(
            one, heading_of(one), scope_of(one), [who for who in people if who.pk != one.proposed_by_id]
        )
        for one in policies
    ]


def proposals() -> QuerySet[ApprovalPolicy]:
    """Everything that waits for finance, oldest first."""
    waiting = ApprovalPolicy.objects.filter(state=PolicyState.PROPOSED)
    return waiting.select_related("proposed_by", "replaces").order_by("proposed_at", "id")


def confirmers(policy: ApprovalPolicy) -> list[User]:
    """Who can confirm a proposal: finance, but not whoever proposed it."""
    return [who for who in holders_of("policies.confirm") if who.pk != policy.proposed_by_id]


def terms_in_words(policy: ApprovalPolicy) -> list[TermLine]:
    """What a rule says, term by term; a proposed change has the old terms beside the new."""
    if policy.change != Change.CHANGE or policy.replaces is None:
        return [TermLine(label, words) for label, words in _terms(policy)]
    pairs = zip(_terms(policy), _terms(policy.replaces), strict=True)
    return [TermLine(label, now, was) for (label, now), (_, was) in pairs]


def _terms(policy: ApprovalPolicy) -> list[tuple[str, str]]:
    def limit(amount: Decimal | None) -> str:
        return "No limit" if amount is None else f"Up to {money_text(amount, policy.currency)}"

    return [
        ("For", THINGS[policy.kind].capitalize()),
        ("Country", country_name(policy.country) or "Any"),
        ("Currency", policy.currency or "Any"),
        ("Per month", limit(policy.max_monthly)),
        ("Set-up", limit(policy.max_setup)),
        ("Who decides", PolicyMode(policy.mode).label),
    ]


def heading_of(policy: ApprovalPolicy) -> str:
    """What the page of a rule or a proposal is about: `Rule 4`, `Change of rule 3`."""
    if policy.change == Change.RETIRE:
        return f"End of rule {policy.replaces_id}"
    if policy.state in (PolicyState.ACTIVE, PolicyState.RETIRED):
        return f"Rule {policy.pk}"
    return f"Change of rule {policy.replaces_id}" if policy.replaces_id else f"New rule {policy.pk}"


def budgets_now(month: date) -> list[Budget]:
    """The budget of each cost centre and currency in force in a month, ended ones left out."""
    rows = Budget.objects.filter(month__lte=month).select_related("set_by").order_by("month", "id")
    latest = {(row.cost_centre, row.currency): row for row in rows}
    return [latest[key] for key in sorted(latest) if latest[key].amount is not None]


def budget_history(most: int = 50) -> list[Budget]:
    """The last budgets that were set, newest first, future ones too."""
    return list(Budget.objects.select_related("set_by").order_by("-id")[:most])
