"""Provider and mirror for Hypothesis: an account that changes while it is read, over a line that fails.

Used by test_history.py and by bench/sync_history.py. After each step our records are held against what the
provider really had (sound.py); at the end of each history nothing goes wrong any more, and both sides agree.
"""

import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from django.conf import settings as django_settings
from django.db import transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import services as orders
from numbersadmin.orders.models import LIVE, OrderItem
from numbersadmin.orders.quotes import Offer
from numbersadmin.orders.sweeping import carry_out
from numbersadmin.provider import circuit, client
from numbersadmin.provider.client import get_provider
from numbersadmin.provider.errors import ProviderError
from numbersadmin.sync import scene
from numbersadmin.sync.lease import LEASE
from numbersadmin.sync.models import RunStatus, SyncRun
from tests.orders.desk import Desk
from tests.sync import sound
from tests.sync.conftest import Mirror
from tests.sync.drawn import (
    BEGIN,
    BREAKS,
    ENDS,
    FOR_SALE,
    HONEST,
    OURS,
    PROVIDER_SECONDS,
    QUIET_RUNS,
    SHARED,
    breaks,
    deaths,
    faults,
    lags,
    lates,
    lies,
    meanwhile,
    outside,
    paces,
    soon,
    waits,
    which,
    writes,
)
from tests.sync.dying import AtWrite, Dead
from tests.sync.sound import Truth


