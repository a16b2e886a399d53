"""What the list does not show: confirmed one by one, held above the guard, and never concluded from trouble."""

from datetime import timedelta

import pytest

from numbersadmin.numbers.models import EndBasis, OwnedNumber, Status
from numbersadmin.orders.models import Kind, Order, OrderItem, ProviderAttempt

NUMBERS = [f"4477009000{n:02}" for n in range(20)]
LOST = NUMBERS[0]


@pytest.fixture
def known(mirror, settings):
    """Twenty numbers that a complete run has recorded."""
    settings.LIST_PAGE_SIZE = 10
    mirror.stock(*NUMBERS)
    mirror.sync()
    return mirror


def test_a_number_gone_is_confirmed_and_ended(known):
    last = known.next_sync()
    known.later(minutes=5)
    known.outside("cancel", LOST)
    run = known.next_sync()
    number = known.owned(LOST)
    assert (run.status, run.ended, run.missing) == ("complete", 1, 0)
    assert (number.status, number.end_basis) == (Status.ENDED, EndBasis.DISAPPEARED)
    assert (number.ended_from, number.ended_to) == (last.started_at, run.started_at)
    assert number.versions.get().valid_to == run.started_at
    assert known.verbs(run) == ["number.disappeared", "sync.finished"]
    looked_up = [r["path"].rpartition("/")[2] for r in known.sandbox.requests("get")]
    canary, lost, again = looked_up
    assert canary == again != lost == f"K{LOST}"
    assert canary.removeprefix("K") in NUMBERS  # a number of the list, before and after


def test_a_new_key_that_the_list_skips_is_no_number_gone(known, settings):
    """Its old key is gone and its new one was not read: the list asked for its digits shows it."""
    last = NUMBERS[-1]
    known.outside("change", last, set={"numberKey": "new"})
    settings.LIST_PAGE_SIZE = 19
    known.sandbox.switch(wrong_count=19)  # so the second page, where it is, is not read
    run = known.next_sync()
    assert (run.status, run.ended, run.missing) == ("complete", 0, 1)
    assert f"{last} is listed when it is asked for by its digits" in run.error
    known.sandbox.switch(wrong_count=None)
    known.next_sync()
    assert (known.owned(last).status, known.owned(last).number_key) == (Status.OWNED, "new")
    assert OwnedNumber.objects.count() == 20
    assert known.event("number.key_changed").subject_id == known.owned(last).pk


def test_a_row_without_a_key_that_the_list_skips_may_be_the_number(known, settings):
    """Asked for its digits the list shows a row that nobody can tell from it."""
    last = NUMBERS[-1]
    known.outside("change", last, omit=["numberKey"])
    settings.LIST_PAGE_SIZE = 19
    known.sandbox.switch(wrong_count=19)
    run = known.next_sync()
    assert (run.status, run.ended, run.missing) == ("complete", 0, 1)


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        ({"kind": "status", "status": 503}, 0),
        ({"kind": "garbage"}, 0),
        ({"kind": "status", "status": 200, "body": {"numbers": [], "numberCount": 0}}, 1),
    ],
)
def test_the_look_by_digits_has_to_answer(known, no_pauses, answer, ended):
    known.outside("cancel", LOST)
    known.sandbox.fault("list_owned", skip=2, times=3, **answer)
    run = known.next_sync()
    assert (run.status, run.ended, run.missing) == ("complete", ended, 1 - ended)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("html", {"status": 404}),
        ("status", {"status": 404}),
        ("status", {"status": 401}),
        ("status", {"status": 403}),
        ("status", {"status": 429}),
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("redirect", {}),
        ("garbage", {}),
        ("truncate", {}),
        ("drop", {}),
        ("wrong_key", {}),
        ("empty", {}),
    ],
)
@pytest.mark.parametrize("first_good", [0, 1])  # also when a number of the list still answered
def test_no_trouble_is_taken_for_gone(known, kind, details, first_good, no_pauses):
    known.outside("cancel", LOST)
    known.sandbox.fault("get", kind, times=-1, skip=first_good, **details)
    run = known.next_sync()
    assert (run.status, run.ended, run.missing) == ("complete", 0, 1)
    assert known.owned(LOST).status == Status.MISSING
    assert known.owned(LOST).missing_since == run.started_at
    assert "could not be confirmed" in run.error
    assert known.open() == set(NUMBERS)


def test_missing_is_told_once_and_ends_when_the_provider_answers_again(known, no_pauses):
    seen = known.next_sync()
    known.outside("cancel", LOST)
    known.sandbox.fault("get", "status", status=500, times=-1)
    known.next_sync()
    known.next_sync()
    assert known.verbs().count("number.missing") == 1
    known.sandbox.api("faults", method="DELETE")
    run = known.next_sync()
    assert (run.ended, run.missing, known.owned(LOST).status) == (1, 0, Status.ENDED)
    assert known.owned(LOST).ended_from == seen.started_at


