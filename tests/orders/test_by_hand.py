"""Unknown outcomes that looking does not find out: one person says what it was, another one confirms."""

from typing import Any

import pytest

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import services
from numbersadmin.orders.models import OrderItem, Resolution
from tests.orders.desk import NUMBER, Desk, again
from tests.orders.pages import get
from tests.orders.test_races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(desk: Desk, sandbox: Any) -> OrderItem:
    """A purchase that was lost and cannot be found: ten looks got no answer."""
    approved = desk.approved()
    sandbox.fault("purchase", "drop")
    sandbox.fault("list_owned", "garbage", times=-1)
    lost = desk.carry_out(approved)
    for _ in range(9):
        desk.sweep(at_once=True)
    assert len(lost.attempts.get().evidence) == 10
    return again(lost)


def say(desk: Desk, item: OrderItem, done: bool = True, **given: Any) -> Resolution:
    facts = {"actor": desk.cast.admin, "evidence": "Ticket 88213", "now": desk.clock()}
    return services.propose_outcome(item=item, done=done, **facts | given)


def test_nothing_changes_until_another_person_confirms(desk: Desk, item: OrderItem, sandbox: Any):
    said = say(desk, item, number_key="PORTAL1")
    assert again(item).state == "unknown"
    services.confirm_outcome(actor=desk.cast.finance, resolution=said, now=desk.clock())
    done = again(item)
    owned = OwnedNumber.objects.get()
    assert (done.state, done.note, done.owned_number) == ("done", "by_hand", owned)
    assert (owned.number, owned.number_key) == (NUMBER, "PORTAL1")
    assert len(sandbox.requests("purchase")) == 1


def test_it_was_not_bought(desk: Desk, item: OrderItem):
    services.confirm_outcome(
        actor=desk.cast.approver2, resolution=say(desk, item, done=False), now=desk.clock()
    )
    assert (again(item).state, again(item).failure) == ("failed", "said_not_bought")
    assert not OwnedNumber.objects.exists()


def test_what_turns_up_later_all_the_same_is_adopted(desk: Desk, item: OrderItem, sandbox: Any):
    services.confirm_outcome(
        actor=desk.cast.approver2, resolution=say(desk, item, done=False), now=desk.clock()
    )
    sandbox.api("faults", method="DELETE")
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    listed = desk.provider.list_owned(number=NUMBER, caller="worker").numbers
    assert services.adopt(appeared=[(one, None) for one in listed], now=desk.clock())
    assert (again(item).state, again(item).note) == ("done", "adopted")


def test_only_an_administrator_says_it_and_with_evidence(desk: Desk, item: OrderItem):
    for name in ("manager", "approver", "finance", "viewer"):
        with pytest.raises(services.NotAllowed):
            say(desk, item, actor=getattr(desk.cast, name))
    with pytest.raises(services.Incomplete, match="Say how you know"):
        say(desk, item, evidence=" ")
    say(desk, item)
    with pytest.raises(services.Moved):
        say(desk, item, done=False)


def test_not_while_it_is_still_being_looked_for(desk: Desk, item: OrderItem):
    attempt = item.attempts.get()
    attempt.evidence = attempt.evidence[:9]
    attempt.save()
    with pytest.raises(services.NotAllowed, match="still being looked for"):
        say(desk, item)


def test_the_second_person_is_another_one_and_may_refuse(desk: Desk, item: OrderItem):
    said = say(desk, item)
    for name in ("admin", "manager", "viewer"):
        with pytest.raises(services.NotAllowed):
            services.confirm_outcome(actor=getattr(desk.cast, name), resolution=said, now=desk.clock())
    services.refuse_outcome(actor=desk.cast.finance, resolution=said, reason="Not there", now=desk.clock())
    assert again(item).state == "unknown"
    with pytest.raises(services.Moved):
        services.confirm_outcome(actor=desk.cast.finance, resolution=said, now=desk.clock())
    say(desk, item)  # it can be said anew


def test_what_the_program_finds_meanwhile_counts(desk: Desk, item: OrderItem, sandbox: Any):
    said = say(desk, item)
    sandbox.api("faults", method="DELETE")
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    desk.sweep(at_once=True)
    assert again(item).state == "done"
    with pytest.raises(services.Moved):
        services.confirm_outcome(actor=desk.cast.finance, resolution=said, now=desk.clock())


@pytest.mark.django_db(transaction=True)
def test_of_two_confirmations_one_counts(desk: Desk, item: OrderItem):
    said = say(desk, item)
    people = [desk.cast.finance, desk.cast.approver]
    now = desk.clock()
    results = at_once(
        *[
            lambda who=who: services.confirm_outcome(
                actor=who, resolution=Resolution.objects.get(pk=said.pk), now=now
            )
            for who in people
        ]
    )
    assert sorted(type(one).__name__ for one in results) == ["Moved", "NoneType"]
    assert OwnedNumber.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_say_it_at_once_one_is_heard(desk: Desk, item: OrderItem):
    admin, now = desk.cast.admin, desk.clock()
    facts = {"actor": admin, "evidence": "Ticket 88213", "now": now}
    results = at_once(
        *[
            lambda done=done: services.propose_outcome(
                item=OrderItem.objects.get(pk=item.pk), done=done, **facts
            )
            for done in (True, False)
        ]
    )
    assert sorted(type(one).__name__ for one in results) == ["Moved", "Resolution"]


@pytest.mark.parametrize(
    ("done", "state", "failure", "status"),
    [(True, "done", "", "ended"), (False, "failed", "said_not_cancelled", "owned")],
)
def test_a_cancellation(
    desk: Desk, owned: OwnedNumber, sandbox: Any, done: bool, state: str, failure: str, status: str
):
    cancelling = desk.approved_cancel(owned)
    sandbox.fault("cancel", "drop")
    sandbox.fault("get", "garbage", skip=1, times=-1)
    lost = desk.carry_out(cancelling)
    for _ in range(9):
        desk.sweep(at_once=True)
    said = say(desk, again(lost), done=done)
    services.confirm_outcome(actor=desk.cast.finance, resolution=said, now=desk.clock())
    after = again(lost)
    assert (after.state, after.failure, after.owned_number.status) == (state, failure, status)
    assert len(sandbox.requests("cancel")) == 1


def test_the_pages(desk: Desk, item: OrderItem, signed_in: Any, today: None):
    admin, finance = signed_in("admin"), signed_in("finance")
    at = f"/orders/{item.order_id}/"
    page = get(admin, at)
    assert "Decide by hand" in page.text
    assert page.send(admin, "decide-outcome", done="yes", evidence="").status_code == 422
    assert page.send(admin, "decide-outcome", done="yes", evidence="Ticket 88213").status_code == 302
    assert "Another person has to confirm it" in get(admin, at).text
    page = get(finance, at)
    assert "Ticket 88213" in page.text
    assert page.send(finance, "confirm-outcome", agree="no", reason="").status_code == 422
    assert page.send(finance, "confirm-outcome", agree="yes").status_code == 302
    assert again(item).state == "done"
    assert signed_in("manager").post(f"{at}items/{item.pk}/outcome/").status_code == 403
