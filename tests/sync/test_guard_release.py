"""Held numbers: released by a person and still looked up one by one, or rejected; once, and only while it counts."""

import threading

import pytest
from django.db import connection

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import EndBasis, Status
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import releasing, selectors, services, tasks
from numbersadmin.sync.models import Drift, HeldDecision, RunStatus, SyncRun

NUMBERS = [f"4477009000{n:02}" for n in range(10)]
GONE = NUMBERS[:6]


@pytest.fixture
def held(mirror, settings):
    """Ten numbers, of which six were cancelled outside at once; `mirror.run` holds them."""
    settings.LIST_PAGE_SIZE = 20
    mirror.stock(*NUMBERS)
    mirror.sync()
    for number in GONE:
        mirror.outside("cancel", number)
    mirror.run = mirror.next_sync()
    assert mirror.run.status == RunStatus.GUARDED
    return mirror


def decide(mirror, actor, decision=HeldDecision.RELEASE, reason="the customer left"):
    releasing.decide(actor=actor, run=mirror.run, decision=decision, reason=reason, now=mirror.now)


def carry_out(mirror) -> SyncRun:
    (run,) = selectors.releases_to_carry_out()
    mirror.later(minutes=1)
    return releasing.carry_out(held=run, provider=get_provider(), clock=mirror.clock)


def test_released_numbers_end_when_the_provider_does_not_know_them(held, cast):
    decide(held, cast.finance)
    assert held.open() == set(NUMBERS)  # nothing by itself
    run = carry_out(held)
    assert (run.status, run.kind, run.ended, run.started_by) == ("released", "guard_release", 6, cast.finance)
    assert held.open() == set(NUMBERS[6:])
    owned = held.owned(GONE[0])
    first = SyncRun.objects.earliest("id")
    assert (owned.end_basis, owned.ended_from, owned.ended_to) == (
        EndBasis.DISAPPEARED,
        first.started_at,
        held.now,
    )
    assert selectors.releases_to_carry_out() == []
    event = AuditEvent.objects.get(verb="sync.released")
    assert (event.actor, event.reason, event.subject_id) == ("finance", "the customer left", held.run.pk)
    assert selectors.last_complete() == first  # a release is no reading of the list
    assert Drift.objects.filter(kind="gone").count() == 6
    assert held.next_sync().status == RunStatus.COMPLETE


def test_those_that_answer_stay(held, cast):
    """The list was wrong about one of them."""
    held.sandbox.stock(owned=[{"number": GONE[0], "numberKey": f"K{GONE[0]}"}])
    decide(held, cast.admin)
    run = carry_out(held)
    assert (run.ended, run.rescued) == (5, 1)
    assert held.owned(GONE[0]).status == Status.OWNED


def test_without_a_number_that_answers_nothing_ends(held, cast, no_pauses):
    held.sandbox.fault("get", "status", status=404, times=-1)
    decide(held, cast.finance)
    run = carry_out(held)
    assert (run.status, run.ended, run.missing) == ("released", 0, 6)
    assert "could not be confirmed as gone" in run.error
    assert held.open() == set(NUMBERS)


@pytest.mark.parametrize("really", [False, True])
def test_an_empty_list_is_released_alike(held, cast, really):
    """Numbers that still answer stay; when none does, not even releasing calls them gone."""
    held.sandbox.switch(owned_empty=True)
    if really:
        for number in NUMBERS[6:]:
            held.outside("cancel", number)
    held.run = held.next_sync()
    assert (held.run.status, len(held.run.held)) == ("guarded", 10)
    decide(held, cast.finance)
    run = carry_out(held)
    assert (run.ended, run.rescued, run.missing) == ((0, 0, 10) if really else (6, 4, 0))


def test_rejected_numbers_stay_and_the_same_is_not_asked_again(held, cast):
    assert selectors.held_waits() == held.run
    decide(held, cast.finance, HeldDecision.REJECT, "the portal shows them")
    assert selectors.releases_to_carry_out() == []
    assert AuditEvent.objects.get(verb="sync.rejected").reason == "the portal shows them"
    held.next_sync()
    assert selectors.held_waits() is None  # the same six
    assert selectors.drifts_waiting_for(cast.finance) == ""
    held.outside("cancel", NUMBERS[6])
    assert held.next_sync() == selectors.held_waits()
    assert selectors.drifts_waiting_for(cast.finance) == "1"
    assert held.open() == set(NUMBERS)


