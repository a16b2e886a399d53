"""The page of one order: deciding on exactly what is shown, progress, what is unknown, who may do what."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from numbersadmin.accounts.models import RoleGrant
from numbersadmin.orders.models import Decision, Order
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk, Offer, item_of
from tests.orders.pages import fragment_stands_in_page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]
TWO = (OFFER, Offer("RU", SECOND))


@pytest.fixture
def order(desk: Desk) -> Order:
    return desk.order(reason="Order confirmations for the web shop", sender_id=True)


@pytest.fixture
def approver(provider: Any, signed_in: Any) -> Client:
    return signed_in("approver")


def at(order: Order) -> str:
    return f"/orders/{order.pk}/"


def states(order: Order) -> list[str]:
    return list(order.items.order_by("id").values_list("state", flat=True))


# What it shows ---------------------------------------------------------------------------------------------------


def test_an_approver_sees_who_asks_why_and_what_it_costs_now(approver: Client, order: Order):
    page = get(approver, at(order))
    assert page.status == 200
    for words in (
        "Buy +7 902 955 55 51?",
        "manager asked",
        "order 1 of 1 waiting for you",
        "Order confirmations for the web shop",
        "4120 Retail",
        "Wanted. Ask the Infobip account manager before it goes live.",
        "19 of 31 days, if bought today 9.19 EUR",
        "Then every month 15.00 EUR",
        "Price read at Infobip at 09:00 UTC, unchanged.",
        "Approve and buy for 15.00 EUR/month",
        "Expires 27 Oct 2026, 09:00 UTC if nobody decides",
    ):
        assert words in page.text, words


def test_hooks(approver: Client, order: Order):
    page = get(approver, at(order))
    assert page.all(data_order=str(order.pk))
    item = item_of(order)
    assert page.all(data_item=str(item.pk), data_state="pending", data_number=NUMBER)
    assert set(page.forms) == {"approve", "comment", "reject", "sign-out"}
    fields = page.fields("approve")
    assert (fields["round"], len(fields["fingerprint"][0])) == (["1"], 64)
    assert "comment" in page.fields("reject")


def test_the_requester_may_withdraw_and_not_decide(desk: Desk, order: Order, signed_in: Any, cast: Any):
    assert cast.approver
    page = get(signed_in("manager"), at(order))
    assert set(page.forms) == {"comment", "withdraw", "sign-out"}
    assert "Your role does not approve orders. approver can." in page.text


def test_ones_own_order_cannot_be_approved_and_says_who_can(
    desk: Desk, signed_in: Any, cast: Any, provider: Any
):
    assert cast.approver2
    own = desk.order(actor=cast.approver)
    client = signed_in("approver")
    page = get(client, at(own))
    assert "Someone else must approve this You asked for it, so you cannot approve it. approver2 can." in (
        page.text
    )
    assert "approve" not in page.forms
    assert page.all("disabled", type="button")
    seen = get(signed_in("approver2"), at(own)).fields("approve")
    answer = client.post(f"{at(own)}approve/", seen)
    assert answer.status_code == 403
    assert "Another approver has to" in answer.content.decode()
    rejected = client.post(f"{at(own)}reject/", {"comment": "no"})
    assert rejected.status_code == 403
    assert states(own) == ["pending"]
    assert not Decision.objects.exists()


def test_four_eyes_bind_the_person_whatever_roles_they_hold(desk: Desk, order: Order, signed_in: Any):
    RoleGrant.objects.create(user=desk.cast.manager, role="approver")
    seen = get(signed_in("approver"), at(order)).fields("approve")
    assert signed_in("manager").post(f"{at(order)}approve/", seen).status_code == 403
    assert states(order) == ["pending"]


# Progress and outcome --------------------------------------------------------------------------------------------


def test_progress_is_shown_by_a_fragment_that_asks_again_until_it_is_over(
    approver: Client, desk: Desk, order: Order
):
    two = desk.order(Offer("RU", SECOND))
    desk.approve(two)
    fragment = fragment_stands_in_page(approver, at(two))
    assert 'hx-trigger="every 2s"' in fragment
    assert f'hx-get="{at(two)}"' in fragment
    assert '<noscript><meta http-equiv="refresh"' in get(approver, at(two)).html
    desk.carry_out(item_of(two))
    over = approver.get(at(two), headers={"HX-Request": "true"})
    assert over.headers["HX-Retarget"] == "#main"
    assert over.headers["HX-Reselect"] == "#main"
    assert "hx-trigger" not in over.content.decode()
    assert "<noscript><meta" not in over.content.decode()


def test_an_order_that_waits_does_not_ask_again(approver: Client, order: Order):
    fragment = fragment_stands_in_page(approver, at(order))
    assert "hx-trigger" not in fragment


def test_asking_for_the_fragment_does_not_ask_the_provider(approver: Client, order: Order, sandbox: Any):
    seen = len(sandbox.requests("list_available"))
    approver.get(at(order), headers={"HX-Request": "true"})
    assert len(sandbox.requests("list_available")) == seen


def test_an_unknown_outcome_is_told_as_such(approver: Client, desk: Desk, sandbox: Any):
    sandbox.fault("purchase", "drop", act=False)
    item = desk.carry_out(desk.approved())
    page = get(approver, at(item.order))
    assert page.all(data_item=str(item.pk), data_state="unknown")
    assert "We do not know whether +7 902 955 55 51 was bought" in page.text
    assert (
        "it may or may not have gone through. We will not send it again: that could buy twice." in page.text
    )
    assert "We sent the purchase at 09:00:00" in page.text
    assert "1 09:00:00 Not listed Still for sale" in page.text
    assert "Cost if it was bought" in page.text
    assert "Not counted in any report until we know" in page.text
    assert 'hx-trigger="every 10s"' in page.html
    assert set(page.forms) == {"comment", "sign-out"}, "nobody sends it again"


def test_what_was_not_bought_can_be_ordered_again(approver: Client, desk: Desk, sandbox: Any):
    sandbox.fault("purchase", "drop", act=False)
    item = desk.carry_out(desk.approved())
    desk.clock.on(120)
    desk.sweep(at_once=True)
    page = get(approver, at(item.order))
    assert page.all(data_state="failed")
    assert "It was not bought" in page.text
    assert page.all(data_action="order-again", href=f"/orders/new/?offer=RU-{NUMBER}")


def test_a_number_lost_to_somebody_else_leads_to_similar_ones(approver: Client, desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    desk.carry_out(item)
    page = get(approver, at(item.order))
    assert "No longer available" in page.text
    assert page.all(href=f"/orders/{item.order_id}/similar/{item.pk}/")


def test_several_items_each_have_their_own_state(approver: Client, desk: Desk):
    order = desk.order(*TWO)
    page = get(approver, at(order))
    assert "Approve and buy 2 numbers for 30.00 EUR/month" in page.text
    page.send(approver, "approve")
    desk.carry_out(item_of(order))
    half = get(approver, at(order))
    assert [row["data-state"] for row in half.all("data-item")] == ["done", "approved"]
    assert "1 of 2 done" in half.text


def test_the_queries_of_a_page_do_not_depend_on_its_items(
    approver: Client, desk: Desk, sandbox: Any, django_assert_num_queries: Any
):
    one = desk.approved()
    numbers = [f"7902955{n}" for n in range(6000, 6010)]
    sandbox.stock(available=[{"number": number, "country": "RU"} for number in numbers])
    ten = desk.approved(*(Offer("RU", number) for number in numbers))
    get(approver, at(one.order))
    with CaptureQueriesContext(
        connection,
    ) as few:
        get(approver, at(one.order))
    with django_assert_num_queries(len(few)):
        get(approver, at(ten.order))


# Who may look ----------------------------------------------------------------------------------------------------


def test_everyone_may_look_and_strangers_sign_in(order: Order, signed_in: Any, client: Client, provider: Any):
    for name in ("viewer", "manager2", "finance", "admin"):
        page = get(signed_in(name), at(order))
        assert page.status == 200
        assert not {"approve", "reject", "reprice"} & set(page.forms)
    assert client.get(at(order)).status_code == 302
