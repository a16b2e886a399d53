"""Giving a number back on the last day of the paid month, with a way back until then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import services
from numbersadmin.orders.models import Order
from numbersadmin.orders.selectors import shown_fingerprint
from numbersadmin.orders.timing import month_end
from tests.orders.desk import Desk, again, item_of
from tests.orders.pages import Page, get

db = pytest.mark.django_db
LAST_DAY = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "day"),
    [
        ("2026-10-13T09:00", "UTC", "2026-10-31T12:00"),
        ("2027-02-01T00:00", "UTC", "2027-02-28T12:00"),
        ("2028-02-03T00:00", "UTC", "2028-02-29T12:00"),
        ("2026-12-31T11:59", "UTC", "2026-12-31T12:00"),
        ("2026-12-31T12:01", "UTC", "2026-12-31T12:01"),  # past noon of it: this very moment
        ("2026-10-31T23:30", "Europe/Zagreb", "2026-11-30T11:00"),  # there it is November already
        ("2026-10-13T09:00", "Europe/Zagreb", "2026-10-31T11:00"),  # summer time ends between the two
        ("2026-03-02T09:00", "America/Sao_Paulo", "2026-03-31T15:00"),
        ("2026-10-13T09:00", "Asia/Kathmandu", "2026-10-31T06:15"),
    ],
)
def test_the_last_day_of_the_month(settings: Any, now: str, zone: str, day: str):
    settings.BILLING_TIME_ZONE = zone
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert month_end(moment) == datetime.fromisoformat(day).replace(tzinfo=UTC)


@pytest.fixture
def order(desk: Desk, owned: OwnedNumber) -> Order:
    """An approved cancellation for the last day of the month; nobody had to type the number."""
    made = desk.cancel(owned, timing="month_end", typed_number="")
    assert desk.approve_shown(made).approved
    return made


def seen(desk: Desk, order: Order) -> str:
    return shown_fingerprint(order, list(order.items.all()), desk.clock())


@db
def test_it_waits_for_its_day(desk: Desk, order: Order, sandbox: Any):
    item = item_of(order)
    assert (item.state, item.execute_after, item.not_before) == ("approved", LAST_DAY, LAST_DAY)
    desk.sweep(at_once=True)
    desk.clock.now = LAST_DAY - timedelta(seconds=1)
    desk.sweep(at_once=True)
    assert sandbox.requests("cancel") == []
    desk.clock.now = LAST_DAY
    desk.sweep()
    assert (again(item).state, len(sandbox.requests("cancel"))) == ("done", 1)


@db
def test_until_then_it_can_be_kept(desk: Desk, order: Order, sandbox: Any):
    with pytest.raises(services.NotAllowed):
        services.withdraw(actor=desk.cast.manager2, order=order, now=desk.clock())
    services.withdraw(actor=desk.cast.approver2, order=order, now=desk.clock())
    desk.clock.now = LAST_DAY
    desk.sweep(at_once=True)
    assert (item_of(order).state, sandbox.requests("cancel")) == ("withdrawn", [])


@db
def test_its_approval_runs_out_a_day_after_its_day(desk: Desk, order: Order, sandbox: Any):
    desk.clock.now = LAST_DAY + timedelta(hours=24)
    desk.sweep()
    assert (item_of(order).state, sandbox.requests("cancel")) == ("expired", [])


@db
def test_another_day_than_the_page_showed_is_out_of_date(desk: Desk, owned: OwnedNumber):
    desk.clock.on(12 * 24 * 3600)
    made = desk.cancel(owned, timing="month_end", typed_number="")
    shown = seen(desk, made)
    desk.clock.now = datetime(2026, 11, 1, tzinfo=UTC)  # the month has turned: another one is paid now
    made.refresh_from_db()
    with pytest.raises(services.OutOfDate):
        desk.approve(made, fingerprint=shown, now=desk.clock())
    assert desk.approve_shown(made).approved
    assert item_of(made).execute_after == datetime(2026, 11, 30, 12, tzinfo=UTC)


@db
def test_now_needs_the_whole_number(desk: Desk, owned: OwnedNumber):
    with pytest.raises(services.Incomplete, match="Type the number to confirm"):
        desk.cancel(owned, timing="now", typed_number="")


@db
@pytest.mark.usefixtures("today")
def test_the_page_offers_the_last_day_first(owned: OwnedNumber, signed_in: Any, cast: Any):
    assert cast.approver
    client: Client = signed_in("manager")
    page = get(client, f"/numbers/{owned.pk}/cancel/")
    assert "On the last day of the paid month, 31 Oct 2026." in page.text
    answer = page.send(client, "order-cancel", reason="The shop closed")
    order = Order.objects.get()
    assert (answer.url, order.timing) == (f"/orders/{order.pk}/", "month_end")
    approver = signed_in("approver")
    page = get(approver, answer.url)
    assert "The number is cancelled on 31 Oct 2026" in page.text
    assert page.send(approver, "approve").status_code == 302
    page = Page(client.get(answer.url))
    assert "Waits for its day" in page.text
    assert "Keep number" in page.text
    with time_machine.travel(LAST_DAY - timedelta(hours=1)):
        client = signed_in("manager")
        page = get(client, answer.url)
        assert page.send(client, "withdraw").status_code == 302
    assert item_of(order).state == "withdrawn"
