"""Rules: what they cover, and that none is in force before a second person has confirmed it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from numbersadmin.audit import append_only
from numbersadmin.audit.models import AuditEvent
from numbersadmin.policies import services
from numbersadmin.policies.models import ApprovalPolicy, Budget
from numbersadmin.policies.selectors import Ask, budgets_in, ruling, scope_of, waiting_for_confirmation
from numbersadmin.policies.services import PolicyError, fingerprint_of

db = pytest.mark.django_db
USUAL = {"kind": "purchase", "country": "", "currency": "EUR", "max_monthly": None, "max_setup": None}


def propose(cast: Any, now: datetime, mode: str = "one", **terms: Any) -> ApprovalPolicy:
    facts = {**USUAL, "mode": mode, **terms}
    return services.propose_policy(actor=cast.admin, terms=facts, reason="Because", now=now)


def confirm(cast: Any, policy: ApprovalPolicy, now: datetime, **given: Any) -> None:
    facts = {"actor": cast.finance, "fingerprint": fingerprint_of(policy), "now": now}
    services.confirm_policy(policy=policy, **facts | given)


def ask(currency: str = "EUR", per_month: str | None = "15", country: str = "RU", setup: str = "0") -> Ask:
    return Ask(
        "purchase", country, currency, None if per_month is None else Decimal(per_month), Decimal(setup)
    )


@pytest.fixture
def rules(cast: Any, now: datetime) -> list[ApprovalPolicy]:
    """The worked example of docs/policies.md."""
    made = [
        propose(cast, now, "auto", max_monthly=Decimal(10), max_setup=Decimal(0)),
        propose(cast, now, "one", max_monthly=Decimal(100)),
        propose(cast, now, "two"),
    ]
    for one in made:
        confirm(cast, one, now)
    return made


@db
@pytest.mark.parametrize(
    ("asks", "spent", "mode"),
    [
        ([ask(per_month="4")], "0", "auto"),
        ([ask(per_month="4")], "4", "auto"),
        ([ask(per_month="4")], "8", "one"),
        ([ask(per_month="10")], "0", "auto"),
        ([ask(per_month="10.000001")], "0", "one"),
        ([ask(per_month="4", setup="0.01")], "0", "one"),
        ([ask(per_month="60"), ask(per_month="60")], "0", "two"),
        ([ask(per_month="4"), ask("USD", "3")], "0", "one"),
        ([ask(per_month=None)], "0", "two"),
        ([ask("USD", "1")], "0", "one"),
    ],
)
def test_the_worked_example(rules: Any, asks: list[Ask], spent: str, mode: str):
    found = ruling(kind="purchase", asks=asks, auto_spent={"EUR": (Decimal(spent), Decimal(0))})
    assert found.mode == mode


@db
def test_the_narrowest_rule_is_asked_first(cast: Any, now: datetime, rules: Any):
    narrow = propose(cast, now, "two", country="DE")
    confirm(cast, narrow, now)
    assert ruling(kind="purchase", asks=[ask(per_month="4", country="DE")]).policy_id == narrow.pk
    assert ruling(kind="purchase", asks=[ask(per_month="4", country="FR")]).mode == "auto"
    mixed = [ask(per_month="4", country="DE"), ask(per_month="4", country="FR")]
    assert ruling(kind="purchase", asks=mixed).mode == "two"


# Two persons -----------------------------------------------------------------------------------------------------


@db
def test_a_proposal_counts_when_finance_has_confirmed_it(cast: Any, now: datetime):
    proposed = propose(cast, now, "two")
    assert ruling(kind="purchase", asks=[ask()]).mode == "one"
    assert list(waiting_for_confirmation(cast.finance)) == [proposed]
    confirm(cast, proposed, now)
    found = ruling(kind="purchase", asks=[ask()])
    assert (found.mode, found.policy_id) == ("two", proposed.pk)
    assert found.words == f"Rule {proposed.pk} asks for two approvers: purchases in EUR, whatever they cost."
    verbs = AuditEvent.objects.filter(subject_type="approvalpolicy").values_list("verb", flat=True)
    assert list(verbs.order_by("id")) == ["policy.proposed", "policy.confirmed"]


@db
def test_who_may(cast: Any, now: datetime):
    with pytest.raises(services.Refused):
        services.propose_policy(actor=cast.finance, terms={**USUAL, "mode": "one"}, reason="x", now=now)
    proposed = propose(cast, now)
    for name in ("manager", "approver", "admin"):
        with pytest.raises(services.Refused):
            confirm(cast, proposed, now, actor=getattr(cast, name))
    cast.admin.grants.create(role="finance")
    both = type(cast.admin).objects.get(pk=cast.admin.pk)
    with pytest.raises(services.Refused, match="You proposed it yourself"):
        confirm(cast, proposed, now, actor=both)
    with pytest.raises(IntegrityError), transaction.atomic():  # nor does the database take it
        ApprovalPolicy.objects.filter(pk=proposed.pk).update(decided_by=both, decided_at=now, state="active")


@db
def test_what_was_seen_is_what_is_confirmed(cast: Any, now: datetime, rules: Any):
    changed = services.propose_policy(
        actor=cast.admin,
        terms={**USUAL, "mode": "two", "max_monthly": Decimal(50)},
        reason="Stricter",
        replaces=rules[1],
        now=now,
    )
    with pytest.raises(services.Overtaken, match="Look at it as it is now"):
        confirm(cast, changed, now, fingerprint="seen before")
    confirm(cast, changed, now)
    rules[1].refresh_from_db()
    assert (rules[1].state, rules[1].retired_at) == ("retired", now)
    assert ruling(kind="purchase", asks=[ask(per_month="20")]).policy_id == changed.pk
    with pytest.raises(services.Overtaken, match="finance has decided on it already"):
        confirm(cast, changed, now)


@db
def test_the_log_names_the_rule_that_ended_and_exact_limits(cast: Any, now: datetime, rules: Any):
    terms = {**USUAL, "mode": "one", "max_monthly": Decimal("80.50")}
    changed = services.propose_policy(
        actor=cast.admin, terms=terms, reason="Less", replaces=rules[1], now=now
    )
    confirm(cast, changed, now)
    ending = services.propose_retirement(actor=cast.admin, policy=changed, reason="Not needed", now=now)
    confirm(cast, ending, now)
    events = AuditEvent.objects.filter(subject_type="approvalpolicy").order_by("id")
    last = events.filter(subject_id__in=[rules[1].pk, changed.pk, ending.pk])[2:]
    told = [(event.verb, event.subject_id, event.related_id) for event in last]
    assert told == [
        ("policy.proposed", changed.pk, None),
        ("policy.confirmed", changed.pk, None),
        ("policy.retired", rules[1].pk, changed.pk),
        ("policy.proposed", ending.pk, None),
        ("policy.retired", changed.pk, ending.pk),
    ]
    assert last[1].after["max_monthly"] == last[4].before["max_monthly"] == "80.5"
    assert last[0].before == {"max_monthly": "100"}
    assert last[0].after == {"max_monthly": "80.5", "change": "change", "replaces": rules[1].pk}
    assert last[4].reason == "Not needed"


@db
@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"max_monthly": Decimal("10.006")}, "EUR has 2 decimals"),
        ({"max_setup": Decimal("0.5"), "currency": "JPY"}, "JPY has no decimals"),
        ({"max_monthly": Decimal(10), "currency": ""}, "An amount needs a currency"),
        ({"max_monthly": Decimal(100)}, "says exactly this already"),
    ],
)
def test_what_is_confirmed_is_what_counts(cast: Any, now: datetime, rules: Any, terms: Any, said: str):
    """Pages round to a currency's decimals, so a finer limit would not be the one that was seen."""
    facts = {**USUAL, "mode": "one", **terms}
    with pytest.raises(PolicyError, match=said):
        services.propose_policy(actor=cast.admin, terms=facts, reason="x", replaces=rules[1], now=now)
    assert not rules[1].proposals.exists()