def test_a_missing_number_that_is_listed_again_is_found(known, no_pauses):
    known.outside("cancel", LOST)
    known.sandbox.fault("get", "status", status=500, times=-1)
    known.next_sync()
    known.outside("purchase", LOST)
    known.sandbox.fault("list_owned", "status", status=500, times=-1, skip=1)
    run = known.next_sync()
    assert run.status == "incomplete"  # presence is believed from any list
    assert (known.owned(LOST).status, known.owned(LOST).missing_since) == (Status.OWNED, None)
    assert "number.found_again" in known.verbs(run)


def test_after_three_look_ups_in_vain_the_others_wait(known, settings, no_pauses):
    known.stock(*[f"4477009100{n:02}" for n in range(60)])
    known.next_sync()
    for number in NUMBERS[:7]:
        known.outside("cancel", number)
    known.sandbox.fault("get", "status", status=500, times=-1, skip=1)
    run = known.next_sync()
    assert (run.ended, run.missing) == (0, 7)
    assert len(known.sandbox.requests("get")) == 1 + 3 * 3


def test_the_last_number_given_back_is_not_an_empty_list(mirror):
    mirror.stock(LOST)
    mirror.sync()
    mirror.outside("cancel", LOST)
    run = mirror.next_sync()
    assert (run.status, run.ended, mirror.open()) == ("guarded", 0, {LOST})
    number = mirror.owned(LOST)
    OwnedNumber.objects.filter(pk=number.pk).update(
        status=Status.ENDED, ended_to=mirror.now, end_basis=EndBasis.CANCELLED_HERE
    )
    assert mirror.next_sync().status == "complete"  # cancelled here, so nothing is left to miss


@pytest.mark.parametrize(("gone", "status"), [(5, "complete"), (6, "guarded"), (19, "guarded")])
def test_many_numbers_gone_at_once_are_held(known, gone, status):
    for number in NUMBERS[:gone]:
        known.outside("cancel", number)
    before = known.facts()
    run = known.next_sync()
    assert run.status == status
    if status == "complete":
        assert run.ended == gone
        return
    assert known.facts()[:2] == before[:2]
    assert known.open() == set(NUMBERS)
    assert len(run.held) == gone
    assert {owned.number for owned in OwnedNumber.objects.filter(pk__in=run.held)} == set(NUMBERS[:gone])
    assert known.verbs(run) == ["sync.guarded"]
    assert known.sandbox.requests("get") == []


def test_ten_per_cent_of_a_large_account_may_go(known):
    known.stock(*[f"4477009100{n:02}" for n in range(60)])
    known.next_sync()
    for number in NUMBERS[:8]:
        known.outside("cancel", number)
    run = known.next_sync()
    assert (run.status, run.ended) == ("complete", 8)


def test_an_empty_list_is_held(known):
    known.sandbox.switch(owned_empty=True)
    run = known.next_sync()
    assert (run.status, len(run.held), run.distinct_keys) == ("guarded", 20, 0)
    assert "list was empty although 20 numbers are ours" in run.error
    known.sandbox.switch(owned_empty=False)
    assert known.next_sync().status == "complete"
    assert known.open() == set(NUMBERS)


def test_a_held_run_still_believes_what_it_saw(known):
    for number in NUMBERS[:10]:
        known.outside("cancel", number)
    known.outside("change", NUMBERS[15], set={"pricePerMonth": "8"})
    known.buy_outside("447700900099")
    run = known.next_sync()
    assert (run.status, run.changed, run.appeared) == ("guarded", 1, 1)


def test_numbers_that_we_write_to_are_no_candidates(known, cast):
    """A purchase that the list does not show yet, and a cancellation whose outcome is still looked for."""
    order = Order.objects.create(
        kind=Kind.CANCEL,
        requester=cast.manager,
        reason="x",
        created_at=known.now,
        expires_at=known.now + timedelta(days=1),
        form_token="a",
    )
    owned = known.owned(LOST)
    item = OrderItem.objects.create(
        order=order,
        kind=Kind.CANCEL,
        number=LOST,
        number_key=owned.number_key,
        owned_number=owned,
        state="unknown",
        quote={},
        created_at=known.now,
        updated_at=known.now,
    )
    attempt = ProviderAttempt.objects.create(
        item=item,
        verb=Kind.CANCEL,
        number_key=owned.number_key,
        number=LOST,
        started_at=known.now,
        lease_until=known.now,
        outcome="unknown",
    )
    known.outside("cancel", LOST)
    run = known.next_sync()
    assert (run.status, run.ended, run.missing, known.owned(LOST).status) == ("complete", 0, 0, "owned")
    attempt.outcome, attempt.finished_at = "not_done", known.now + timedelta(minutes=14)
    attempt.save()
    assert known.next_sync().ended == 0  # ended a minute ago: the list may be behind
    assert known.next_sync().ended == 1


def test_a_number_opened_while_we_read_is_no_candidate(known, cast):
    known.later()

    def open_one(pages: int) -> None:
        if pages == 2:
            owned = known.owned(LOST)
            OwnedNumber.objects.create(
                number="449999",
                number_key="NEW",
                acquired_to=known.now,
                acquired_basis="purchased_here",
                price_per_month=owned.price_per_month,
                currency="EUR",
            )

    run = known.sync(on_page=open_one)
    assert (run.status, run.missing, run.ended) == ("complete", 0, 0)
