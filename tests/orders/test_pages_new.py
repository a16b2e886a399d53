"""The page of a new order: what it costs, what cannot be ordered, and only what was shown is ever ordered."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client

from numbersadmin.orders import confirmation
from numbersadmin.orders.models import Order, OrderItem
from numbersadmin.provider.limits import RATES, Rate
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk
from tests.orders.pages import Page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]
ONE = f"/orders/new/?offer=RU-{NUMBER}"
TWO = f"{ONE}&offer=RU-{SECOND}"
WHY = {"reason": "Order confirmations", "cost_centre": "4120 Retail"}


@pytest.fixture
def manager(provider: Any, signed_in: Any) -> Client:
    return signed_in("manager")


@pytest.fixture
def approver(cast: Any) -> Any:
    return cast.approver


def changed(sandbox: Any, **facts: Any) -> None:
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": facts})


def send(client: Client, address: str = ONE, **entered: Any) -> Any:
    """Open the page and send its form."""
    return get(client, address).send(client, "order-purchase", **{**WHY, **entered})


# What it shows ---------------------------------------------------------------------------------------------------


def test_shows_what_it_costs_now_per_month_and_over_twelve_months(manager: Client, approver: Any):
    page = get(manager, TWO)
    assert page.status == 200
    assert "Order 2 numbers" in page.text
    assert "Prices read at Infobip at 09:00 UTC" in page.text
    assert re.search(r"Set-up, once 0\.00 EUR October 19 of 31 days, if bought today 18\.39 EUR", page.text)
    assert re.search(r"Due this month 18\.39 EUR Then every month 30\.00 EUR 360\.00 EUR over 12", page.text)
    assert "approver approves." in page.text
    assert "Nothing is bought yet" in page.text


def test_currencies_are_never_added(manager: Client, sandbox: Any):
    price = {"pricePerMonth": "900", "setupPrice": "100", "currency": "JPY"}
    sandbox.stock(available=[{"number": "815012345678", "country": "JP", "price": price}])
    text = get(manager, f"{ONE}&offer=JP-815012345678").text
    assert "15.00 EUR 180.00 EUR over 12 months" in text
    assert "900 JPY 10,800 JPY over 12 months, and set-up" in text
    assert "Currencies are never added together" in text


def test_the_price_is_read_when_the_page_opens(manager: Client, sandbox: Any):
    assert "15.00 EUR" in get(manager, ONE).text
    changed(sandbox, pricePerMonth="16")
    assert "16.00 EUR" in get(manager, ONE).text


def test_hooks_and_hidden_fields(manager: Client):
    page = get(manager, TWO)
    assert [row["data-number"] for row in page.all("data-number")] == [NUMBER, SECOND]
    fields = page.fields("order-purchase")
    assert fields["offer"] == [f"RU-{NUMBER}", f"RU-{SECOND}"]
    assert fields["owner"] == ["manager"]
    assert set(fields) >= {"cost_centre", "reason", "form_token", "shown"}
    assert page.all(name="sender_id", type="checkbox")
    assert get(manager, TWO).fields("order-purchase")["form_token"] != fields["form_token"]


def test_the_sender_id_warning_is_there_in_full(manager: Client):
    text = get(manager, ONE).text
    assert "Want to send messages from these numbers? These numbers receive messages." in text
    assert "follows different rules in every country. Ask your Infobip account manager before" in text
    assert "I need sender-ID use. Show this to the approver." in text


# Numbers that cannot be ordered ----------------------------------------------------------------------------------


def test_each_number_that_cannot_be_ordered_says_why(manager: Client, desk: Desk, owned: Any, sandbox: Any):
    taken = desk.order(OFFER)
    odd = {"pricePerMonth": "abc", "currency": "EUR"}
    sandbox.stock(available=[{"number": "79029550000", "country": "RU", "price": odd}])
    refs = [f"RU-{NUMBER}", "GB-447860041117", "RU-79990000001", "RU-79029550000", f"RU-{SECOND}"]
    page = get(manager, "/orders/new/?offer=" + "&offer=".join(refs))
    problems = [row.get("data-problem") for row in page.all("data-number")]
    assert problems == ["ordered", "owned", "gone", "no_price", None]
    assert f"See order {taken.pk}" in page.text
    assert page.all(href=f"/numbers/{owned.pk}/")
    assert page.all(href="/available/?country=RU&digits=79990000&match=starts")
    assert "Price unknown" in page.text
    assert "Order 1 number" in page.text
    answer = page.send(manager, "order-purchase", **WHY)
    assert answer.status_code == 302
    assert [item.number for item in Order.objects.latest("id").items.all()] == [SECOND]


def test_a_number_can_be_left_out_by_link(manager: Client):
    page = get(manager, TWO)
    assert page.all(href=f"/orders/new/?offer=RU-{SECOND}")


@pytest.mark.parametrize("kind", ["status", "drop", "garbage", "html"])
def test_a_price_that_cannot_be_read_asks_to_try_again(manager: Client, sandbox: Any, kind: str):
    sandbox.fault("list_available", kind, times=-1)
    page = get(manager, ONE)
    assert page.status == 200
    assert page.all("data-retry-after")
    assert "Price not read yet" in page.text
    assert page.all("disabled", type="submit")
    answer = page.send(manager, "order-purchase", **WHY)
    assert answer.status_code == 422
    assert not Order.objects.exists()


@pytest.fixture
def slow_pace(sandbox: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Four numbers that take four calls, of which a page may wait for two; their page's address."""
    places = {"RU": NUMBER, "GB": "447860041117", "DE": "493022610460", "FR": "33639980058"}
    sandbox.stock(available=[{"number": number, "country": c} for c, number in places.items() if c != "RU"])
    settings.PROVIDER_RATE_LIMITS = True
    monkeypatch.setitem(RATES, "list", Rate(0.2, 2))
    monkeypatch.setattr(confirmation, "PAGE_WAIT", 0.1)
    return "/orders/new/?" + "&".join(f"offer={country}-{number}" for country, number in places.items())


