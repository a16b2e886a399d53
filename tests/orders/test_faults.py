"""A long run of orders over a provider that misbehaves, workers that die, and answers that come late."""

import itertools
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from numbersadmin.orders import execution, machine, recording
from numbersadmin.orders.models import OrderItem
from numbersadmin.orders.quotes import Offer
from numbersadmin.orders.recording import not_sent
from numbersadmin.provider import circuit, client
from tests.orders import books, company
from tests.orders.desk import Desk, again
from tests.orders.dying import AtLine, Dead, die

pytestmark = pytest.mark.django_db
WRITE = ("", "a statement that writes", 0)
STEPS = 1000  # in each of two runs, which two processes of the suite can share


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The waits that a run makes short are long again after it."""
    settings.PROVIDER_TIMEOUT_SECONDS = company.PROVIDER_SECONDS
    for module, name in ((client, "BACKOFF_SECONDS"), (client, "BUSY_SECONDS"), (circuit, "LOOK_AGAIN")):
        monkeypatch.setattr(module, name, getattr(module, name))


@pytest.mark.parametrize(
    "chance", [20261013, 9193549]
)  # the same each time; bench/orders_faults.py goes elsewhere
def test_nothing_is_bought_twice_and_nothing_bought_is_lost(desk: Desk, sandbox: Any, chance: int):
    bought = company.Company.did["purchases"]
    assert company.run(desk, sandbox, steps=STEPS, chance=chance) >= STEPS
    assert company.Company.did["purchases"] - bought > 10


def test_a_purchase_survives_a_death_between_any_two_effects_from_claim_to_record(desk: Desk, sandbox: Any):
    """At the first line after each write and each call: where nothing lies between, a death leaves the same."""
    numbers = (f"49301{at:06}" for at in itertools.count())

    def carry_out(line: int) -> list[tuple[str, str, int]]:
        number = next(numbers)
        sandbox.reset()
        sandbox.clock(desk.clock())
        sandbox.stock(available=[{"number": number, "country": "DE", "numberKey": f"K{number}"}])
        item, death = desk.approved(Offer("DE", number)), AtLine(line, die)

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            if not sql.startswith("SELECT"):
                death.passed.append(WRITE)
            return execute(sql, *rest)

        with suppress(Dead), death, connection.execute_wrapper(note):
            desk.carry_out(item)
        while (item := again(item)).state not in books.AT_REST:
            desk.clock.on(61)
            desk.sweep(at_once=True)
        assert item.state == "done" or (item.state, item.failure) == ("failed", "not_bought"), (
            line,
            item.state,
        )
        books.check([item], sandbox.api("ledger"), [number])
        return death.passed

    passed = carry_out(10**9)
    claim = next(at for at, (_, function, _) in enumerate(passed) if function == "claim")
    ours = (execution.__file__, recording.__file__, machine.__file__)
    effects = itertools.accumulate(each == WRITE or each[0] == client.__file__ for each in passed)
    moments: dict[int, int] = {}  # effects so far -> the first line of ours after them
    for at, so_far in enumerate(effects):
        if at >= claim and passed[at][0] in ours:
            moments.setdefault(so_far, at)
    assert len(moments) > 15
    for line in moments.values():
        carry_out(line)


def test_the_run_finds_an_unknown_purchase_that_is_sent_again(
    desk: Desk, sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    """The control: an answer that proves nothing is taken for one that proves that nothing was done."""

    def careless(item: Any, attempt: Any, *, now: Any, why: str, text: str = "", **facts: Any) -> None:
        not_sent(item, attempt, now=now, again_at=now, text=text, error_kind=why, **facts)

    monkeypatch.setattr(execution, "unknown", careless)
    with pytest.raises(AssertionError, match=r"bought|explains"):
        company.run(desk, sandbox, steps=1000, chance=12)


def test_the_run_finds_two_workers_who_send_one_item(
    desk: Desk, sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    """The control: neither the condition of the UPDATE nor the constraints of the attempts hold anybody back."""

    def careless(item: OrderItem, now: Any, fields: dict[str, Any]) -> None:
        OrderItem.objects.filter(pk=item.pk).update(version=F("version") + 1, updated_at=now, **fields)
        item.version += 1
        for name, value in fields.items():
            setattr(item, name, value)

    monkeypatch.setattr(machine, "_update", careless)
    with connection.cursor() as cursor:  # undone with the test's transaction
        for name in ("attempt_one_live_per_item", "attempt_one_live_per_key"):
            cursor.execute(f"DROP INDEX {name}")
    with pytest.raises(AssertionError):
        company.run(desk, sandbox, steps=150, chance=14)
