"""Exchange rates: exact, one a month and pair, frozen with the month; without all of them there is no sum."""

from decimal import Decimal

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import rates, selectors
from numbersadmin.costs.models import ExchangeRate, MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.money import Totals
from tests.costs.closed import freeze
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
OCTOBER, NOVEMBER = Month.parse("2026-10"), Month.parse("2026-11")
ASKED = {
    "month": "2026-11", "from_currency": "usd", "to_currency": "EUR", "rate": "0.85", "source_note": "ECB, average",
}  # fmt: skip


def set_rate(cast, rate="0.85", month=NOVEMBER, pair=("USD", "EUR"), source="ECB"):
    return rates.set_rate(
        month=month, from_currency=pair[0], to_currency=pair[1], rate=Decimal(rate), source_note=source,
        actor=cast.finance, now=NOW,
    )  # fmt: skip


def test_a_total_is_converted_exactly_and_rounded_once(two_months, cast):
    set_rate(cast, "0.085000000001", pair=("SEK", "EUR"))
    set_rate(cast, "0.85")
    totals = Totals({"EUR": Decimal("0.004"), "SEK": Decimal("0.01"), "USD": Decimal("0.0002")})
    # 0.004 + 0.00085... + 0.00017 = 0.00502: each part alone would round to 0
    assert rates.converted(selectors.records(NOW), NOVEMBER, totals, "EUR") == Decimal("0.01")
    huge = Totals({"SEK": Decimal("1000000000000.000001")})
    assert rates.converted(selectors.records(NOW), NOVEMBER, huge, "EUR") == Decimal("85000000001.00")


def test_what_is_missing_is_named_and_nothing_is_added_up(two_months, cast):
    set_rate(cast, "0.09", month=OCTOBER, pair=("SEK", "EUR"))
    totals = Totals({"EUR": Decimal(1), "SEK": Decimal(1), "USD": Decimal(1)})
    found = rates.converted(selectors.records(NOW), NOVEMBER, totals, "EUR")
    assert found == ["no rate SEK to EUR for November 2026", "no rate USD to EUR for November 2026"]


def test_a_rate_is_changed_with_an_event_and_the_same_again_is_none(two_months, cast):
    set_rate(cast)
    set_rate(cast)
    set_rate(cast, "0.9")
    assert ExchangeRate.objects.get().rate == "0.9"
    events = AuditEvent.objects.filter(verb="rate.set").order_by("id")
    assert [(e.before, e.after) for e in events] == [
        (None, {"rate": "0.85", "source_note": "ECB"}),
        ({"rate": "0.85", "source_note": "ECB"}, {"rate": "0.9", "source_note": "ECB"}),
    ]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"pair": ("EUR", "EUR")}, "two different"),
        ({"rate": "0"}, "above 0"),
        ({"rate": "NaN"}, "above 0"),
        ({"source": " "}, "where the rate is from"),
    ],
)
def test_what_is_no_rate_is_refused(two_months, cast, facts, told):
    with pytest.raises(rates.CannotSetRate, match=told):
        set_rate(cast, **facts)
    assert not ExchangeRate.objects.exists()


def test_a_closed_month_keeps_the_rates_of_its_close(two_months, cast):
    set_rate(cast, "0.8", month=OCTOBER)
    close = freeze("2026-10", cast.finance, NOW)
    assert [(one["from"], one["to"], one["rate"], one["by"]) for one in close.rates] == [
        ("USD", "EUR", "0.8", "finance")
    ]
    with pytest.raises(rates.CannotSetRate, match="Reopen it first"):
        set_rate(cast, "0.9", month=OCTOBER)
    ExchangeRate.objects.update(rate="7")
    totals = Totals({"USD": Decimal(10)})
    assert rates.converted(selectors.records(NOW), OCTOBER, totals, "EUR") == Decimal(8)
    MonthClose.objects.create(
        month="2026-10",
        revision=1,
        action="reopen",
        at=NOW,
        by=cast.finance,
        second_by=cast.admin,
        reason="x",
    )
    set_rate(cast, "0.9", month=OCTOBER)
    assert rates.converted(selectors.records(NOW), OCTOBER, totals, "EUR") == Decimal(9)


def test_finance_enters_a_rate_on_its_page(two_months, signed_in):
    client = signed_in("finance")
    assert client.post("/costs/rates/set/", ASKED).headers["Location"] == "/costs/rates/"
    page = client.get("/costs/rates/").text
    assert "November 2026" in page
    assert "1 USD = 0.85 EUR" in page
    assert "ECB, average" in page
    assert "/costs/rates/set/" not in signed_in("viewer").get("/costs/rates/").text
    assert signed_in("viewer").post("/costs/rates/set/", ASKED).status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("rate", "0,85", "decimal point"),
        ("rate", "-1", "greater than or equal to 0"),
        ("from_currency", "dollars", "Three letters"),
        ("to_currency", "USD", "two different"),
        ("source_note", "", "Say where"),
        ("month", "1990-01", "Select a valid choice"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_lost(two_months, signed_in, field, value, told):
    answer = signed_in("finance").post("/costs/rates/set/", ASKED | {field: value})
    assert answer.status_code == 422
    assert told in answer.text
    assert ('value="0.85"' in answer.text) == (field != "rate")
    assert not ExchangeRate.objects.exists()


def test_the_report_shows_one_currency_or_says_which_rate_is_missing(two_months, cast, signed_in):
    client = signed_in("viewer")
    assert "All in EUR" not in client.get("/costs/2026-11/report/?in=EUR").text
    set_rate(cast)
    page = client.get("/costs/2026-11/report/?in=EUR").text
    assert '23.28 <span class="cur">EUR</span>' in page  # 22 + 1.5 * 0.85 = 23.275
    assert "1 USD is 0.85 (ECB)" in page
    set_rate(cast, "1", pair=("SEK", "USD"))
    assert "No rate EUR to USD for November 2026" in client.get("/costs/2026-11/report/?in=USD").text
