"""What a stock holds: the same for the same seed, many countries, and every oddity once."""

from collections import Counter

import phonenumbers
import pytest

from numbersadmin.sandbox.numbers import FOR_SALE, OWNED
from numbersadmin.sandbox.places import PLACES
from numbersadmin.sandbox.stock import make
from numbersadmin.sandbox.store import EVERYTHING, Store


@pytest.fixture(scope="module")
def stock():
    return list(make(300, 5000, 1))


def of(stock, place):
    return [number for number in stock if number.place == place]


def test_amounts_are_exact_however_small():
    for owned, available in ((0, 0), (1, 0), (3, 20), (40, 2)):
        numbers = list(make(owned, available, 1))
        assert (len(of(numbers, OWNED)), len(of(numbers, FOR_SALE))) == (owned, available)


def test_same_seed_same_stock_and_another_seed_another(stock):
    assert list(make(300, 5000, 1)) == stock
    assert list(make(300, 5000, 2)) != stock


def test_countries_currencies_types_and_capabilities(stock):
    assert len({number.country for number in of(stock, OWNED)}) == len(PLACES) > 20
    assert {number.currency for number in stock} == {'"EUR"', '"USD"', '"GBP"', '"JPY"', '"KWD"'}
    countries = Counter(number.country for number in of(stock, FOR_SALE))
    assert countries["RO"] > 100
    assert countries["GB"] > 100
    long = [number for number in stock if "VIRTUAL_LONG_NUMBER" in number.facts]
    assert len(long) > 0.95 * len(stock)
    for caps in (",SMS,", ",SMS,VOICE,", ",VOICE,", ",MMS,SMS,VOICE,"):
        assert sum(number.caps == caps for number in of(stock, FOR_SALE)) > 100
    for has in (lambda n: n.shared, lambda n: n.per_month == "0", lambda n: n.setup != "0"):
        assert any(has(number) for number in of(stock, OWNED))
        assert sum(map(has, of(stock, FOR_SALE))) > 10


def test_short_codes_are_the_same_digits_in_two_countries(stock):
    codes = {number.number: set() for number in stock if "SHORT_CODE" in number.facts}
    for number in stock:
        if number.number in codes:
            codes[number.number].add(number.country)
    assert codes["60777"] == {"GB", "DE"}
    assert codes["60888"] == {"GB", "FR"}


def test_keys_and_long_numbers_are_unique(stock):
    assert len({number.number_key for number in stock}) == len(stock)
    long = [number.number for number in stock if "SHORT_CODE" not in number.facts]
    assert len(set(long)) == len(long)


def test_ordinary_long_numbers_are_valid_in_their_country(stock):
    long = [number for number in stock if "VIRTUAL_LONG_NUMBER" in number.facts]
    wrong = [
        number.number
        for number in long
        if not phonenumbers.is_valid_number_for_region(
            phonenumbers.parse("+" + number.number), number.country
        )
    ]
    assert len(wrong) <= 1, wrong  # the documented US number lies in the range kept for fiction


def test_unknown_fields_type_and_capability_are_answered(sandbox, account):
    sandbox.reset(owned=8, available=14)
    odd = next(n for n in account.available() if n["type"] == "HOLOGRAM_NUMBER")
    assert odd["capabilities"] == ["SMS", "TELEPATHY"]
    assert odd["carrierGrade"] == {"tier": 3, "since": "2019-04-01"}
    assert "7C41D0E2F%2FA9B%3B55D0C1E8A4G77" in {n["numberKey"] for n in account.owned()}


def work_of(owned, act):
    """Instructions of SQLite, in tens, that an act takes with so many owned numbers; counts are kept by then."""
    store, steps = Store(":memory:"), []
    store.restock(make(owned, 0, 1))
    store.count(OWNED)
    store._db.set_progress_handler(lambda: steps.append(1), 10)
    act(store)
    return len(steps)


def test_a_page_takes_the_same_work_whatever_is_owned():
    def first_page(store):
        assert store.count(OWNED) > len(store.page(OWNED, EVERYTHING, 100, 0)) == 100

    few, many = (work_of(owned, first_page) for owned in (400, 4000))
    assert 0 < many < 1.2 * few


def test_the_measure_of_work_tells_a_search_through_everything():
    few, many = (work_of(owned, lambda store: store.find("lives = 7")) for owned in (400, 4000))
    assert many > 5 * few
