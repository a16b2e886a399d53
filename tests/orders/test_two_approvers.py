"""Orders that two approvers decide: two persons, one round, and nobody lost when both decide at once."""

import itertools
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import RoleGrant, User
from numbersadmin.orders import services
from numbersadmin.orders.models import Decision, Order, Role
from numbersadmin.orders.selectors import shown_fingerprint
from numbersadmin.orders.standing import standing_of, waiting_for
from tests.orders.desk import NUMBER, Desk, item_of, rule
from tests.orders.test_races import at_once, no_guard

__all__ = ["no_guard"]
db = pytest.mark.django_db


def ordered(desk: Desk) -> Order:
    rule(desk.cast, desk.clock(), mode="two")
    order = desk.order()
    assert (order.mode, order.approvals_needed) == ("two", 2)
    return order


@db
def test_the_first_agrees_and_the_second_sets_it_off(desk: Desk, bought_here: Any):
    order = ordered(desk)
    assert [item.state for item in desk.approve(order).agreed] == ["pending"]
    desk.sweep()
    assert bought_here() == []
    assert desk.approve(order, actor=desk.cast.approver2).approved
    desk.sweep()
    assert bought_here() == [NUMBER]
    assert order.decisions.values("approver").distinct().count() == 2


@db
def test_one_person_is_not_two(desk: Desk):
    order = ordered(desk)
    RoleGrant.objects.create(user=desk.cast.approver, role="finance")
    both = User.objects.get(pk=desk.cast.approver.pk)
    desk.approve(order, actor=both)
    with pytest.raises(services.Moved, match="You have decided on order"):
        desk.approve(order, actor=both)
    assert item_of(order).state == "pending"
    assert order not in waiting_for(both)
    assert order in waiting_for(desk.cast.approver2)


@db
def test_the_database_refuses_a_second_decision_of_one_person_and_the_requesters(desk: Desk):
    order = ordered(desk)
    desk.approve(order)
    told = Decision.objects.get()
    for approver in (told.approver, desk.cast.manager):
        facts = {"order": order, "round": 1, "approver": approver, "requester": desk.cast.manager}
        more = {"verdict": "approve", "item_ids": [], "fingerprint": "x", "at": desk.clock()}
        with pytest.raises(IntegrityError), transaction.atomic():
            Decision.objects.create(**facts, **more)


@db
def test_a_worse_offer_voids_the_first_approval(desk: Desk, sandbox: Any):
    order = ordered(desk)
    desk.approve(order)
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"pricePerMonth": "16"}})
    assert desk.approve(order, actor=desk.cast.approver2).changed
    assert desk.approve(order, actor=desk.cast.approver2).agreed  # the new price has one approval now
    assert desk.approve(order).approved


def approve_at_once(desk: Desk, sandbox: Any, order: Order) -> list[Any]:
    seen = shown_fingerprint(order, list(order.items.all()), desk.clock())
    people = [desk.cast.approver, desk.cast.approver2]
    sandbox.fault("list_available", "delay", seconds=0.15, times=2)
    facts = {"provider": desk.provider, "round": 1, "fingerprint": seen, "comment": "", "now": desk.clock()}
    return at_once(
        *[
            lambda who=who: services.approve(actor=who, order=Order.objects.get(pk=order.pk), **facts)
            for who in people
        ]
    )


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_counted_one_after_the_other(desk: Desk, sandbox: Any):
    order = ordered(desk)
    results = approve_at_once(desk, sandbox, order)
    [lost] = [one for one in results if isinstance(one, services.Moved)]
    first = order.decisions.get().approver
    assert str(lost).startswith(f"{first.username} approved it on")
    second = desk.cast.approver2 if first == desk.cast.approver else desk.cast.approver
    assert desk.approve(order, actor=second).approved


@pytest.mark.django_db(transaction=True)
def test_without_the_guard_nobody_is_told(desk: Desk, sandbox: Any, no_guard: None):
    """The control: both come through; on PostgreSQL each may count itself the first, and then nobody is asked."""
    order = ordered(desk)
    results = approve_at_once(desk, sandbox, order)
    assert [one for one in results if isinstance(one, services.Moved)] == []
    assert order.decisions.count() == 2


@db
def test_who_waits_for_whom_is_the_same_as_a_query(desk: Desk):
    """`waiting_for` in the database and `Standing.role_for` in Python, over every way an order can stand."""
    order = desk.order()
    RoleGrant.objects.create(user=desk.cast.approver2, role="finance")  # one person with both roles
    RoleGrant.objects.create(user=desk.cast.manager, role="approver")  # and a requester who might
    people = [User.objects.get(pk=getattr(desk.cast, name).pk) for name in desk.cast.ROLES]
    words = [
        (),
        ("approver",),
        ("approver2",),
        ("finance",),
        ("approver", "finance"),
        ("approver", "approver2"),
    ]
    verdicts = [("approve", 0), ("reject", 0), ("approve", 1)]  # of this round, or of the one before
    stands = [(0, True), (0, False), (1, False), (1, True), (2, False), (2, True)]
    ways = [
        *itertools.product(stands, words, verdicts[:1]),
        *itertools.product(stands[3:], words[1:], verdicts[1:]),
    ]
    for count, (stand, who, verdict) in enumerate(ways):
        values = {"approvals_needed": stand[0], "finance_needed": stand[1], "round": 2 * count + 2}
        Order.objects.filter(pk=order.pk).update(**values)
        for name in who:
            Decision.objects.create(
                order=order,
                round=2 * count + 2 - verdict[1],
                approver=getattr(desk.cast, name),
                requester=order.requester,
                role=Role.FINANCE if name == "finance" else Role.APPROVER,
                verdict=verdict[0],
                item_ids=[],
                fingerprint="x",
                at=desk.clock(),
            )
        order.refresh_from_db()
        standing = standing_of(order, order.decisions.all())
        for person in people:
            may = standing.role_for(person, order.requester_id) is not None
            assert waiting_for(person).exists() == may, (stand, who, verdict, person)
