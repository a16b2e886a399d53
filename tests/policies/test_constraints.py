"""What the database itself refuses of rules, budgets and stops, and two people who decide at the same moment."""

import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.policies import services
from numbersadmin.policies.models import ApprovalPolicy, Budget, Stop
from tests.orders.desk import rule
from tests.orders.test_races import at_once

db = pytest.mark.django_db


def refused(make: Any, **facts: Any) -> bool:
    try:
        with transaction.atomic():
            make(**facts)
    except IntegrityError:
        return True
    return False


@db
@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"mode": "auto"}, False),
        ({"mode": "auto", "currency": "EUR", "max_monthly": Decimal(1)}, False),
        ({"mode": "auto", "currency": "EUR", "max_monthly": Decimal(1), "max_setup": Decimal(0)}, True),
        ({"max_monthly": Decimal(1)}, False),
        ({"max_setup": Decimal(1)}, False),
        ({"max_setup": Decimal(1), "currency": "EUR"}, True),
        ({"max_monthly": Decimal(-1), "currency": "EUR"}, False),
        ({"max_setup": Decimal(-1), "currency": "EUR"}, False),
        ({"state": "active"}, False),
        ({"state": "retired"}, False),
        ({"state": "active", "decided": "finance"}, True),
        ({"state": "active", "decided": "admin"}, False),
        ({"state": "rejected", "decided": "admin"}, False),
        ({"state": "rejected"}, False),
        ({"state": "withdrawn"}, False),
        ({"state": "withdrawn", "decided": "admin"}, True),
        ({"change": "change"}, False),
        ({"change": "retire"}, False),
        ({"replaced": True}, False),
        ({"change": "change", "replaced": True}, True),
    ],
)
def test_rules(cast: Any, now: datetime, change: dict[str, Any], taken: bool):
    facts = {"kind": "purchase", "mode": "one", "reason": "x", "proposed_by": cast.admin, "proposed_at": now}
    if change.pop("replaced", False):
        change["replaces"] = rule(cast, now, mode="one")
    if who := change.pop("decided", ""):
        change |= {"decided_by": getattr(cast, who), "decided_at": now}
    assert refused(ApprovalPolicy.objects.create, **facts | change) is not taken


@db
def test_one_proposal_for_a_rule_waits(cast: Any, now: datetime):
    facts = {"kind": "purchase", "mode": "one", "reason": "x", "proposed_by": cast.admin, "proposed_at": now}
    facts |= {"change": "change", "replaces": rule(cast, now, mode="one")}
    assert not refused(ApprovalPolicy.objects.create, **facts)
    assert refused(ApprovalPolicy.objects.create, **facts)
    ended = {"state": "withdrawn", "decided_by": cast.admin, "decided_at": now}
    assert not refused(ApprovalPolicy.objects.create, **facts, **ended)


@db
@pytest.mark.parametrize(("amount", "taken"), [(None, True), (0, True), ("-0.000001", False)])
def test_budgets(cast: Any, now: datetime, amount: Any, taken: bool):
    facts = {"currency": "EUR", "month": now.date(), "set_by": cast.finance, "set_at": now, "reason": "x"}
    amount = None if amount is None else Decimal(amount)
    assert refused(Budget.objects.create, amount=amount, **facts) is not taken


@db
def test_stops(cast: Any, now: datetime):
    facts = {"reason": "x", "stopped_by": cast.admin, "stopped_at": now}
    lifted = {"lifted_by": cast.admin, "lifted_at": now}
    assert not refused(Stop.objects.create, **facts)
    assert refused(Stop.objects.create, **facts)  # a second one
    assert refused(Stop.objects.create, **facts, **lifted)  # open and lifted at once
    assert refused(Stop.objects.create, **facts, open_mark=None)  # lifted by nobody
    assert refused(Stop.objects.create, **facts, open_mark=False)
    assert not refused(Stop.objects.create, **facts, **lifted, open_mark=None)


# Guards of the services ------------------------------------------------------------------------------------------


