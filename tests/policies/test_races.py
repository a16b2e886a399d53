"""Who comes second is told who was first; and the controls of test_constraints.py: without its guard each fails."""

import threading
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from numbersadmin.accounts.models import RoleGrant, User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.policies import services
from numbersadmin.policies.models import ApprovalPolicy, PolicyState, Stop
from tests.orders.test_races import at_once
from tests.policies.test_policies import USUAL, confirm, propose


@pytest.fixture
def no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules without their condition: the last one to write wins."""

    def careless(policy: ApprovalPolicy, old: PolicyState, **fields: Any) -> bool:
        return bool(ApprovalPolicy.objects.filter(pk=policy.pk).update(**fields))

    monkeypatch.setattr(services, "_move", careless)


def confirm_twice(cast: Any, now: datetime, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two from finance click at once: neither writes before both have looked at the proposal."""
    second = User.objects.create_user("finance2")
    RoleGrant.objects.create(user=second, role="finance")
    proposed, meeting, look = propose(cast, now, "two"), threading.Barrier(2), services.fingerprint_of
    seen, people = look(proposed), [cast.finance, second]

    def together(policy: ApprovalPolicy) -> str:
        meeting.wait(5)
        return look(policy)

    monkeypatch.setattr(services, "fingerprint_of", together)
    return at_once(
        *[
            lambda who=who: services.confirm_policy(
                actor=who, policy=ApprovalPolicy.objects.get(pk=proposed.pk), fingerprint=seen, now=now
            )
            for who in people
        ]
    )


@pytest.mark.django_db(transaction=True)
def test_without_the_guard_both_would_confirm(cast: Any, now: datetime, monkeypatch: Any, no_guard: None):
    assert confirm_twice(cast, now, monkeypatch) == [None, None]
    assert AuditEvent.objects.filter(verb="policy.confirmed").count() == 2


def reject_then_withdraw(cast: Any, now: datetime) -> None:
    """An administrator withdraws from a page that was opened before finance rejected (refused there)."""
    proposed = propose(cast, now)
    opened = ApprovalPolicy.objects.get(pk=proposed.pk)
    services.reject_policy(actor=cast.finance, policy=proposed, reason="Too lax", now=now)
    services.withdraw_policy(actor=cast.admin, policy=opened, now=now)


@pytest.mark.django_db
def test_without_the_guard_a_decision_would_not_stand(cast: Any, now: datetime, no_guard: None):
    reject_then_withdraw(cast, now)
    assert ApprovalPolicy.objects.get().state == "withdrawn"


def second_stop(cast: Any, now: datetime) -> None:
    services.stop(actor=cast.admin, reason="Wrong invoices", now=now)
    services.stop(actor=cast.admin, reason="Me too", now=now)


def second_change(cast: Any, now: datetime) -> None:
    rule = propose(cast, now)
    confirm(cast, rule, now)
    for mode in ("two", "one"):
        terms = {**USUAL, "mode": mode, "country": "DE"}
        services.propose_policy(actor=cast.admin, terms=terms, reason="x", replaces=rule, now=now)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (second_stop, "stopped already by admin, since 13 Oct 2026, 09:00"),
        (second_change, "by admin waits for finance already, since 13 Oct 2026, 09:00"),
    ],
)
def test_the_second_is_told_who_was_first(cast: Any, now: datetime, act: Any, said: str):
    with pytest.raises(services.Overtaken, match=said):
        act(cast, now)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("act", "index"), [(second_stop, "stop_one_at_a_time"), (second_change, "policy_one_proposal_waits")]
)
def test_without_the_constraint_both_would_come_through(cast: Any, now: datetime, act: Any, index: str):
    """The control; the test's own transaction puts the index back."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {index}")
    act(cast, now)


@pytest.mark.django_db
def test_a_stop_is_lifted_once(cast: Any, now: datetime):
    on = services.stop(actor=cast.admin, reason="Wrong invoices", now=now)
    services.lift(actor=cast.admin, stop_id=on.pk, reason="All well", now=now)
    with pytest.raises(services.Overtaken, match="admin lifted this stop already, on 13 Oct 2026, 09:00"):
        services.lift(actor=cast.admin, stop_id=on.pk, reason="Too late", now=now)
    assert Stop.objects.get().lift_reason == "All well"
    assert AuditEvent.objects.filter(verb="orders.resumed").count() == 1
