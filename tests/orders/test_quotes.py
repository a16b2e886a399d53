"""Quotes: what is approved, what it costs, and reading prices anew."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.quotes import Offer, Quote, costs_of, fingerprint_of
from numbersadmin.provider.client import Provider, get_provider
from tests.orders.desk import KEY, NUMBER, OFFER, SECOND

NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)
QUOTE = Quote(
    number=NUMBER,
    number_key=KEY,
    country="RU",
    type="VIRTUAL_LONG_NUMBER",
    capabilities=("SMS", "VOICE"),
    shared=False,
    currency="EUR",
    price_per_month=Decimal(15),
    setup_price=Decimal(0),
    initial_month_price=Decimal("9.193549"),
    read_at=NOW,
)
amounts = st.none() | st.decimals(0, 10**9, places=6)


@pytest.mark.parametrize(
    "moved",
    [
        {"number": SECOND},
        {"country": "KZ"},
        {"type": "SHORT_CODE"},
        {"capabilities": ("SMS",)},
        {"shared": True},
        {"currency": "USD"},
        {"price_per_month": Decimal("15.000001")},
        {"price_per_month": None},
        {"setup_price": Decimal("0.000001")},
    ],
)
def test_everything_that_is_approved_is_in_the_fingerprint(moved: dict[str, Any]):
    assert replace(QUOTE, **moved).fingerprint != QUOTE.fingerprint


@pytest.mark.parametrize(
    "moved",
    [
        {"initial_month_price": Decimal("8.71")},
        {"read_at": datetime(2026, 10, 14, tzinfo=UTC)},
        {"number_key": "OTHER"},
        {"capabilities": ("VOICE", "SMS")},
        {"price_per_month": Decimal("15.000000")},
    ],
)
def test_what_moves_by_itself_is_not(moved: dict[str, Any]):
    assert replace(QUOTE, **moved).fingerprint == QUOTE.fingerprint


def test_the_fingerprint_of_several_does_not_depend_on_their_order():
    assert fingerprint_of(["b", "a"]) == fingerprint_of(["a", "b"])
    assert fingerprint_of(["a", "a"]) != fingerprint_of(["a"])


@given(per_month=amounts, setup=amounts, initial=amounts, shared=st.booleans())
def test_a_stored_quote_is_the_same_quote(per_month: Any, setup: Any, initial: Any, shared: bool):
    quote = replace(
        QUOTE, price_per_month=per_month, setup_price=setup, initial_month_price=initial, shared=shared
    )
    stored = Quote.from_json(quote.to_json())
    assert stored == quote
    assert stored.fingerprint == quote.fingerprint
    assert not any(isinstance(value, float) for value in quote.to_json().values())


def test_due_now_is_set_up_and_this_month():
    assert replace(QUOTE, setup_price=Decimal(2)).due_now == Decimal("11.193549")
    assert replace(QUOTE, initial_month_price=None).due_now is None


def test_the_share_of_the_month_is_told_only_when_it_fits():
    assert QUOTE.month_share == (19, 31)
    assert replace(QUOTE, initial_month_price=Decimal("9.2")).month_share is None
    assert replace(QUOTE, price_per_month=Decimal(0), initial_month_price=Decimal(0)).month_share is None


def test_an_unknown_price_is_not_bought():
    assert QUOTE.buyable
    assert replace(QUOTE, initial_month_price=None).buyable  # the provider need not tell it
    for unknown in ({"price_per_month": None}, {"setup_price": None}, {"currency": ""}):
        assert not replace(QUOTE, **unknown).buyable
    assert not replace(QUOTE, initial_month_price=None, problem="initialMonthPrice is NaN").buyable


def test_costs_are_told_per_currency():
    pounds = replace(QUOTE, currency="GBP", setup_price=Decimal(1))
    costs = costs_of([QUOTE, QUOTE, pounds])
    assert dict(costs.per_month) == {"EUR": Decimal(30), "GBP": Decimal(15)}
    assert dict(costs.due_now) == {"EUR": Decimal("18.387098"), "GBP": Decimal("10.193549")}
    assert dict(costs.year) == {"EUR": Decimal(360), "GBP": Decimal(180)}
    assert (costs.share, costs.unknown, costs.currencies) == ((19, 31), 0, ["EUR", "GBP"])


def test_unknown_parts_are_counted_and_not_added():
    costs = costs_of([QUOTE, replace(QUOTE, initial_month_price=None)])
    assert (costs.unknown, dict(costs.this_month)) == (1, {"EUR": Decimal("9.193549")})


def test_an_offer_is_named_by_country_and_number():
    assert Offer.parse(OFFER.ref) == OFFER
    assert Offer.parse("-12345") == Offer("", "12345")
    for wrong in ("", "RU", "RU-", "R U-1", "RU-" + "1" * 65, "RU-1\n2"):
        with pytest.raises(ValueError, match="does not name a number"):
            Offer.parse(wrong)


# Reading ---------------------------------------------------------------------------------------------------------


def test_prices_are_read_anew(provider: Provider):
    reading = read_quotes(provider, [OFFER, Offer("RU", "79029550000")], now=NOW, wait=5)
    assert reading.quotes[OFFER.ref] == replace(QUOTE, capabilities=("SMS",))
    assert (reading.gone, reading.unread, reading.problem) == ([Offer("RU", "79029550000")], [], None)


def test_only_the_whole_number_counts(sandbox: Any, provider: Provider):
    sandbox.stock(available=[{"number": "790295555512", "country": "RU"}])
    longer = Offer("RU", "9029555551")  # a part of all of them
    assert read_quotes(provider, [longer], now=NOW, wait=5).gone == [longer]


def test_the_same_digits_in_two_countries_are_two_numbers(sandbox: Any, provider: Provider):
    codes = [{"number": "12345", "country": country, "numberKey": country} for country in ("GB", "DE")]
    sandbox.stock(available=codes)
    quotes = read_quotes(provider, [Offer("GB", "12345"), Offer("DE", "12345")], now=NOW, wait=5).quotes
    assert {ref: quote.number_key for ref, quote in quotes.items()} == {"GB-12345": "GB", "DE-12345": "DE"}


def test_numbers_that_begin_alike_are_read_together(sandbox: Any, provider: Provider):
    reading = read_quotes(provider, [OFFER, Offer("RU", SECOND)], now=NOW, wait=5)
    assert len(reading.quotes) == 2
    assert len(sandbox.requests("list_available")) == 1


def test_twenty_numbers_of_a_crowded_country_take_few_calls(sandbox: Any, provider: Provider):
    stock = [f"4475{index:08d}"[:12] for index in range(0, 900_000, 3001)]
    sandbox.stock(
        available=[{"number": number, "country": "GB", "numberKey": f"K{number}"} for number in stock]
    )
    offers = [Offer("GB", number) for number in stock[::15]]
    reading = read_quotes(provider, offers, now=NOW, wait=30)
    assert sorted(reading.quotes) == sorted(offer.ref for offer in offers)
    assert len(sandbox.requests("list_available")) <= 12 < len(offers)


def test_absence_is_believed_only_of_a_call_for_the_whole_number(sandbox: Any, provider: Provider):
    """A provider whose filter knew whole numbers only would give nothing for what numbers have in common."""
    sandbox.fault("list_available", "status", status=200, body={"numbers": [], "numberCount": 0})
    reading = read_quotes(provider, [OFFER, Offer("RU", SECOND)], now=NOW, wait=5)
    assert (len(reading.quotes), reading.gone) == (2, [])


def test_trouble_leaves_the_rest_unread_and_nothing_gone(sandbox: Any, provider: Provider):
    sandbox.fault("list_available", "garbage", skip=1, times=-1)
    far = [Offer("RU", NUMBER), Offer("GB", "447860041117"), Offer("DE", "4930123456")]
    reading = read_quotes(provider, far, now=NOW, wait=5)
    assert (list(reading.quotes), reading.gone, reading.unread) == ([OFFER.ref], [], far[1:])
    assert reading.problem is not None


def test_the_time_for_turns_is_limited(sandbox: Any, settings: Any):
    settings.PROVIDER_RATE_LIMITS = True
    offers = [Offer(country, "447860041117") for country in ("GB", "DE", "FR", "ES")]
    reading = read_quotes(get_provider(), offers, now=NOW, wait=0.5)
    assert reading.problem is not None
    assert reading.problem.kind == "busy"
    assert reading.unread