def test_what_our_own_pace_kept_back_is_read_by_the_next_tries(manager: Client, sandbox: Any, slow_pace: str):
    page = get(manager, slow_pace)
    assert page.all("data-retry-after", role="alert")
    assert "asked one question a second" in page.text
    assert page.all("disabled", type="submit")
    tries = 1
    while page.all("data-retry-after"):
        page, tries = get(manager, slow_pace), tries + 1
        assert tries < 20
    assert len(sandbox.requests("list_available")) == 4, "each number is asked for once"
    assert "Order 4 numbers" in page.text
    answer = page.send(manager, "order-purchase", **WHY)
    assert answer.status_code == 302, "prices that our pace keeps from being read again count as shown"
    assert Order.objects.get().items.count() == 4


def test_unknown_references_and_empty_or_endless_orders_are_a_page(manager: Client):
    assert get(manager, "/orders/new/?offer=nonsense").status == 404
    assert "No number chosen" in get(manager, "/orders/new/").text
    many = "&".join(f"offer=RU-7902955{n:04}" for n in range(21))
    page = get(manager, f"/orders/new/?{many}")
    assert page.status == 422
    assert "An order holds 20 numbers at most" in page.text


# Sending it ------------------------------------------------------------------------------------------------------


def test_sending_makes_the_order_and_leads_to_it(manager: Client, cast: Any):
    answer = send(manager, TWO, sender_id="on", owner=cast.manager2.username)
    order = Order.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/orders/{order.pk}/")
    assert (order.requester, order.owner, order.reason) == (cast.manager, cast.manager2, WHY["reason"])
    assert (order.cost_centre, order.sender_id) == ("4120 Retail", True)
    assert [item.number for item in order.items.order_by("id")] == [NUMBER, SECOND]
    assert "sent for approval" in get(manager, answer.url).text


def test_sent_twice_is_one_order(manager: Client):
    page = get(manager, ONE)
    answers = [page.send(manager, "order-purchase", **WHY) for _ in range(3)]
    assert {answer.url for answer in answers} == {f"/orders/{Order.objects.get().pk}/"}


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"reason": ""}, "Say why. The approver reads this."),
        ({"reason": "x" * 1001}, "at most 1000 characters"),
        ({"cost_centre": "c" * 101}, "at most 100 characters"),
        ({"owner": "nobody-at-all"}, "Select a valid choice"),
    ],
)
def test_errors_are_at_the_field_and_in_a_summary_and_input_is_kept(
    manager: Client, entered: dict[str, str], said: str
):
    answer = Page(send(manager, **{"reason": "because", "sender_id": "on", **entered}))
    assert answer.status == 422
    assert answer.text.count(said) == 2
    assert answer.all(role="alert")
    assert answer.all("checked", name="sender_id")
    if "reason" not in entered:
        assert answer.fields("order-purchase")["reason"] == ["because"]
    assert not Order.objects.exists()
    again = answer.send(manager, "order-purchase", **WHY, owner="manager")
    assert again.status_code == 302


def test_an_inactive_owner_is_refused(manager: Client, cast: Any):
    cast.manager2.is_active = False
    cast.manager2.save()
    assert send(manager, owner="manager2").status_code == 422


# Only what was shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moved",
    [{"pricePerMonth": "15.5"}, {"setupPrice": "1"}, {"currency": "USD"}, {"capabilities": ["VOICE"]}],
)
def test_what_moved_since_it_was_shown_is_refused_and_both_are_shown(
    manager: Client, sandbox: Any, moved: dict[str, Any]
):
    page = get(manager, ONE)
    changed(sandbox, **moved)
    answer = Page(page.send(manager, "order-purchase", **WHY))
    assert answer.status == 422
    assert not Order.objects.exists()
    assert "no longer what is offered" in answer.text
    assert "what you saw, and what it is now" in answer.text
    assert answer.fields("order-purchase")["reason"] == [WHY["reason"]]
    again = answer.send(manager, "order-purchase")
    assert again.status_code == 302, "what is shown now can be sent"


