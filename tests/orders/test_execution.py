"""Carrying out approved items: bought once, cancelled once, and every answer taken for what it proves."""

from decimal import Decimal
from typing import Any

import pytest

from numbersadmin.numbers.models import OwnedNumber, Status
from tests.orders.desk import KEY, NUMBER, Desk

pytestmark = pytest.mark.django_db


def test_an_approved_number_is_bought_and_owned_at_once(desk: Desk, sandbox: Any):
    item = desk.carry_out(desk.approved())
    assert item.state == "done"
    owned = OwnedNumber.objects.get()
    assert owned == item.owned_number
    assert (owned.number, owned.number_key, owned.status) == (NUMBER, KEY, Status.OWNED)
    assert (owned.owner, owned.cost_centre) == (desk.cast.manager, "4120 Retail")
    assert owned.initial_month_price == Decimal("9.193549")  # of the offer: the answer does not tell it
    assert owned.acquired_at == desk.clock()
    assert owned.acquired_basis == "purchased_here"
    assert [act["number"] for act in sandbox.acts("purchase")] == [NUMBER]
    assert owned.versions.get().source == "purchase"


def test_an_approved_cancellation_is_sent_once(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.carry_out(desk.approved_cancel(owned))
    assert item.state == "done"
    owned.refresh_from_db()
    assert (owned.status, owned.end_basis, owned.ended_to) == (Status.ENDED, "cancelled_here", desk.clock())
    assert [act["number_key"] for act in sandbox.acts("cancel")] == ["OWNED1"]
