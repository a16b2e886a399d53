"""Why a month costs another amount than the one before: each reason, and that they always add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.costs import selectors
from numbersadmin.costs.bridge import Part, changes, explain, shown
from numbersadmin.costs.charges import Basis, Charge, Kind, charges, stretches
from numbersadmin.costs.ledger import Entry
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.report import Adder, Figures
from numbersadmin.costs.waterfall import HEIGHT, waterfall
from numbersadmin.money import ZERO, Totals, from_micro, rounded
from tests.costs.conftest import at
from tests.costs.test_charge_invariants import FIRST, ORIGIN, amounts, calendars, currencies, holdings

NOW = at("2026-11-20 12:00")
OCTOBER, NOVEMBER = Month.parse("2026-10"), Month.parse("2026-11")


def charge(kind, amount, per_month=None, currency="EUR"):
    per_month = amount if per_month is None else per_month
    amount, per_month = (None if one is None else Decimal(one) for one in (amount, per_month))
    return Charge(1, OCTOBER, kind, amount, currency, Basis.LISTED, ORIGIN, ORIGIN, per_month)


FULL, FIRST_MONTH, SETUP, CORRECTION = Kind.RECURRING, Kind.INITIAL, Kind.SETUP, Kind.ADJUSTMENT


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([], [charge(FIRST_MONTH, "5", "10"), charge(SETUP, "3")], {"new": "5", "setup": "3"}),
        ([charge(FULL, "15")], [], {"cancelled": "-15"}),
        ([charge(FULL, "8")], [charge(FULL, "9")], {"price": "1"}),
        ([charge(FIRST_MONTH, "2.903226", "5")], [charge(FULL, "5")], {"full_month": "2.096774"}),
        (
            [charge(FIRST_MONTH, "2", "5"), charge(SETUP, "3")],
            [charge(FULL, "6")],
            {"setup_before": "-3", "price": "1", "full_month": "3"},
        ),
        ([charge(FULL, "8")], [charge(FULL, None, currency="")], {"unpriced": "-8"}),
        ([charge(FULL, None, currency="")], [charge(FULL, "8")], {"unpriced": "8"}),
        ([charge(CORRECTION, "-2")], [charge(CORRECTION, "1")], {"corrections": "3"}),
        ([charge(FULL, "8"), charge(SETUP, "1")], [charge(FULL, "8"), charge(SETUP, "1")], {}),
    ],
)
def test_each_difference_has_one_reason(before, after, told):
    found = {part: amount for _, part, amount in explain(before, after, returned=False)}
    assert found == {Part(part): Decimal(amount) for part, amount in told.items()}


def test_another_currency_leaves_one_and_comes_to_the_other():
    found = explain([charge(FULL, "8")], [charge(FULL, "9", currency="USD")], returned=False)
    assert found == [("EUR", Part.CURRENCY, Decimal(-8)), ("USD", Part.CURRENCY, Decimal(9))]


def test_what_was_ours_before_and_is_charged_again_is_not_new():
    assert explain([], [charge(FULL, "8")], returned=True) == [("EUR", Part.RETURNED, Decimal(8))]


@pytest.mark.usefixtures("november")
def test_the_example_of_the_documentation_figure_by_figure(two_months):
    page = selectors.month_page(selectors.records(NOW), NOVEMBER, now=NOW, currency="EUR")
    exact = {bar.part: bar.exact for bar in page.bridge.reasons}
    assert exact == {
        Part.NEW: Decimal(5),
        Part.SETUP: Decimal(3),
        Part.CANCELLED: Decimal(-15),
        Part.PRICE: Decimal(1),
        Part.FULL_MONTH: Decimal("2.096774"),
    }
    assert sum(exact.values()) == Decimal("-3.903226")
    assert {bar.part: str(bar.amount) for bar in page.bridge.reasons} == {
        Part.NEW: "5.00",
        Part.SETUP: "3.00",
        Part.CANCELLED: "-15.00",
        Part.PRICE: "1.00",
        Part.FULL_MONTH: "2.10",
    }
    assert (page.bridge.before.amount, page.bridge.after.amount) == (Decimal("25.90"), Decimal("22.00"))
    assert page.bridge.change == Decimal("-3.90")


corrections = st.lists(
    st.tuples(st.sampled_from([None, 1, 2]), currencies, st.integers(-9_000_000, 9_000_000).map(from_micro)),
    max_size=3,
)


def lines_of(held, month, calendar, corrected):
    """A statement as the ledger gives it: by number, corrections after the charges of their number."""
    entries = [
        Entry(line, one.subject) for one in held for line in charges(one.possession, month, month, calendar)
    ]
    moment = calendar.start(month)
    entries += [
        Entry(
            Charge(number, month, CORRECTION, amount, currency, Basis.MANUAL, moment, moment, None),
            Subject(number),
        )
        for number, currency, amount in corrected
    ]
    return sorted(entries, key=lambda entry: (entry.subject.id is None, entry.subject.id or 0))


@given(holdings(), holdings(), corrections, corrections, calendars, st.integers(0, 24), st.integers(-3, 3))
def test_the_reasons_add_up_for_any_two_months_whoever_knew_what(
    held, other, first, second, calendar, later, apart
):
    """A closed month is what was known when it was closed: any other history of the same numbers will do."""
    a, b = FIRST.plus(later), FIRST.plus(later + apart)
    before, after = lines_of(held, a, calendar, first), lines_of(other, b, calendar, second)
    totals = [Totals.of((one.charge.currency, one.charge.amount) for one in of) for of in (before, after)]
    found = Totals.of((one.currency, one.amount) for one in changes(before, after, {1, 2, 3}))
    expected = totals[1] - totals[0]
    assert {code: amount for code, amount in found.items() if amount} == {
        code: amount for code, amount in expected.items() if amount
    }
    assert list(changes(before, before, {1, 2, 3})) == []


@given(holdings(), calendars, st.integers(1, 24))
def test_what_is_counted_in_passing_equals_number_by_number(held, calendar, later):
    first, month = FIRST.plus(later - 1), FIRST.plus(later)
    adder, found = Adder(first, month, []), Figures()
    for one in held:
        seen_in = calendar.index(one.possession.acquired_to)
        adder.add(one.subject, stretches(one.possession, first, month, calendar), seen_in)
    adder.into(found)
    seen = {one.subject.id for one in held if calendar.index(one.possession.acquired_to) < month.index}
    lines = [lines_of(held, one, calendar, []) for one in (first, month)]
    expected: dict = {}
    for one in changes(*lines, seen):
        numbers, amount = expected.get((one.currency, one.part), (0, ZERO))
        expected[one.currency, one.part] = (numbers + 1, amount + one.amount)
    counted = {key: (one.numbers, one.amount) for key, one in found.of(month, "bridge").items()}
    assert counted == expected


@given(st.integers(-(10**9), 10**9).map(from_micro), st.lists(amounts.filter(bool)), currencies)
def test_shown_reasons_lead_from_the_shown_month_to_the_shown_month(before, parts, currency):
    rounded_parts = shown(before, parts, currency)
    after = before + sum(parts, ZERO)
    assert rounded(before, currency) + sum(rounded_parts) == rounded(after, currency)


def test_a_reason_of_whole_cents_is_shown_as_it_is():
    parts = [Decimal(part) for part in ("0.004", "-60", "0.003", "12.34")]
    assert [str(part) for part in shown(Decimal("100.001"), parts, "EUR")] == [
        "0.01",
        "-60.00",
        "0.00",
        "12.34",
    ]


cents = st.integers(-500_000, 500_000).map(lambda count: Decimal(count) / 100)


@given(st.integers(0, 500_000).map(Decimal), st.dictionaries(st.sampled_from(Part), cents))
def test_every_bar_is_drawn_inside_and_begins_where_the_last_one_ended(before, parts):
    from numbersadmin.costs.report import Sum

    sums = {part: Sum(1, 0, amount) for part, amount in parts.items()}
    after = before + sum(parts.values(), ZERO)
    drawn = waterfall(before, sums, after, "EUR", NOVEMBER, "Nov 2026")
    assert [bar.part for bar in drawn.reasons] == [part for part in Part if parts.get(part)]
    for bar in drawn.bars:
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT
    for left, right in zip(drawn.bars, drawn.bars[1:], strict=False):
        assert left.end <= left.next_x == right.x
    assert len(drawn.marks) == (2 if drawn.cut else 0)


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("november")
def test_each_bar_opens_its_numbers_with_both_months(two_months, signed_in):
    client = signed_in("viewer")
    month = client.get("/costs/2026-11/?cur=EUR").text
    assert month.count('href="/costs/2026-11/bridge/?cur=EUR&amp;part=cancelled"') == 2, "bar and table"
    page = client.get("/costs/2026-11/bridge/?cur=EUR&part=cancelled").text
    assert page.count("<tr data-number=") == 1
    assert 'data-number="79029555551"' in page
    assert "15.00" in page
    assert "\u221215.00" in page
    everything = client.get("/costs/2026-11/bridge/").text
    assert everything.count("<tr data-number=") == 5


@pytest.mark.usefixtures("november")
@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/costs/2026-09/bridge/", 200, "lies before our records"),
        ("/costs/2027-02/bridge/", 200, "has not started"),
        ("/costs/2026-13/bridge/", 404, "no such month"),
        ("/costs/2026-11/bridge/?part=shoe&cur=%27", 200, "No number differs"),
        ("/costs/2026-12/bridge/?cur=EUR&part=full_month", 200, "33 6 12 34 56 78"),
    ],
)
def test_what_there_is_no_difference_for(two_months, signed_in, path, status, words):
    page = signed_in("viewer").get(path)
    assert page.status_code == status
    assert words in page.text.replace("\u00a0", " ")
