"""What a first month costs: the share of days left, rounded up, by the sandbox's own clock."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.sandbox.prices import first_month, literal, share

NUMBER = "447860041117"


@pytest.mark.parametrize(
    ("per_month", "day", "wanted"),
    [
        ("15", date(2026, 10, 13), "9.193549"),  # the documented figures, which half-up does not give
        ("5", date(2026, 10, 14), "2.903226"),
        ("5", date(2026, 10, 1), "5"),
        ("5", date(2026, 10, 31), "0.161291"),
        ("14", date(2026, 2, 15), "7"),
        ("14", date(2028, 2, 1), "14"),
        ("0", date(2026, 10, 13), "0"),
        ("1800", date(2026, 10, 13), "1103.225807"),
        ("0.000001", date(2026, 10, 31), "0.000001"),
        ("-5", date(2026, 10, 14), "-2.903225"),
        ("1e3", date(2026, 10, 1), "1000"),
    ],
)
def test_share_of_days_left(per_month, day, wanted):
    assert first_month(per_month, day) == wanted


@pytest.mark.parametrize("per_month", [None, "null", '"15"', "NaN", "1e400", "1" * 60])
def test_no_first_month_where_the_price_is_no_price(per_month):
    assert first_month(per_month, date(2026, 10, 13)) is None


@given(
    st.decimals(0, 10**9, places=6, allow_nan=False), st.integers(1, 31), st.sampled_from([28, 29, 30, 31])
)
def test_share_is_the_smallest_six_decimals_not_below_the_exact_one(price, left, days):
    left = min(left, days)
    got = Decimal(share(f"{price:f}", left, days))
    exact = Fraction(price) * left / days
    assert 0 <= Fraction(got) - exact < Fraction(1, 10**6)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("9.50", "9.50"),
        (Decimal("9.5"), "9.5"),
        (7, "7"),
        (None, "null"),
        ("15,00", '"15,00"'),
        ({"raw": "NaN"}, "NaN"),
    ],
)
def test_prices_as_they_are_written(value, text):
    assert literal(value) == text


def test_first_month_follows_the_clock_day_by_day_and_ends_at_midnight_utc(sandbox, account):
    sandbox.stock(available=[{"number": NUMBER, "pricePerMonth": "31"}])
    for now, wanted in (
        ("2026-10-13T23:59:59Z", 19),
        ("2026-10-14T00:00:00Z", 18),
        ("2026-10-14T01:59:59+02:00", 19),
        ("2026-10-31T12:00:00Z", 1),
        ("2026-11-01T00:00:00Z", 31),
    ):
        sandbox.api("clock", {"now": now, "frozen": True})
        price = account.available()[0]["price"]
        assert price == {"pricePerMonth": 31, "setupPrice": 0, "initialMonthPrice": wanted, "currency": "EUR"}


def test_purchase_and_single_answers_do_not_tell_the_first_month(sandbox, account):
    sandbox.stock(available=[{"number": NUMBER, "numberKey": "K"}])
    wanted = {"pricePerMonth": 5, "setupPrice": 0, "currency": "EUR"}
    assert account.buy("K").json()["price"] == wanted
    assert account.one("K").json()["price"] == wanted


@pytest.mark.parametrize(
    ("meaning", "same_day", "next_day", "next_month"),
    [
        ("frozen", 19, 19, 19),
        ("current", 19, 19, 31),
        ("as_if_now", 19, 18, 30),
        ("absent", None, None, None),
    ],
)
def test_meanings_of_the_first_month_in_the_owned_list(
    sandbox, account, meaning, same_day, next_day, next_month
):
    sandbox.switch(initial_price_meaning=meaning)
    sandbox.stock(available=[{"number": NUMBER, "numberKey": "K", "pricePerMonth": "31"}])
    account.buy("K")
    told = [account.owned()[0]["price"].get("initialMonthPrice")]
    for now in ("2026-10-14T12:00:00Z", "2026-12-02T12:00:00Z"):
        sandbox.api("clock", {"now": now, "frozen": True})
        told.append(account.owned()[0]["price"].get("initialMonthPrice"))
    assert told == [same_day, next_day, next_month]