@db
def test_one_change_of_a_rule_waits_at_a_time(cast: Any, now: datetime, rules: Any):
    ended = services.propose_retirement(actor=cast.admin, policy=rules[0], reason="x", now=now)
    with pytest.raises(services.Overtaken, match="by admin waits for finance already, since 13 Oct 2026"):
        services.propose_retirement(actor=cast.admin, policy=rules[0], reason="x", now=now)
    services.withdraw_policy(actor=cast.admin, policy=ended, now=now)
    again = services.propose_retirement(actor=cast.admin, policy=rules[0], reason="x", now=now)
    services.reject_policy(actor=cast.finance, policy=again, reason="We need it", now=now)
    assert ruling(kind="purchase", asks=[ask(per_month="4")]).mode == "auto"
    last = services.propose_retirement(actor=cast.admin, policy=rules[0], reason="x", now=now)
    confirm(cast, last, now)
    assert ruling(kind="purchase", asks=[ask(per_month="4")]).mode == "one"


@db
@pytest.mark.parametrize(
    "terms",
    [{"currency": ""}, {"max_monthly": None}, {"max_setup": None}, {"max_monthly": Decimal(-1)}],
)
def test_a_rule_without_a_person_has_limits(cast: Any, now: datetime, terms: dict[str, Any]):
    limits = {"max_monthly": Decimal(1), "max_setup": Decimal(0)}
    with pytest.raises(PolicyError):
        propose(cast, now, "auto", **limits | terms)
    if None in terms.values() or "" in terms.values():
        facts = {**USUAL, **limits, **terms, "mode": "auto", "reason": "x"}
        with pytest.raises(IntegrityError), transaction.atomic():  # nor does the database take it
            ApprovalPolicy.objects.create(proposed_by=cast.admin, proposed_at=now, **facts)