@db
def test_what_needs_a_role_and_a_reason(cast: Any, now: datetime):
    terms = {"kind": "purchase", "country": "", "currency": "", "max_monthly": None, "max_setup": None}
    terms["mode"] = "one"
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(services.PolicyError) as told:
            services.propose_policy(actor=cast.admin, terms=terms, reason=reason, now=now)
        assert told.value.field == "reason"
    proposed = services.propose_policy(actor=cast.admin, terms=terms, reason="x" * 500, now=now)
    with pytest.raises(services.Refused):
        services.withdraw_policy(actor=cast.finance, policy=proposed, now=now)
    with pytest.raises(services.PolicyError, match="Say why"):
        services.reject_policy(actor=cast.finance, policy=proposed, reason=" ", now=now)
    services.reject_policy(actor=cast.finance, policy=proposed, reason="Not now", now=now)
    with pytest.raises(services.Overtaken, match=r"finance has decided on it already.*rejected"):
        services.withdraw_policy(actor=cast.admin, policy=proposed, now=now)
    proposed.refresh_from_db()
    assert (proposed.state, proposed.decision_reason) == ("rejected", "Not now")


@db
def test_only_a_rule_in_force_is_changed(cast: Any, now: datetime):
    old = rule(cast, now, mode="one")
    ended = services.propose_retirement(actor=cast.admin, policy=old, reason="x", now=now)
    seen = services.fingerprint_of(ended)
    services.confirm_policy(actor=cast.finance, policy=ended, fingerprint=seen, now=now)
    late = services.propose_retirement(actor=cast.admin, policy=old, reason="x", now=now)  # read before
    seen = services.fingerprint_of(ApprovalPolicy.objects.get(pk=late.pk))
    with pytest.raises(services.Overtaken, match="not in force any more"):
        services.confirm_policy(actor=cast.finance, policy=late, fingerprint=seen, now=now)
    late.refresh_from_db()
    assert late.state == "proposed"  # all or nothing
    for ended_rule in (ApprovalPolicy.objects.get(pk=old.pk), ended):
        with pytest.raises(services.Overtaken, match="not in force any more"):
            services.propose_retirement(actor=cast.admin, policy=ended_rule, reason="x", now=now)


# Two at once -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["add", "change", "retire"])
def test_of_two_who_confirm_at_once_the_second_is_told_who_was_first(
    cast: Any, now: datetime, monkeypatch: pytest.MonkeyPatch, change: str
):
    """Both have read the proposal as waiting before either writes."""
    old = rule(cast, now, mode="one") if change != "add" else None
    if change == "retire":
        proposed = services.propose_retirement(actor=cast.admin, policy=old, reason="x", now=now)
    else:
        terms = {"kind": "purchase", "country": "", "currency": "EUR", "max_monthly": None, "max_setup": None}
        terms |= {"mode": "two"}
        proposed = services.propose_policy(actor=cast.admin, terms=terms, reason="x", replaces=old, now=now)
    cast.manager2.grants.create(role="finance")
    people = [cast.finance, cast.manager2]
    seen, before = services.fingerprint_of(proposed), AuditEvent.objects.latest("pk")
    meeting, read = threading.Barrier(2), services.fingerprint_of

    def met(policy: ApprovalPolicy) -> str:
        found = read(policy)
        meeting.wait(5)
        return found

    monkeypatch.setattr(services, "fingerprint_of", met)
    results = at_once(
        *[
            lambda who=who: services.confirm_policy(
                actor=who, policy=ApprovalPolicy.objects.get(pk=proposed.pk), fingerprint=seen, now=now
            )
            for who in people
        ]
    )
    [lost] = [one for one in results if one is not None]
    first = people[results.index(None)]
    assert isinstance(lost, services.Overtaken)
    assert str(lost).startswith(f"{first.username} has decided on it already")
    confirmed, retired = ("policy.confirmed", proposed.pk), ("policy.retired", old and old.pk)
    expected = {"add": [confirmed], "change": [confirmed, retired], "retire": [retired]}[change]
    told = AuditEvent.objects.filter(pk__gt=before.pk).order_by("pk")
    assert list(told.values_list("verb", "subject_id")) == expected
    assert {event.actor for event in told} == {first.username}


@pytest.mark.django_db(transaction=True)
def test_of_two_stops_at_once_one_is_made(cast: Any, now: datetime):
    admin = cast.admin
    results = at_once(*[lambda: services.stop(actor=admin, reason="x", now=now)] * 2)
    assert sorted(type(one).__name__ for one in results) == ["Overtaken", "Stop"]
    assert AuditEvent.objects.filter(verb="orders.stopped").count() == 1
