"""What holds for every history: no charge twice, the same lines however asked, sums that add up."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.costs.charges import Basis, Kind, Possession, Price, charges, fitting_days, stretches
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.costs.possessions import Held, Subject
from numbersadmin.costs.report import GROUPINGS, Adder, Figures, basis_words
from numbersadmin.money import Totals, from_micro, prorate, rounded, rounded_lines

FIRST, LAST = Month.parse("2025-01"), Month.parse("2027-06")
ORIGIN = datetime(2025, 3, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Zagreb", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]
CALENDARS = {zone: Calendar(zone) for zone in ZONES}
calendars = st.sampled_from(list(CALENDARS.values()))
hours = st.integers(0, 90 * 24).map(lambda count: timedelta(hours=count))
amounts = st.none() | st.integers(0, 50_000_000).map(from_micro)
currencies = st.sampled_from(["EUR", "USD", "JPY", "KWD"])


@st.composite
def possessions(draw: st.DrawFn, number_id: int = 1) -> Possession:
    """A number's life within two years: bought, seen or there before; prices and gaps; perhaps an end."""
    began = ORIGIN + draw(st.integers(0, 300 * 24).map(lambda count: timedelta(hours=count)))
    how = draw(st.sampled_from(["bought", "appeared", "inferred", "already"]))
    after = began - draw(hours) if how in ("appeared", "inferred") else None
    quoted = how == "bought"
    prices: list[Price] = []
    since, not_before = began, None
    for _ in range(draw(st.integers(1, 4))):
        until = since + draw(hours) + timedelta(hours=1)
        currency = draw(currencies)
        monthly, setup, initial = (draw(amounts) for _ in range(3))
        prices.append(
            Price(since, until, not_before, monthly, setup, initial, currency, quoted and not prices)
        )
        gap = draw(st.sampled_from([timedelta(), timedelta(), timedelta(days=45)]))
        not_before = draw(st.sampled_from([None, until, since + (until - since) / 2]))
        since = until + gap
    ended = draw(st.booleans())
    last_seen = prices[-1].valid_from + draw(hours) if ended else None
    gone_by = last_seen + draw(hours) if last_seen else None
    inferred = began - (began - after) * draw(st.integers(0, 9)) / 10 if after and how == "inferred" else None
    return Possession(
        number_id,
        began,
        tuple(prices),
        acquired_at=began if how == "bought" else inferred,
        acquired_from=after,
        exact=quoted,
        last_seen=last_seen,
        gone_by=gone_by,
        listed_until=draw(st.sampled_from([None, prices[-1].valid_from])) if not ended else None,
    )


@st.composite
def holdings(draw: st.DrawFn) -> list[Held]:
    """Several numbers of several owners in several countries."""
    return [
        Held(
            draw(possessions(number_id)),
            Subject(
                number_id,
                f"KEY{number_id}",
                str(49_000 + number_id),
                draw(st.sampled_from(["DE", "GB", ""])),
                draw(st.sampled_from(["MOBILE", ""])),
                draw(st.sampled_from(["SMS", "SMS,VOICE"])),
                shared=False,
                labels=draw(st.sampled_from([(), ("a",), ("a", "b")])),
                cost_centre=draw(st.sampled_from(["CC-1", ""])),
                owner=draw(st.sampled_from(["manager", ""])),
            ),
        )
        for number_id in range(1, draw(st.integers(1, 6)) + 1)
    ]


@given(possessions(), calendars)
def test_set_up_and_first_month_at_most_once_and_one_rent_a_month(possession, calendar):
    lines = charges(possession, FIRST, LAST, calendar)
    kinds = Counter(line.kind for line in lines)
    assert kinds[Kind.SETUP] <= 1
    assert kinds[Kind.INITIAL] <= 1
    rents = [line.month.index for line in lines if line.kind is not Kind.SETUP]
    assert rents == list(range(rents[0], rents[0] + len(rents))), "each month once, none left out"
    end = possession.last_seen
    assert rents[-1] == (max(rents[0], calendar.index(end)) if end else LAST.index)


@given(possessions(), calendars)
def test_asking_month_by_month_gives_the_same_lines(possession, calendar):
    months = [FIRST.plus(later) for later in range(LAST.index - FIRST.index + 1)]
    whole = charges(possession, FIRST, LAST, calendar)
    assert whole == [line for month in months for line in charges(possession, month, month, calendar)]
    assert whole == charges(possession, FIRST, LAST, calendar)


@given(possessions(), calendars)
def test_full_months_cost_what_was_in_force_when_they_began(possession, calendar):
    """Against a second way to find the price: the version seen last before, or the one that came in then."""
    for line in charges(possession, FIRST, LAST, calendar):
        if line.kind is not Kind.RECURRING:
            continue
        start, prices = calendar.start(line.month), possession.prices
        at = max((i for i, price in enumerate(prices) if price.valid_from <= start), default=0)
        while at + 1 < len(prices) and _came_in_after(prices[at], prices[at + 1]) < start:
            at += 1
        assert (line.amount, line.currency) == (prices[at].per_month, prices[at].currency)


