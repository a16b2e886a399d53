"""Whatever happens at the provider, on the wire and to our worker: no number of ours is ever falsely ended."""

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import AcquiredBasis, NumberVersion, OwnedNumber, Status
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import services
from numbersadmin.sync.lease import LEASE
from numbersadmin.sync.models import RunStatus, SyncRun
from tests.sync.conftest import Mirror

OURS = [f"4477009000{n:02}" for n in range(7)]
FOR_SALE = [f"4477009100{n:02}" for n in range(5)]
LIST_FAULTS = ["drop", "garbage", "truncate", "empty", "html", "redirect"]
GET_FAULTS = [("status", 404), ("html", 404), ("status", 401), ("status", 429), ("status", 500), ("drop", 0)]
LIES: list[dict[str, Any]] = [
    {"wrong_count": 3},
    {"wrong_count": 99},
    {"wrong_count": "many"},
    {"duplicate_row": True},
    {"ignore_page": True},
    {"owned_empty": True},
    {"omit_prices": True},
    {"max_limit": 1},
]
HONEST = {
    "wrong_count": None,
    "duplicate_row": False,
    "ignore_page": False,
    "owned_empty": False,
    "omit_prices": False,
    "max_limit": None,
}
ours, for_sale = st.sampled_from(OURS), st.sampled_from(FOR_SALE)
anybody = st.sampled_from(OURS + FOR_SALE)


class Crash(BaseException):
    """The worker is killed."""


