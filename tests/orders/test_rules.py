"""Who decides on an order: rules, what they let through in a day, budgets, and protected numbers."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.protection import NotProtected, protect, unprotect
from numbersadmin.orders import services
from numbersadmin.orders.models import Mode, Order, OrderItem, Role
from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.orders.ruling import auto_spent
from numbersadmin.orders.selectors import waiting_for
from tests.orders.desk import NUMBER, SECOND, Desk, again, budget, item_of, rule
from tests.orders.test_races import at_once

TWO = (Offer("RU", NUMBER), Offer("RU", SECOND))
db = pytest.mark.django_db


def auto(desk: Desk, most: str = "20") -> None:
    rule(desk.cast, desk.clock(), mode="auto", max_monthly=Decimal(most), max_setup=Decimal(0))


@db
def test_what_a_rule_lets_through_is_approved_and_bought(desk: Desk, bought_here: Any):
    auto(desk)
    order = desk.order()
    item = item_of(order)
    assert (order.mode, order.approvals_needed, item.state) == ("auto", 0, "approved")
    assert "approves it without a person" in order.rule_words
    assert not order.decisions.exists()
    desk.sweep()
    assert bought_here() == [NUMBER]


@db
def test_above_the_limit_a_person_decides(desk: Desk):
    auto(desk)
    order = desk.order(*TWO)  # 30.00 together
    assert (order.mode, order.rule_words) == (Mode.ONE, "No rule covers this, so one approver decides.")


@db
def test_taking_an_order_apart_does_not_help(desk: Desk):
    auto(desk)
    assert desk.order(TWO[0]).mode == Mode.AUTO
    second = desk.order(TWO[1])
    assert (second.mode, item_of(second).state) == (Mode.ONE, "pending")
    services.withdraw(actor=desk.cast.manager, order=second, now=desk.clock())
    desk.clock.on(24 * 3600)
    assert desk.order(TWO[1]).mode == Mode.AUTO  # a day later


@db
def test_a_dearer_offer_needs_a_person_after_all(desk: Desk, sandbox: Any):
    auto(desk)
    order = desk.order()
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"pricePerMonth": "16"}})
    desk.sweep()
    order.refresh_from_db()
    assert (item_of(order).state, order.approvals_needed, order.mode) == ("pending", 1, Mode.AUTO)
    assert desk.approve(order).approved


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    prices=st.lists(st.integers(1, 30), min_size=1, max_size=6), gaps=st.lists(st.integers(0, 20), min_size=6)
)
@db
def test_in_no_day_more_is_let_through_than_the_limit(desk: Desk, prices: list[int], gaps: list[int]):
    """Invariant 36, whatever the sizes of the orders and the hours between them."""
    if not Order.objects.exists() and not desk.cast.admin.policies_proposed.exists():
        auto(desk, "25")
    before = Order.objects.count()
    for index, (price, gap) in enumerate(zip(prices, gaps, strict=False)):
        desk.clock.on(gap * 3600)
        quote = desk_quote(desk, f"4930{before:05}{index}", price)
        services.submit_purchase(
            actor=desk.cast.manager,
            quotes=[quote],
            owner=desk.cast.manager,
            cost_centre="",
            reason="x",
            sender_id=False,
            form_token=desk.form(),
            now=desk.clock(),
        )
    items = OrderItem.objects.filter(order__mode=Mode.AUTO).order_by("id")
    passed = [
        (at, Decimal(quote["price_per_month"])) for at, quote in items.values_list("created_at", "quote")
    ]
    for at, _ in passed:
        assert sum(price for when, price in passed if at - timedelta(hours=24) < when <= at) <= 25


def desk_quote(desk: Desk, number: str, price: int) -> Quote:
    return Quote(
        number=number,
        number_key=f"K{number}",
        country="DE",
        type="VIRTUAL_LONG_NUMBER",
        capabilities=("SMS",),
        shared=False,
        currency="EUR",
        price_per_month=Decimal(price),
        setup_price=Decimal(0),
        initial_month_price=Decimal(price),
        read_at=desk.clock(),
    )


def two_at_once(desk: Desk) -> list[str]:
    """The modes of two orders for 15.00 that are sent at the same moment, under a limit of 20.00."""
    auto(desk)
    quotes = [desk.quotes(offer) for offer in TWO]
    manager, now = desk.cast.manager, desk.clock()
    facts = {"actor": manager, "owner": manager, "cost_centre": "", "reason": "x", "sender_id": False}
    made = at_once(
        *[
            lambda index=index: services.submit_purchase(
                quotes=quotes[index], form_token=f"f{index}", now=now, **facts
            )
            for index in range(2)
        ]
    )
    return sorted(order.mode for order in made)


@pytest.mark.django_db(transaction=True)
def test_two_orders_at_once_do_not_both_pass(desk: Desk):
    assert two_at_once(desk) == ["auto", "one"]


@db
def test_the_constraint_counts_orders_without_approver_in_turn(desk: Desk):
    """What makes the second of two at once count again: the same turn is refused, whoever asks."""
    auto(desk)
    order = desk.order(TWO[0])
    other = desk.order(TWO[1])
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=other.pk).update(mode="auto", auto_serial=order.auto_serial)


# Budgets ---------------------------------------------------------------------------------------------------------


@db
def test_over_budget_finance_decides_too(desk: Desk):
    budget(desk.cast, desk.clock(), "14")
    order = desk.order()
    assert order.finance_needed
    assert "1.00\u00a0EUR per month over the budget of 4120 Retail" in order.rule_words
    assert order in waiting_for(desk.cast.finance)
    assert desk.approve(order).agreed
    assert item_of(order).state == "pending"
    assert order not in waiting_for(desk.cast.approver)
    result = desk.approve(order, actor=desk.cast.finance)
    assert result.approved
    assert set(order.decisions.values_list("role", flat=True)) == {Role.APPROVER, Role.FINANCE}


@db
def test_finance_alone_is_no_approver(desk: Desk):
    budget(desk.cast, desk.clock(), "14")
    order = desk.order()
    assert desk.approve(order, actor=desk.cast.finance).agreed
    assert item_of(order).state == "pending"
    with pytest.raises(services.Moved, match="You have decided"):
        desk.approve(order, actor=desk.cast.finance)
    assert desk.approve(order).approved


@db
def test_within_budget_finance_is_not_asked(desk: Desk):
    budget(desk.cast, desk.clock(), "15")
    order = desk.order()
    assert not order.finance_needed
    with pytest.raises(services.NotAllowed, match="An approver has to decide"):
        desk.approve(order, actor=desk.cast.finance)


@db
def test_committed_is_owned_approved_and_what_waits_ahead(desk: Desk, owned: OwnedNumber):
    OwnedNumber.objects.filter(pk=owned.pk).update(
        cost_centre="4120 Retail", price_per_month=Decimal(5), currency="EUR"
    )
    budget(desk.cast, desk.clock(), "34.99")
    first, second = desk.order(TWO[0]), desk.order(TWO[1])
    assert (first.finance_needed, second.finance_needed) == (False, True)  # 20.00, and 35.00
    services.withdraw(actor=desk.cast.manager, order=first, now=desk.clock())
    assert desk.approve(second).approved  # judged again, as things are now


@db
def test_what_a_rule_lets_through_still_needs_finance_over_budget(desk: Desk):
    auto(desk)
    budget(desk.cast, desk.clock(), "10")
    order = desk.order()
    assert (order.mode, order.finance_needed, item_of(order).state) == ("auto", True, "pending")
    assert desk.approve(order, actor=desk.cast.finance).approved


# Protected numbers -----------------------------------------------------------------------------------------------


@db
def test_a_protected_number_needs_two_approvers(desk: Desk, owned: OwnedNumber):
    protect(actor=desk.cast.finance, owned=owned, reason="On every invoice", now=desk.clock())
    order = desk.cancel(owned)
    assert (order.mode, order.approvals_needed) == ("two", 2)
    assert desk.approve(order).agreed
    assert desk.approve(order, actor=desk.cast.approver2).approved


@db
def test_only_another_person_takes_a_protection_off(desk: Desk, owned: OwnedNumber):
    protect(actor=desk.cast.approver, owned=owned, reason="Printed", now=desk.clock())
    with pytest.raises(NotProtected, match="You protected it yourself"):
        unprotect(actor=desk.cast.approver, owned=owned, reason="x", now=desk.clock())
    with pytest.raises(NotProtected, match="Only an approver or finance"):
        unprotect(actor=desk.cast.manager, owned=owned, reason="x", now=desk.clock())
    unprotect(actor=desk.cast.approver2, owned=owned, reason="Reprinted", now=desk.clock())
    assert desk.cancel(OwnedNumber.objects.get(pk=owned.pk)).mode == "one"


@db
def test_spent_is_counted_per_currency_and_kind(desk: Desk):
    auto(desk)
    desk.order(TWO[0])
    now = desk.clock()
    assert auto_spent(desk.cast.manager, "purchase", now) == {"EUR": (Decimal(15), Decimal(0))}
    assert auto_spent(desk.cast.manager, "cancel", now) == {}
    assert auto_spent(desk.cast.manager2, "purchase", now) == {}
    assert again(item_of(Order.objects.get())).state == "approved"
