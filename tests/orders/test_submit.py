"""Asking for numbers and asking to give one back: what is refused, and that one form is one order."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.services import end_number
from numbersadmin.orders import services
from numbersadmin.orders.models import Order, OrderItem
from tests.orders.desk import KEY, NUMBER, OFFER, SECOND, Desk, item_of

pytestmark = pytest.mark.django_db


def test_an_order_waits_for_approval_and_buys_nothing(desk: Desk, sandbox: Any):
    order = desk.order(OFFER, replace(OFFER, number=SECOND))
    assert (order.kind, order.requester, order.round) == ("purchase", desk.cast.manager, 1)
    assert order.expires_at == desk.clock() + timedelta(days=14)
    items = list(order.items.order_by("id"))
    assert [(item.number, item.state, item.currency) for item in items] == [
        (NUMBER, "pending", "EUR"),
        (SECOND, "pending", "EUR"),
    ]
    assert items[0].number_key == KEY
    assert items[0].quote["initial_month_price"] == "9.193549"
    events = AuditEvent.objects.filter(verb="order.submitted").order_by("id")
    assert [(event.number, event.actor, event.reason) for event in events] == [
        (NUMBER, "manager", "Order confirmations"),
        (SECOND, "manager", "Order confirmations"),
    ]
    assert sandbox.acts() == []


@pytest.mark.parametrize("name", ["viewer", "finance", "admin"])
def test_who_may_not_order_does_not(desk: Desk, name: str):
    with pytest.raises(services.NotAllowed):
        desk.order(actor=getattr(desk.cast, name))
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 1001}, "reason"),
        ({"cost_centre": "x" * 101}, "cost_centre"),
        ({"owner": None}, "owner"),
        ({"form_token": ""}, ""),
        ({"form_token": "x" * 65}, ""),
    ],
)
def test_what_is_missing_is_named(desk: Desk, given: dict[str, Any], field: str):
    with pytest.raises(services.Incomplete) as refused:
        desk.order(**given)
    assert refused.value.field == field
    assert not Order.objects.exists()


def test_the_owner_has_to_be_active(desk: Desk):
    desk.cast.manager2.is_active = False
    desk.cast.manager2.save()
    with pytest.raises(services.Incomplete, match="active person"):
        desk.order(owner=desk.cast.manager2)


def test_a_reason_of_a_thousand_characters_is_kept(desk: Desk):
    assert len(desk.order(reason=" " + "x" * 1000 + " ").reason) == 1000


def submit(desk: Desk, quotes: list[Any], **given: Any) -> Order:
    facts = {
        "actor": desk.cast.manager,
        "owner": desk.cast.manager,
        "cost_centre": "",
        "reason": "Why",
        "sender_id": True,
        "form_token": desk.form(),
        "now": desk.clock(),
    }
    return services.submit_purchase(quotes=quotes, **facts | given)


def test_no_number_more_than_twenty_and_none_twice(desk: Desk):
    [quote] = desk.quotes()
    many = [replace(quote, number=f"7902{index}") for index in range(21)]
    for quotes, words in (([], "at least one"), (many, "20 numbers at most"), ([quote, quote], "twice")):
        with pytest.raises(services.Incomplete, match=words):
            submit(desk, quotes)
    assert submit(desk, many[:20]).items.count() == 20


def test_an_unknown_price_is_not_ordered(desk: Desk):
    [quote] = desk.quotes()
    with pytest.raises(services.Incomplete, match=r"price of .* is not known"):
        submit(desk, [replace(quote, price_per_month=None)])


def test_a_number_that_is_ours_is_not_ordered(desk: Desk, owned: OwnedNumber):
    [quote] = desk.quotes()
    ours = replace(quote, number=owned.number, country="GB")
    with pytest.raises(services.AlreadyOwned, match=r"\+44.*already yours"):
        submit(desk, [quote, ours])
    assert not Order.objects.exists()
    submit(desk, [replace(ours, country="DE")])  # the same digits elsewhere are another number


def test_a_shared_number_may_be_ours_already(desk: Desk, owned: OwnedNumber):
    OwnedNumber.objects.update(shared=True)
    [quote] = desk.quotes()
    submit(desk, [replace(quote, number=owned.number, country="GB", shared=True)])


def test_the_other_order_for_a_number_is_named(desk: Desk):
    first = desk.order()
    with pytest.raises(services.AlreadyOrdered, match=rf"\+7.*already in order {first.pk}\."):
        desk.order(actor=desk.cast.manager2)
    services.withdraw(actor=desk.cast.manager, order=first, now=desk.clock())
    desk.order(actor=desk.cast.manager2)


def test_two_live_orders_for_a_number_are_impossible_in_the_database(desk: Desk):
    item = item_of(desk.order())
    item.pk, item.order = None, submit(desk, [replace(desk.quotes()[0], number="790")])
    with pytest.raises(IntegrityError), transaction.atomic():
        item.save(force_insert=True)
    item.state = "failed"
    item.save(force_insert=True)


def test_one_form_is_one_order(desk: Desk):
    first = desk.order(form_token="same")
    again = desk.order(form_token="same", reason="Something else")
    assert first == again
    assert (Order.objects.count(), again.reason) == (1, "Order confirmations")
    assert AuditEvent.objects.filter(verb="order.submitted").count() == 1


def test_one_form_is_one_order_even_after_it_ended(desk: Desk):
    first = desk.order(form_token="same")
    services.withdraw(actor=desk.cast.manager, order=first, now=desk.clock())
    assert desk.order(form_token="same") == first


def test_another_persons_form_makes_no_order(desk: Desk):
    desk.order(form_token="same")
    with pytest.raises(services.NotAllowed, match="another person's order"):
        desk.order(form_token="same", actor=desk.cast.manager2)
    assert Order.objects.count() == 1


# Giving a number back --------------------------------------------------------------------------------------------


def test_a_cancellation_is_an_order(desk: Desk, owned: OwnedNumber, sandbox: Any):
    order = desk.cancel(owned, typed_number="+44 7860 041117")
    item = item_of(order)
    assert (order.kind, item.state, item.owned_number) == ("cancel", "pending", owned)
    assert item.number_key == owned.number_key
    assert sandbox.acts() == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Type the number to confirm"),
        ("4478600411", "That is 10 of 12 digits"),
        ("447860041118", "different number"),
        ("4478600411170", "different number"),
        ("abc", "different number"),
    ],
)
def test_the_typed_number_confirms(desk: Desk, owned: OwnedNumber, typed: str, words: str):
    with pytest.raises(services.Incomplete, match=words) as refused:
        desk.cancel(owned, typed_number=typed)
    assert refused.value.field == "typed_number"
    assert not Order.objects.exists()


def test_a_number_is_cancelled_by_one_order_at_a_time(desk: Desk, owned: OwnedNumber):
    first = desk.cancel(owned)
    with pytest.raises(services.AlreadyOrdered, match=f"Order {first.pk} to cancel"):
        desk.cancel(owned, actor=desk.cast.manager2)
    item = item_of(first)
    item.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        item.save(force_insert=True)


def test_what_has_ended_is_not_cancelled(desk: Desk, owned: OwnedNumber):
    stale = OwnedNumber.objects.get(pk=owned.pk)
    now = desk.clock()
    end_number(owned=owned, basis="disappeared", ended_from=now, ended_to=now, actor=None, now=now)
    with pytest.raises(services.NotOwnedAnyMore, match="no longer yours"):
        desk.cancel(stale)


def test_who_may_not_cancel_does_not(desk: Desk, owned: OwnedNumber):
    with pytest.raises(services.NotAllowed):
        desk.cancel(owned, actor=desk.cast.viewer)
    with pytest.raises(services.Incomplete):
        desk.cancel(owned, reason="")
    assert not OrderItem.objects.exists()


def test_one_form_is_one_cancellation(desk: Desk, owned: OwnedNumber):
    assert desk.cancel(owned, form_token="same") == desk.cancel(owned, form_token="same")
    assert Order.objects.count() == 1
