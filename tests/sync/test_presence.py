"""What the list shows: numbers that appear, change, come back, change their key, or are listed without prices."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from numbersadmin.numbers.models import AcquiredBasis, EndBasis, NumberVersion, OwnedNumber, Status
from numbersadmin.numbers.services import end_number
from numbersadmin.provider.schema import Price
from numbersadmin.sync.acquired import inferred_day

ONE, TWO, THREE = "447700900001", "447700900002", "447700900003"


@pytest.fixture
def known(mirror):
    """Three numbers that a complete run has recorded."""
    mirror.stock(ONE, TWO, THREE)
    mirror.sync()
    return mirror


def test_the_first_run_records_what_was_there_when_records_began(known):
    number = known.owned(ONE)
    assert (number.acquired_basis, number.acquired_from, number.acquired_at) == ("unknown", None, None)
    assert number.acquired_to == known.now
    assert known.event("number.appeared").actor_type == "provider"


def test_nothing_new_writes_nothing_but_the_end_of_the_run(known):
    before = known.facts()
    runs = [known.next_sync(), known.sync()]
    assert known.facts() == before
    assert [known.verbs(run) for run in runs] == [["sync.finished"] * 2] * 2  # both at the same moment


def test_a_number_bought_outside_has_an_interval(known):
    last = known.next_sync()
    known.later(minutes=7)
    known.buy_outside("447700900009")
    known.later(minutes=8)
    run = known.sync()
    number = known.owned("447700900009")
    assert (run.appeared, number.acquired_basis) == (1, AcquiredBasis.BOUNDED)
    assert (number.acquired_from, number.acquired_to) == (last.started_at, run.started_at)
    assert known.event("number.appeared").related_id == run.pk


def test_incomplete_and_failed_runs_do_not_narrow_the_interval(known, no_pauses):
    complete = known.next_sync()
    known.sandbox.fault("list_owned", "status", status=500, times=3, skip=1)
    known.next_sync()
    known.buy_outside("447700900009")
    known.next_sync()
    assert known.owned("447700900009").acquired_from == complete.started_at


def test_the_day_is_inferred_from_the_first_months_price(mirror):
    mirror.later(days=-1)  # 12 October
    mirror.stock(ONE)
    mirror.sync()
    mirror.later(days=2)
    mirror.buy_outside(TWO)  # on the 14th: 18 of 31 days
    mirror.later(days=1)
    mirror.sync()
    number = mirror.owned(TWO)
    assert str(number.initial_month_price) == "2.903226"
    assert (number.acquired_basis, number.acquired_at) == ("inferred", datetime(2026, 10, 14, 12, tzinfo=UTC))
    assert number.acquired_from < number.acquired_at <= number.acquired_to


@pytest.mark.parametrize(
    ("first_month", "since", "seen", "day"),
    [
        ("2.903226", "2024-10-12T06", "2024-10-15T06", 14),
        ("2.903226", "2024-10-14T12", "2024-10-15T06", 14),  # the rest of the 14th
        ("3.064517", "2024-10-14T02", "2024-10-16T06", 13),  # a day off, should the day of purchase not count
        ("3.225807", "2024-10-14T02", "2024-10-16T06", None),  # two days off
        ("2.903226", "2024-09-30T06", "2024-10-15T06", None),  # two months
        ("2.903226", "2024-10-14T01", "2024-10-14T06", None),  # the interval says more
        ("2.741936", "2024-10-12T06", "2024-10-15T06", None),  # 15 October: perhaps as if bought when read
        ("5", "2024-10-01T01", "2024-10-03T06", None),  # a full month
        ("2.5", "2024-10-12T06", "2024-10-17T06", None),  # no number of days
        (None, "2024-10-12T06", "2024-10-15T06", None),
    ],
)
def test_what_the_first_months_price_tells(first_month, since, seen, day):
    price = Price(Decimal(5), Decimal(0), Decimal(first_month) if first_month else None, "EUR", "")
    found = inferred_day(price, *(datetime.fromisoformat(f"{at}:00:00+00:00") for at in (since, seen)))
    assert (found and found.day) == day


@pytest.mark.parametrize("price", [Decimal(0), Decimal("0.000001"), None])
def test_a_price_without_shares_tells_no_day(price):
    told = Price(price, Decimal(0), price, "EUR", "")
    seen = datetime(2024, 10, 15, 6, tzinfo=UTC)
    assert inferred_day(told, seen - timedelta(days=3), seen) is None


def test_a_changed_price_is_a_version_with_the_interval_of_the_change(known):
    last = known.next_sync()
    known.later()
    known.outside("change", ONE, set={"pricePerMonth": "5.5", "setupPrice": "1"})
    run = known.next_sync()
    old, new = NumberVersion.objects.filter(owned_number=known.owned(ONE)).order_by("valid_from")
    assert (old.valid_to, new.valid_from, new.valid_to) == (run.started_at, run.started_at, None)
    assert new.not_before == last.started_at
    assert (run.changed, known.owned(ONE).price_per_month) == (1, Decimal("5.5"))
    event = known.event("number.price_changed")
    assert event.before == {"price_per_month": "5.000000", "setup_price": "0.000000"}
    assert event.after == {"price_per_month": "5.5", "setup_price": "1"}
    assert event.related_id == run.pk


def test_a_change_after_a_change_seen_by_an_incomplete_run_begins_there(known, no_pauses):
    known.next_sync()
    known.outside("change", ONE, set={"pricePerMonth": "6"})
    known.sandbox.fault("list_owned", "status", status=500, times=3, skip=1)
    incomplete = known.next_sync()
    known.outside("change", ONE, set={"pricePerMonth": "7"})
    known.next_sync()
    assert incomplete.status == "incomplete"
    assert known.owned(ONE).versions.latest("valid_from").not_before == incomplete.started_at


def test_capabilities_in_another_order_are_no_change(known):
    known.outside("change", ONE, set={"capabilities": ["VOICE", "SMS"]})
    run = known.next_sync()
    assert (run.changed, known.event("number.capabilities_changed").after) == (
        1,
        {"capabilities": "SMS,VOICE"},
    )
    known.outside("change", ONE, set={"capabilities": ["SMS", "VOICE", "SMS"]})
    assert known.next_sync().changed == 0
    assert known.owned(ONE).versions.count() == 2


def test_a_falling_first_months_price_makes_no_version(known):
    known.sandbox.switch(initial_price_meaning="as_if_now")
    versions = NumberVersion.objects.count()
    for _ in range(3):
        known.later(days=1)
        assert known.sync().changed == 0
    assert NumberVersion.objects.count() == versions


def test_a_reserved_number_is_not_ours_yet(known):
    for status in ("PENDING", "BILLING_FAILED", "ERROR", "RESERVATION_FAILED"):
        known.stock(f"44770090001{len(status)}", reservationStatus=status)
    run = known.next_sync()
    assert (run.status, run.distinct_keys, run.appeared) == ("complete", 7, 0)
    assert known.open() == {ONE, TWO, THREE}


def test_a_number_that_had_disappeared_goes_on_under_its_key(known):
    known.outside("cancel", ONE)
    gone = known.next_sync()
    assert known.owned(ONE).end_basis == EndBasis.DISAPPEARED
    known.later()
    known.outside("purchase", ONE)
    run = known.next_sync()
    number = known.owned(ONE)
    assert OwnedNumber.objects.filter(number=ONE).count() == 1
    assert (number.status, number.ended_to, run.appeared) == (Status.OWNED, None, 1)
    assert known.event("number.reappeared").before["ended_to"] == gone.started_at.isoformat().replace(
        "+00:00", "Z"
    )


def test_a_number_that_we_cancelled_and_that_is_back_is_a_new_possession(known):
    old = known.owned(ONE)
    end_number(
        owned=old,
        basis=EndBasis.CANCELLED_HERE,
        ended_from=None,
        ended_to=known.now,
        actor=None,
        now=known.now,
    )
    known.later(minutes=1)
    assert known.sync().appeared == 0  # the list may be behind for so long
    run = known.next_sync()
    new = known.owned(ONE)
    assert (run.appeared, new.pk == old.pk, new.acquired_basis) == (1, False, "bounded")
    assert new.acquired_from > old.ended_to
    assert "number.back_after_cancel" in known.verbs(run)
    assert "number.reacquired" in known.verbs(run)


def test_a_number_that_returns_under_another_key_is_bought_again(known):
    known.outside("cancel", ONE)
    known.next_sync()
    known.later()
    known.sandbox.switch(key_changes_on_purchase=True)
    known.outside("purchase", ONE)
    run = known.next_sync()
    assert known.verbs(run)[0] == "number.reacquired"
    assert OwnedNumber.objects.filter(number=ONE).count() == 2


def test_a_new_key_for_the_same_number_is_the_same_possession(known):
    before = known.owned(ONE)
    known.outside("change", ONE, set={"numberKey": "NEW%KEY"})
    run = known.next_sync()
    after = known.owned(ONE)
    assert (run.status, run.changed, run.appeared, run.ended, run.missing) == ("complete", 1, 0, 0, 0)
    assert (after.pk, after.number_key, after.status) == (before.pk, "NEW%KEY", "owned")
    assert known.event("number.key_changed").before == {"number_key": f"K{ONE}"}
    assert known.next_sync().changed == 0


def test_new_keys_for_all_numbers_are_no_mass_loss(known):
    known.stock(*[f"44770090010{n}" for n in range(8)])
    known.next_sync()
    for number in known.open():
        known.outside("change", number, set={"numberKey": f"N{number}"})
    run = known.next_sync()
    assert (run.status, run.changed, run.ended) == ("complete", 11, 0)


def test_a_new_key_waits_for_a_complete_list(known, no_pauses):
    known.outside("change", ONE, set={"numberKey": "NEWKEY"})
    known.sandbox.switch(wrong_count=9)
    assert (known.next_sync().status, known.owned(ONE).number_key) == ("incomplete", f"K{ONE}")
    known.sandbox.switch(wrong_count=None)
    known.sandbox.fault("get", "status", status=500, times=-1)
    run = known.next_sync()
    assert (run.missing, run.changed, known.owned(ONE).status) == (1, 0, "missing")
    known.sandbox.api("faults", method="DELETE")
    run = known.next_sync()
    assert (run.changed, known.owned(ONE).status, known.owned(ONE).number_key) == (1, "owned", "NEWKEY")


def test_the_same_number_under_two_keys_is_two_possessions(known):
    known.stock(ONE)  # key of its own
    known.sandbox.stock(owned=[{"number": TWO, "numberKey": "SECOND"}])
    run = known.next_sync()
    assert OwnedNumber.objects.open().filter(number=TWO).count() == 2
    assert known.event("number.listed_twice").after == {"number_keys": [f"K{TWO}"]}
    assert run.status == "incomplete"  # the key of ONE is there twice


def test_a_shared_number_is_not_taken_for_another_key(known):
    known.stock("447700900050", shared=True)
    known.next_sync()
    known.outside("change", "447700900050", set={"numberKey": "OTHER"})
    run = known.next_sync()
    assert (run.appeared, run.ended) == (1, 1)
    assert "number.listed_twice" not in known.verbs()


def test_short_codes_with_the_same_digits_in_two_countries_are_two_numbers(mirror):
    mirror.sandbox.stock(
        owned=[
            {"number": "60777", "country": "GB", "numberKey": "A"},
            {"number": "60777", "country": "DE", "numberKey": "B"},
        ]
    )
    mirror.sync()
    mirror.outside("cancel", "60777", country="DE")
    run = mirror.next_sync()
    assert (run.ended, run.changed) == (1, 0)
    assert OwnedNumber.objects.open().get().country == "GB"


def test_prices_that_vanish_for_most_numbers_are_kept(known):
    before = [(each.price_per_month, each.currency) for each in OwnedNumber.objects.order_by("id")]
    known.sandbox.switch(omit_prices=True)
    run, again = known.next_sync(), known.next_sync()
    assert (run.changed, run.prices_kept, again.changed, again.prices_kept) == (0, 3, 0, 3)
    assert [(each.price_per_month, each.currency) for each in OwnedNumber.objects.order_by("id")] == before
    assert known.verbs().count("sync.prices_withheld") == 1
    known.sandbox.switch(omit_prices=False)
    run = known.next_sync()
    assert (run.changed, run.prices_kept) == (0, 0)
    assert NumberVersion.objects.count() == 3


def test_other_changes_are_seen_while_prices_are_withheld(known):
    known.sandbox.switch(omit_prices=True)
    known.outside("change", ONE, set={"capabilities": ["VOICE"]})
    assert known.next_sync().changed == 1
    assert known.next_sync().changed == 0
    assert known.owned(ONE).price_per_month == 5


def test_one_price_that_vanishes_is_unknown_and_not_zero(known):
    known.outside("change", ONE, set={}, omit=["price"])
    assert known.next_sync().changed == 1
    number = known.owned(ONE)
    assert (number.price_per_month, number.setup_price, number.currency) == (None, None, "")
