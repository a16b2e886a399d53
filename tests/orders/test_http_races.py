"""Races as people run them: over HTTP, against gunicorn with two processes of eight threads, on either database.

RACE_ROUNDS says how often two people meet; each race has its control, in which a site without the guard loses it.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import services
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import Decision, Order, OrderItem
from numbersadmin.orders.quotes import Offer, fingerprint_of
from numbersadmin.provider.client import get_provider
from tests.orders import served
from tests.orders.served import Person, at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = int(os.environ.get("RACE_ROUNDS", "10"))
CONFIRMS = 50
NUMBERS = [f"4930778{at:04}" for at in range(max(ROUNDS, 2))]


@pytest.fixture
def site(sandbox: Any, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts the site on this test's database; its clock is the real one, as the provider's is."""
    sandbox.api("clock", {"now": None})
    sandbox.stock(available=[{"number": each, "country": "DE", "numberKey": f"K{each}"} for each in NUMBERS])
    stack = []

    def start(guard_off: str = "") -> str:
        running = served.serving(tmp_path, sandbox.url, guard_off)
        stack.append(running)
        return running.__enter__()

    yield start
    for running in stack:
        running.__exit__(None, None, None)


@pytest.fixture
def orders(site: Any, cast: Any) -> list[Order]:
    """As many orders as rounds, each for a number of its own and waiting."""
    now = timezone.now()
    reading = read_quotes(get_provider(), [Offer("DE", number) for number in NUMBERS], now=now, wait=20)
    return [
        services.submit_purchase(
            actor=cast.manager,
            quotes=[quote],
            owner=cast.manager,
            cost_centre="",
            reason="Why",
            sender_id=False,
            form_token=f"form {ref}",
            now=now,
        )
        for ref, quote in reading.quotes.items()
    ]


def approving(person: Person, order: Order) -> Callable[[], Any]:
    """A click on Approve by somebody who has the page before them."""
    seen = fingerprint_of(order.items.values_list("fingerprint", flat=True))
    return partial(person.post, f"/orders/{order.pk}/approve/", round=1, fingerprint=seen, comment="")


# One form, sent fifty times ---------------------------------------------------------------------------------------


def confirm(site_url: str, user: Any, times: int) -> list[Any]:
    """The answers to one form, sent so many times at once."""
    person = Person(site_url, user)
    offer = f"DE-{NUMBERS[0]}"
    form = person.form(f"/orders/new/?offer={offer}")
    facts = {"offer": offer, "reason": "Why", "form_token": form["form_token"], "shown": form["shown"]}
    return at_once(*[partial(person.post, "/orders/new/", **facts)] * times)


def test_fifty_confirms_of_one_form_are_one_order(site: Any, cast: Any):
    answers = confirm(site(), cast.manager, CONFIRMS)
    order = Order.objects.get()
    assert {(answer.status_code, answer.headers.get("Location")) for answer in answers} == {
        (302, f"/orders/{order.pk}/")
    }
    assert AuditEvent.objects.filter(verb="order.submitted").count() == 1


def test_without_the_token_one_form_is_several_orders(site: Any, sandbox: Any, cast: Any):
    """The control. The other guard, one live purchase of a number, is off as well."""
    url = site(guard_off="form_token")
    sandbox.fault("list_available", "delay", seconds=0.1, times=-1)  # several have looked before one orders
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX order_item_one_live_purchase")
    try:
        confirm(url, cast.manager, 8)
        assert Order.objects.count() > 1
    finally:
        OrderItem.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.execute(OrderItem._meta.constraints[0].create_sql(OrderItem, editor))


# Two people -------------------------------------------------------------------------------------------------------


def meet(
    site_url: str, sandbox: Any, cast: Any, orders: list[Order], pause: float
) -> Iterator[tuple[Order, list[Any]]]:
    """Two approvers click at the same moment, order after order: both have read it before a slow provider answers."""
    people = [Person(site_url, cast.approver), Person(site_url, cast.approver2)]
    sandbox.fault("list_available", "delay", seconds=pause, times=-1)
    for order in orders:
        yield order, at_once(*[approving(person, order) for person in people])


def test_of_two_approvers_one_decides_and_the_other_is_told_who(
    site: Any, sandbox: Any, cast: Any, orders: list[Order]
):
    for order, answers in meet(site(), sandbox, cast, orders, pause=0.02):
        assert sorted(answer.status_code for answer in answers) == [302, 409]
        first = Decision.objects.get(order=order).approver
        [late] = [answer for answer in answers if answer.status_code == 409]
        assert f"{first.username} approved it on" in late.text
        assert AuditEvent.objects.filter(verb="order.approved", related_id=order.pk).count() == 1


def test_without_the_condition_both_decide(site: Any, sandbox: Any, cast: Any, orders: list[Order]):
    """The control: soon both do."""
    rounds = meet(site(guard_off="condition"), sandbox, cast, orders, pause=0.2)
    assert any(Decision.objects.filter(order=order).count() == 2 for order, _ in rounds)


def test_approving_against_withdrawing(site: Any, sandbox: Any, cast: Any, orders: list[Order]):
    url = site()
    approver, manager = Person(url, cast.approver), Person(url, cast.manager)
    for order in orders:
        approved, withdrawn = at_once(
            approving(approver, order), partial(manager.post, f"/orders/{order.pk}/withdraw/")
        )
        done = [answer for answer in (approved, withdrawn) if answer.status_code == 302]
        assert {approved.status_code, withdrawn.status_code} <= {302, 409}
        events = AuditEvent.objects.filter(related_id=order.pk).exclude(verb="order.submitted").order_by("id")
        assert events.count() == len(done) > 0
        assert events.last().after["state"] == order.items.get().state
        assert Decision.objects.filter(order=order).count() == (approved.status_code == 302)
