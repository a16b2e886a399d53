"""Ordering the first so many that fit: what is gathered, what it costs, and that only what was shown is ordered."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders.models import Kind, Order, OrderItem
from tests.orders.pages import Page, get

pytestmark = pytest.mark.django_db
RU = [f"790295555{n:02}" for n in range(25)]
FIRST = "/available/order/?country=RU&count="


@pytest.fixture
def manager(signed_in: Any) -> Client:
    return signed_in("manager")


@pytest.fixture
def reason(manager: Client, shop: Any) -> Page:
    """The page that asks why, reached with the first three Russian numbers."""
    return Page(get(manager, f"{FIRST}3").send(manager, "order-first"))


def numbers(page: Page) -> list[str]:
    """The rows of the table."""
    return [row["data-number"] for row in page.all("data-number")]


def calls(shop: Any) -> int:
    return len(shop.requests("list_available"))


def goes_on(page: Page) -> bool:
    """Does the page ask for itself again?"""
    return bool(page.all(http_equiv="refresh", content="2"))


# What is gathered ------------------------------------------------------------------------------------------------


def test_the_search_leads_there_with_its_filters(look, shop, manager: Client):
    [link] = [tag for tag in get(manager, "/available/?country=RU&digits=55&sort=price").all("href")
              if tag["href"].startswith("/available/order/")]  # fmt: skip
    page = get(manager, link["href"])
    assert page.fields("count")["country"] == ["RU"]
    assert numbers(page) == RU[:20]  # as many as the search had found so far
    assert "/available/order/" not in look("country=RU", "viewer").html


def test_the_first_so_many_in_the_order_of_the_list_with_exact_sums(manager: Client, shop: Any):
    page = get(manager, f"{FIRST}3")
    assert numbers(page) == RU[:3]
    assert "The first 3 numbers that fit" in page.text
    assert "Then every month 33.00 EUR" in page.text
    assert "396.00 EUR over 12 months" in page.text
    assert "Cheapest 10.00 EUR, dearest 12.00 EUR per month" in page.text
    assert "Go on with 3 numbers" in page.text
    assert calls(shop) == 1


def test_currencies_are_never_added(manager: Client, shop: Any):
    page = get(manager, "/available/order/?capabilities=VOICE&count=2")
    assert "Then every month 5.00 EUR" in page.text
    assert "Then every month 4.50 GBP" in page.text


def test_a_call_for_each_page_and_none_when_it_was_just_read(manager: Client, shop: Any):
    get(manager, f"{FIRST}25")
    assert calls(shop) == 3
    assert len(numbers(get(manager, f"{FIRST}25"))) == 25
    assert calls(shop) == 3


def test_our_own_filters_read_as_far_as_is_needed(manager: Client, shop: Any):
    page = get(manager, "/available/order/?country=RU&digits=2&match=ends&count=2")
    assert (numbers(page), calls(shop)) == (["79029555502", "79029555512"], 2)


def test_what_cannot_be_had_is_passed_over_and_named(
    manager: Client, shop: Any, own_one: Any, cast: Any, now: Any
):
    own_one(RU[0], "RU")
    shop.api("outside", {"act": "change", "number": RU[1], "set": {"pricePerMonth": "much"}})
    facts = {
        "requester": cast.manager2,
        "reason": "x",
        "form_token": "t",
        "created_at": now,
        "expires_at": now,
    }
    order = Order.objects.create(kind=Kind.PURCHASE, **facts)
    OrderItem.objects.create(
        order=order, kind=Kind.PURCHASE, number=RU[2], number_key="K", country="RU", quote={}, fingerprint="f",
        created_at=now, updated_at=now,
    )  # fmt: skip
    page = get(manager, f"{FIRST}2")
    assert numbers(page) == RU[3:5]
    assert "3 fit and are left out" in page.text
    for why in ("Yours", "Price unknown", f"Order {order.pk}"):
        assert why in page.text


def test_fewer_than_asked_for_is_said(manager: Client, shop: Any):
    page = get(manager, f"{FIRST}40")
    assert len(numbers(page)) == 25
    assert "You asked for 40. No more than 25 can be had in the 25 numbers looked through." in page.text
    assert "Go on with 25 numbers" in page.text
    assert "Nothing fits" in get(manager, "/available/order/?country=SE&count=3").text


@pytest.mark.parametrize(
    ("count", "said"),
    [("0", "At least one"), ("501", "500 numbers at most"), ("many", "whole number"), ("", "how many")],
)
def test_a_number_that_is_none_is_refused(manager: Client, shop: Any, count: str, said: str):
    page = get(manager, f"{FIRST}{count}")
    assert page.status == 422
    assert said in page.text
    assert calls(shop) == 0


def test_what_cannot_be_read_in_one_go_is_gone_on_with(manager: Client, shop: Any):
    shop.fault("list_available", "status", status=429, skip=1, headers={"Retry-After": "30"})
    page = get(manager, f"{FIRST}25")
    assert goes_on(page)
    assert "10 of 25 found in the 10 numbers looked through" in page.text
    assert "order-first" not in page.forms  # nothing is ordered before all of it is known
    shop.api("faults", method="DELETE")
    page = get(manager, f"{FIRST}25")
    assert not goes_on(page)
    assert len(numbers(page)) == 25
    assert calls(shop) == 4


def test_trouble_on_the_way_is_told_and_waits_for_the_person(manager: Client, shop: Any):
    shop.fault("list_available", "status", status=500, skip=1, times=-1)
    page = get(manager, f"{FIRST}25")
    assert "The search did not reach Infobip" in page.text
    assert "This page goes on by itself" not in page.text
    assert not goes_on(page)
    assert "order-first" not in page.forms


def test_when_nothing_can_be_read_there_is_nothing_to_order(manager: Client, shop: Any):
    shop.fault("list_available", "status", status=500, times=-1)
    page = get(manager, f"{FIRST}3")
    assert "The search did not reach Infobip" in page.text
    assert "order-first" not in page.forms
    assert "Nothing fits" not in page.text


# The order -------------------------------------------------------------------------------------------------------


def test_one_order_of_all_with_its_search_and_without_asking_again(manager: Client, shop: Any, now: Any):
    page = Page(get(manager, f"{FIRST}25").send(manager, "order-first"))
    assert "Order 25 numbers" in page.text
    sent = page.send(manager, "order-bulk", reason="New shops", cost_centre="4120 Retail", sender_id="on")
    order = Order.objects.get()
    assert sent.headers["Location"] == f"/orders/{order.pk}/"
    assert (order.search["country"], order.search["count"], order.search["rows"]) == ("RU", 25, 25)
    assert (order.reason, order.cost_centre, order.sender_id) == ("New shops", "4120 Retail", True)
    items = list(order.items.order_by("id"))
    assert [item.number for item in items] == RU
    assert {item.state for item in items} == {"pending"}
    assert items[0].quote["initial_month_price"] == "6.129033"
    assert AuditEvent.objects.filter(verb="order.submitted").count() == 25
    assert calls(shop) == 3
    assert shop.acts() == []


def test_a_reason_is_needed_and_what_was_shown_stays(manager: Client, reason: Page):
    page = Page(reason.send(manager, "order-bulk"))
    assert page.status == 422
    assert "Say why. The approver reads this." in page.text
    assert page.fields("order-bulk")["shown"] == reason.fields("order-bulk")["shown"]
    assert page.send(manager, "order-bulk", reason="Now I know").status_code == 302
    assert Order.objects.get().items.count() == 3


def test_sent_twice_it_is_one_order(manager: Client, reason: Page):
    first = reason.send(manager, "order-bulk", reason="Once")
    second = reason.send(manager, "order-bulk", reason="Once more")
    assert first.headers["Location"] == second.headers["Location"]
    assert Order.objects.get().reason == "Once"


@pytest.mark.parametrize("altered", ["shown", "form_token", "both"])
def test_what_was_altered_is_refused_and_kept_in_the_log(manager: Client, reason: Page, altered: str):
    fields = reason.fields("order-bulk")
    other = Page(get(manager, f"{FIRST}4").send(manager, "order-first")).fields("order-bulk")
    wrong = {"shown": {"shown": fields["shown"][0][:-2] + "xx"}, "form_token": {"form_token": "mine"},
             "both": {"shown": other["shown"][0]}}[altered]  # fmt: skip
    sent = reason.send(manager, "order-bulk", reason="Cheaper", **wrong)
    assert sent.status_code == 422
    assert "Nothing was ordered" in sent.content.decode()
    assert not Order.objects.exists()
    assert AuditEvent.objects.get(verb="order.form_refused").actor == "manager"


def test_what_was_shown_to_another_person_is_refused(reason: Page, signed_in: Any):
    assert reason.send(signed_in("manager2"), "order-bulk", reason="Mine").status_code == 422
    assert not Order.objects.exists()
    assert AuditEvent.objects.get(verb="order.form_refused").actor == "manager2"


def test_prices_count_for_a_quarter_of_an_hour_after_they_were_read(manager: Client, shop: Any, now: Any):
    get(manager, f"{FIRST}12")
    with time_machine.travel(now + timedelta(seconds=20), tick=False):  # from the shelf: read 20 seconds ago
        reason = Page(get(manager, f"{FIRST}12").send(manager, "order-first"))
    with time_machine.travel(now + timedelta(minutes=15, seconds=1), tick=False):
        page = Page(reason.send(manager, "order-bulk", reason="Late"))
    assert page.status == 422
    assert "These prices were read more than 15 minutes ago. Nothing was ordered." in page.text
    assert not Order.objects.exists()
    again = page.all(href="/available/order/?country=RU&match=contains&count=12")
    assert len(again) == 1
    with time_machine.travel(now + timedelta(minutes=15), tick=False):
        assert reason.send(manager, "order-bulk", reason="In time").status_code == 302


def test_one_that_somebody_else_ordered_meanwhile_leads_to_a_new_look(
    manager: Client, reason: Page, signed_in: Any
):
    other = signed_in("manager2")
    theirs = Page(get(other, f"{FIRST}1").send(other, "order-first"))
    theirs.send(other, "order-bulk", reason="First")
    page = Page(reason.send(manager, "order-bulk", reason="Second"))
    assert page.status == 422
    assert f"is already in order {Order.objects.get().pk}" in page.text
    [again] = page.all(href="/available/order/?country=RU&match=contains&count=3")
    assert numbers(get(manager, again["href"])) == RU[1:4]


def test_a_number_that_is_listed_twice_is_ordered_once(manager: Client, shop: Any, for_sale: Any):
    shop.stock(available=[for_sale("60444", "DE", numberKey="OTHER", shared=True, type="SHORT_CODE")])
    page = get(manager, "/available/order/?country=DE&count=2")
    assert numbers(page) == ["60444"]
    assert "You asked for 2. No more than 1 can be had" in page.text