def test_a_first_month_that_grew_is_refused_and_one_that_shrank_is_not(
    manager: Client, sandbox: Any, now: Any
):
    page, other = get(manager, ONE), get(manager, f"/orders/new/?offer=RU-{SECOND}")
    sandbox.clock(now + timedelta(days=1))
    assert page.send(manager, "order-purchase", **WHY).status_code == 302
    sandbox.clock(now.replace(month=11, day=1))  # the whole month from now on
    answer = Page(other.send(manager, "order-purchase", **WHY))
    assert answer.status == 422
    assert "what you saw, and what it is now" in answer.text


def test_a_number_that_went_meanwhile_is_refused(manager: Client, sandbox: Any):
    page = get(manager, TWO)
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    answer = Page(page.send(manager, "order-purchase", **WHY))
    assert answer.status == 422
    assert "Someone else bought it first" in answer.text
    assert not Order.objects.exists()
    assert answer.send(manager, "order-purchase").status_code == 302
    assert [item.number for item in OrderItem.objects.all()] == [SECOND]


def tampered(fields: dict[str, list[str]], name: str) -> dict[str, Any]:
    shown = fields["shown"][0]
    return {
        "shown": {"shown": ("A" if shown[0] != "A" else "B") + shown[1:]},
        "none": {"shown": ""},
        "token": {"form_token": "another-token"},
        "more": {"offer": [f"RU-{NUMBER}", f"RU-{SECOND}"]},
        "other": {"offer": f"RU-{SECOND}"},
    }[name]


@pytest.mark.parametrize("name", ["shown", "none", "token", "more", "other"])
def test_no_hidden_field_can_be_altered(manager: Client, name: str, caplog: Any):
    page = get(manager, ONE)
    answer = Page(
        page.send(manager, "order-purchase", **WHY, **tampered(page.fields("order-purchase"), name))
    )
    assert answer.status == 422
    assert not Order.objects.exists()
    if name != "more":
        assert "not as we made it" in caplog.text


def test_another_persons_form_is_refused(manager: Client, signed_in: Any):
    page = get(manager, ONE)
    answer = page.send(signed_in("manager2"), "order-purchase", **WHY, owner="manager2")
    assert answer.status_code == 422
    assert not Order.objects.exists()


def test_a_page_older_than_15_minutes_is_read_again(manager: Client, now: Any):
    page = get(manager, ONE)
    with time_machine.travel(now + timedelta(minutes=16), tick=True):
        answer = Page(page.send(manager, "order-purchase", **WHY))
        assert answer.status == 422
        assert "more than 15 minutes old" in answer.text
        assert answer.send(manager, "order-purchase").status_code == 302


def test_nothing_but_the_form_decides_what_is_stored(manager: Client):
    """Fields that the form does not have change nothing."""
    send(manager, price_per_month="1", state="approved", requester="admin", approvals_needed="0")
    item = OrderItem.objects.select_related("order").get()
    assert (item.state, item.order.approvals_needed, item.quote["price_per_month"]) == ("pending", 1, "15")
    assert item.order.requester.username == "manager"


def test_what_people_write_is_shown_as_text(manager: Client):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    answer = send(manager, reason=evil, cost_centre='"><b>x')
    html = get(manager, answer.url).html
    assert evil not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert '"><b>x' not in html


# Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["viewer", "finance", "admin"])
def test_roles_that_do_not_order_are_refused(provider: Any, signed_in: Any, name: str):
    client = signed_in(name)
    assert client.get(ONE).status_code == 403
    assert client.post("/orders/new/", {"offer": f"RU-{NUMBER}", **WHY}).status_code == 403
    assert not Order.objects.exists()


def test_anonymous_people_sign_in_first_and_that_orders_nothing(provider: Any, client: Client):
    answer = client.get(TWO)
    assert answer.status_code == 302
    assert answer.url.startswith("/sign-in/?next=/orders/new/")
    assert client.post("/orders/new/", {"offer": f"RU-{NUMBER}", **WHY}).status_code == 302
    assert not Order.objects.exists()


def test_a_session_that_ended_meanwhile_leads_back_to_the_same_numbers(
    manager: Client, client: Client, cast: Any
):
    answer = get(manager, TWO).send(client, "order-purchase", **WHY)
    assert answer.status_code == 302
    assert not Order.objects.exists()
    client.force_login(cast.manager, backend="django.contrib.auth.backends.ModelBackend")
    back = get(client, parse_qs(urlsplit(answer.url).query)["next"][0])
    assert "Order 2 numbers" in back.text
    assert not Order.objects.exists()


def test_wrong_methods(manager: Client):
    for method in ("put", "patch", "delete"):
        assert getattr(manager, method)(ONE).status_code == 405
