"""The month ahead: what it costs if nothing changes, what orders under way make of it, and how old the list is."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs import counting, selectors
from numbersadmin.costs.charges import stretches
from numbersadmin.costs.models import Count
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Adder, Figures
from numbersadmin.orders.models import Kind, Order, OrderItem, State
from tests.costs.conftest import at
from tests.costs.test_charge_invariants import FIRST, ZONES, calendars, holdings

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")


def forecast(now=NOW, currency="EUR"):
    return selectors.forecast_page(selectors.records(now), currency, now)


def test_without_orders_it_is_what_is_ours_at_the_prices_of_now(two_months):
    page = forecast()
    assert page.forecast.month == Month.parse("2026-12")
    assert dict(page.forecast.committed) == {"EUR": Decimal(24), "USD": Decimal("1.5")}
    assert [step.amount for step in page.steps] == [Decimal(24)] * 3
    assert page.saves is None
    assert (page.bridge.before.amount, page.bridge.after.amount) == (Decimal("22.00"), Decimal("24.00"))
    assert {bar.part: bar.exact for bar in page.bridge.reasons} == {
        "setup_before": Decimal(-3),
        "full_month": Decimal(5),
    }


def test_numbers_of_ours_without_a_price_are_in_no_figure_and_told(two_months, story, signed_in):
    story.found("60444", "2026-09-01 12:00", None)
    assert dict(forecast().forecast.committed) == {"EUR": Decimal(24), "USD": Decimal("1.5")}
    assert (
        "1 number of ours has no known price and is in no figure"
        in signed_in("viewer").get("/costs/2026-11/forecast/").text
    )


def test_once_the_month_has_turned_it_costs_what_was_forecast(two_months, story):
    """Invariant 14, with nothing but a look at the same list in between."""
    expected = forecast().forecast.committed
    with time_machine.travel(at("2026-12-02 12:00"), tick=False):
        story.listed("2026-12-01 09:00")
        later = at("2026-12-02 12:00")
        page = selectors.month_page(selectors.records(later), Month.parse("2026-12"), now=later)
    assert {total.currency: total.amount for total in page.totals} == dict(expected)


@given(holdings(), calendars, st.integers(0, 24))
def test_the_month_ahead_does_not_depend_on_when_it_is_asked(held, calendar, later):
    ahead = FIRST.plus(later + 1)
    totals = []
    for first in (ahead.previous, ahead):
        adder, found = Adder(first, ahead, []), Figures()
        for one in held:
            adder.add(one.subject, stretches(one.possession, first, ahead, calendar), 0)
        adder.into(found)
        totals.append(found.totals(ahead))
    assert totals[0] == totals[1]


@pytest.mark.parametrize(("hours", "stale"), [(23, False), (25, True)])
def test_it_says_when_the_list_is_old(story, hours, stale, signed_in):
    story.listed("2026-11-20 12:00")
    story.found("447860041117", "2026-11-20 12:00", "5")
    now = at("2026-11-20 12:00") + hours * (at("2026-11-20 13:00") - at("2026-11-20 12:00"))
    assert forecast(now).forecast.stale is stale
    with time_machine.travel(now, tick=False):
        page = signed_in("viewer").get("/costs/2026-11/forecast/").text
    assert ("may be out of date" in page) is stale


def ordered(person, kind, state, *, number="447000000001", price="7", owned=None, **more):
    """An order of one number, as far as a forecast reads it."""
    quote = {
        "number": number,
        "number_key": f"KEY{number}",
        "country": "GB",
        "type": "MOBILE",
        "capabilities": ["SMS"],
        "shared": False,
        "currency": "EUR" if price else "",
        "price_per_month": price,
        "setup_price": "3",
        "initial_month_price": None,
        "read_at": NOW.isoformat(),
    }
    order = Order.objects.create(
        kind=kind,
        requester=person,
        reason="Needed",
        form_token=f"{kind}{number}",
        created_at=NOW,
        expires_at=NOW + timedelta(days=9),
    )
    return OrderItem.objects.create(
        order=order,
        kind=kind,
        number=number,
        number_key=f"KEY{number}",
        country="GB",
        owned_number=owned,
        state=state,
        quote=quote,
        fingerprint="x",
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


def test_orders_under_way_and_what_cancelling_saves(two_months, cast, signed_in):
    ordered(cast.manager, Kind.PURCHASE, State.APPROVED)
    ordered(cast.manager, Kind.PURCHASE, State.PENDING, number="447000000002", price="11")
    ordered(cast.manager, Kind.CANCEL, State.APPROVED, number="1", owned=two_months["GB"])
    ordered(cast.manager, Kind.CANCEL, State.PENDING, number="2", owned=two_months["DE"])
    late = at("2026-12-01 00:00")
    ordered(cast.manager, Kind.CANCEL, State.APPROVED, number="3", owned=two_months["FR"], execute_after=late)
    ordered(cast.manager, Kind.PURCHASE, State.REJECTED, number="447000000003")
    page = forecast()
    assert [(step.amount, step.bought, step.cancelled) for step in page.steps] == [
        (Decimal(24), 0, 0),
        (Decimal(24 + 7 - 5), 1, 1),
        (Decimal(24 + 7 - 5 + 11 - 9), 1, 1),
    ]
    assert page.saves == Decimal(14)
    text = signed_in("viewer").get("/costs/2026-11/forecast/?cur=EUR").text.replace("\u00a0", " ")
    assert "Cancelling by 30 November saves 14.00 EUR in December" in text
    assert "With 2 waiting, " in signed_in("viewer").get("/costs/2026-11/?cur=EUR").text


def test_what_was_carried_out_since_it_was_counted_is_told(two_months, cast, signed_in, monkeypatch):
    """Such an item is no longer under way, and its number is not counted yet."""
    monkeypatch.setattr(counting, "SMALL", 2)
    earlier = NOW - timedelta(minutes=10)
    counting.count(selectors.records(earlier), earlier)
    item = ordered(cast.manager, Kind.PURCHASE, State.APPROVED)
    client, told = signed_in("viewer"), "1 order was carried out"
    assert told not in client.get("/costs/2026-11/forecast/").text
    OrderItem.objects.filter(pk=item.pk).update(state=State.DONE)
    record(actor=None, verb="item.bought", subject=item, at=NOW)
    assert told in client.get("/costs/2026-11/forecast/").text
    assert "Without 1 done since" in client.get("/costs/2026-11/").text
    Count.objects.update(at=NOW + timedelta(minutes=2))
    assert forecast(NOW + timedelta(minutes=5)).forecast.since == 0


def test_a_purchase_without_a_price_is_said_and_in_no_figure(two_months, cast, signed_in):
    ordered(cast.manager, Kind.PURCHASE, State.PENDING, price=None)
    assert forecast().steps[2].amount == Decimal(24)
    page = signed_in("viewer").get("/costs/2026-11/forecast/?cur=EUR").text
    assert "1 number to buy has no known price and is in no figure" in page


@pytest.mark.parametrize("zone", ZONES)
def test_a_person_who_reads_in_another_zone_sees_the_same_figures(two_months, cast, signed_in, zone):
    client = signed_in("viewer")
    path = "/costs/2026-11/bridge/?cur=EUR"
    here = client.get(path).text.partition("<tbody>")[2]
    User.objects.filter(username="viewer").update(time_zone=zone)
    assert client.get(path).text.partition("<tbody>")[2] == here
    assert here.count("<tr data-number") == 5


@pytest.mark.parametrize(("zone", "month"), [("Europe/Zagreb", "2026-11"), ("America/New_York", "2026-10")])
def test_months_begin_where_the_account_is_billed_also_over_a_clock_change(story, settings, zone, month):
    """Half an hour before UTC's November it is November in Zagreb, whose clocks went back a week ago."""
    settings.BILLING_TIME_ZONE = zone
    story.listed("2026-10-01", "2026-11-20")
    story.bought("447860041117", "2026-10-31 23:30", "30", setup="3", initial="1")
    known = selectors.records(NOW)
    pages = {name: selectors.month_page(known, Month.parse(name), now=NOW) for name in ("2026-10", "2026-11")}
    assert pages["2026-11"].total.amount == (4 if month == "2026-11" else 30)
