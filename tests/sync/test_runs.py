"""Runs: one at a time, leases, refused credentials, the command, the tasks, gaps, and what our data's age is."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import presence, selectors, services, tasks
from numbersadmin.sync.lease import LEASE, LostRun, beat
from numbersadmin.sync.models import RunStatus, SyncRun

ONE, TWO, THREE = "447700900001", "447700900002", "447700900003"


@pytest.fixture
def stocked(mirror):
    """Three numbers that no run has read yet."""
    mirror.stock(ONE, TWO, THREE)
    return mirror


def command(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `sync`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("sync", *arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        code = stop.code
    return code, out.getvalue(), err.getvalue()


# One at a time ----------------------------------------------------------------------------------------------------


def test_a_second_run_is_told_since_when_one_is_under_way(stocked):
    run = services.start(actor=None, now=stocked.now)
    stocked.later(seconds=30)
    with pytest.raises(services.AlreadyRunning, match=r"since 13 Oct 2026, 09:00:00 UTC") as already:
        stocked.sync()
    assert already.value.run == run
    assert SyncRun.objects.count() == 1


def test_a_run_without_a_sign_of_life_is_given_up_by_the_next(stocked):
    dead = services.start(actor=None, now=stocked.now)
    SyncRun.objects.filter(pk=dead.pk).update(readings=1)
    stocked.later(seconds=LEASE.total_seconds() - 1)
    with pytest.raises(services.AlreadyRunning):
        stocked.sync()
    stocked.later(seconds=1)
    run = stocked.sync()
    dead.refresh_from_db()
    assert (dead.status, run.status) == ("abandoned", "complete")
    assert "worker ended" in dead.error
    assert stocked.event("sync.abandoned").subject_id == dead.pk
    assert timedelta(seconds=120) >= LEASE


def test_the_sweep_gives_up_a_dead_run(stocked):
    alive = services.start(actor=None, now=timezone.now())
    tasks.abandon_dead()
    assert SyncRun.objects.get().status == RunStatus.RUNNING
    SyncRun.objects.filter(pk=alive.pk).update(heartbeat_at=timezone.now() - LEASE)
    tasks.abandon_dead()
    assert (SyncRun.objects.get().status, SyncRun.objects.get().error) == (
        "abandoned",
        "No worker took it up.",
    )


def test_a_run_that_was_given_up_writes_nothing_more(stocked):
    """Its worker was only slow: what it reads after that is another run's business."""

    def give_up(pages: int) -> None:
        if pages == 2:
            SyncRun.objects.update(status=RunStatus.ABANDONED, finished_at=stocked.now)

    run = stocked.sync(on_page=give_up)
    assert run.status == RunStatus.ABANDONED
    assert OwnedNumber.objects.count() == 0
    assert stocked.verbs() == []
    with pytest.raises(LostRun):
        beat(run, stocked.now)


def test_a_sign_of_life_keeps_a_run_from_being_given_up(stocked):
    seen = services.start(actor=None, now=stocked.now)
    beat(SyncRun.objects.get(), stocked.now + LEASE)
    assert not services.give_up(run=seen, status=RunStatus.ABANDONED, now=stocked.now, error="x")
    assert SyncRun.objects.get().status == RunStatus.RUNNING


def test_a_message_delivered_twice_carries_out_one_run(stocked):
    run = services.start(actor=None, now=stocked.now)
    inner = []

    def deliver_again(pages: int) -> None:
        again = SyncRun.objects.get(pk=run.pk)
        inner.append(services.carry_out(run=again, provider=get_provider(), clock=stocked.clock).status)

    done = services.carry_out(run=run, provider=get_provider(), clock=stocked.clock, on_page=deliver_again)
    assert done.status == RunStatus.COMPLETE
    assert inner == [RunStatus.RUNNING] * 2
    assert len(stocked.sandbox.requests("list_owned")) == 2
    once_more = services.carry_out(run=done, provider=get_provider(), clock=stocked.clock)
    assert once_more.status == RunStatus.COMPLETE
    assert len(stocked.sandbox.requests("list_owned")) == 2


