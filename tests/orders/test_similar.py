"""Numbers like one that somebody else bought first: which ones, how few calls, and the page that offers them."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.test import Client

from numbersadmin.orders.models import OrderItem, State
from numbersadmin.orders.similar import nearest
from tests.orders.desk import NUMBER, RU, SECOND, Desk, Offer
from tests.orders.pages import fragment_stands_in_page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]


@pytest.fixture
def gone(desk: Desk, sandbox: Any) -> OrderItem:
    """+7 902 955 55 51, approved and then bought by somebody else; the second number was taken off sale."""
    item = desk.approved()
    for number in (NUMBER, SECOND):
        sandbox.api("outside", {"act": "taken", "number": number})
    item = desk.carry_out(item)
    assert (item.state, item.failure) == (State.FAILED, "gone")
    return item


def offer(number: str, **facts: Any) -> dict[str, Any]:
    price = {**RU["price"], **facts.pop("price", {})}  # type: ignore[dict-item]
    return {"number": number, **RU, "price": price, **facts}


def found(desk: Desk, item: OrderItem) -> list[str]:
    similar = nearest(desk.provider, item, desk.clock())
    assert similar.trouble is None
    return [quote.number for quote in similar.quotes]


def at(item: OrderItem) -> str:
    return f"/orders/{item.order_id}/similar/{item.pk}/"


def test_the_nearest_come_first_and_three_lists_are_enough(desk: Desk, gone: OrderItem, sandbox: Any):
    numbers = ["79029555561", "79029555559", "79029555570", "79029555500", "79029511111", "79990000000"]
    sandbox.stock(available=[offer(number) for number in numbers])
    before = len(sandbox.requests("list_available"))
    expected = ["79029555559", "79029555561", "79029555570", "79029555500", "79029511111"]
    assert found(desk, gone) == expected
    asked = [
        dict(parse_qsl(call["query"])).get("number") for call in sandbox.requests("list_available")[before:]
    ]
    assert asked == ["79029555", "79029"], "five were found, so the whole country was not read"


def test_a_country_with_few_is_read_whole(desk: Desk, gone: OrderItem, sandbox: Any):
    sandbox.stock(available=[offer("74950000001")])
    before = len(sandbox.requests("list_available"))
    similar = nearest(desk.provider, gone, desk.clock())
    assert ([quote.number for quote in similar.quotes], similar.whole) == (["74950000001"], True)
    assert len(sandbox.requests("list_available")) - before == 3


@pytest.mark.parametrize(
    "facts",
    [
        {"price": {"pricePerMonth": "15.000001"}},
        {"price": {"setupPrice": "0.01"}},
        {"price": {"currency": "USD"}},
        {"price": {"pricePerMonth": "about 5"}},
        {"capabilities": ["VOICE"]},
        {"type": "SHORT_CODE"},
        {"shared": True},
        {"country": "KZ"},
    ],
    ids=str,
)
def test_what_is_worse_in_any_way_is_left_out(desk: Desk, gone: OrderItem, sandbox: Any, facts: Any):
    sandbox.stock(available=[offer("79029555552", **facts), offer("79029555553")])
    assert found(desk, gone) == ["79029555553"]


def test_more_for_less_is_as_good(desk: Desk, gone: OrderItem, sandbox: Any):
    more = offer("79029555552", capabilities=["SMS", "VOICE"], price={"pricePerMonth": "14"})
    sandbox.stock(available=[more])
    assert found(desk, gone) == ["79029555552"]


def test_what_is_ours_or_ordered_is_left_out(desk: Desk, gone: OrderItem, sandbox: Any):
    sandbox.stock(available=[offer("79029555552"), offer("79029555553"), offer("79029555554")])
    desk.order(Offer("RU", "79029555552"))
    sandbox.stock(owned=[{"numberKey": "MINE", "number": "79029555553", "country": "RU"}])
    desk.own("MINE", "79029555553")
    assert found(desk, gone) == ["79029555554"]


def test_the_page_offers_them_one_by_one_and_together(signed_in: Any, gone: OrderItem, sandbox: Any):
    sandbox.stock(available=[offer("79029555552"), offer("79029555553")])
    client: Client = signed_in("manager")
    assert get(client, f"/orders/{gone.order_id}/").all(**{"hx-get": at(gone), "hx-trigger": "load"})
    page = get(client, at(gone))
    assert (
        "Same kind, able to do as much, for 15.00 EUR per month or less. Nothing is ordered yet." in page.text
    )
    assert page.all(href="/orders/new/?offer=RU-79029555552")
    form = page.forms["order-instead"][""]
    assert (form["method"], form["action"]) == ("get", "/orders/new/")
    refs = [box["value"] for box in page.all(name="offer", type="checkbox")]
    assert refs == ["RU-79029555552", "RU-79029555553"]
    assert "Order 2 numbers" in client.get("/orders/new/", {"offer": refs}).text
    fragment_stands_in_page(client, at(gone))


def test_who_may_not_order_sees_them_only(signed_in: Any, gone: OrderItem, sandbox: Any):
    sandbox.stock(available=[offer("79029555552")])
    client = signed_in("finance")
    assert not get(client, f"/orders/{gone.order_id}/").all(**{"hx-get": at(gone)})
    page = get(client, at(gone))
    assert page.all(data_number="79029555552")
    assert not page.all(name="offer")
    assert "Order this instead" not in page.text


def test_nothing_similar_is_said_so(signed_in: Any, gone: OrderItem):
    page = get(signed_in("manager"), at(gone))
    assert "Nothing of the same kind is for sale for 15.00 EUR per month or less." in page.text
    assert page.all(href="/available/?country=RU")


def test_a_provider_in_trouble_is_no_empty_list(signed_in: Any, gone: OrderItem, sandbox: Any):
    sandbox.stock(available=[offer("79029555552")])
    sandbox.fault("list_available", "status", status=400, skip=1)
    page = get(signed_in("manager"), at(gone))
    assert page.status == 200
    assert page.all("data-retry-after")
    assert page.all(data_number="79029555552"), "what was read before stays"
    assert "There may be nearer ones that were not looked at" in page.text


def test_only_what_is_gone_has_similar_ones(signed_in: Any, desk: Desk, gone: OrderItem, sandbox: Any):
    sandbox.stock(available=[offer("79029555552")])
    order = desk.order(Offer("RU", "79029555552"))
    waiting = order.items.get()
    client = signed_in("manager")
    for address in (at(waiting), f"/orders/{order.pk}/similar/{gone.pk}/", f"/orders/{order.pk}/similar/0/"):
        assert client.get(address).status_code == 404