def test_a_newer_whole_list_counts_instead(held, cast):
    old = held.run
    for number in GONE:
        held.sandbox.stock(owned=[{"number": number, "numberKey": f"K{number}"}])
    newer = held.next_sync()
    assert newer.status == RunStatus.COMPLETE
    with pytest.raises(releasing.CannotDecide, match=f"Sync {newer.pk} is newer"):
        decide(held, cast.finance)
    assert SyncRun.objects.get(pk=old.pk).decision == ""


def test_a_release_that_waited_too_long_ends_nothing(held, cast):
    """A complete run came between the decision and its turn; negative: the six are really gone."""
    decide(held, cast.finance)
    SyncRun.objects.create(
        status=RunStatus.COMPLETE, started_at=held.now, heartbeat_at=held.now, finished_at=held.now
    )
    assert releasing.carry_out(held=held.run, provider=get_provider(), clock=held.clock) is None
    assert held.open() == set(NUMBERS)


def test_a_second_worker_that_came_too_late_looks_nothing_up(held, cast):
    """It had read that something is to be done, and got its turn when it was done."""
    decide(held, cast.finance)
    carry_out(held)
    looked_up = len(held.sandbox.requests("get"))
    assert releasing.carry_out(held=held.run, provider=get_provider(), clock=held.clock) is None
    assert len(held.sandbox.requests("get")) == looked_up
    assert SyncRun.objects.filter(kind="guard_release").count() == 1


def test_a_release_waits_for_the_run_under_way_and_the_sweep_finds_it(held, cast, monkeypatch, settings):
    monkeypatch.setattr(tasks.timezone, "now", held.clock)
    told = []
    monkeypatch.setattr(tasks.carry_out_releases, "apply_async", lambda retry: told.append(1))
    decide(held, cast.finance)
    running = services.start(actor=None, now=held.now)
    tasks.carry_out_releases()
    assert held.open() == set(NUMBERS)
    services.give_up(run=running, status=RunStatus.FAILED, now=held.now, error="x")
    tasks.abandon_dead()
    assert told == [1]
    tasks.carry_out_releases()
    tasks.carry_out_releases()  # a second delivery finds nothing to do
    assert held.open() == set(NUMBERS[6:])
    assert SyncRun.objects.filter(kind="guard_release").count() == 1


def test_a_release_whose_worker_died_is_carried_out_again(held, cast):
    decide(held, cast.finance)
    dead = services.start(actor=cast.finance, now=held.now, released_run=held.run)
    held.later()
    run = carry_out(held)
    dead.refresh_from_db()
    assert (dead.status, run.status, run.ended) == ("abandoned", "released", 6)


def test_who_may_and_with_what_words(held, cast):
    for actor in (cast.viewer, cast.manager, cast.approver):
        with pytest.raises(releasing.CannotDecide, match="Only finance"):
            decide(held, actor)
    with pytest.raises(releasing.CannotDecide, match="Say why"):
        decide(held, cast.finance, reason=" ")
    assert SyncRun.objects.get(pk=held.run.pk).decision == ""


def test_a_number_with_a_new_key_is_not_among_the_held(held, cast):
    held.outside("change", NUMBERS[9], set={"numberKey": "OTHER"})
    held.run = held.next_sync()
    assert held.owned(NUMBERS[9]).pk not in held.run.held
    decide(held, cast.finance)
    carry_out(held)
    run = held.next_sync()
    assert (run.status, held.owned(NUMBERS[9]).number_key) == ("complete", "OTHER")


@pytest.mark.django_db(transaction=True)
def test_two_persons_at_once_make_one_decision(sandbox, mirror, cast, settings):
    settings.LIST_PAGE_SIZE = 20
    mirror.stock(*NUMBERS)
    mirror.sync()
    sandbox.switch(owned_empty=True)
    mirror.run = mirror.next_sync()
    people = [(cast.finance, HeldDecision.RELEASE), (cast.admin, HeldDecision.REJECT)]
    told, gate = [], threading.Barrier(2)

    def press(actor, decision):
        gate.wait()
        try:
            decide(mirror, actor, decision)
        except releasing.CannotDecide as problem:
            told.append(str(problem))
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=each) for each in people]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    run = SyncRun.objects.select_related("decided_by").get(pk=mirror.run.pk)
    assert told == [
        f"{run.decided_by.username} {run.get_decision_display().lower()} it already. Nothing was changed."
    ]
    assert AuditEvent.objects.filter(verb__in=("sync.released", "sync.rejected")).count() == 1
