"""The front page: each person sees what they may act on, and how the provider is."""

import pytest
from django.utils import timezone

from numbersadmin.audit.services import record
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import Order, OrderItem
from numbersadmin.provider.client import get_provider
from numbersadmin.provider.errors import ProviderError

pytestmark = pytest.mark.django_db
QUOTE = {
    "number": "447860041117",
    "number_key": "K1",
    "country": "GB",
    "type": "VIRTUAL_LONG_NUMBER",
    "capabilities": ["SMS"],
    "shared": False,
    "currency": "EUR",
    "price_per_month": "5",
    "setup_price": "0",
    "initial_month_price": "2.903226",
    "read_at": "2026-10-13T09:00:00Z",
}


def order_of(person, number="447860041117", state="pending") -> Order:
    now = timezone.now()
    order = Order.objects.create(
        kind="purchase",
        requester=person,
        reason="for the shop",
        cost_centre="4120",
        form_token=number,
        created_at=now,
        expires_at=now,
    )
    OrderItem.objects.create(
        order=order,
        kind="purchase",
        number=number,
        number_key=f"K{number}",
        country="GB",
        state=state,
        quote=QUOTE | {"number": number},
        fingerprint="f",
        created_at=now,
        updated_at=now,
    )
    return order


def orders_on(page) -> set[str]:
    return {part.partition('"')[0] for part in page.text.split('data-order="')[1:]}


def test_an_approver_sees_what_they_may_decide_and_not_their_own(signed_in, cast, sandbox):
    mine, others = order_of(cast.approver, "447860041117"), order_of(cast.manager, "447860041118")
    page = signed_in("approver").get("/")
    assert orders_on(page) == {str(mine.pk), str(others.pk)}
    needs, _, open_ones = page.text.partition("Your open orders")
    assert f'data-order="{others.pk}"' in needs
    assert f'data-order="{mine.pk}"' in open_ones
    assert "1<span" in page.text.partition("waiting for you")[0][-60:]


def test_a_manager_sees_their_own_open_orders(signed_in, cast, sandbox):
    order_of(cast.manager2, "447860041117")
    order = order_of(cast.manager, "447860041118")
    assert orders_on(signed_in("manager").get("/")) == {str(order.pk)}
    assert orders_on(signed_in("viewer").get("/")) == set()


def test_unknown_outcomes_and_missing_numbers_ask_for_a_look(signed_in, cast, sandbox, now):
    order_of(cast.manager, state="unknown")
    OwnedNumber.objects.create(
        number="40371700053",
        number_key="m",
        status="missing",
        missing_since=now,
        acquired_to=now,
        acquired_basis="unknown",
    )
    page = signed_in("approver").get("/")
    assert "bought?" in page.text
    assert "1 number missing at Infobip" in page.text
    assert "1 number missing" not in signed_in("viewer").get("/").text


def test_nothing_to_do_is_said(signed_in, sandbox):
    page = signed_in("viewer").get("/")
    assert "Nothing waits for you" in page.text
    assert "No costs on record yet" in page.text


def test_the_number_of_queries_is_fixed(signed_in, cast, sandbox, django_assert_max_num_queries):
    client = signed_in("approver")
    for index in range(2):
        order_of(cast.manager, f"44786004111{index}")
    with django_assert_max_num_queries(48) as few:
        client.get("/")
    for index in range(3, 8):
        order_of(cast.manager, f"44786004111{index}")
        record(actor=cast.approver, verb="user.greeted", subject=cast.approver, at=timezone.now())
    with django_assert_max_num_queries(len(few)):
        client.get("/")


def ask_provider() -> None:
    with pytest.raises(ProviderError):
        get_provider().list_owned()


def test_refused_credentials_are_told_on_every_page(signed_in, sandbox):
    sandbox.switch(refuse_credentials=True)
    ask_provider()
    page = signed_in("admin").get("/me/")
    assert "Infobip refuses our sign-in" in page.text
    assert "Set the new credentials and restart." in page.text
    assert "Tell an administrator." in signed_in("manager").get("/me/").text


def test_a_provider_that_is_down_is_told_with_the_time(signed_in, sandbox):
    sandbox.fault("list_owned", "status", status=503, times=-1)
    ask_provider()
    assert "Infobip has not answered since" in signed_in("viewer").get("/me/").text
