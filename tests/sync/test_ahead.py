"""Pages that are read ahead in threads are taken in order, and trouble on one of them is the same as without."""

import threading

import pytest

from numbersadmin.provider.client import Provider
from numbersadmin.sync.models import RunStatus, SyncRun

NUMBERS = [f"4477009003{n:02}" for n in range(24)]


@pytest.fixture
def four(mirror, settings):
    """Twenty-four numbers on twelve pages, four of them read at once."""
    settings.SYNC_THREADS = 4
    mirror.stock(*NUMBERS)
    return mirror


def asked(mirror):
    return [int(r["query"].split("&")[1][5:]) for r in mirror.sandbox.requests("list_owned")]


def test_pages_come_in_order_and_several_are_under_way(four):
    four.sandbox.fault("list_owned", "delay", seconds=0.05, times=-1)
    heard = []
    run = four.sync(heard.append)
    assert (run.status, run.pages, run.rows, run.appeared) == (RunStatus.COMPLETE, 12, 24, 24)
    assert heard == list(range(1, 13))
    assert (sorted(asked(four)), asked(four)[0]) == (list(range(12)), 0)
    assert 2 <= four.sandbox.api("state")["max_in_flight"]["list_owned"] <= 4
    assert [n.number for n in four.owned(NUMBERS[0]).__class__.objects.order_by("id")] == NUMBERS


def test_one_thread_has_one_call_under_way(four, settings):
    settings.SYNC_THREADS = 1
    assert four.sync().status == RunStatus.COMPLETE
    assert four.sandbox.api("state")["max_in_flight"]["list_owned"] == 1


def test_an_error_on_a_middle_page_ends_the_reading_there(four, no_pauses, settings):
    four.sync()
    for threads in (1, 4):
        settings.SYNC_THREADS = threads
        four.sandbox.fault("list_owned", "status", status=400, times=-1, skip=5)
        run = four.next_sync()
        four.sandbox.api("faults", method="DELETE")
        assert (run.status, run.error_kind, run.ended) == (RunStatus.INCOMPLETE, "refused", 0)
        assert (
            run.pages == 5 if threads == 1 else 1 <= run.pages <= 5
        )  # which call is the sixth, the wire says
        assert len(four.open()) == 24


def test_a_number_bought_while_pages_are_ahead_is_found_by_another_reading(four):
    four.sandbox.stock(available=[{"number": "440000000001", "numberKey": "FIRST"}])
    four.outside("purchase", "440000000001", after={"endpoint": "list_owned", "calls": 1})
    run = four.sync()
    assert (run.status, run.readings, run.distinct_keys) == (RunStatus.COMPLETE, 2, 25)


def test_a_thread_that_dies_ends_the_run_and_leaves_no_call_behind(four, monkeypatch):
    whole = Provider.list_owned

    def dies(self, *, page=0, **more):
        if page == 6:
            raise MemoryError
        return whole(self, page=page, **more)

    monkeypatch.setattr(Provider, "list_owned", dies)
    with pytest.raises(MemoryError):
        four.sync()
    assert SyncRun.objects.get().status == RunStatus.FAILED
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sync-page")]


def test_a_run_that_was_given_up_stops_its_threads(four):
    def give_up(page):
        if page == 3:
            SyncRun.objects.update(status=RunStatus.ABANDONED, heartbeat_at=four.now, finished_at=four.now)
            four.now = four.now.replace(year=four.now.year + 1)  # long enough for a sign of life to be due

    run = four.sync(give_up)
    assert run.status == RunStatus.ABANDONED
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sync-page")]