class ProviderAndMirror(RuleBasedStateMachine):
    """An account that changes while it is read, over a line that fails, by a program that dies."""

    mirror: ClassVar[Mirror]
    quiet_runs: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.all = transaction.atomic()
        self.all.__enter__()
        self.raced = False

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.all.__exit__(None, None, None)

    @initialize(latest=st.booleans())
    def begin(self, latest: bool) -> None:
        sandbox = self.mirror.sandbox
        sandbox.reset()
        forget_refusals()
        type(self).mirror = self.mirror = Mirror(sandbox, datetime.fromisoformat("2026-10-13T09:00:00+00:00"))
        self.mirror.stock(*OURS)
        sandbox.stock(available=[{"number": n, "numberKey": f"K{n}"} for n in FOR_SALE])
        sandbox.switch(key_changes_on_purchase=latest)
        assert self.mirror.sync().status == RunStatus.COMPLETE

    # What happens outside

    @rule(number=anybody, soon=st.integers(0, 4))
    def bought_outside(self, number: str, soon: int) -> None:
        self._act("purchase", number, soon, number not in theirs(self.mirror.sandbox.acts()))

    @rule(number=anybody, soon=st.integers(0, 4))
    def cancelled_outside(self, number: str, soon: int) -> None:
        self._act("cancel", number, soon, number in theirs(self.mirror.sandbox.acts()))

    def _act(self, act: str, number: str, soon: int, possible: bool) -> None:
        """Now, or right after one of the next calls for a page."""
        self.mirror.later(minutes=1)
        if possible and not soon:
            self.mirror.outside(act, number)
        elif possible and not self.raced:
            self.raced = True
            self.mirror.outside(act, number, after={"endpoint": "list_owned", "calls": soon})

    @rule(number=ours, price=st.sampled_from(["5", "5.5", "6.000001", "0"]))
    def price_changed(self, number: str, price: str) -> None:
        self._change(number, {"pricePerMonth": price})

    @rule(number=ours, capabilities=st.sampled_from([["SMS"], ["VOICE", "SMS"], ["SMS", "VOICE"], []]))
    def capabilities_changed(self, number: str, capabilities: list[str]) -> None:
        self._change(number, {"capabilities": capabilities})

    @rule(number=ours, key=st.sampled_from(["A%2F", "b", "B"]))
    def key_changed(self, number: str, key: str) -> None:
        self._change(number, {"numberKey": f"{key}{number}"})

    def _change(self, number: str, fields: dict[str, Any]) -> None:
        self.mirror.later(minutes=1)
        self.mirror.outside("change", number, set=fields)

    @rule(minutes=st.integers(1, 3000))
    def time_passes(self, minutes: int) -> None:
        self.mirror.later(minutes=minutes)

    # What goes wrong

    @rule(kind=st.sampled_from(LIST_FAULTS), skip=st.integers(0, 3), times=st.sampled_from([1, 3, -1]))
    def lists_fail(self, kind: str, skip: int, times: int) -> None:
        self.mirror.sandbox.fault("list_owned", kind, skip=skip, times=times)

    @rule(status=st.sampled_from([401, 403, 429, 500, 503]), skip=st.integers(0, 3))
    def lists_are_refused(self, status: int, skip: int) -> None:
        self.mirror.sandbox.fault("list_owned", "status", status=status, skip=skip, times=-1)

    @rule(fault=st.sampled_from(GET_FAULTS), skip=st.integers(0, 3))
    def look_ups_fail(self, fault: tuple[str, int], skip: int) -> None:
        kind, status = fault
        self.mirror.sandbox.fault("get", kind, skip=skip, times=-1, **({"status": status} if status else {}))

    @rule(lie=st.sampled_from(LIES))
    def provider_lies(self, lie: dict[str, Any]) -> None:
        self.mirror.sandbox.switch(**lie)

    # What we do

    @rule()
    def sync(self) -> None:
        self._watched(lambda: self.mirror.next_sync())

    @rule(ticks=st.integers(3, 30))
    def sync_that_dies(self, ticks: int) -> None:
        """Anywhere: while reading, between two transactions, or inside one."""
        self.mirror.later()
        left = iter(range(ticks))

        def clock() -> datetime:
            if next(left, None) is None:
                raise Crash
            return self.mirror.now

        def run() -> None:
            try:
                services.run_sync(provider=get_provider(), actor=None, clock=clock)
            except Crash:
                self.mirror.later(seconds=LEASE.total_seconds())

        self._watched(run)

    @precondition(lambda self: SyncRun.objects.count() > 1)
    @rule()
    def quiet_sync(self) -> None:
        """Everything works and nobody does anything: then both sides agree."""
        sandbox = self.mirror.sandbox
        sandbox.api("faults", method="DELETE")
        sandbox.switch(**HONEST)
        forget_refusals()
        self._watched(lambda: self.mirror.next_sync())  # whatever was still to come has happened now
        acts = len(sandbox.acts())
        run = self._watched(lambda: self.mirror.next_sync())
        if len(sandbox.acts()) > acts or run.status == RunStatus.GUARDED:
            return
        type(self).quiet_runs += 1
        assert run.status == RunStatus.COMPLETE, run.error
        run = (
            self.mirror.next_sync()
        )  # a key that changed at the same time as others is settled one run later
        listed = {number.number_key: number for number in get_provider().list_owned(limit=100).numbers}
        known = {owned.number_key: owned for owned in OwnedNumber.objects.open()}
        assert known.keys() == listed.keys()
        assert len(known) == run.count_last == run.distinct_keys
        assert {k: (o.price_per_month, o.capability_list) for k, o in known.items()} == {
            k: (n.price.per_month, list(n.capabilities)) for k, n in listed.items()
        }
        before = self.mirror.facts()
        self.mirror.next_sync()
        assert self.mirror.facts() == before

    def _watched(self, work: Callable[[], Any]) -> Any:
        """Run it; whatever was owned throughout is still open, and only complete runs end anything."""
        before, open_before = self.mirror.sandbox.acts(), self.mirror.open()
        run = work()
        acts = self.mirror.sandbox.acts()
        owned, touched = theirs(before), {act["number"] for act in acts[len(before) :]}
        ended = open_before - self.mirror.open()
        assert not ended & (owned - touched)
        if isinstance(run, SyncRun) and run.status != RunStatus.COMPLETE:
            assert not ended
        self.records_are_sound(acts)
        return run

    # What always holds

    def records_are_sound(self, acts: list[dict[str, Any]]) -> None:
        versions: dict[int, list[NumberVersion]] = {}
        for version in NumberVersion.objects.order_by("owned_number_id", "valid_from"):
            versions.setdefault(version.owned_number_id, []).append(version)
        back = AuditEvent.objects.filter(verb="number.reappeared").values_list("subject_id", "at")
        for owned in OwnedNumber.objects.all():
            of_it, again = versions[owned.pk], {at for pk, at in back if pk == owned.pk}
            for old, new in pairwise(of_it):
                if new.valid_from in again:
                    assert old.valid_to <= new.valid_from
                    continue
                assert old.valid_to == new.valid_from
                assert any(getattr(old, f) != getattr(new, f) for f in NumberVersion.COMPARED)
                assert new.not_before is not None
                assert old.valid_from <= new.not_before <= new.valid_from
            assert [v.valid_to is None for v in of_it] == [False] * (len(of_it) - 1) + [
                owned.status != Status.ENDED
            ]
            assert all(getattr(owned, f) == getattr(of_it[-1], f) for f in NumberVersion.COMPARED)
            self._dates_are_sound(owned, [act for act in acts if act["number"] == owned.number])

    def _dates_are_sound(self, owned: OwnedNumber, acts: list[dict[str, Any]]) -> None:
        if owned.acquired_basis != AcquiredBasis.UNKNOWN:
            assert owned.acquired_from <= (owned.acquired_at or owned.acquired_to) <= owned.acquired_to
        if owned.status == Status.ENDED:
            assert owned.acquired_to <= owned.ended_to
            assert owned.ended_from <= owned.ended_to
        if self.raced:
            return  # a list that shifts while it is read may miss a number that is there
        bought = [datetime.fromisoformat(a["at"]) for a in acts if "purchase" in a["act"]]
        gone = [datetime.fromisoformat(a["at"]) for a in acts if "cancel" in a["act"]]
        if owned.acquired_basis != AcquiredBasis.UNKNOWN:
            assert any(owned.acquired_from <= at <= owned.acquired_to for at in bought)
        if owned.status == Status.ENDED:
            assert any(owned.ended_from <= at <= owned.ended_to for at in gone)


def theirs(acts: list[dict[str, Any]]) -> set[str]:
    """The numbers that the account has at the provider, by its ledger."""
    owned = set(OURS)
    for act in acts:
        (owned.add if "purchase" in act["act"] else owned.discard)(act["number"])
    return owned


def forget_refusals() -> None:
    """An administrator has renewed the credentials: what the client noted about the old ones is gone."""
    for path in Path(django_settings.VAR_DIR).glob("provider*"):
        path.unlink(missing_ok=True)


@pytest.mark.usefixtures("no_pauses")
def test_provider_and_mirror(mirror, monkeypatch, settings):
    monkeypatch.setattr("numbersadmin.sync.scene.BATCH", 2)
    settings.LIST_PAGE_SIZE = 4
    ProviderAndMirror.mirror = mirror
    ProviderAndMirror.quiet_runs = 0
    run_state_machine_as_test(
        ProviderAndMirror,
        settings=hypothesis_settings(max_examples=12, stateful_step_count=12, deadline=None),
    )
    assert ProviderAndMirror.quiet_runs > 3, "the machine has hardly ever compared both sides"
