"""Orders at the same moment under a rule that needs nobody: each is counted, none is lost, budgets are kept."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from numbersadmin.orders import ruling, services
from numbersadmin.orders.models import Order
from tests.orders.desk import Desk, budget, rule
from tests.orders.test_rules import desk_quote

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="there one order is made after the other"),
]


def submit(desk: Desk, name: str, actor: str = "manager") -> Order:
    return services.submit_purchase(
        actor=getattr(desk.cast, actor),
        quotes=[desk_quote(desk, f"49301{name}", 15)],
        owner=desk.cast.manager,
        cost_centre="4120 Retail",
        reason="x",
        sender_id=False,
        form_token=f"form {name}",
        now=desk.clock(),
    )


@pytest.fixture
def others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let other orders be committed, one each time that an order has read what counts, before it goes on."""
    waiting, busy = list[tuple[str, str]](), threading.local()

    def elsewhere(name: str, by: str) -> None:
        busy.other = True
        try:
            submit(desk, name, by)
        finally:
            connection.close()

    def interrupt(reading: str) -> None:
        read = getattr(ruling, reading)

        def interrupted(*given: Any) -> Any:
            found = read(*given)
            if waiting and not getattr(busy, "other", False):
                other = threading.Thread(target=elsewhere, args=waiting.pop(0))
                other.start()
                other.join(10)
            return found

        monkeypatch.setattr(ruling, reading, interrupted)

    def meanwhile(*names: str, by: str = "manager", after: str = "auto_spent") -> None:
        waiting.extend((name, by) for name in names)
        interrupt(after)

    return meanwhile


def limit(desk: Desk, most: str) -> None:
    assert desk.cast.manager
    rule(desk.cast, desk.clock(), mode="auto", max_monthly=Decimal(most), max_setup=Decimal(0))


@pytest.fixture
def overdrawn(desk: Desk) -> Callable[[], bool]:
    """A budget of 20.00 under a rule that lets much more pass; is more approved than it has?"""
    limit(desk, "1000")
    budget(desk.cast, desk.clock(), "20")
    assert desk.cast.manager2

    def is_overdrawn() -> bool:
        assert modes() == ["auto", "auto"]
        needed = Order.objects.filter(finance_needed=True).count()
        return needed == 0

    return is_overdrawn


def modes() -> list[str]:
    return list(Order.objects.order_by("id").values_list("mode", flat=True))


def test_what_is_committed_meanwhile_is_counted(desk: Desk, others: Callable[..., None]):
    limit(desk, "20")
    others("2")
    submit(desk, "1")
    assert sorted(modes()) == ["auto", "one"]


def test_however_many_there_are_at_once(desk: Desk, others: Callable[..., None]):
    limit(desk, "60")
    others("2", "3", "4", "5")
    assert submit(desk, "1").mode == "one"
    assert modes() == ["auto"] * 4 + ["one"]


@pytest.fixture
def uncounted() -> Iterator[None]:
    """The table of orders without the constraint that counts orders in turn."""
    constraint = next(one for one in Order._meta.constraints if one.name == "order_auto_in_turn")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Order, constraint)
    yield
    Order.objects.update(mode="one", auto_serial=None)
    with connection.schema_editor() as editor:
        editor.add_constraint(Order, constraint)


def test_without_the_constraint_both_would_pass(desk: Desk, uncounted: None, others: Callable[..., None]):
    """The control."""
    limit(desk, "20")
    others("2")
    submit(desk, "1")
    assert modes() == ["auto", "auto"]


def test_two_people_together_keep_a_budget(
    desk: Desk, others: Callable[..., None], overdrawn: Callable[[], bool]
):
    """One of the two goes over it, and is told so; without the constraint both pass."""
    others("2", by="manager2", after="lines_of")
    submit(desk, "1")
    assert not overdrawn()


def test_without_the_constraint_two_people_overdraw_it(
    desk: Desk, uncounted: None, others: Callable[..., None], overdrawn: Callable[[], bool]
):
    """The control."""
    others("2", by="manager2", after="lines_of")
    submit(desk, "1")
    assert overdrawn()
