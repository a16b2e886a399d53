"""A company at work for Hypothesis: orders over a provider that misbehaves, and workers that die or stand still.

Used by test_faults.py and by bench/orders_faults.py. Whatever happens: no number is bought twice for an item, none
that was bought is shown as anything else, and nothing is sent that was not claimed and committed before.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

from django.conf import settings as django_settings
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.numbers.services import end_number
from numbersadmin.orders import services
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import LIVE, Order, OrderItem, State
from numbersadmin.orders.quotes import Offer
from numbersadmin.orders.sweeping import carry_out
from numbersadmin.provider import circuit, client
from numbersadmin.provider.errors import NotOwned, ProviderDown, ProviderError
from tests.orders import books
from tests.orders.company_held import Held
from tests.orders.desk import Desk
from tests.orders.dying import AtLine, Dead, Sleeper, die

FAULTS: dict[str, dict[str, Any]] = {
    "drop": {"kind": "drop"},
    "reset": {"kind": "reset"},
    "hang": {"kind": "hang", "seconds": 1},
    "truncate": {"kind": "truncate"},
    "garbage": {"kind": "garbage"},
    "html": {"kind": "html", "status": 502},
    "empty": {"kind": "empty", "status": 201},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "504": {"kind": "status", "status": 504},
    "429": {"kind": "status", "status": 429},
    "404": {"kind": "status", "status": 404},
    "400": {"kind": "status", "status": 400},
}
PROMISES_NOTHING_DONE = {"429"}  # documented, and relied on
READS = ("list_owned", "list_available", "get")
COMPANIES, STEPS = 50, 50
NUMBERS = 6
SHARED = 4  # those from here on: they stay for sale when they are bought
PROVIDER_SECONDS = 0.12  # a hanging call costs so much real time
LINES = 460  # more than a worker passes with an item

write_faults = st.none() | st.tuples(st.sampled_from(sorted(FAULTS)), st.booleans())
read_faults = st.none() | st.tuples(
    st.sampled_from(READS), st.sampled_from(sorted(FAULTS)), st.integers(0, 2), st.integers(1, 4)
)
lines = st.integers(0, LINES)
which_number = st.integers(0, NUMBERS - 1)
which_item = st.integers(0, 30)


class Company(Held):
    """People order and cancel a few numbers while everything goes wrong around them.

    No rule has a precondition, and each does something else or nothing when there is nothing to do: what
    Hypothesis draws may not depend on how fast this machine is.
    """

    desk: Desk
    sandbox: Any
    runs = 0
    steps = 0
    seen: "Counter[str]" = Counter()  # what went wrong, by kind
    did: "Counter[str]" = Counter()  # and how much was done meanwhile

    @initialize(new_keys=st.booleans(), broker=st.booleans(), with_rule=st.booleans())
    def begin(self, new_keys: bool, broker: bool, with_rule: bool) -> None:
        """A provider with a few numbers; without a broker only the sweep carries anything out."""
        Company.runs += 1
        self.nothing_yet = transaction.savepoint()
        self.numbers = [f"4930{Company.runs:05}{index}" for index in range(NUMBERS)]
        self.sandbox.api("reset", {"empty": True})
        self.sandbox.clock(self.now())
        rows = [
            {"number": number, "country": "DE", "numberKey": f"K{number}", "shared": at >= SHARED}
            for at, number in enumerate(self.numbers)
        ]
        self.sandbox.stock(available=rows)
        self.sandbox.switch(key_changes_on_purchase=new_keys)
        self.broker, self.price = broker, 0
        self.begin_held(with_rule)
        self.sleepers: list[Sleeper] = []
        self.provider = books.Watched(self.desk.provider, len(connection.savepoint_ids))
        Company.steps -= 1  # the look before the first step

    @invariant()
    def count(self) -> None:
        """Steps are counted here, because Hypothesis comes by after each."""
        Company.steps += 1

    # What people do

    @rule(which=which_number)
    def ask(self, which: int) -> None:
        """Order a number, or that it is given back if it is ours, and approve it."""
        number = self.numbers[which]
        owned = [one for one in self.owned() if one.number == number]
        with suppress(services.AlreadyOrdered, services.AlreadyOwned, services.PriceUnread):
            self.approve(self.cancel(owned[0]) if owned else self.buy(number))

    @rule(first=which_number, count=st.integers(2, 4))
    def ask_several(self, first: int, count: int) -> None:
        """One order of several numbers: two lost answers in a row pause the rest of it."""
        with suppress(services.AlreadyOrdered, services.AlreadyOwned, services.PriceUnread):
            self.approve(self.buy(*self.numbers[first : first + count]))

    def approve(self, order: Order) -> None:
        """Unless a rule has approved it already."""
        if order.items.filter(state=State.PENDING).exists():
            self.desk.approve(order)

    def cancel(self, owned: OwnedNumber) -> Order:
        return self.desk.cancel(owned)

    def buy(self, *numbers: str) -> Order:
        offers = [Offer("DE", number) for number in numbers]
        reading = read_quotes(self.desk.provider, offers, now=self.now(), wait=5)
        if not reading.quotes:
            raise services.PriceUnread("it is not for sale, or nobody can tell")
        return services.submit_purchase(
            quotes=list(reading.quotes.values()),
            actor=self.desk.cast.manager,
            owner=self.desk.cast.manager,
            cost_centre="",
            reason="Why",
            sender_id=False,
            form_token=self.desk.form(),
            now=self.now(),
        )

    @rule(which=which_item, what=st.sampled_from(["again", "decide", "withdraw"]))
    def meddle(self, which: int, what: str) -> None:
        """A message comes twice; a price that moved is approved; an order that has not begun is taken back."""
        if what == "decide":
            for item in self.items(State.PENDING):
                with suppress(services.OrderError):
                    self.desk.approve(item.order)
            return
        states = (State.PENDING, State.APPROVED) if what == "withdraw" else ()
        if not (items := self.items(*states)):
            return
        item = items[which % len(items)]
        if what == "withdraw":
            services.withdraw(actor=self.desk.cast.manager, order=item.order, now=self.now())
        else:
            Company.seen["second delivery"] += 1
            self.carry_out(item)

    # What workers do

    @rule(which=which_number, fault=write_faults, look=read_faults)
    def work(self, which: int, fault: Any, look: Any) -> None:
        """A worker carries an item out; the answer may be lost, and the looks before and after it too."""
        work = self.job(which)
        with self.broken(fault, look):
            work()

    @rule(which=which_number, line=lines, fault=write_faults)
    def die(self, which: int, line: int, fault: Any) -> None:
        """A worker is killed at any line from reading the item to writing down its answer."""
        work = self.job(which)
        with self.broken(fault), suppress(Dead), AtLine(line, die) as death:
            work()
        Company.seen["death"] += death.acted

    @rule(which=which_number, line=lines, fault=write_faults)
    def fall_asleep(self, which: int, line: int, fault: Any) -> None:
        """A worker stands still at any line; everybody else goes on. Two of them at most."""
        if len(self.sleepers) > 1:
            self.sleepers.pop(0).kill()
        work = self.job(which)
        with self.broken(fault):
            sleeper = Sleeper(work, line)
        if not sleeper.over:
            Company.seen["stood still"] += 1
            self.sleepers.append(sleeper)

    @rule(which=which_item, fault=write_faults, wakes=st.booleans())
    def wake(self, which: int, fault: Any, wakes: bool) -> None:
        """It goes on where it was, or was dead."""
        if not self.sleepers:
            return
        sleeper = self.sleepers.pop(which % len(self.sleepers))
        with self.broken(fault):
            if wakes:
                sleeper.go_on()
            else:
                sleeper.kill()

    def job(self, which: int) -> Callable[[], object]:
        """What a worker begins: an approved item, one ordered for it; without a broker the sweep."""
        if self.numbers[which] not in {item.number for item in self.items(*LIVE)}:
            self.ask(which)
        approved = self.items(State.APPROVED)
        if self.broker and approved:
            return partial(self.carry_out, approved[-1])
        return partial(self.sweep, at_once=True)

    @rule(at_once=st.booleans(), fault=write_faults, look=read_faults)
    def look_around(self, at_once: bool, fault: Any, look: Any) -> None:
        """The sweep, while answers are lost."""
        with self.broken(fault, look):
            self.sweep(at_once=at_once)

    # What time and the provider do

    @rule(seconds=st.sampled_from([125, 61, 31, 1, 90_000]), sweeps=st.booleans())
    def wait(self, seconds: int, sweeps: bool) -> None:
        """Up to more than the day that an approval holds; the sweep comes by then, or does not."""
        self.sandbox.clock(self.desk.clock.on(seconds))
        if sweeps:
            self.sweep(at_once=False)

    @rule(
        late=st.sampled_from([0, 90]), lag=st.sampled_from([0, 100]), which=which_number, moves=st.booleans()
    )
    def change(self, late: int, lag: int, which: int, moves: bool) -> None:
        """From now on lost calls are carried out late, and purchases listed late; and a price moves."""
        Company.seen["late application"] += late > 0
        Company.seen["read lag"] += lag > 0
        self.sandbox.switch(late_apply_seconds=late, read_lag_seconds=lag)
        if moves:
            self.price += 1
            change = {"act": "change", "set": {"pricePerMonth": f"5.{self.price}"}}
            with suppress(AssertionError):  # it is not listed now
                self.sandbox.api("outside", change | {"number": self.numbers[which]})

    @rule()
    def sync(self) -> None:
        """A sync reads the purchased list: what is new goes to its orders, what is gone is ended."""
        listed = [row for row in self.listed() if not self.is_open(row.number_key)]
        adopted = services.adopt(appeared=[(row, None) for row in listed], now=self.now())
        assert adopted == {row.number_key for row in listed}, "a number that no order explains"
        for owned in self.owned():
            if (self.now() - owned.acquired_to).total_seconds() < 200:
                continue  # it may be in no list yet
            with suppress(ProviderError):
                self.look_after(owned)

    def look_after(self, owned: OwnedNumber) -> None:
        """End a number that is no longer listed."""
        now = self.now()
        try:
            self.desk.provider.get_owned(owned.number_key, caller="sync")
        except NotOwned:
            if not services.adopt_cancelled(owned=owned, now=now):
                end_number(
                    owned=owned,
                    basis=EndBasis.DISAPPEARED,
                    ended_from=now,
                    ended_to=now,
                    actor=None,
                    now=now,
                )

    # What has to hold in the end

    def teardown(self) -> None:
        """Everything is well again, time passes: then every number is where the orders say it is."""
        if not hasattr(self, "nothing_yet"):
            return
        try:
            self.settle()
            self.check_held()
            Company.did += books.check(self.items(), self.sandbox.api("ledger"), self.numbers)
            assert {row.number_key for row in self.listed()} == {owned.number_key for owned in self.owned()}
        finally:
            for sleeper in self.sleepers:
                sleeper.kill()
            transaction.savepoint_rollback(self.nothing_yet)  # the next company begins with empty tables
            transaction.savepoint_commit(self.nothing_yet)  # or SQLite asks thousands of them at each page

    def settle(self) -> None:
        """Let the sweep work until time has nothing more to settle, and sync."""
        self.sandbox.api("faults", method="DELETE")
        while self.sleepers:
            self.sleepers.pop().go_on()
        self.lift()
        for turn in range(16):
            self.resume()
            self.pass_month_end()
            self.wait(125, sweeps=False)
            self.sweep(at_once=True)
            if turn > 1 and not self.under_way():
                break
            if turn == 11:  # for what waits until a sync has ended a number under the same key
                self.sync()
        while any(self.sandbox.api("state")["in_flight"].values()):
            pass  # on a busy machine the provider goes on with a call when nobody waits for its answer any more
        self.wait(125, sweeps=False)  # so that what was bought last is listed
        self.sync()

    def under_way(self) -> list[OrderItem]:
        """Items that time has to settle; of a shared number's sale nothing ever proves the contrary.

        Nothing else is sent for the key of such a number until people have decided.
        """
        items = self.items(State.APPROVED, State.EXECUTING, State.UNKNOWN)
        never = {item.number for item in items if item.shared and item.state == State.UNKNOWN}
        return [item for item in items if item.number not in never or item.state == State.EXECUTING]

    # Small things

    def now(self) -> Any:
        return self.desk.clock()

    def carry_out(self, item: OrderItem) -> None:
        carry_out(item_id=item.pk, provider=self.provider, clock=self.desk.clock)  # type: ignore[arg-type]

    def sweep(self, *, at_once: bool) -> None:
        services.sweep(provider=self.provider, clock=self.desk.clock, at_once=at_once)  # type: ignore[arg-type]

    @contextmanager
    def broken(self, fault: Any, look: Any = None) -> Iterator[None]:
        """The next write goes wrong, and some reads."""
        if fault:
            name, acts = fault
            acts = acts and name not in PROMISES_NOTHING_DONE
            for endpoint in ("purchase", "cancel"):
                self.sandbox.fault(endpoint, act=acts, **FAULTS[name])
            Company.seen[f"{name}, {'after' if acts else 'before'} acting"] += 1
        if look:
            endpoint, name, skip, times = look
            self.sandbox.fault(endpoint, skip=skip, times=times, **FAULTS[name])
            Company.seen[f"{name}, of {endpoint}"] += 1
        yield
        if fault or look:
            self.sandbox.api("faults", method="DELETE")

    def items(self, *states: State) -> list[OrderItem]:
        found = OrderItem.objects.filter(number__in=self.numbers).select_related("order", "owned_number")
        return list((found.filter(state__in=states) if states else found).order_by("id"))

    def owned(self) -> list[OwnedNumber]:
        return list(OwnedNumber.objects.open().filter(number__in=self.numbers).order_by("id"))

    def is_open(self, key: str) -> bool:
        return OwnedNumber.objects.open().filter(number_key=key).exists()

    def listed(self) -> list[Any]:
        """What the provider lists of ours; on a busy machine an answer may miss the short time that it has."""
        for _ in range(20):
            with suppress(ProviderDown):
                page = self.desk.provider.list_owned(number=self.numbers[0][:-1], limit=100, caller="worker")
                return [row for row in page.numbers if row.number in self.numbers]
        raise AssertionError("the sandbox does not answer")


def no_mutations(*_: Any) -> None:
    """Hypothesis would make five companies out of each by doing one of its steps over and over."""


def run(desk: Desk, sandbox: Any, *, steps: int, chance: int) -> int:
    """At least so many steps; how many it were. The same `chance` is the same run; what is violated names it."""
    before, turn = Company.steps, chance
    django_settings.PROVIDER_TIMEOUT_SECONDS = PROVIDER_SECONDS
    client.BACKOFF_SECONDS = client.BUSY_SECONDS = 0.001
    circuit.LOOK_AGAIN = 0  # a dead provider is asked again at once: nothing here waits for real time
    desk.provider = client.get_provider()  # with the short timeout
    for person in (desk.cast.manager, desk.cast.approver, desk.cast.finance, desk.cast.admin):
        assert person.roles  # made for all companies, before the first one rolls back
    while Company.steps - before < steps:
        machine = seed(turn)(type("Company", (Company,), {"desk": desk, "sandbox": sandbox}))
        left = steps - (Company.steps - before)
        options = settings(
            max_examples=min(COMPANIES, left // STEPS + 1),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # shrinking such a run takes minutes
            suppress_health_check=list(HealthCheck),
        )
        try:
            with patch.object(ConjectureRunner, "generate_mutations_from", no_mutations):
                run_state_machine_as_test(machine, settings=options)
        except Exception as several:
            # told twice when its second try went otherwise: what the clock of this machine does is no part of it
            error = several.exceptions[0] if isinstance(several, ExceptionGroup) else several
            error.add_note(f"orders_faults.py --jobs 1 --chance {turn} --steps {left} shows it again")
            raise error from several
        turn += 1
    return Company.steps - before
