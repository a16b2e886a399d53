"""What makes a reading complete, and that presence is believed from any reading, absence from complete ones only."""

import pytest

from numbersadmin.numbers.models import Status
from numbersadmin.provider.schema import Page, Row, decode_page
from numbersadmin.sync.models import RunStatus
from numbersadmin.sync.page_size import PageSize
from numbersadmin.sync.reader import REREADS, Reading, read_list

FIVE = [f"44770090000{n}" for n in range(1, 6)]


@pytest.fixture
def known(mirror):
    """Five numbers that a complete run has recorded."""
    mirror.stock(*FIVE)
    assert mirror.sync().status == RunStatus.COMPLETE
    assert mirror.open() == set(FIVE)
    return mirror


def test_whole_list_is_read_page_by_page(known):
    run = known.next_sync()
    assert (run.status, run.pages, run.readings, run.rows, run.distinct_keys) == ("complete", 3, 1, 5, 5)
    assert (run.count_first, run.count_last, run.duplicates, run.invalid) == (5, 5, 0, 0)
    asked = [r["query"] for r in known.sandbox.requests("list_owned")][-3:]
    assert [query.split("&")[:2] for query in asked] == [["limit=2", f"page={n}"] for n in range(3)]


def test_a_limit_that_the_provider_caps_is_no_end_of_the_list(known):
    known.sandbox.switch(max_limit=1)
    run = known.next_sync()
    assert (run.status, run.pages, run.distinct_keys) == ("complete", 5, 5)


@pytest.mark.parametrize("count", [3, 6, 1])
def test_a_wrong_count_is_never_complete(known, count):
    known.sandbox.switch(wrong_count=count)
    known.outside("cancel", FIVE[4])
    known.buy_outside("447700900008")
    run = known.next_sync()
    assert run.status == RunStatus.INCOMPLETE
    assert run.readings == 1 + REREADS
    assert set(FIVE) <= known.open()
    assert "No number was ended" in run.error


@pytest.mark.parametrize("count", ["lots", -5, [], True])
def test_without_a_usable_count_the_empty_page_is_the_end(known, count):
    known.sandbox.switch(wrong_count=count)
    known.outside("cancel", FIVE[4])
    run = known.next_sync()
    assert (run.status, run.pages, run.count_last, run.ended) == ("complete", 3, None, 1)
    assert known.owned(FIVE[4]).status == Status.ENDED


def test_a_provider_that_ignores_the_page_is_found_out(known):
    known.sandbox.switch(ignore_page=True)
    run = known.next_sync()
    assert (run.status, run.readings, run.pages) == ("incomplete", 4, 8)
    assert "brought nothing new" in run.error
    assert known.open() == set(FIVE)


def test_a_row_that_is_listed_twice_is_counted_and_ends_nothing(known):
    known.sandbox.switch(duplicate_row=True)
    known.outside("cancel", FIVE[0])
    run = known.next_sync()
    assert (run.status, run.readings) == ("incomplete", 4)
    assert run.duplicates
    assert known.open() == set(FIVE)


def test_the_last_copy_of_a_key_counts():
    [one, two, other] = _rows(
        '{"numberKey":"A","number":"441"}',
        '{"numberKey":"B","number":"442"}',
        '{"numberKey":"A","number":"441","type":"OTHER"}',
    )
    known = OnRecord({one.digest: "A"})
    reading = Reading(limit=50, learns=True)
    reading.take(Page([two.raw, other.raw], 9, None), known, at=1)
    reading.take(Page([one.raw], 9, None), known, at=2)
    assert [(key, *sight[:2]) for key, sight in reading.differing.items()] == [("B", two, 1)]
    assert reading.unchanged == {one.digest}  # A is as we know it
    reading.take(Page([one.raw, other.raw], 9, None), known, at=3)
    assert (reading.differing["A"][:2], reading.unchanged) == ((other, 3), set())
    assert (reading.distinct, reading.duplicates) == (2, 3)


def test_a_number_bought_while_we_read_makes_us_read_again(known):
    known.later()
    known.sandbox.stock(available=[{"number": "440000000001", "numberKey": "FIRST"}])
    known.outside("purchase", "440000000001", after={"endpoint": "list_owned", "calls": 1})
    run = known.sync()
    assert (run.status, run.readings, run.distinct_keys) == ("complete", 2, 6)
    assert known.open() == {*FIVE, "440000000001"}


def test_a_number_cancelled_while_we_read_makes_us_read_again(known):
    known.later()
    known.outside("cancel", FIVE[0], after={"endpoint": "list_owned", "calls": 1})
    run = known.sync()
    assert (run.status, run.readings, run.ended) == ("complete", 2, 1)
    assert known.open() == set(FIVE[1:])


