"""Judging orders by any rules: more never needs fewer people, and taking an order apart or mixing it never helps."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbersadmin.policies.models import ApprovalPolicy
from numbersadmin.policies.selectors import Ask, Ruling, judged

STRICT = ["auto", "one", "two"]
Spent = dict[str, tuple[Decimal, Decimal]]

countries, currencies = st.sampled_from(["DE", "FR"]), st.sampled_from(["EUR", "USD"])
amounts = st.sampled_from([Decimal(n) for n in (0, 3, 5, 8, 10, 13, 60)])
unknown_too = st.one_of(amounts, st.none())


@st.composite
def rule_books(draw: Any) -> list[ApprovalPolicy]:
    """Any rules that the database takes, also foolish ones; unsaved."""
    made = []
    for number in range(draw(st.integers(0, 6))):
        mode = draw(st.sampled_from(STRICT))
        currency = draw(currencies if mode == "auto" else st.one_of(st.just(""), currencies))
        limit = amounts if mode == "auto" else unknown_too if currency else st.none()
        facts = {"country": draw(st.one_of(st.just(""), countries)), "currency": currency, "mode": mode}
        most = {"max_monthly": draw(limit), "max_setup": draw(limit)}
        made.append(ApprovalPolicy(pk=number + 1, kind="purchase", **facts, **most))
    return made


asks = st.builds(Ask, st.just("purchase"), countries, currencies, unknown_too, unknown_too)
orders = st.lists(asks, min_size=1, max_size=4)
spents = st.dictionaries(currencies, st.tuples(amounts, amounts))


def strictness(found: Ruling) -> int:
    return STRICT.index(found.mode)


def plus(spent: Spent, order: Sequence[Ask]) -> Spent:
    """What counts as spent after a rule let an order through, as orders/ruling.py counts it."""
    after = dict(spent)
    for ask in order:
        assert ask.per_month is not None
        assert ask.setup is not None
        monthly, setup = after.get(ask.currency, (Decimal(0), Decimal(0)))
        after[ask.currency] = (monthly + ask.per_month, setup + ask.setup)
    return after


many = settings(max_examples=300)


@many
@given(rules=rule_books(), order=orders, more=asks, spent=spents)
def test_one_more_number_never_needs_fewer_people(rules: Any, order: Any, more: Ask, spent: Spent):
    assert strictness(judged(rules, [*order, more], spent)) >= strictness(judged(rules, order, spent))


@many
@given(rules=rule_books(), first=orders, second=orders, spent=spents)
def test_taken_apart_nothing_passes_that_would_not_pass_whole(
    rules: Any, first: Any, second: Any, spent: Spent
):
    if judged(rules, first, spent).mode != "auto":
        return
    if judged(rules, second, plus(spent, first)).mode == "auto":
        assert judged(rules, [*first, *second], spent).mode == "auto"


@many
@given(rules=rule_books(), order=orders, spent=spents, data=st.data())
def test_the_order_of_rules_and_of_numbers_does_not_matter(rules: Any, order: Any, spent: Spent, data: Any):
    turned = data.draw(st.permutations(rules)), data.draw(st.permutations(order))
    assert judged(*turned, spent) == judged(rules, order, spent)


@many
@given(rules=rule_books(), order=orders, spent=spents)
def test_nothing_passes_by_itself_with_an_unknown_price_or_above_every_limit(
    rules: Any, order: Any, spent: Spent
):
    found = judged(rules, order, spent)
    if found.mode != "auto":
        return
    assert all(ask.per_month is not None and ask.setup is not None for ask in order)
    assert found.policy_id
    for currency in {ask.currency for ask in order}:
        limits = [rule.max_monthly for rule in rules if (rule.mode, rule.currency) == ("auto", currency)]
        assert plus(spent, order)[currency][0] <= max(limits)


# Where rules that overlap once let more through ------------------------------------------------------------------


def rule(pk: int, mode: str, country: str, monthly: int | None) -> ApprovalPolicy:
    most = None if monthly is None else Decimal(monthly)
    facts = {"mode": mode, "country": country, "max_monthly": most, "max_setup": most}
    return ApprovalPolicy(pk=pk, kind="purchase", currency="EUR", **facts)


def ask(country: str, monthly: int) -> Ask:
    return Ask("purchase", country, "EUR", Decimal(monthly), Decimal(0))


@pytest.mark.parametrize(("monthly", "mode"), [(40, "two"), (60, "two"), (160, "two")])
def test_an_order_does_not_outgrow_a_strict_rule(monthly: int, mode: str):
    found = judged([rule(1, "two", "DE", 50), rule(2, "auto", "", 100)], [ask("DE", monthly)], {})
    assert (found.mode, found.policy_id) == (mode, 1)
    assert ("more never needs fewer people" in found.words) == (monthly > 50)


def test_countries_with_limits_of_their_own_are_counted_together_in_a_day():
    rules = [rule(1, "auto", "DE", 10), rule(2, "auto", "FR", 200)]
    de, fr = ask("DE", 8), ask("FR", 100)
    assert judged(rules, [fr], {}).mode == "auto"
    assert judged(rules, [de, fr], {}).mode == "one"
    assert judged(rules, [fr], plus({}, [de])).mode == "one"
    assert judged(rules, [de], plus({}, [fr])).mode == "one"