@db
def test_words(cast: Any, now: datetime):
    made = propose(cast, now, country="DE", max_monthly=Decimal("12.5"), max_setup=Decimal(0))
    assert (
        scope_of(made)
        == "purchases in Germany in EUR, up to 12.50\u00a0EUR per month and 0.00\u00a0EUR set-up"
    )


# Budgets ---------------------------------------------------------------------------------------------------------


@db
def test_a_budget_holds_until_another_is_set(cast: Any, now: datetime):
    def put(month: str, amount: str | None) -> None:
        services.set_budget(
            actor=cast.finance,
            cost_centre="4120 Retail",
            currency="EUR",
            month=datetime.fromisoformat(f"{month}-01").date(),
            amount=None if amount is None else Decimal(amount),
            reason="Plan",
            now=now,
        )

    put("2026-10", "100")
    put("2026-12", "50")
    put("2026-12", "60")  # of two for one month the newest
    put("2027-02", None)
    months = ["2026-09", "2026-10", "2026-11", "2026-12", "2027-01", "2027-02"]
    key = ("4120 Retail", "EUR")
    found = [budgets_in([key[0]], datetime.fromisoformat(f"{month}-01").date()).get(key) for month in months]
    assert found == [None, Decimal(100), Decimal(100), Decimal(60), Decimal(60), None]
    with pytest.raises(services.Refused):
        services.set_budget(
            actor=cast.admin,
            cost_centre="",
            currency="EUR",
            month=now.date(),
            amount=Decimal(1),
            reason="x",
            now=now,
        )


@db
def test_a_budget_is_never_rewritten(cast: Any, now: datetime):
    facts = {"cost_centre": " 4120  Retail ", "currency": "EUR", "month": now.date(), "reason": "Plan"}
    row = services.set_budget(actor=cast.finance, amount=Decimal(5), now=now, **facts)
    assert (row.cost_centre, row.month.day) == ("4120 Retail", 1)
    with pytest.raises(PolicyError, match="EUR has 2 decimals"):
        services.set_budget(actor=cast.finance, amount=Decimal("5.001"), now=now, **facts)
    mine = Budget.objects.filter(pk=row.pk)
    for change in (lambda: mine.update(amount=Decimal(6)), mine.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    append_only.remove(connection, "policies_budget")  # the control: it is the trigger that refuses
    try:
        assert mine.update(amount=Decimal(6)) == 1
    finally:
        append_only.install(connection, "policies_budget")