def test_a_killed_run_and_a_second_one_give_the_same_result(stocked, monkeypatch):
    """The worker dies between two transactions; the run's lease is all that is left of it."""
    monkeypatch.setattr("numbersadmin.sync.scene.BATCH", 1)
    believe, done = presence._believe_chunk, []

    def die_after_two(scene, chunk):
        if len(done) == 2:
            raise SystemExit("killed")
        done.append(believe(scene, chunk))

    monkeypatch.setattr(presence, "_believe_chunk", die_after_two)
    with pytest.raises(SystemExit):
        stocked.sync()
    assert (SyncRun.objects.get().status, len(stocked.open())) == ("abandoned", 2)
    monkeypatch.setattr(presence, "_believe_chunk", believe)
    run = stocked.next_sync()
    assert (run.status, run.appeared, stocked.open()) == ("complete", 1, {ONE, TWO, THREE})
    assert {n.acquired_basis for n in OwnedNumber.objects.all()} == {"unknown"}
    before = stocked.facts()
    stocked.next_sync()
    assert stocked.facts() == before


def test_a_number_recorded_by_a_purchase_at_the_same_moment_is_looked_at_again(stocked, monkeypatch):
    opened, calls = presence.open_rows, []

    def collide_once(scene, rows):
        calls.append(opened(scene, rows))
        if len(calls) == 1:
            raise IntegrityError("owned_number_open_key_once")
        return calls[-1]

    monkeypatch.setattr(presence, "open_rows", collide_once)
    run = stocked.sync()
    assert (run.status, run.appeared, calls) == ("complete", 3, [3, 3])
    assert OwnedNumber.objects.count() == 3


