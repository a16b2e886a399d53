"""The lists of orders, and what other parts ask about what is under way."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import selectors, services
from numbersadmin.orders.quotes import Offer
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk

pytestmark = pytest.mark.django_db
OTHER = Offer("RU", SECOND)


def rows(viewer: User, tab: str, **given: Any) -> list[tuple[int, str]]:
    page = selectors.order_rows(viewer=viewer, tab=tab, **given)
    return [(row.order.pk, row.look) for row in page.object_list]


def test_each_order_is_under_its_tabs(desk: Desk, sandbox: Any):
    waiting = desk.order(OFFER)
    done = desk.carry_out(desk.approved(OTHER)).order
    viewer, manager = desk.cast.viewer, desk.cast.manager
    assert rows(viewer, "waiting") == [(waiting.pk, "pending")]
    assert rows(viewer, "done") == [(done.pk, "done")]
    assert rows(viewer, "mine") == rows(viewer, "approved") == rows(viewer, "rejected") == []
    assert rows(viewer, "all") == rows(manager, "mine") == [(done.pk, "done"), (waiting.pk, "pending")]
    services.reject(actor=desk.cast.approver, order=waiting, comment="no", now=desk.clock())
    assert rows(viewer, "rejected") == [(waiting.pk, "rejected")]


def test_an_unknown_outcome_needs_somebody(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    desk.carry_out(item)
    for tab in ("waiting", "approved"):
        assert rows(desk.cast.viewer, tab) == [(item.order_id, "unknown")]


def test_the_queue_is_oldest_first_and_own_orders_say_so(desk: Desk):
    first = desk.order(OFFER)
    desk.clock.on(60)
    own = desk.order(OTHER, actor=desk.cast.approver)
    assert rows(desk.cast.approver, "waiting") == [(first.pk, "pending"), (own.pk, "other_approver")]
    page = selectors.order_rows(viewer=desk.cast.approver, tab="waiting")
    assert [row.may_decide for row in page.object_list] == [True, False]
    assert list(selectors.waiting_for(desk.cast.approver)) == [first]
    assert list(selectors.waiting_for(desk.cast.manager)) == []


def test_a_moved_price_shows_in_the_list(desk: Desk, sandbox: Any):
    order = desk.order(OFFER, OTHER)
    sandbox.api("outside", {"act": "change", "number": SECOND, "set": {"pricePerMonth": "16"}})
    desk.approve(order)
    assert rows(desk.cast.viewer, "waiting") == [(order.pk, "price_changed")]


def test_a_row_holds_what_the_list_shows(desk: Desk):
    order = desk.order(OFFER, OTHER)
    [row] = selectors.order_rows(viewer=desk.cast.viewer, tab="all").object_list
    assert (row.first.number, row.more) == (NUMBER, 1)
    assert dict(row.costs.per_month) == {"EUR": 30}
    assert (row.order.requester.username, row.decision) == ("manager", None)
    desk.approve(order)
    [row] = selectors.order_rows(viewer=desk.cast.viewer, tab="all").object_list
    assert row.decision.approver == desk.cast.approver
    assert selectors.decided_since(desk.clock()) == [row.decision]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("+79029555551", True),
        ("7902 955", True),
        ("confirmations", True),
        ("RETAIL", True),
        ("manager", True),
        ("4420", False),
        ("nothing like it", False),
        ("9" * 60, False),
        ("%", False),
        ("²", False),
        ("٣", False),
    ],
)
def test_orders_are_found_by_number_and_words(desk: Desk, words: str, found: bool):
    desk.order()
    assert bool(rows(desk.cast.viewer, "all", q=words)) is found


def test_an_order_is_found_by_its_own_number(desk: Desk):
    order = desk.order()
    assert rows(desk.cast.viewer, "all", q=str(order.pk)) == [(order.pk, "pending")]


def test_page_numbers_that_do_not_exist_are_the_nearest(desk: Desk):
    desk.order(OFFER)
    desk.order(OTHER)
    for page in ("x", "-1", "0", "99999999999999999999"):
        assert len(rows(desk.cast.viewer, "all", page=page, per_page=1)) == 1


def test_the_number_of_queries_does_not_grow(desk: Desk):
    desk.order(OFFER)
    with CaptureQueriesContext(connection) as one:
        rows(User.objects.get(username="manager"), "all")
    desk.order(OTHER)
    with CaptureQueriesContext(connection) as two:
        rows(User.objects.get(username="manager"), "all")
    assert len(one) == len(two) <= 7


def test_what_is_under_way_is_told_by_number(desk: Desk, owned: OwnedNumber):
    order, cancel = desk.order(), desk.cancel(owned)
    assert selectors.live_purchases([OFFER, OTHER, Offer("KZ", NUMBER)]) == {OFFER.ref: order.pk}
    assert selectors.live_cancels([owned.pk, 0]) == {owned.pk: cancel.pk}
    services.withdraw(actor=desk.cast.manager, order=order, now=desk.clock())
    services.withdraw(actor=desk.cast.manager, order=cancel, now=desk.clock())
    assert selectors.live_purchases([OFFER]) == {}
    assert selectors.live_cancels([owned.pk]) == {}


def test_counts_of_the_tabs(desk: Desk):
    desk.order(OFFER)
    desk.order(OTHER, actor=desk.cast.manager2)
    assert selectors.tab_counts(desk.cast.manager) == {"waiting": 2, "mine": 1}
