"""The page size is learned: capped without a word, refused, too slow, remembered, and tried again after a day."""

import pytest

from numbersadmin.provider.schema import Page
from numbersadmin.sync import page_size
from numbersadmin.sync.models import RunStatus
from numbersadmin.sync.page_size import PageSize
from numbersadmin.sync.reader import read_list
from tests.sync.test_complete_list import OnRecord

SEVEN = [f"44770090010{n}" for n in range(1, 8)]


@pytest.fixture
def unset(mirror, settings, monkeypatch):
    """Seven numbers and no LIST_PAGE_SIZE; documented are 2 rows a page, and 6 are tried."""
    settings.LIST_PAGE_SIZE = 0
    monkeypatch.setattr(page_size, "DOCUMENTED", 2)
    monkeypatch.setattr(page_size, "LARGEST", 6)
    mirror.stock(*SEVEN)
    return mirror


def asked(mirror):
    """Limit and page of each call for the list, the oldest first."""
    queries = [request["query"] for request in mirror.sandbox.requests("list_owned")]
    return [tuple(int(part.partition("=")[2]) for part in query.split("&")[:2]) for query in queries]


def learned(run):
    return run.status, run.page_asked, run.page_size, run.distinct_keys


def test_a_provider_that_gives_what_is_asked_for(unset):
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 6, 7)
    assert asked(unset) == [(6, 0), (6, 1)]


def test_a_cap_is_found_out_remembered_and_tried_again_after_a_day(unset):
    unset.sandbox.switch(max_limit=3)
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 3, 7)
    assert asked(unset) == [(6, 0), (3, 0), (3, 1), (3, 2)]  # one limit for the whole of a reading
    assert learned(unset.next_sync()) == (RunStatus.COMPLETE, 3, 3, 7)
    assert asked(unset)[4:] == [(3, 0), (3, 1), (3, 2)]
    unset.sandbox.switch(max_limit=None)
    unset.later(hours=23)
    assert unset.sync().page_asked == 3
    unset.later(hours=2)
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 6, 7)


def test_fewer_rows_than_documented_are_believed_only_of_that_limit(unset):
    unset.sandbox.switch(max_limit=1)
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 1, 7)
    assert asked(unset)[:3] == [(6, 0), (2, 0), (1, 0)]


def test_a_cap_is_found_without_a_count_too(unset):
    unset.sandbox.switch(max_limit=3, wrong_count="absent")
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 3, 7)
    assert asked(unset) == [(6, 0), (6, 1), (3, 0), (3, 1), (3, 2), (3, 3)]


def test_a_refused_limit_is_halved(unset):
    unset.sandbox.fault("list_owned", "status", status=400, times=1)
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 3, 7)
    assert learned(unset.next_sync()) == (RunStatus.COMPLETE, 3, 3, 7)


def test_asking_for_more_never_costs_a_sync_that_would_have_worked(unset, no_pauses):
    unset.sandbox.fault("list_owned", "status", status=500, times=3)
    assert learned(unset.sync()) == (RunStatus.COMPLETE, 6, 2, 7)


def test_a_provider_that_does_not_answer_is_not_asked_for_less_than_what_worked(unset, no_pauses):
    unset.sync()
    unset.sandbox.fault("list_owned", "status", status=500, times=-1)
    assert unset.next_sync().status == RunStatus.FAILED
    assert asked(unset)[2:] == [(6, 0)] * 3


def test_a_try_that_broke_off_is_not_repeated_for_a_day(unset, no_pauses):
    unset.sandbox.fault("list_owned", "status", status=500, times=3, skip=1)
    run = unset.sync()
    assert (run.status, run.page_asked) == (RunStatus.INCOMPLETE, 6)
    assert learned(unset.next_sync()) == (RunStatus.COMPLETE, 2, 2, 7)


def test_a_list_shorter_than_a_page_says_nothing_of_a_cap(unset):
    unset.sandbox.stock(owned=[])
    unset.stock(*SEVEN[:4])
    assert unset.sync().page_size == 6


class Skipping:
    """A provider that sends three rows of each page and begins the next behind the rows asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def get(self, number, limit, last):
        self.asked.append((limit, number))
        keys = range(7)[number * limit :][: min(limit, 3)]
        return Page([b'{"numberKey":"K%d","number":"44%d"}' % (key, key) for key in keys], 7, None), None


def test_no_row_is_skipped_whatever_the_offset_counts():
    skipping = Skipping()
    readings = read_list(skipping, OnRecord({}), PageSize(6, learned=True))
    assert (readings.complete, readings.last.distinct, readings.last.limit) == (True, 7, 3)
    assert skipping.asked == [(6, 0), (3, 0), (3, 1), (3, 2)]
    asis = read_list(Skipping(), OnRecord({}), PageSize(6, learned=False))
    assert (asis.complete, asis.last.distinct) == (False, 4)  # the control: rows 3 to 5 are never seen
