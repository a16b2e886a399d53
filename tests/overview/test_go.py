"""The go-to box: an order, a number in any notation, else what fits."""

import pytest

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def known(cast, now):
    Order.objects.create(pk=1037, kind="purchase", requester=cast.manager, created_at=now, expires_at=now)
    number = {"number": "447860041117", "acquired_to": now, "acquired_basis": "unknown"}
    OwnedNumber.objects.create(number_key="old", status="ended", ended_to=now, **number)
    return OwnedNumber.objects.create(number_key="new", **number)


@pytest.mark.parametrize("q", ["+44 7860 041117", "00447860041117", "447860041117", "(44) 7860-041117"])
def test_a_number_in_any_notation_opens_its_newest_record(known, signed_in, q):
    assert signed_in("viewer").get("/go/", {"q": q}).headers["Location"] == f"/numbers/{known.pk}/"


@pytest.mark.parametrize("q", ["1037", "order 1037", "Order #1037", "#1037"])
def test_an_order_by_its_number(known, signed_in, q):
    assert signed_in("viewer").get("/go/", {"q": q}).headers["Location"] == "/orders/1037/"


def test_anything_else_searches_the_owned_numbers(known, signed_in):
    found = signed_in("viewer").get("/go/", {"q": "41117"})
    assert found.headers["Location"] == "/numbers/?q=41117&state=all"
    assert signed_in("viewer").get(found.headers["Location"]).status_code == 200


def test_without_words_it_is_a_form(signed_in):
    assert 'name="q"' in signed_in("viewer").get("/go/").text
