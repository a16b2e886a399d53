"""What the page of one order is told: money, states, why nobody knows, and who may do what."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import services
from numbersadmin.orders.card import decision_card
from numbersadmin.orders.detail import OrderPage, order_page
from numbersadmin.orders.models import Order
from numbersadmin.orders.quotes import Offer
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk

pytestmark = pytest.mark.django_db
TWO = (OFFER, Offer("RU", SECOND))


@pytest.fixture
def approvers(desk: Desk) -> list[User]:
    """Both approvers are there."""
    return [desk.cast.approver, desk.cast.approver2]


def page_of(order: Order, viewer: Any, desk: Desk) -> OrderPage:
    page = order_page(order_id=order.pk, viewer=viewer, now=desk.clock())
    assert page is not None
    return page


def told(page: OrderPage) -> list[str]:
    return [f"{entry.who} {entry.text}".strip() for entry in page.timeline]


def test_there_may_be_no_such_order(desk: Desk):
    assert order_page(order_id=10**9, viewer=desk.cast.viewer, now=desk.clock()) is None


def test_an_approver_sees_what_waits_and_what_it_costs(desk: Desk, approvers: list[User]):
    order = desk.order(*TWO)
    page = page_of(order, desk.cast.approver, desk)
    assert (page.look, page.total, page.counts) == ("pending", 2, {"pending": 2})
    assert dict(page.costs.due_now) == {"EUR": Decimal("18.387098")}
    assert dict(page.costs.per_month) == {"EUR": Decimal(30)}
    assert dict(page.costs.year) == {"EUR": Decimal(360)}
    assert page.costs.share == (19, 31)
    assert (page.may_decide, page.why_not, page.may_withdraw) == (True, "", False)
    assert [person.username for person in page.deciders] == ["approver", "approver2"]
    assert (page.place, page.waiting, page.previous_id, page.next_id) == (1, 1, None, None)
    assert (page.round, page.expires_at) == (1, desk.clock() + timedelta(days=14))
    assert told(page) == [
        "manager asked for 2 numbers",
        "Your decision",
        "Price checked once more, then bought from Infobip",
    ]
    assert page.timeline[0].quote == "Order confirmations"
    seen = decision_card(page, provider=None, now=desk.clock()).fingerprint
    assert desk.approve(order, round=page.round, fingerprint=seen).approved


def test_who_asked_is_told_who_can_approve(desk: Desk, approvers: list[User]):
    order = desk.order(actor=desk.cast.approver)
    page = page_of(order, desk.cast.approver, desk)
    assert (page.look, page.may_decide, page.may_withdraw) == ("other_approver", False, True)
    assert page.why_not == "You asked for it, so you cannot approve it. approver2 can."
    assert told(page)[:2] == ["You asked for the number", "Decision by another person"]


def test_nobody_else_who_can_approve_is_said(desk: Desk):
    page = page_of(desk.order(actor=desk.cast.approver), desk.cast.approver, desk)
    assert "nobody else yet" in page.why_not


def test_who_cannot_approve_is_told_why(desk: Desk, approvers: list[User]):
    page = page_of(desk.order(), desk.cast.manager, desk)
    assert page.why_not == "Your role does not approve orders. approver or approver2 can."
    assert (page.may_decide, page.may_withdraw) == (False, True)
    assert page_of(page.order, desk.cast.viewer, desk).may_withdraw is False
    assert page_of(page.order, desk.cast.admin, desk).may_withdraw is True


def test_the_queue_has_a_way_to_the_next_and_the_previous(desk: Desk):
    first, second = desk.order(OFFER), desk.order(TWO[1])
    page = page_of(first, desk.cast.approver, desk)
    assert (page.place, page.waiting, page.previous_id, page.next_id) == (1, 2, None, second.pk)
    page = page_of(second, desk.cast.approver, desk)
    assert (page.place, page.waiting, page.previous_id, page.next_id) == (2, 2, first.pk, None)
    assert page_of(second, desk.cast.manager, desk).place is None


def test_a_moved_price_is_shown_then_and_now(desk: Desk, sandbox: Any):
    item = desk.approved()
    desk.clock.on(86399)
    sandbox.clock(desk.clock())
    changed = {"pricePerMonth": "18.5", "capabilities": ["SMS", "VOICE"]}
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": changed})
    desk.carry_out(item)
    page = page_of(item.order, desk.cast.approver, desk)
    view = page.first
    assert (page.look, view.look, page.changed) == ("price_changed", "price_changed", [view])
    assert (view.then_was, view.then_at) == ("approved", desk.clock() - timedelta(seconds=86399))
    setup, month, monthly = view.lines
    assert (setup.was, setup.now, setup.difference) == (Decimal(0), Decimal(0), Decimal(0))
    assert (month.was_share, month.now_share) == ((19, 31), (18, 31))
    assert (monthly.was, monthly.now, monthly.difference) == (Decimal(15), Decimal("18.5"), Decimal("3.5"))
    assert [(change.name, change.was, change.now) for change in view.changes] == [
        ("Can do", "SMS", "SMS, VOICE")
    ]
    assert "Price check: 18.50\u00a0EUR per month. Stopped before buying" in told(page)
    assert dict(page.costs.per_month) == {"EUR": Decimal("18.5")}
    assert page.round == 2


def test_another_currency_has_no_difference(desk: Desk, sandbox: Any):
    order = desk.order()
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"currency": "USD"}})
    desk.approve(order)
    view = page_of(order, desk.cast.approver, desk).first
    assert (view.then_was, view.approved) == ("asked", None)
    assert [line.difference for line in view.lines] == [None, None, None]
    assert (view.lines[2].was_currency, view.lines[2].now_currency) == ("EUR", "USD")


def test_an_unknown_outcome_tells_what_is_known(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "hang")
    desk.carry_out(item)
    sandbox.fault("list_owned", "garbage")
    sent = desk.clock()
    desk.clock.on(60)
    desk.sweep()
    page = page_of(item.order, desk.cast.manager, desk)
    assert (page.look, page.working, page.next_refresh, page.progress.settled) == ("unknown", True, 10, 0)
    [view] = page.unknown
    facts = view.unknown
    assert (facts.sent_at, facts.why) == (sent, "Infobip did not answer in time")
    assert [(look.index, look.owned, look.for_sale) for look in facts.looks] == [
        (2, "no_answer", "no_answer"),
        (1, "no", "yes"),
    ]
    assert (facts.last_look, facts.next_look) == (desk.clock(), desk.clock() + timedelta(seconds=60))
    assert told(page)[-1] == "Found, or proved not to have happened"
    assert (view.again_ref, page.may_withdraw) == ("", False)


def test_progress_counts_what_is_over(desk: Desk, sandbox: Any):
    order = desk.order(*TWO)
    desk.approve(order)
    page = page_of(order, desk.cast.manager, desk)
    assert (page.working, page.next_refresh, page.progress.settled, page.total) == (True, 2, 0, 2)
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    desk.sweep()
    page = page_of(order, desk.cast.manager, desk)
    assert (page.working, page.progress.settled, page.counts) == (False, 2, {"failed": 1, "done": 1})
    gone, bought = page.items
    assert (gone.look, gone.again_ref) == ("gone", OFFER.ref)
    assert gone.happened == "Somebody else bought it first. Nothing was charged."
    assert bought.happened == "Confirmed by Infobip at 09:00:00"
    assert bought.item.owned_number is not None
    assert dict(page.costs.per_month) == {"EUR": Decimal(15)}  # of what was bought


def test_a_failed_cancellation_can_be_asked_for_again(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "status", status=403)
    desk.carry_out(item)
    view = page_of(item.order, desk.cast.manager, desk).first
    assert (view.cancel_again_id, view.again_ref, view.lines) == (owned.pk, "", [])
    assert view.happened.startswith("Infobip refused our sign-in. Nothing was done.")


@pytest.mark.parametrize("end", ["rejected", "withdrawn", "expired"])
def test_what_is_over_still_tells_what_was_asked(desk: Desk, end: str):
    order, now = desk.order(), desk.clock()
    if end == "rejected":
        services.reject(actor=desk.cast.approver, order=order, comment="No", now=now)
    elif end == "withdrawn":
        services.withdraw(actor=desk.cast.manager, order=order, now=now)
    else:
        desk.clock.on(15 * 86400)
        desk.sweep()
    page = page_of(order, desk.cast.approver, desk)
    assert (page.look, page.may_decide, page.why_not, page.expires_at) == (end, False, "", None)
    assert dict(page.costs.per_month) == {"EUR": Decimal(15)}
    assert len(page.timeline) == 2


def test_the_number_of_queries_does_not_grow(desk: Desk, sandbox: Any):
    sandbox.stock(available=[{"number": f"4930{index}", "country": "DE"} for index in range(100, 118)])
    small = desk.order(OFFER)
    offers = [Offer("DE", f"4930{index}") for index in range(100, 118)]
    large = desk.order(*offers)
    for order in (small, large):
        desk.approve(order)
    desk.sweep()
    counts = []
    for order in (small, large):
        viewer = type(desk.cast.viewer).objects.get(username="viewer")
        with CaptureQueriesContext(connection) as queries:
            page = page_of(order, viewer, desk)
            [entry.text for entry in page.timeline]
            [view.item.owned_number.number for view in page.items]
        counts.append(len(queries))
    assert page.total == 18
    assert counts[0] == counts[1] <= 10
