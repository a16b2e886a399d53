"""Deciding: four eyes, exactly what was shown, and nothing when the price moved or cannot be read."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import RoleGrant
from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.services import end_number
from numbersadmin.orders import services
from numbersadmin.orders.models import Decision, Order
from numbersadmin.orders.quotes import Offer, fingerprint_of
from numbersadmin.orders.selectors import shown_fingerprint
from numbersadmin.orders.showing import look
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk, again, item_of

pytestmark = pytest.mark.django_db
TWO = (OFFER, Offer("RU", SECOND))


@pytest.fixture
def order(desk: Desk) -> Order:
    return desk.order(*TWO)


def states(order: Order) -> list[str]:
    return list(order.items.order_by("id").values_list("state", flat=True))


def dearer(sandbox: Any, number: str = NUMBER, **changed: Any) -> None:
    sandbox.api("outside", {"act": "change", "number": number, "set": changed or {"pricePerMonth": "15.5"}})


def test_an_approval_freezes_what_was_shown(desk: Desk, order: Order, sandbox: Any):
    approval = desk.approve(order, comment=" fine ")
    assert [item.state for item in approval.approved] == ["approved", "approved"]
    item = item_of(order)
    assert (item.approved_at, item.approved_price_per_month) == (desk.clock(), Decimal(15))
    assert (item.approved_setup_price, item.currency) == (Decimal(0), "EUR")
    assert item.approved_quote["price_per_month"] == "15"
    decision = Decision.objects.get()
    assert (decision.approver, decision.requester) == (desk.cast.approver, desk.cast.manager)
    assert (decision.verdict, decision.round, decision.comment) == ("approve", 1, "fine")
    assert decision.item_ids == [item.pk for item in order.items.order_by("id")]
    assert AuditEvent.objects.filter(verb="order.approved").count() == 2
    assert sandbox.acts() == []  # the worker buys, not the page


# Four eyes -------------------------------------------------------------------------------------------------------


def test_nobody_decides_on_their_own_order(desk: Desk):
    own = desk.order(actor=desk.cast.approver)
    with pytest.raises(services.OwnOrder, match="You asked for this"):
        desk.approve(own)
    with pytest.raises(services.OwnOrder):
        services.reject(actor=desk.cast.approver, order=own, comment="no", now=desk.clock())
    assert states(own) == ["pending"]
    assert desk.approve(own, actor=desk.cast.approver2).approved


def test_no_combination_of_roles_helps(desk: Desk):
    for role in ("approver", "admin", "finance"):
        RoleGrant.objects.create(user=desk.cast.manager, role=role)
    own = desk.order()
    with pytest.raises(services.OwnOrder):
        desk.approve(own, actor=type(desk.cast.manager).objects.get(pk=desk.cast.manager.pk))


def test_the_database_refuses_an_approver_who_asked(desk: Desk, order: Order):
    facts = {"order": order, "round": 1, "verdict": "approve", "item_ids": [], "fingerprint": "f"}
    who = desk.cast.approver
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(approver=who, requester=who, at=desk.clock(), **facts)


@pytest.mark.parametrize("name", ["viewer", "manager2", "finance", "admin"])
def test_only_approvers_decide(desk: Desk, order: Order, name: str):
    who = getattr(desk.cast, name)
    with pytest.raises(services.NotAllowed):
        desk.approve(order, actor=who)
    with pytest.raises(services.NotAllowed):
        services.reject(actor=who, order=order, comment="no", now=desk.clock())
    assert not Decision.objects.exists()


def test_a_disabled_approver_decides_nothing(desk: Desk, order: Order):
    desk.cast.approver.is_active = False
    with pytest.raises(services.NotAllowed):
        desk.approve(order)


# What was shown --------------------------------------------------------------------------------------------------


def test_another_round_or_fingerprint_is_out_of_date(desk: Desk, order: Order):
    for seen in ({"round": 2}, {"fingerprint": "x"}, {"fingerprint": ""}):
        with pytest.raises(services.OutOfDate):
            desk.approve(order, **seen)
    assert states(order) == ["pending", "pending"]


def test_a_second_approver_is_told_the_name_of_the_first(desk: Desk, order: Order):
    desk.approve(order)
    with pytest.raises(services.Moved, match="approver approved it on 13 Oct 2026"):
        desk.approve(order, actor=desk.cast.approver2)
    assert Decision.objects.count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"pricePerMonth": "15.5"},
        {"setupPrice": "1"},
        {"currency": "USD"},
        {"capabilities": ["VOICE"]},
        {"shared": True},
        {"type": "SHORT_CODE"},
    ],
)
def test_a_moved_quote_stops_everything(desk: Desk, order: Order, sandbox: Any, changed: dict[str, Any]):
    dearer(sandbox, **changed)
    approval = desk.approve(order)
    assert (approval.approved, approval.gone, len(approval.changed)) == ([], [], 1)
    assert states(order) == ["pending", "pending"]
    assert not Decision.objects.exists()
    order.refresh_from_db()
    assert order.round == 2
    item = item_of(order)
    assert item.changed_quote
    assert item.changed_quote != item.quote
    told = AuditEvent.objects.get(verb="item.price_changed")
    assert (told.before, told.after) == ({"quote": item.quote}, {"quote": item.changed_quote})


def test_the_new_price_can_be_approved_in_the_next_round(desk: Desk, order: Order, sandbox: Any):
    seen = {"round": order.round, "fingerprint": fingerprint(order)}
    dearer(sandbox)
    desk.approve(order)
    with pytest.raises(services.OutOfDate):  # a second click on the old page
        desk.approve(order, **seen)
    assert len(desk.approve(order).approved) == 2
    item = item_of(order)
    assert (item.approved_price_per_month, item.changed_quote) == (Decimal("15.5"), None)


def fingerprint(order: Order) -> str:
    return fingerprint_of(order.items.values_list("fingerprint", flat=True))


def test_a_price_that_became_unknown_is_never_approved(desk: Desk, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"currency": "?"}})
    with pytest.raises(services.PriceUnread, match="is not understood"):
        desk.approve(order)
    assert states(order) == ["pending", "pending"]


def test_a_smaller_first_month_is_no_change(desk: Desk, order: Order, sandbox: Any):
    sandbox.clock(desk.clock.on(86400))
    approval = desk.approve(order)
    assert len(approval.approved) == 2
    assert approval.approved[0].approved_quote["initial_month_price"] == "8.709678"


def test_what_is_gone_fails_and_the_rest_goes_on(desk: Desk, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    approval = desk.approve(order)
    assert [item.number for item in approval.gone] == [NUMBER]
    assert states(order) == ["failed", "approved"]
    assert item_of(order).failure == "gone"
    assert Decision.objects.get().item_ids == [approval.approved[0].pk]


def test_what_we_bought_elsewhere_is_told_apart_from_gone(desk: Desk, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    assert [item.failure for item in desk.approve(order).gone] == ["already_owned"]


def test_gone_and_moved_at_once_approves_nothing(desk: Desk, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    dearer(sandbox, SECOND)
    desk.approve(order)
    assert states(order) == ["failed", "pending"]
    assert not Decision.objects.exists()


@pytest.mark.parametrize("fault", ["garbage", "html", "reset"])
def test_nothing_is_decided_when_the_price_cannot_be_read(desk: Desk, order: Order, sandbox: Any, fault: str):
    sandbox.fault("list_available", fault, times=-1)
    with pytest.raises(services.PriceUnread, match="Nothing was decided"):
        desk.approve(order)
    assert states(order) == ["pending", "pending"]
    assert not Decision.objects.exists()


def test_a_busy_provider_says_when_to_try_again(desk: Desk, order: Order, sandbox: Any):
    sandbox.fault("list_available", "status", status=429, headers={"Retry-After": "7"}, times=-1)
    with pytest.raises(services.PriceUnread) as refused:
        desk.approve(order)
    assert refused.value.retry_after == 7


# Time, rejecting, withdrawing ------------------------------------------------------------------------------------


def test_what_waited_too_long_expires_when_it_is_used(desk: Desk, order: Order):
    desk.clock.on(14 * 86400)
    with pytest.raises(services.Expired):
        desk.approve(order)
    assert states(order) == ["expired", "expired"]
    assert AuditEvent.objects.filter(verb="order.expired", actor="numbersadmin").count() == 2
    with pytest.raises(services.Moved, match="its time ran out"):
        desk.approve(order)


def test_a_second_before_it_can_still_be_approved(desk: Desk, order: Order):
    desk.clock.on(14 * 86400 - 1)
    assert desk.approve(order).approved


def test_a_new_round_has_its_whole_time_again(desk: Desk, order: Order, sandbox: Any):
    desk.clock.on(13 * 86400)
    dearer(sandbox)
    desk.approve(order)
    order.refresh_from_db()
    assert order.expires_at == desk.clock() + timedelta(days=14)


def test_rejecting_needs_a_reason(desk: Desk, order: Order):
    for comment in ("", "  ", "x" * 1001):
        with pytest.raises(services.Incomplete) as refused:
            services.reject(actor=desk.cast.approver, order=order, comment=comment, now=desk.clock())
        assert refused.value.field == "comment"
    services.reject(actor=desk.cast.approver, order=order, comment="We have a spare", now=desk.clock())
    assert states(order) == ["rejected", "rejected"]
    assert Decision.objects.get().comment == "We have a spare"
    assert set(AuditEvent.objects.filter(verb="order.rejected").values_list("reason", flat=True)) == {
        "We have a spare"
    }
    with pytest.raises(services.Moved, match="approver rejected it"):
        desk.approve(order, actor=desk.cast.approver2)


def test_the_requester_withdraws(desk: Desk, order: Order):
    for who in (desk.cast.manager2, desk.cast.approver, desk.cast.viewer):
        with pytest.raises(services.NotAllowed):
            services.withdraw(actor=who, order=order, now=desk.clock())
    services.withdraw(actor=desk.cast.manager, order=order, now=desk.clock())
    assert states(order) == ["withdrawn", "withdrawn"]
    with pytest.raises(services.Moved, match="manager withdrew it"):
        desk.approve(order)


def test_an_administrator_withdraws_any_and_what_is_approved_too(desk: Desk, order: Order):
    desk.approve(order)
    services.withdraw(actor=desk.cast.admin, order=order, now=desk.clock())
    assert states(order) == ["withdrawn", "withdrawn"]


def test_what_is_bought_is_not_withdrawn(desk: Desk):
    item = desk.carry_out(desk.approved())
    with pytest.raises(services.Moved, match="recorded that it was bought"):
        services.withdraw(actor=desk.cast.manager, order=item.order, now=desk.clock())
    assert again(item).state == "done"


# Giving a number back --------------------------------------------------------------------------------------------


def test_a_cancellation_is_approved_without_asking_the_provider(desk: Desk, owned: OwnedNumber, sandbox: Any):
    order = desk.cancel(owned)
    sandbox.fault("*", "garbage", times=-1)
    assert [item.state for item in desk.approve(order).approved] == ["approved"]


def test_nobody_approves_their_own_cancellation(desk: Desk, owned: OwnedNumber):
    with pytest.raises(services.OwnOrder):
        desk.approve(desk.cancel(owned, actor=desk.cast.approver))


def test_a_number_that_ended_meanwhile_fails(desk: Desk, owned: OwnedNumber):
    order, now = desk.cancel(owned), desk.clock()
    end_number(owned=owned, basis="disappeared", ended_from=now, ended_to=now, actor=None, now=now)
    assert [item.failure for item in desk.approve(order).gone] == ["already_ended"]
    assert not Decision.objects.exists()


# Cheaper, more, and in between -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed", [{"pricePerMonth": "12.5"}, {"capabilities": ["SMS", "VOICE"]}, {"pricePerMonth": "0"}]
)
def test_what_is_no_worse_is_approved_as_it_is_now(
    desk: Desk, order: Order, sandbox: Any, changed: dict[str, Any]
):
    dearer(sandbox, **changed)
    assert len(desk.approve(order).approved) == 2
    item = item_of(order)
    assert (item.quote["price_per_month"], item.changed_quote) == ("15", None)
    told = AuditEvent.objects.get(verb="order.approved", subject_id=item.pk).after["quote"]
    assert told == item.approved_quote != item.quote
    assert item.approved_price_per_month == Decimal(changed.get("pricePerMonth", 15))


def test_an_offer_between_what_was_asked_and_what_was_shown_is_out_of_date(
    desk: Desk, order: Order, sandbox: Any
):
    """Asked at 15.00, shown at 12.00, now 14.00: not above what was asked, but not what the person saw."""
    dearer(sandbox, pricePerMonth="12")
    items = list(order.items.order_by("id"))
    look(desk.provider, order, items, now=desk.clock(), wait=5)
    seen = shown_fingerprint(order, items, desk.clock())
    dearer(sandbox, pricePerMonth="14")
    with pytest.raises(services.OutOfDate, match="has changed since you opened the page"):
        desk.approve(order, fingerprint=seen)
    assert (states(order), Decision.objects.exists()) == (["pending", "pending"], False)
    seen = shown_fingerprint(order, list(order.items.all()), desk.clock())  # of the page that says so
    assert len(desk.approve(order, fingerprint=seen).approved) == 2
    assert item_of(order).approved_price_per_month == 14