def test_an_error_of_our_own_ends_the_run_and_is_not_hidden(stocked, monkeypatch):
    monkeypatch.setattr("numbersadmin.sync.services.believe", lambda scene, sights, listed: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stocked.sync()
    run = SyncRun.objects.get()
    assert (run.status, run.error) == ("failed", "The run was interrupted (ZeroDivisionError).")


# Credentials, gaps, age -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [0, 1])
def test_refused_credentials_fail_the_run_and_change_nothing(stocked, skip):
    stocked.sync()
    stocked.sandbox.fault("*", "status", status=401, times=-1, skip=skip)
    before, asked = stocked.facts(), len(stocked.sandbox.requests())
    run = stocked.next_sync()
    assert (run.status, run.error_kind, run.held) == ("failed", "credentials", [])
    assert "refuses our sign-in" in run.error
    assert stocked.facts() == before
    assert len(stocked.sandbox.requests()) - asked == 1 + skip  # no retries
    for _ in range(5):
        assert stocked.next_sync().status == "failed"
    assert len(stocked.sandbox.requests()) - asked <= 3 + skip


def test_a_gap_is_told(stocked, settings):
    stocked.sync()
    assert "sync.gap" not in stocked.verbs(stocked.next_sync())
    stocked.later(minutes=31)
    run = stocked.sync()
    assert stocked.verbs(run) == ["sync.finished", "sync.gap"]
    settings.SYNC_INTERVAL_SECONDS = 0
    stocked.later(days=1)
    assert stocked.verbs(stocked.sync()) == ["sync.finished"]


def test_the_age_of_our_data(stocked, no_pauses):
    fresh, stale = selectors.Freshness.FRESH, selectors.Freshness.STALE
    assert selectors.freshness(stocked.now) == selectors.Freshness.NEVER
    assert not selectors.is_fresh(stocked.now)
    stocked.sync()
    assert selectors.freshness(stocked.now + timedelta(minutes=30)) == fresh
    assert selectors.freshness(stocked.now + timedelta(minutes=30, seconds=1)) == stale
    stocked.sandbox.fault("list_owned", "status", status=500, times=-1)
    stocked.later(minutes=40)
    stocked.sync()
    assert selectors.freshness(stocked.now) == stale  # a failed run makes nothing younger


def test_the_end_of_a_run_names_who_asked_for_it_and_what_it_found(stocked, cast):
    stocked.sync(actor=cast.manager)
    event = stocked.event("sync.finished")
    assert (event.actor, event.roles) == ("manager", "manager")
    assert event.after["status"] == "complete"
    assert (event.after["appeared"], event.after["distinct_keys"]) == (3, 3)


def test_each_complete_run_measures_how_days_are_counted(stocked):
    assert stocked.sync().calibration is None  # nothing for sale
    stocked.sandbox.stock(available=[{"number": "447700900077", "pricePerMonth": "15"}])
    run = stocked.next_sync()
    assert run.calibration == {"days": 19, "days_in_month": 31, "at": run.started_at.isoformat()}
    assert 19 + 13 - 31 == 1  # the day of purchase is charged


# The command and the tasks ----------------------------------------------------------------------------------------


def test_the_command_tells_a_complete_run(stocked):
    code, out, err = command()
    assert (code, out) == (0, "")
    assert "is complete: 3 numbers on 2 pages" in err
    assert err.count("\n") == 1


def test_the_command_prints_the_run_as_json(stocked):
    code, out, _ = command("--json")
    run = json.loads(out)
    assert (code, run["status"], run["distinct_keys"], run["appeared"]) == (0, "complete", 3, 3)
    assert run["finished_at"] >= run["started_at"]


def test_the_command_says_what_went_wrong(stocked, no_pauses):
    command()
    stocked.sandbox.fault("list_owned", "status", status=500, times=-1, skip=1)
    code, out, err = command("--json")
    assert (code, json.loads(out)["status"], err.count("\n")) == (1, "incomplete", 1)
    stocked.sandbox.api("faults", method="DELETE")
    stocked.sandbox.fault("list_owned", "status", status=403, times=-1)
    code, _, err = command()
    assert (code, "refuses our sign-in" in err) == (1, True)


def test_the_command_holds_an_empty_list(stocked):
    command()
    stocked.sandbox.switch(owned_empty=True)
    code, out, err = command("--json")
    assert (code, json.loads(out)["held"]) == (2, 3)
    assert "Nothing was ended" in err
    assert err.count("\n") == 1


def test_the_command_does_not_start_a_second_run(stocked):
    services.start(actor=None, now=timezone.now())
    code, _, err = command()
    assert code == 1
    assert "has been running since" in err
    assert stocked.sandbox.requests("list_owned") == []


def test_the_schedule_runs_one_and_leaves_one_under_way_alone(stocked):
    tasks.sync_periodically()
    assert (SyncRun.objects.get().status, SyncRun.objects.get().started_by) == ("complete", None)
    services.start(actor=None, now=timezone.now())
    tasks.sync_periodically()
    assert SyncRun.objects.count() == 2


def test_the_worker_carries_out_a_run_that_a_person_started(stocked, cast):
    run = services.start(actor=cast.manager, now=timezone.now())
    tasks.sync_now(run_id=run.pk)
    run.refresh_from_db()
    assert (run.status, run.started_by) == ("complete", cast.manager)


# What it costs ----------------------------------------------------------------------------------------------------


def test_unchanged_numbers_cost_no_statement_each(stocked, django_assert_max_num_queries, settings):
    stocked.stock(*[f"4477009200{n:02}" for n in range(97)])
    settings.LIST_PAGE_SIZE = 5
    stocked.sync()
    before = stocked.facts()
    with django_assert_max_num_queries(20) as few:
        run = stocked.next_sync()
    settings.LIST_PAGE_SIZE = 1
    with django_assert_max_num_queries(len(few)):
        more = stocked.next_sync()
    assert (run.pages, more.pages, run.distinct_keys) == (20, 100, 100)
    assert stocked.facts() == before