class TwoSides(RuleBasedStateMachine):
    """One account and our records of it. No rule has a precondition: what is drawn may not depend on timing."""

    mirror: ClassVar[Mirror]
    desk: ClassVar[Desk]
    did: ClassVar["Counter[str]"] = Counter()

    @initialize(new_keys=st.booleans())
    def begin(self, new_keys: bool) -> None:
        """Both sides as `opening` has left them."""
        self.nothing_yet = transaction.savepoint()
        stock(self.mirror)
        self.mirror.sandbox.switch(key_changes_on_purchase=new_keys)
        self.lied = False
        self.broken: dict[str, dict[str, Any]] = {}  # number -> what mends its row
        self.hidden: set[str] = set()
        self.names: dict[int, str] = {}
        self.did["histories"] += 1

    # What happens at the provider

    @rule(act=outside | breaks, more=st.none() | outside)
    def others_act(self, act: Any, more: Any) -> None:
        """Numbers are bought, given back or changed without us; or a row goes out that nobody can understand."""
        for each in (act, more) if more else (act,):
            self.mirror.later(minutes=1)
            if each[0] in BREAKS:
                self.break_row(*each)
            else:
                self.act(each)

    @rule(first=st.integers(0, 2), many=st.integers(5, 9))
    def many_are_given_back(self, first: int, many: int) -> None:
        """More than the guard lets through, or just not."""
        self.mirror.later(minutes=1)
        for number in OURS[first : first + many]:
            self.act(("cancel", number))

    def act(self, act: Any, **after: Any) -> None:
        """Now, or after a call; a number that is not there then is left alone."""
        what, number = act
        if isinstance(what, str):
            details: dict[str, Any] = {"act": what, "number": number}
        else:
            details = {"act": "change", "number": number, **what}
            if "numberKey" in what.get("set", {}):
                details["set"] = {**what["set"], "numberKey": what["set"]["numberKey"].format(number)}
        with suppress(AssertionError):
            self.mirror.sandbox.api("outside", details | after)

    def break_row(self, how: dict[str, Any], number: str) -> None:
        bought = [each for each in self.truth().values() if each.number == number]
        if bought and number not in self.broken:
            self.act((how, number))
            self.broken[number] = {"set": {"capabilities": ["SMS"], "numberKey": bought[0].key}}

    # What our people do

    @rule(number=which, answer=writes, late=lates, lag=lags, looks=st.booleans())
    def we_order(self, number: str, answer: Any, late: int, lag: int, looks: bool) -> None:
        """Buy it, or give it back if it is ours; the answer may be lost, before or after it was done."""
        self.mirror.later(minutes=3)
        sandbox, owned = self.mirror.sandbox, OwnedNumber.objects.open().filter(number=number).first()
        sandbox.switch(late_apply_seconds=late, read_lag_seconds=lag)
        with suppress(orders.OrderError, ProviderError, KeyError):  # not for sale, ordered already
            order = self.desk.cancel(owned) if owned else self.desk.order(Offer("GB", number))
            if self.desk.approve(order).approved:
                if answer:
                    for endpoint in ("purchase", "cancel"):
                        sandbox.fault(endpoint, act=answer[1], **answer[0])
                item = order.items.get()
                carry_out(item_id=item.pk, provider=get_provider(), clock=self.mirror.clock)
                item.refresh_from_db()
                self.did[f"{item.kind} {item.state}"] += 1
        sandbox.api("faults", method="DELETE")
        if looks:
            self.mirror.later(minutes=2)
            self.desk.sweep(at_once=True)
        self.judge_records()

    # What a run does

    @rule(number=which, answer=writes, wait=soon)
    def sync_after_our_order(self, number: str, answer: Any, wait: int) -> None:
        """At once after it, when the list does not show yet what we have bought."""
        self.we_order(number, answer, late=0, lag=60, looks=False)
        self.sync(wait, [], 0)

    @rule(wait=waits, acts=meanwhile, pace=paces)
    def sync(self, wait: int, acts: Any, pace: int) -> None:
        """A run, while others act between its pages."""
        self.mirror.later(seconds=wait)
        for act, calls in acts:
            self.act(act, after={"endpoint": "list_owned", "calls": calls})
        self.watched(pace=pace)

    @rule(wait=waits, acts=meanwhile, fault=faults, lie=st.none() | lies)
    def sync_over_a_bad_line(self, wait: int, acts: Any, fault: Any, lie: Any) -> None:
        """Some of its calls fail."""
        self.spoil(fault)
        if lie:
            self.sync_of_a_lie(wait, acts, lie)
        else:
            self.sync(wait, acts, 0)
            self.undisturbed()

    @rule(wait=waits, acts=meanwhile, lie=lies)
    def sync_of_a_lie(self, wait: int, acts: Any, lie: dict[str, Any]) -> None:
        """The list is not what it seems to be."""
        self.mirror.sandbox.switch(**lie)
        self.lied = True
        self.did[str(lie)] += 1
        self.sync(wait, acts, 0)
        self.undisturbed()

    @rule(wait=waits, acts=meanwhile, fault=st.none() | faults, nth=deaths, how=st.sampled_from(ENDS))
    def sync_that_dies(self, wait: int, acts: Any, fault: Any, nth: int, how: str) -> None:
        """Its worker is killed before a write, or stands still there so long that another run overtakes it."""
        self.mirror.later(seconds=wait)
        for act, calls in acts:
            self.act(act, after={"endpoint": "list_owned", "calls": calls})
        if fault:
            self.spoil(fault)
        self.watched((how, nth))
        self.undisturbed()

    def spoil(self, fault: Any) -> None:
        (endpoint, kind), skip, times = fault
        self.mirror.sandbox.fault(endpoint, skip=skip, times=times, **kind)
        self.did[f"{endpoint}: {kind.get('status', kind['kind'])}"] += 1

    def watched(self, end: Any = None, pace: int = 0) -> SyncRun | None:
        """Run it; nothing that was ours throughout has ended, and only complete runs end anything."""
        before, open_before, acts = self.truth(), sound.ours(), len(self.mirror.sandbox.acts())
        last = newest_run()
        run = self.run(end, pace)
        after, open_after = self.truth(), sound.ours()
        wrong = sound.falsely_ended(before, after, open_before, open_after)
        assert not wrong, f"ended although it was ours throughout: {wrong}"
        runs = list(SyncRun.objects.filter(pk__gt=last))
        self.did.update(f"run {each.status}" for each in runs)
        whole = any(each.status == RunStatus.COMPLETE for each in runs)
        ended = len(open_before.keys() - open_after.keys())
        assert whole or end or not ended, f"ended by {[each.status for each in runs]}"
        assert ended <= len(runs) * max(5, len(open_before) / 10), "a person decides on so many"
        if whole or end:
            disturbed = end or self.lied or self.broken or len(self.mirror.sandbox.acts()) > acts
            self.see(run, before, after, open_after, bool(disturbed))
        self.judge_records()
        return run

    def see(
        self,
        run: SyncRun | None,
        before: Truth,
        after: Truth,
        open_after: dict[int, sound.Ours],
        disturbed: bool,
    ) -> None:
        """A complete run that nobody disturbed has seen everything; what another did not see, nobody can date."""
        if not disturbed:
            assert run is not None
            assert run.distinct_keys == sum(each.shown for each in after.values()), (
                "that list was not complete"
            )
        missed = {each.number for at, each in before.items() if at in after}
        missed -= {each.number for each in open_after.values()}
        under_way = OrderItem.objects.filter(number__in=missed, state__in=LIVE)
        assert not missed or disturbed or under_way.exists(), f"a complete run did not record {missed}"
        self.hidden |= missed

    def run(self, end: Any, pace: int) -> SyncRun | None:
        """The run itself: to its end, to its death at a write, or until another one has overtaken it."""
        turn = self.mirror.later if pace else lambda **span: None
        if end is None:
            return self.mirror.sync(lambda page: turn(seconds=pace))
        how, nth = end
        if how == "dies":
            with suppress(Dead), AtWrite(nth, lambda at: at.kill()) as death:
                self.mirror.sync(lambda page: turn(seconds=pace))
            self.did["deaths"] += death.acted
            if death.acted:
                self.mirror.later(seconds=LEASE.total_seconds())
            return None
        facts: list[Any] = []
        last = newest_run()
        with AtWrite(nth, lambda at: facts.extend(self.overtake(last)), between=True) as overtaken:
            run = self.mirror.sync(lambda page: turn(seconds=pace))
        self.did["overtaken"] += overtaken.acted
        if facts and facts[0]:
            assert run.status == RunStatus.ABANDONED, "a run went on after it had been given up"
            assert self.mirror.facts() == facts[1:], "a run wrote although it had been given up"
        return None

    def overtake(self, last: int) -> list[Any]:
        """The worker stands still; its run is given up, and another one reads and writes everything."""
        alive = SyncRun.objects.filter(pk__gt=last, status=RunStatus.RUNNING).first()
        self.mirror.later(seconds=LEASE.total_seconds())
        self.mirror.sync()
        return [alive is not None, *self.mirror.facts()]

    # How it ends

    def teardown(self) -> None:
        """Everything works and nobody does anything: then both sides agree, and stay so."""
        if not hasattr(self, "nothing_yet"):
            return
        try:
            if sys.exc_info()[1] is None:  # else a step has failed, and that is what is to be told
                self.undisturbed()
                self.settle()
        finally:
            transaction.savepoint_rollback(self.nothing_yet)
            transaction.savepoint_commit(self.nothing_yet)  # or SQLite asks thousands of them at each page

    def settle(self) -> None:
        """Rows are mended, orders settled; then a few quiet runs are enough."""
        for number, mends in self.broken.items():
            self.act((mends, number))
        self.broken = {}
        self.mirror.sandbox.switch(late_apply_seconds=0, read_lag_seconds=0)
        self.mirror.sandbox.api("outside", method="DELETE")
        for _ in range(6):
            if not OrderItem.objects.filter(state__in=LIVE, shared=False).exists():
                break
            self.mirror.later(minutes=5)
            self.desk.sweep(at_once=True)
        for runs_left in reversed(range(QUIET_RUNS)):
            self.mirror.later()
            run = self.watched()
            assert run is not None
            if run.status == RunStatus.GUARDED:
                self.give_back()
            elif self.agree(run, in_the_end=not runs_left):
                return
        raise AssertionError("the guard holds numbers that are all there")

    def give_back(self) -> None:
        """The guard was right: most numbers had only gone by mistake, and are bought back."""
        self.did["bought back"] += 1
        for number in {each.number for each in sound.ours().values()}:
            self.act(("purchase", number))

    def agree(self, run: SyncRun, *, in_the_end: bool) -> bool:
        """After complete runs that nobody disturbed our open numbers are the provider's, and so are their facts."""
        assert run.status == RunStatus.COMPLETE, run.error
        listed = {number.number_key: number for number in get_provider().list_owned(limit=100).numbers}
        known = {owned.number_key: owned for owned in OwnedNumber.objects.open()}
        if known.keys() != listed.keys() and not in_the_end:
            return False  # a key that changed at the same time as others is settled one run later
        assert listed.keys() == {each.key for each in self.truth().values()}
        assert known.keys() == listed.keys(), f"{known.keys() ^ listed.keys()} is known to one side only"
        assert len(known) == run.count_last == run.distinct_keys
        mine = {(k, o.number, o.price_per_month, o.capabilities, o.type) for k, o in known.items()}
        theirs = {
            (k, n.number, n.price.per_month, ",".join(n.capabilities), n.type) for k, n in listed.items()
        }
        assert mine == theirs, f"{mine - theirs} is not {theirs - mine}"
        before, last = self.mirror.facts(), AuditEvent.objects.latest("id").pk
        self.mirror.next_sync()
        assert self.mirror.facts() == before, "the same list twice is no news"
        assert self.mirror.verbs_after(last) == ["sync.finished"]
        self.did["agreed"] += 1
        return True

    # Small things

    def truth(self) -> Truth:
        """What the provider really has."""
        return sound.truth(self.mirror.sandbox.api("bought")["bought"], self.names)

    def judge_records(self) -> None:
        """Everything that always holds."""
        sound.check(self.mirror.sandbox.acts(), self.hidden)

    def undisturbed(self) -> None:
        """From here on nothing goes wrong."""
        self.mirror.sandbox.api("faults", method="DELETE")
        self.mirror.sandbox.switch(**HONEST)
        self.lied = False
        forget_troubles()


