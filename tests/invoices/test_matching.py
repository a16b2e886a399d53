"""Invariant 16: the invoice is our costs plus the listed differences, and each row is in one line."""

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.invoices.matching import Billed, Key, Ours, compare
from numbersadmin.invoices.models import Status
from numbersadmin.money import ZERO, Totals, from_micro, minor_units

numbers = st.sampled_from(["", "1", "2", "3", "447860041117"])
currencies = st.sampled_from(["EUR", "USD", "JPY", "BHD"])
kinds = st.sampled_from(["setup", "monthly"])
amounts = st.integers(-(10**15), 10**15).map(from_micro) | st.integers(-20_000, 20_000).map(from_micro)
keys = st.builds(Key, numbers, currencies, kinds)
invoices = st.lists(st.builds(Billed, keys, amounts), max_size=30)
statements = st.lists(
    st.builds(
        Ours,
        keys,
        st.none() | amounts,
        st.sampled_from(["", "DE", "FR"]),
        st.none() | st.integers(1, 9),
        st.none() | st.integers(1, 9),
    ),
    max_size=30,
)


@given(invoices, statements, st.sampled_from(["", "EUR"]))
def test_the_invoice_is_our_costs_plus_the_differences(billed, ours, currency):
    billed = [one for one in billed if one.key.currency == (currency or one.key.currency)]
    lines = list(compare(billed, ours, currency=currency))
    theirs = Totals.of((one.key.currency, one.amount) for one in billed)
    mine = Totals.of((one.key.currency, one.amount) for one in ours)
    differences = Totals.of((line.key.currency, line.difference) for line in lines)
    assert {line.key.currency for line in lines} <= ({currency} if currency else set(theirs))
    for code in theirs if not currency else {currency}:
        assert theirs.get(code, ZERO) == mine.get(code, ZERO) + differences.get(code, ZERO)


@given(invoices, statements)
def test_each_row_is_in_exactly_one_line(billed, ours):
    lines = list(compare(billed, ours))
    assert len({line.key for line in lines}) == len(lines)
    assert {line.key: line.rows for line in lines if line.rows} == Counter(one.key for one in billed)
    named = {one.key.currency for one in billed}
    assert {line.key for line in lines} == {one.key for one in billed} | {
        one.key for one in ours if one.amount is not None and one.key.currency in named
    }


@given(invoices, statements)
def test_a_status_says_what_the_sides_are(billed, ours):
    for line in compare(billed, ours):
        unit = Decimal(1).scaleb(-minor_units(line.key.currency))
        if line.status in (Status.MATCHED, Status.SETTLED):
            assert abs(line.difference) <= unit
            assert line.ours is not None
            assert (line.settled_by is not None) == (line.status == Status.SETTLED)
        elif line.status != Status.AMBIGUOUS:
            assert line.difference or line.ours is None
            assert (line.theirs is None) == (line.status == Status.ONLY_LEDGER)
            assert (line.ours is None) == (line.status == Status.ONLY_INVOICE)


@given(invoices, statements, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(billed, ours, chance):
    def told(*sides):
        return {
            line.key: (line.rows, line.theirs, line.ours, line.status, line.why) for line in compare(*sides)
        }

    mixed, mixed_ours = list(billed), list(ours)
    chance.shuffle(mixed)
    chance.shuffle(mixed_ours)
    assert told(billed, ours) == told(mixed, mixed_ours)


def test_an_unknown_price_is_not_nothing():
    key = Key("1", "EUR", "")
    (line,) = compare([Billed(key, Decimal(5))], [Ours(Key("1", "", ""), None)])
    assert (line.ours, line.status, line.why) == (None, "only_invoice", "no_price")
