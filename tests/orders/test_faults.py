"""A long run of orders over a provider that misbehaves, workers that die, and answers that come late.

Whatever happens: no number is bought twice for one order, and none that was bought is shown as anything else.
"""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.numbers.services import end_number
from numbersadmin.orders import execution, services
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import Kind, OrderItem, ProviderAttempt, State
from numbersadmin.orders.quotes import Offer
from numbersadmin.provider.errors import NotOwned
from tests.orders.desk import Desk

pytestmark = pytest.mark.django_db
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("drop", {}),
    ("reset", {}),
    ("truncate", {}),
    ("garbage", {}),
    ("html", {"status": 502}),
    ("empty", {"status": 201}),
    ("status", {"status": 500}),
    ("status", {"status": 504}),
    ("status", {"status": 429}),
    ("status", {"status": 404}),
    ("status", {"status": 400}),
]
NUMBERS = 3
faults = st.none() | st.tuples(st.sampled_from(FAULTS), st.booleans())


class Company(RuleBasedStateMachine):
    """People order and cancel a few numbers while everything goes wrong around them."""

    desk: Desk
    sandbox: Any
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        Company.runs += 1
        self.numbers = [f"4930{Company.runs:05}{index}" for index in range(NUMBERS)]
        rows = [{"number": number, "country": "DE", "numberKey": f"K{number}"} for number in self.numbers]
        self.sandbox.stock(available=rows)
        self.sandbox.switch(key_changes_on_purchase=Company.runs % 2 == 0)
        self.asleep: list[tuple[OrderItem, ProviderAttempt, Any]] = []

    # What people do

    @rule(which=st.integers(0, NUMBERS - 1))
    def buy(self, which: int) -> None:
        """Order a number and approve it, if it is for sale and not ordered already."""
        offer = Offer("DE", self.numbers[which])
        try:
            if (quotes := read_quotes(self.desk.provider, [offer], now=self.now(), wait=5)).gone:
                return
            assert quotes.quotes
            self.desk.approve(self.desk.order(offer))
        except (services.AlreadyOrdered, services.AlreadyOwned):
            pass

    @precondition(lambda self: self.owned())
    @rule(which=st.integers(0, 10))
    def give_back(self, which: int) -> None:
        """Order that one of our numbers is cancelled, and approve it."""
        owned = self.owned()
        with suppress(services.AlreadyOrdered):
            self.desk.approve(self.desk.cancel(owned[which % len(owned)]))

    # What workers do

    @precondition(lambda self: self.items(State.APPROVED))
    @rule(fault=faults, looks_fail=st.booleans())
    def work(self, fault: Any, looks_fail: bool) -> None:
        """A worker carries an item out; the answer may be lost, and the look after it too."""
        item = self.items(State.APPROVED)[0]
        self.break_next(item, fault)
        if looks_fail:
            self.sandbox.fault("list_owned", "garbage", skip=0, times=1)
        self.desk.carry_out(item)
        self.sandbox.api("faults", method="DELETE")

    @precondition(lambda self: self.items(State.APPROVED))
    @rule(sent=st.booleans(), fault=faults, wakes=st.booleans())
    def die(self, sent: bool, fault: Any, wakes: bool) -> None:
        """A worker stops between its claim and writing down the answer; perhaps it only sleeps."""
        item = self.items(State.APPROVED)[0]
        prepare = execution._prepare_purchase if item.kind == Kind.PURCHASE else execution._prepare_cancel
        try:
            attempt = prepare(item, self.desk.provider, self.desk.clock)
        except execution.Later:
            return
        if attempt is None:
            return
        self.break_next(item, fault)
        result = execution.send(item, attempt, self.desk.provider) if sent else None
        self.sandbox.api("faults", method="DELETE")
        if wakes:
            self.asleep.append((item, attempt, result))

    @precondition(lambda self: self.asleep)
    @rule()
    def wake(self) -> None:
        """It goes on where it was."""
        item, attempt, result = self.asleep.pop()
        result = result or execution.send(item, attempt, self.desk.provider)
        execution.record(item, attempt, result, self.desk.provider, self.desk.clock)

    @rule(at_once=st.booleans())
    def sweep(self, at_once: bool) -> None:
        self.desk.sweep(at_once=at_once)

    # What time and the provider do

    @rule(seconds=st.sampled_from([1, 31, 61, 125]))
    def wait(self, seconds: int) -> None:
        self.sandbox.clock(self.desk.clock.on(seconds))

    @rule(seconds=st.sampled_from([0, 90]))
    def act_late(self, seconds: int) -> None:
        """Calls whose connection was lost are carried out later from now on."""
        self.sandbox.switch(late_apply_seconds=seconds)

    @rule(seconds=st.sampled_from([0, 100]))
    def lag(self, seconds: int) -> None:
        """What is bought from now on shows in the lists only later."""
        self.sandbox.switch(read_lag_seconds=seconds)

    @rule()
    def sync(self) -> None:
        """A sync reads the purchased list: what is new goes to its orders, what is gone is ended."""
        listed = [row for row in self.listed() if not self.is_open(row.number_key)]
        adopted = services.adopt(appeared=[(row, None) for row in listed], now=self.now())
        assert adopted == {row.number_key for row in listed}, "a number that no order explains"
        old_enough = self.now() - timedelta(seconds=200)  # what is newer may be in no list yet
        for owned in self.owned():
            if owned.acquired_to > old_enough:
                continue
            try:
                self.desk.provider.get_owned(owned.number_key)
            except NotOwned:
                services.adopt_cancelled(owned=owned, now=self.now()) or end_number(
                    owned=owned,
                    basis=EndBasis.DISAPPEARED,
                    ended_from=self.now(),
                    ended_to=self.now(),
                    actor=None,
                    now=self.now(),
                )

    # What has to hold in the end

    def teardown(self) -> None:
        """Everything is well again, time passes: then every number is where the orders say it is."""
        self.sandbox.api("faults", method="DELETE")
        while self.asleep:
            self.wake()
        for _ in range(8):
            self.wait(125)
            self.desk.sweep(at_once=True)
        self.sync()
        self.sandbox.switch(late_apply_seconds=0, read_lag_seconds=0)
        items = self.items()
        acts = [act for act in self.sandbox.acts("purchase") if act["number"] in self.numbers]
        done = [item for item in items if item.kind == Kind.PURCHASE and item.state == State.DONE]
        assert Counter(act["number"] for act in acts) == Counter(item.number for item in done)
        assert len({item.owned_number_id for item in done}) == len(done)
        assert {item.state for item in items} <= {State.DONE, State.FAILED}
        assert {row.number_key for row in self.listed()} == {owned.number_key for owned in self.owned()}
        for item in items:
            self.check_calls(item)

    def check_calls(self, item: OrderItem) -> None:
        """One call an item, unless every earlier one surely did nothing."""
        outcomes = [attempt.outcome for attempt in item.attempts.order_by("id")]
        assert set(outcomes[:-1]) <= {"not_done"}
        assert not [a for a in item.attempts.order_by("id")[: max(len(outcomes) - 1, 0)] if a.ambiguous]

    # Small things

    def now(self) -> Any:
        return self.desk.clock()

    def break_next(self, item: OrderItem, fault: Any) -> None:
        if fault:
            (kind, details), acts = fault
            endpoint = "purchase" if item.kind == Kind.PURCHASE else "cancel"
            acts = acts and details.get("status") not in (429,)  # busy is promised to mean not done
            self.sandbox.fault(endpoint, kind, act=acts, **details)

    def items(self, *states: State) -> list[OrderItem]:
        found = OrderItem.objects.filter(number__in=self.numbers).select_related("order", "owned_number")
        return list((found.filter(state__in=states) if states else found).order_by("id"))

    def owned(self) -> list[OwnedNumber]:
        return list(OwnedNumber.objects.open().filter(number__in=self.numbers).order_by("id"))

    def is_open(self, key: str) -> bool:
        return OwnedNumber.objects.open().filter(number_key=key).exists()

    def listed(self) -> list[Any]:
        page = self.desk.provider.list_owned(number=self.numbers[0][:-1], limit=100)
        return [row for row in page.numbers if row.number in self.numbers]


def test_nothing_is_bought_twice_and_nothing_bought_is_lost(desk: Desk, sandbox: Any):
    machine = type("Company", (Company,), {"desk": desk, "sandbox": sandbox})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.reuse, Phase.generate],  # shrinking such a run takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