def newest_run() -> int:
    """The id of the run that was started last."""
    return SyncRun.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def stock(mirror: Mirror) -> None:
    """What the provider has at the beginning of each history, and when that is."""
    sandbox, mirror.now = mirror.sandbox, BEGIN
    sandbox.reset()
    forget_troubles()
    sandbox.clock(BEGIN)
    mirror.stock(*OURS)
    rows = [{"number": n, "numberKey": f"K{n}", "shared": n == SHARED} for n in (*FOR_SALE, SHARED)]
    sandbox.stock(available=rows)


def forget_troubles() -> None:
    """An administrator has renewed the credentials: what the client noted about the old ones is gone."""
    for path in Path(django_settings.VAR_DIR).glob("provider*"):
        path.unlink(missing_ok=True)


def no_mutations(*_: Any) -> None:
    """Hypothesis would make five histories out of each by doing one of its steps over and over."""


def run(mirror: Mirror, desk: Desk, *, examples: int, chance: int, steps: int = 6) -> "Counter[str]":
    """So many histories; what was done in them. The same `chance` is the same run."""
    django_settings.PROVIDER_TIMEOUT_SECONDS = PROVIDER_SECONDS
    django_settings.LIST_PAGE_SIZE = 4
    client.BACKOFF_SECONDS = client.BUSY_SECONDS = 0.001
    circuit.LOOK_AGAIN = 0  # a dead provider is asked again at once: nothing here waits for real time
    scene.BATCH = 3
    for person in (desk.cast.manager, desk.cast.approver):
        assert person.roles  # made for all histories, before the first one rolls back
    stock(mirror)
    assert mirror.sync().status == RunStatus.COMPLETE  # once for all histories: each begins with its numbers
    did: Counter[str] = Counter()
    machine = seed(chance)(type("TwoSides", (TwoSides,), {"mirror": mirror, "desk": desk, "did": did}))
    options = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    try:
        with patch.object(ConjectureRunner, "generate_mutations_from", no_mutations):
            run_state_machine_as_test(machine, settings=options)
    except Exception as error:
        error.add_note(f"sync_history.py --jobs 1 --chance {chance} --examples {examples} shows it again")
        raise
    return did
