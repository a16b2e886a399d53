"""The page of a number as of a day: facts, whose it was, and an honest word where nobody looked."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from numbersadmin.numbers import services
from numbersadmin.numbers.models import AcquiredBasis, EndBasis
from numbersadmin.sync.models import RunStatus, SyncRun

pytestmark = pytest.mark.django_db
NUMBER = "447860041117"


def at(month, day, hour=9):
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(at(11, 20), tick=False):
        yield


@pytest.fixture(autouse=True)
def records_begin(db):
    begin = at(9, 1)
    SyncRun.objects.create(status=RunStatus.COMPLETE, started_at=begin, heartbeat_at=begin, finished_at=begin)


@pytest.fixture
def lived(own, facts, cast):
    """Absent on 12 September, seen on the 15th; dearer between 12 and 15 October; handed over on 1 November."""
    one = own(
        NUMBER,
        owner=cast.manager,
        cost_centre="Retail",
        verb="number.appeared",
        basis=AcquiredBasis.BOUNDED,
        acquired_at=None,
        acquired_from=at(9, 12),
        acquired_to=at(9, 15),
    )
    one.versions.update(valid_from=at(9, 15))
    services.change_facts(
        owned=one,
        facts=facts(NUMBER, per_month="6.5", capabilities=("SMS", "VOICE")),
        digest=None,
        now=at(10, 15),
        not_before=at(10, 12),
        source="sync",
        source_id=None,
    )
    services.assign(
        actor=cast.approver,
        numbers=[one],
        owner=cast.finance,
        cost_centre="4120",
        labels=["otp"],
        now=at(11, 1),
    )
    return one


@pytest.fixture
def look(signed_in):
    def open_page(owned, day):
        page = signed_in("viewer").get(f"/numbers/{owned.pk}/", {"as_of": day}).text
        state = re.search(r'data-state="(\w+)"', page)
        facts = re.search(r'aria-labelledby="facts".*?</section>', page, re.S)[0]
        words = " ".join(re.sub(r"<[^>]+>", " ", page).replace("\u00a0", " ").split())
        return state[1] if state else "", words, " ".join(re.sub(r"<[^>]+>", " ", facts).split())

    return open_page


def test_what_held_then_is_shown_with_the_way_back(look, lived):
    state, words, facts = look(lived, "2026-10-01")
    assert state == "owned"
    assert "As of 1 Oct 2026: ours" in words
    assert "Per month 5.00 EUR The list price then" in words
    assert "Cost centre Retail Labels – " in facts
    assert "manager" in facts
    assert "Voice" not in facts
    assert "Back to today" in words
    assert "changed the cost centre" not in words, "that was later"
    assert "Cost up to then 7.90 EUR" in words  # the first month as it was stated, and October


def test_after_each_change_the_new_holds(look, lived):
    state, words, facts = look(lived, "2026-11-01")
    assert state == "owned"
    assert "Per month 6.50 EUR" in words
    assert "Cost centre 4120 Labels otp" in facts
    assert "finance" in facts


@pytest.mark.parametrize(("day", "doubted"), [(11, False), (12, True), (14, True), (15, False)])
def test_between_two_looks_it_says_what_may_have_changed(look, lived, day, doubted):
    _, words, _ = look(lived, f"2026-10-{day}")
    told = "Price per month changed between 12 and 15 Oct 2026, from 5.00 EUR to 6.50 EUR."
    assert (told in words) == doubted
    assert ("Can do changed between 12 and 15 Oct 2026, from SMS to SMS and Voice." in words) == doubted


@pytest.mark.parametrize(
    ("day", "state", "said"),
    [
        ("2026-08-31", "unknown", "Records began 1 Sep 2026, 09:00 UTC. What was before is not known."),
        ("2026-09-05", "not_ours", "It became ours between 12 and 15 Sep 2026."),
        ("2026-09-13", "unknown", "between 12 and 15 Sep 2026: on this day nobody looked."),
        ("2026-09-15", "owned", "Ours since between 12 and 15 Sep 2026."),
    ],
)
def test_before_it_was_ours(look, lived, day, state, said):
    found, words, _ = look(lived, day)
    assert (found, said in words) == (state, True), words
    assert ("is not on record" in words) == (state != "owned")


def test_already_ours_when_records_began(look, own):
    one = own(NUMBER, basis=AcquiredBasis.UNKNOWN, acquired_at=None, acquired_to=at(9, 1))
    assert look(one, "2026-08-31")[0] == "unknown"
    assert look(one, "2026-09-01")[0] == "owned"


def test_missing_gone_and_the_time_between(look, lived):
    services.mark_missing(owned=lived, now=at(11, 5))
    services.end_number(
        owned=lived,
        basis=EndBasis.DISAPPEARED,
        ended_from=at(11, 4),
        ended_to=at(11, 6),
        actor=None,
        now=at(11, 7),
    )
    assert [look(lived, f"2026-11-0{day}")[0] for day in (3, 4, 5, 6)] == [
        "owned",
        "unknown",
        "unknown",
        "ended",
    ]


def test_a_missing_number_that_was_found_again_was_missing_then(look, lived):
    services.mark_missing(owned=lived, now=at(11, 5))
    services.found_again(owned=lived, now=at(11, 8))
    state, words, _ = look(lived, "2026-11-06")
    assert state == "missing"
    assert "not confirmed gone" in words
    assert look(lived, "2026-11-08")[0] == "owned"


def test_gone_and_back_under_the_same_key_is_neither(look, lived, facts):
    services.end_number(
        owned=lived,
        basis=EndBasis.DISAPPEARED,
        ended_from=at(11, 3),
        ended_to=at(11, 4),
        actor=None,
        now=at(11, 4),
    )
    services.reopen(
        owned=lived, facts=facts(NUMBER), digest=None, now=at(11, 10), source="sync", source_id=None
    )
    state, words, _ = look(lived, "2026-11-06")
    assert (state, "probably never cancelled" in words) == ("unknown", True)
    assert look(lived, "2026-11-10")[0] == "owned"


def test_the_possession_of_that_day_is_the_one_shown(look, own, lived):
    services.end_number(
        owned=lived,
        basis=EndBasis.CANCELLED_HERE,
        ended_from=at(11, 3),
        ended_to=at(11, 3),
        actor=None,
        now=at(11, 3),
    )
    again = own(NUMBER, number_key="OTHER", acquired_at=at(11, 10), acquired_to=at(11, 10))
    assert "KEY-447860041117" in look(again, "2026-10-01")[2]
    assert look(lived, "2026-11-05")[0] == "ended"
    assert "OTHER" in look(lived, "2026-11-12")[2]


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-11-21", "21 Nov 2026 has not come yet."),
        ("tomorrow", "“tomorrow” is no day. Write it as 2026-11-20."),
        ("2026-02-30", "“2026-02-30” is no day."),
        ("9999-12-31", "has not come yet"),
    ],
)
def test_a_day_that_is_none_is_said_and_today_is_shown(look, lived, day, said):
    state, words, _ = look(lived, day)
    assert (state, said in words) == ("", True)
    assert "Per month 6.50 EUR" in words


def test_today_is_a_day_as_well(look, lived):
    state, words, _ = look(lived, "2026-11-20")
    assert (state, "Per month 6.50 EUR" in words) == ("owned", True)
    assert look(lived, "0001-01-01")[0] == "unknown"


def test_folding_back_ends_at_what_was_given_when_it_became_ours(look, own, cast):
    one = own(NUMBER, owner=cast.manager, acquired_at=at(9, 20), acquired_to=at(9, 20))
    for turn in range(3):
        services.assign(
            actor=cast.approver,
            numbers=[one],
            cost_centre=f"C{turn}",
            now=at(10, 1) + timedelta(days=turn),
        )
    assert "Cost centre –" in look(one, "2026-09-30")[2]
    assert "Cost centre C1" in look(one, "2026-10-02")[2]