def _came_in_after(before: Price, price: Price) -> datetime:
    gap = before.valid_to is not None and before.valid_to < price.valid_from
    return price.not_before or (before.valid_to if gap and before.valid_to else before.valid_from)


@given(possessions(), calendars)
def test_a_charge_lies_in_its_month_and_has_an_exact_amount_or_none(possession, calendar):
    for line in charges(possession, FIRST, LAST, calendar):
        assert calendar.start(line.month) <= line.period_start < line.period_end
        assert line.period_end <= calendar.end(line.month)
        assert line.amount is None or type(line.amount) is Decimal
        assert line.amount is None or line.amount == round(line.amount, 6)
        assert (line.amount is None) == ("no price" in line.note)


@given(possessions(), calendars)
def test_what_is_stated_is_charged_as_stated(possession, calendar):
    first = possession.prices[0]
    for line in charges(possession, FIRST, LAST, calendar):
        if line.kind is Kind.INITIAL and line.basis in (Basis.QUOTED, Basis.LISTED):
            assert line.amount == first.initial_month
        if line.kind is Kind.SETUP:
            assert line.amount == first.setup
            assert line.amount is None or line.amount > 0


@given(st.integers(1_000, 500_000_000).map(from_micro), st.integers(0, 24), st.integers(1, 28), calendars)
def test_the_first_months_price_tells_the_day(price, later, day, calendar):
    """With the month known, and from 0.001 a month on, exactly one day fits: the true one."""
    month = FIRST.plus(later)
    initial = prorate(price, month.days - day + 1, month.days)
    facts = Price(calendar.end(month), None, None, price, Decimal(0), initial, "EUR")
    after, seen = calendar.start(month), calendar.end(month) - timedelta(seconds=1)
    found = fitting_days(Possession(1, seen, (facts,), acquired_from=after), calendar)
    assert found == [month.first_day.replace(day=day)]


def figures(held, first, last, by, calendar):
    """What adds up to the figures of these months."""
    adder, found = Adder(first, last, [by]), Figures()
    for one in held:
        of_it = stretches(one.possession, first, last, calendar)
        adder.add(one.subject, of_it, calendar.index(one.possession.acquired_to))
    adder.into(found)
    return found


def above_0(totals):
    return {code: amount for code, amount in totals.items() if amount}


@given(holdings(), st.sampled_from(list(GROUPINGS)), calendars, st.integers(0, 24), st.randoms())
def test_every_split_and_the_trend_add_up_to_the_lines(held, by, calendar, later, chance):
    month = FIRST.plus(later)
    months = [month.plus(back) for back in range(-11, 1)]
    found = figures(held, months[0], month, by, calendar)
    for one in months:
        lines = [line for each in held for line in charges(each.possession, one, one, calendar)]
        totals = Totals.of((line.currency, line.amount) for line in lines)
        assert above_0(found.amounts(one)) == above_0(totals)
        groups = [(code, total) for (code, _), total in found.of(one, by).items() if code]
        assert above_0(Totals.of((code, total.amount) for code, total in groups)) == above_0(totals)
        unpriced = {line.currency for line in lines if line.amount is None and line.currency}
        assert found.unknown(one) == {code for code in unpriced if not totals.get(code)}
        assert not found.unknown(one) & found.amounts(one).keys()
        assert found.unpriced(one) == len({line.number_id for line in lines if line.amount is None})
        rents = [line for line in lines if line.kind is not Kind.SETUP]
        assert sum(total.numbers for total in found.of(one, by).values()) == len(rents)
    chance.shuffle(held)
    assert sorted(figures(held, months[0], month, by, calendar)) == sorted(found)


@given(holdings(), calendars, st.integers(0, 24))
def test_shown_lines_add_up_to_the_shown_total(held, calendar, later):
    month = FIRST.plus(later)
    found = figures(held, month, month, "country", calendar)
    for currency in found.totals(month):
        exact = [one.amount for (code, _), one in found.of(month, "country").items() if code == currency]
        assert sum(rounded_lines(exact, currency)) == rounded(sum(exact), currency)


@given(possessions(), calendars)
def test_no_price_never_becomes_an_amount(possession, calendar):
    found = stretches(possession, FIRST, LAST, calendar)
    for stretch in found:
        if stretch.kind is Kind.RECURRING:
            assert stretch.amount == stretch.per_month
        if stretch.kind is Kind.INITIAL and possession.prices[0].initial_month is None:
            assert (stretch.amount is None) == (stretch.per_month is None)


@given(st.dictionaries(st.sampled_from(list(Basis)), st.integers(1, 10**9).map(from_micro)))
def test_the_parts_in_words_are_never_nothing_and_never_all_but_alone(amounts):
    words = basis_words(amounts)
    assert bool(words) == bool(amounts)
    assert not any(word.startswith("0%") for word in words)
    if len(words) > 1:
        assert not any(word.startswith("100%") for word in words)
