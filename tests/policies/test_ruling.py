"""Judging an order by rules: what holds for all orders and whatever the rules are."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from numbersadmin.policies.models import ApprovalPolicy
from numbersadmin.policies.selectors import STRICTNESS, Ask, Ruling, judge

AMOUNTS = st.integers(0, 4000).map(lambda cents: Decimal(cents) / 100)
CURRENCIES = st.sampled_from(["EUR", "USD"])
COUNTRIES = st.sampled_from(["DE", "FR"])
ZERO = Decimal(0)


@st.composite
def rules(draw: st.DrawFn) -> list[ApprovalPolicy]:
    """Any rules that the database would take, unsaved, in any order."""
    made = []
    for pk in range(1, draw(st.integers(0, 5)) + 1):
        mode = draw(st.sampled_from(STRICTNESS))
        currency = draw(CURRENCIES if mode == "auto" else st.just("") | CURRENCIES)
        limit = AMOUNTS if mode == "auto" else st.none() | AMOUNTS if currency else st.none()
        facts: dict[str, Any] = {"country": draw(st.just("") | COUNTRIES), "currency": currency}
        limits = {"max_monthly": draw(limit), "max_setup": draw(limit)}
        made.append(ApprovalPolicy(pk=pk, kind="purchase", mode=mode, **facts, **limits))
    return draw(st.permutations(made))


def asks(currency: Any = CURRENCIES, amount: Any = AMOUNTS) -> st.SearchStrategy[Ask]:
    return st.builds(Ask, st.just("purchase"), COUNTRIES, currency, amount, amount)


orders = st.lists(asks(), min_size=1, max_size=4)
spendings = st.dictionaries(CURRENCIES, st.tuples(AMOUNTS, AMOUNTS))


Spent = dict[str, tuple[Decimal, Decimal]]


def plus(spent: Spent, order: list[Ask]) -> Spent:
    """What counts as spent once a rule has let an order through, as orders/ruling.py counts it."""
    after = dict(spent)
    for ask in order:
        monthly, setup = after.get(ask.currency, (ZERO, ZERO))
        after[ask.currency] = (monthly + ask.per_month, setup + ask.setup)
    return after


def strictness(found: Ruling) -> int:
    return [str(mode) for mode in STRICTNESS].index(str(found.mode))


@given(rules(), orders, spendings, st.randoms())
def test_neither_the_order_of_items_nor_of_rules_matters(
    active: list[ApprovalPolicy], order: list[Ask], spent: Any, random: Any
):
    found = judge(active, order, spent)
    random.shuffle(active)
    random.shuffle(order)
    assert judge(active, order, spent) == found


@given(rules(), orders, asks(amount=st.none()), spendings)
def test_an_unknown_price_always_needs_a_person(
    active: list[ApprovalPolicy], order: list[Ask], unknown: Ask, spent: Any
):
    assert judge(active, [*order, unknown], spent).mode != "auto"


@given(rules(), orders, asks(currency=st.just("GBP")), spendings)
def test_a_currency_without_a_rule_always_needs_a_person(
    active: list[ApprovalPolicy], order: list[Ask], foreign: Ask, spent: Any
):
    assert judge(active, [*order, foreign], spent).mode != "auto"


@given(rules(), orders, asks(), spendings)
def test_one_number_more_never_needs_fewer_people(
    active: list[ApprovalPolicy], order: list[Ask], more: Ask, spent: Any
):
    assert strictness(judge(active, [*order, more], spent)) >= strictness(judge(active, order, spent))


@given(rules(), orders, asks(), spendings)
def test_an_unknown_price_never_needs_fewer_people_than_any_price(
    active: list[ApprovalPolicy], order: list[Ask], one: Ask, spent: Any
):
    unknown = Ask(one.kind, one.country, one.currency, None, None)
    assert strictness(judge(active, [*order, unknown], spent)) >= strictness(
        judge(active, [*order, one], spent)
    )


@given(rules(), st.lists(orders, min_size=1, max_size=5))
def test_in_parts_no_more_passes_by_itself_than_the_widest_limit(
    active: list[ApprovalPolicy], parts: list[list[Ask]]
):
    spent: Spent = {}
    for part in parts:
        if judge(active, part, spent).mode == "auto":
            spent = plus(spent, part)
    for currency, (monthly, setup) in spent.items():
        autos = [rule for rule in active if rule.mode == "auto" and rule.currency == currency]
        assert monthly <= max(rule.max_monthly for rule in autos)
        assert setup <= max(rule.max_setup for rule in autos)


FEW = st.sampled_from([Decimal(0), Decimal(8), Decimal(10), Decimal(60)])  # few, so that limits are met often


@settings(max_examples=300)
@given(st.data(), spendings)
def test_taken_apart_nothing_passes_that_does_not_pass_whole(data: Any, spent: Spent):
    facts = st.builds(rule, st.integers(1, 9), st.just("auto"), st.just("60"), st.just("") | COUNTRIES)
    active = data.draw(st.lists(facts, min_size=1, max_size=4, unique_by=lambda one: one.pk))
    for one in active:
        one.max_monthly, one.max_setup = data.draw(FEW), data.draw(FEW)
    parts = st.lists(asks(currency=st.just("EUR"), amount=FEW), min_size=1, max_size=3)
    first, second = data.draw(parts), data.draw(parts)
    whole = judge(active, [*first, *second], spent)
    apart = [judge(active, first, spent), judge(active, second, plus(spent, first))]
    assert whole.mode == "auto" or {found.mode for found in apart} != {"auto"}


def test_countries_with_limits_of_their_own_count_together_in_a_day():
    active = [rule(1, "auto", "10", "DE"), rule(2, "auto", "200", "FR")]
    de, fr = (Ask("purchase", to, "EUR", Decimal(most), ZERO) for to, most in (("DE", 8), ("FR", 100)))
    assert [judge(active, [one], {}).mode for one in (de, fr)] == ["auto", "auto"]
    assert judge(active, [de, fr], {}).mode == "one"
    assert judge(active, [fr], plus({}, [de])).mode == "one"
    assert judge(active, [de], plus({}, [fr])).mode == "one"


def rule(pk: int, mode: str, most: str | None, country: str = "") -> ApprovalPolicy:
    limit = None if most is None else Decimal(most)
    facts = {"country": country, "currency": "EUR", "max_monthly": limit, "max_setup": limit}
    return ApprovalPolicy(pk=pk, kind="purchase", mode=mode, **facts)


def test_a_wider_rule_never_lets_through_what_is_above_a_narrower_stricter_one():
    """Above the limit of rule 1 comes rule 2, which would approve by itself; a person decides all the same."""
    active = [rule(1, "one", "50", "DE"), rule(2, "auto", "1000")]
    order = [Ask("purchase", "DE", "EUR", Decimal(60), ZERO)]
    found = judge(active, order, {})
    assert (found.mode, found.policy_id) == ("one", 1)
    assert "not within its limits" in found.words
    assert judge(active[1:], order, {}).mode == "auto", "the control: it is rule 1 that holds it back"


def test_above_a_limit_for_two_approvers_one_is_not_enough():
    assert (
        judge([rule(1, "two", "100")], [Ask("purchase", "DE", "EUR", Decimal(101), ZERO)], {}).mode == "two"
    )
