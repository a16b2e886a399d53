"""Amounts are exact from the wire to the database and back, and currencies never mix."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.money import (
    Money,
    MoneyField,
    Totals,
    from_micro,
    minor_units,
    prorate,
    rounded,
    rounded_lines,
    to_micro,
)
from numbersadmin.numbers.models import OwnedNumber

amounts = st.decimals(min_value=0, max_value=10**9, places=6)
prices = st.integers(0, 10**12).map(from_micro)


@given(amounts)
def test_micro_units_lose_nothing(amount):
    assert from_micro(to_micro(amount)) == amount


@pytest.mark.parametrize(
    "wrong",
    [
        1.5,
        True,
        "2",
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("0.0000001"),
        Decimal("5." + "0" * 29 + "1"),
    ],
)
def test_what_is_no_exact_amount_is_refused(wrong):
    with pytest.raises(ValueError):
        to_micro(wrong)


def test_a_field_refuses_text_that_is_no_amount():
    assert MoneyField().to_python("9.193549") == Decimal("9.193549")
    with pytest.raises(ValidationError):
        MoneyField().to_python("fifteen")


@pytest.mark.django_db
def test_the_database_adds_exactly(now):
    """20,000 times 2483.223678.. is where SQLite's own decimals go wrong in the 7th place."""
    price = Decimal("49664473.573361")
    rows = [
        OwnedNumber(
            number_key=f"k{i}",
            number=str(i),
            price_per_month=price,
            currency="EUR",
            acquired_to=now,
            acquired_basis="unknown",
        )
        for i in range(300)
    ]
    OwnedNumber.objects.bulk_create(rows)
    assert OwnedNumber.objects.first().price_per_month == price
    assert OwnedNumber.objects.aggregate(sum=Sum("price_per_month"))["sum"] == price * 300
    assert OwnedNumber.objects.filter(price_per_month=price).count() == 300


def test_an_unknown_amount_stays_unknown():
    assert MoneyField().get_prep_value(None) is None
    assert MoneyField().from_db_value(None, None, None) is None


def test_two_currencies_are_never_added():
    assert Money(Decimal(1), "EUR") + Money(Decimal(2), "EUR") == Money(Decimal(3), "EUR")
    with pytest.raises(ValueError, match="EUR and USD"):
        Money(Decimal(1), "EUR") + Money(Decimal(2), "USD")


def test_totals_keep_currencies_apart():
    totals = Totals.of([("EUR", Decimal("1.5")), ("USD", Decimal(2)), ("EUR", Decimal("0.5")), ("EUR", None)])
    assert dict(totals) == {"EUR": Decimal(2), "USD": Decimal(2)}
    assert dict(totals + Totals({"JPY": Decimal(9)})) == {"EUR": 2, "JPY": 9, "USD": 2}
    assert dict(totals - totals) == {"EUR": 0, "USD": 0}
    assert dict(totals.times(12)) == {"EUR": 24, "USD": 24}
    with pytest.raises(TypeError):
        float(totals)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("9.193549", "EUR", "9.19"),
        ("2.345", "EUR", "2.35"),
        ("-2.345", "EUR", "-2.35"),
        ("9.193549", "JPY", "9"),
        ("9.1935", "KWD", "9.194"),
        ("1.005", "XXX", "1.01"),
    ],
)
def test_rounding_is_half_up_by_the_currency(amount, currency, shown):
    assert str(rounded(Decimal(amount), currency)) == shown


def test_minor_units_follow_iso_4217():
    assert [minor_units(code) for code in ("EUR", "JPY", "KWD", "CLF", "IQD", "HUF")] == [2, 0, 3, 4, 3, 2]


@given(st.lists(prices, min_size=1, max_size=40), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_rounded_lines_add_up_to_the_rounded_total(lines, currency):
    shown = rounded_lines(lines, currency)
    assert sum(shown) == rounded(sum(lines), currency)
    unit = Decimal(1).scaleb(-minor_units(currency))
    assert all(abs(line - exact) < unit for line, exact in zip(shown, lines, strict=True))


@pytest.mark.parametrize(("price", "days", "first"), [(15, 19, "9.193549"), (5, 18, "2.903226")])
def test_the_documented_first_months(price, days, first):
    assert prorate(Decimal(price), days, 31) == Decimal(first)


def test_half_up_would_not_give_the_documented_figure():
    """The control: the rounding direction matters."""
    assert (Decimal(15) * 19 / 31).quantize(Decimal("0.000001"), ROUND_HALF_UP) != Decimal("9.193549")


@given(prices, st.sampled_from([28, 29, 30, 31]), st.data())
def test_a_share_of_days_is_bounded_and_grows(price, of_days, data):
    days = data.draw(st.integers(0, of_days))
    share = prorate(price, days, of_days)
    assert 0 <= share - price * days / of_days < Decimal("0.000001")
    assert prorate(price, 0, of_days) == 0
    assert prorate(price, of_days, of_days) == price
    if days:
        assert prorate(price, days - 1, of_days) <= share