def test_one_cancelled_and_one_bought_behind_our_back_harm_nobody(known):
    """Counts, keys and duplicates all agree, and yet an owned number is missing from what we read."""
    known.later()
    known.sandbox.stock(available=[{"number": "447700900009", "numberKey": "LAST"}])
    known.outside("cancel", FIVE[0], after={"endpoint": "list_owned", "calls": 1})
    known.outside("purchase", "447700900009", after={"endpoint": "list_owned", "calls": 1})
    run = known.sync()
    assert (run.status, run.readings, run.rescued, run.ended) == ("complete", 1, 1, 0)
    assert known.open() == {*FIVE, "447700900009"}
    assert known.owned(FIVE[2]).status == Status.OWNED
    run = known.next_sync()
    assert run.ended == 1
    assert known.open() == {*FIVE[1:], "447700900009"}


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("garbage", {}),
        ("html", {"status": 502}),
        ("truncate", {}),
        ("drop", {}),
        ("empty", {}),
        ("redirect", {}),
        ("status", {"status": 404}),
        ("status", {"status": 400}),
    ],
)
def test_a_list_that_breaks_off_ends_nothing_and_shows_what_it_shows(known, kind, details, no_pauses):
    known.outside("cancel", FIVE[4])
    known.outside("change", FIVE[0], set={"pricePerMonth": "7.25"})
    known.sandbox.fault("list_owned", kind, times=-1, skip=1, **details)
    run = known.next_sync()
    assert run.status == RunStatus.INCOMPLETE
    assert run.error
    assert known.open() == set(FIVE)
    assert str(known.owned(FIVE[0]).price_per_month) == "7.250000"


def test_nothing_readable_at_all_is_a_failed_run(known, no_pauses):
    known.sandbox.fault("list_owned", "status", status=500, times=-1)
    before = known.facts()
    run = known.next_sync()
    assert (run.status, run.error_kind, run.pages) == ("failed", "down", 0)
    assert "did not answer" in run.error
    assert known.facts() == before


def test_a_passing_error_costs_nothing(known, no_pauses):
    known.sandbox.fault("list_owned", "status", status=503, times=2, skip=1)
    assert known.next_sync().status == RunStatus.COMPLETE


def test_an_answer_that_makes_no_sense_once_is_read_again(known):
    known.sandbox.fault("list_owned", "garbage", times=1, skip=1)
    run = known.next_sync()
    assert (run.status, run.readings) == ("complete", 2)


def test_a_row_without_a_key_makes_the_list_incomplete(known):
    known.sandbox.stock(owned=[{"number": "447700900006", "omit": ["numberKey"]}])
    known.outside("cancel", FIVE[4])
    run = known.next_sync()
    assert (run.status, run.invalid) == ("incomplete", 1)
    assert "had no key" in run.error
    assert known.open() == set(FIVE)


@pytest.mark.parametrize("broken", [{"number": ""}, {"capabilities": [1]}, {"type": 5}, {"country": ["GB"]}])
def test_a_row_that_is_not_understood_still_counts_as_present(known, broken):
    before = known.facts()
    known.outside("change", FIVE[2], set=broken)
    run = known.next_sync()
    assert (run.status, run.invalid, run.missing, run.ended) == ("complete", 1, 0, 0)
    assert known.facts() == before


def test_the_key_of_one_number_on_another_is_not_believed(known):
    before = known.facts()
    known.outside("change", FIVE[2], set={"number": "447700900077"})
    run = known.next_sync()
    assert (run.status, run.invalid, run.changed, run.ended) == ("complete", 1, 0, 0)
    assert known.facts() == before


def test_a_list_without_end_is_given_up():
    """Ever new numbers and an ever higher count, however many pages are asked for."""

    class Endless:
        def get(self, number: int, limit: int, last: int):
            return Page(
                [f'{{"numberKey":"K{number}","number":"4{number}"}}'.encode()], 9 + number, None
            ), None

    endless = read_list(Endless(), OnRecord({}), PageSize(1, learned=False))
    assert not endless.complete
    assert endless.pages == (1 + REREADS) * (9 + 2)


class OnRecord:
    """What is known, as reader.Known."""

    def __init__(self, keys: dict[int, str]) -> None:
        self.digests, self._keys = set(keys), keys

    def of_keys(self, keys: set[str]) -> dict[int, str]:
        return {digest: key for digest, key in self._keys.items() if key in keys}


def _rows(*texts: str) -> tuple[Row, ...]:
    return decode_page(f'{{"numbers":[{",".join(texts)}],"numberCount":9}}'.encode(), None).rows
