"""Differences: opened with what a sync writes, once a number and kind, closed by a decision or by themselves."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import EndBasis, Status
from numbersadmin.sync import deciding, drift, inbox, selectors
from numbersadmin.sync.models import Decision, Drift, DriftState

ONE, TWO, THREE, NEW = "447700900001", "447700900002", "447700900003", "447700900009"


@pytest.fixture
def known(mirror):
    """Three numbers that a complete run has recorded."""
    mirror.stock(ONE, TWO, THREE)
    mirror.sync()
    return mirror


def waiting(number: str = "") -> list[tuple[str, str]]:
    """Kind and number of what waits for a person."""
    rows = selectors.outstanding().order_by("id").values_list("kind", "owned_number__number")
    return [row for row in rows if number in row[1]]


def row_of(kind: str, person) -> inbox.DriftRow:
    found = inbox.inbox(person, kind, None).page
    assert len(found) == 1
    return found[0]


def lose(mirror, number: str) -> None:
    """Cancelled in the portal, while the provider does not answer for single numbers."""
    mirror.outside("cancel", number)
    mirror.sandbox.fault("get", "status", status=500, times=-1)


def test_the_first_load_and_a_run_without_changes_open_nothing(known):
    with CaptureQueriesContext(connection) as seen:
        known.next_sync()
    assert Drift.objects.count() == 0
    assert not [each for each in seen if "sync_drift" in each["sql"]]


def test_each_kind_is_opened_by_the_run_that_found_it(known, cast):
    known.buy_outside(NEW)
    known.outside("change", ONE, set={"pricePerMonth": "5.5"})
    known.outside("change", TWO, set={"capabilities": ["SMS", "VOICE"]})
    known.outside("cancel", THREE)
    run = known.next_sync()
    assert sorted(waiting()) == sorted(
        [("appeared", NEW), ("price", ONE), ("capabilities", TWO), ("gone", THREE)]
    )
    assert set(Drift.objects.values_list("run", "state")) == {(run.pk, DriftState.OPEN)}
    assert {row.owned.number: row.cost for row in inbox.inbox(cast.finance, "", None).page} == {
        NEW: "counted since it appeared",
        ONE: "from November 2026",
        TWO: "No change in cost",
        THREE: "from November 2026",
    }
    effects = {row.owned.number: row.effect for row in inbox.inbox(cast.finance, "", None).page}
    assert [str(effects[one]) for one in (ONE, NEW, THREE)] == ["0.500000", "5.000000", "-5.000000"]


def test_a_key_change_a_second_possession_and_one_back_after_we_cancelled_it(known):
    known.outside("change", ONE, set={"numberKey": "OTHER"})
    owned = known.owned(TWO)
    numbers.end_number(
        owned=owned,
        basis=EndBasis.CANCELLED_HERE,
        ended_from=None,
        ended_to=known.now,
        actor=None,
        now=known.now,
    )
    known.sandbox.stock(owned=[{"number": THREE, "numberKey": "AGAIN"}])
    known.next_sync()
    assert sorted(waiting()) == [("back", TWO), ("key", ONE), ("twice", THREE)]


def test_a_price_that_flaps_is_one_difference_that_counts(known, cast):
    for price in ("6", "5", "6"):
        known.outside("change", ONE, set={"pricePerMonth": price})
        known.next_sync()
    row = row_of("price", cast.approver)
    assert (row.drift.times, row.what) == (3, "Changed 3 times in 30 min")
    assert (row.before, row.after) == ("5.00\xa0EUR per month", "6.00\xa0EUR per month")
    assert str(row.effect) == "1.000000"


@pytest.mark.parametrize(
    ("price", "said"), [(None, "The new price is not known"), ("7", "7.00\xa0USD instead of 5.00")]
)
def test_an_effect_that_is_no_difference_is_told_in_words(known, cast, price, said):
    changes = {"pricePerMonth": price} if price is None else {"pricePerMonth": price, "currency": "USD"}
    known.stock("447700900011", "447700900012")  # so that most prices are still told
    known.next_sync()
    known.outside("change", ONE, set=changes)
    known.next_sync()
    row = row_of("price", cast.approver)
    assert row.effect is None
    assert said in row.cost


def test_a_missing_number_found_again_closes_by_itself(known, no_pauses):
    lose(known, ONE)
    known.next_sync()
    assert waiting() == [("missing", ONE)]
    known.sandbox.api("faults", method="DELETE")
    known.outside("purchase", ONE)
    known.sandbox.stock(owned=[{"number": ONE, "numberKey": f"K{ONE}"}])
    run = known.next_sync()
    closed = Drift.objects.get(kind="missing")
    assert (closed.decision, closed.note) == (Decision.OVER, f"Found again by sync {run.pk}")
    assert ("missing", ONE) not in waiting()


def test_a_missing_number_confirmed_gone_asks_once_and_differently(known, no_pauses):
    lose(known, ONE)
    known.next_sync()
    known.sandbox.api("faults", method="DELETE")
    run = known.next_sync()
    assert waiting() == [("gone", ONE)]
    assert Drift.objects.get(kind="missing").note == f"Confirmed gone by sync {run.pk}"


def test_a_gone_number_that_is_back_is_no_longer_gone(known):
    known.outside("cancel", ONE)
    known.next_sync()
    known.sandbox.stock(owned=[{"number": ONE, "numberKey": f"K{ONE}"}])
    known.next_sync()
    assert waiting() == [("back", ONE)]


def test_an_owner_given_anywhere_answers_the_question(known, cast):
    known.buy_outside(NEW)
    known.next_sync()
    assert selectors.drifts_waiting_for(cast.finance) == "1"
    assert selectors.drifts_waiting_for(cast.manager) == selectors.drifts_waiting_for(cast.viewer) == ""
    numbers.assign(actor=cast.manager, numbers=[known.owned(NEW)], owner=cast.manager, now=known.now)
    assert (waiting(), selectors.drifts_waiting_for(cast.finance)) == ([], "")
    known.outside("change", ONE, set={"pricePerMonth": "6"})
    known.next_sync()
    assert drift.close_moot(now=known.now) == 1  # and the price change still waits
    assert Drift.objects.get(kind="appeared").note == "Settled elsewhere"
    assert waiting() == [("price", ONE)]


def test_the_difference_goes_with_the_change_it_tells_of(known, monkeypatch):
    """Should writing it fail, the change is not recorded either."""

    def fail(scene, now):
        raise RuntimeError

    monkeypatch.setattr(drift, "_open", fail)
    known.outside("change", ONE, set={"pricePerMonth": "6"})
    with pytest.raises(RuntimeError):
        known.next_sync()
    assert str(known.owned(ONE).price_per_month) == "5.000000"


def test_at_most_one_undecided_a_number_and_kind(known):
    known.buy_outside(NEW)
    run = known.next_sync()
    with pytest.raises(IntegrityError):
        Drift.objects.create(
            kind="appeared", owned_number=known.owned(NEW), run=run, created_at=known.now, told_at=known.now
        )


# Decisions --------------------------------------------------------------------------------------------------------


def test_adopting_several_gives_each_an_owner(known, cast):
    for number in (NEW, "447700900010"):
        known.buy_outside(number)
    known.next_sync()
    deciding.adopt(
        actor=cast.manager,
        drifts=list(Drift.objects.select_related("owned_number")),
        owner=cast.manager2,
        cost_centre="4210",
        labels=["support"],
        note="asked Ana",
        now=known.now,
    )
    for number in (NEW, "447700900010"):
        owned = known.owned(number)
        assert (owned.owner, owned.cost_centre, owned.labels) == (cast.manager2, "4210", ["support"])
    assert known.verbs().count("number.assigned") == 2
    assert set(Drift.objects.values_list("decision", "decided_by__username")) == {("adopted", "manager")}


def test_accepting_notes_it_and_two_persons_make_one_decision(known, cast):
    known.outside("change", ONE, set={"pricePerMonth": "6"})
    known.next_sync()
    first, second = Drift.objects.get(), Drift.objects.get()
    deciding.accept(actor=cast.finance, drifts=[first], note="agreed in May", now=known.now)
    with pytest.raises(deciding.CannotDecide, match="finance was first at 447700900001: accepted"):
        deciding.accept(actor=cast.approver, drifts=[second], note="", now=known.now)
    event = AuditEvent.objects.get(verb="number.accepted")
    assert (event.actor, event.reason, event.subject_id) == ("finance", "agreed in May", known.owned(ONE).pk)
    assert event.after["price_per_month"] == "6"


def test_what_was_told_again_meanwhile_is_not_decided_unseen(known, cast):
    known.outside("change", ONE, set={"pricePerMonth": "6"})
    known.next_sync()
    seen = Drift.objects.get()
    known.outside("change", ONE, set={"pricePerMonth": "60"})
    known.next_sync()
    with pytest.raises(deciding.CannotDecide, match="told of 447700900001 again"):
        deciding.accept(actor=cast.finance, drifts=[seen], note="", now=known.now)
    assert Drift.objects.get().state == DriftState.OPEN


def test_one_of_several_that_cannot_be_decided_leaves_all(known, cast):
    for number in (ONE, TWO):
        known.outside("change", number, set={"pricePerMonth": "6"})
    known.next_sync()
    drifts = list(Drift.objects.order_by("id"))
    deciding.accept(actor=cast.finance, drifts=[Drift.objects.get(pk=drifts[1].pk)], note="", now=known.now)
    with pytest.raises(deciding.CannotDecide):
        deciding.accept(actor=cast.approver, drifts=drifts, note="", now=known.now)
    assert Drift.objects.get(pk=drifts[0].pk).state == DriftState.OPEN


def test_a_watched_difference_asks_again_when_it_happens_again(known, cast):
    known.outside("change", ONE, set={"pricePerMonth": "6"})
    known.next_sync()
    deciding.watch(actor=cast.approver, drifts=[Drift.objects.get()], note="asked support", now=known.now)
    assert selectors.drifts_waiting_for(cast.approver) == ""
    with pytest.raises(deciding.CannotDecide, match="approver is watching"):
        deciding.watch(actor=cast.finance, drifts=[Drift.objects.get()], note="", now=known.now)
    known.outside("change", ONE, set={"pricePerMonth": "7"})
    known.next_sync()
    assert selectors.drifts_waiting_for(cast.approver) == "1"


@pytest.fixture
def missing(known, no_pauses):
    """ONE is missing: its absence could not be confirmed."""
    known.next_sync()
    lose(known, ONE)
    known.next_sync()
    return known


def test_a_person_confirms_that_a_missing_number_is_gone(missing, cast):
    last_seen = selectors.last_complete_start(before=missing.owned(ONE).missing_since)
    missing.later()
    deciding.confirm_gone(
        actor=cast.finance, drifts=[Drift.objects.get()], note="Ana cancelled it", now=missing.now
    )
    owned = missing.owned(ONE)
    assert (owned.status, owned.end_basis) == (Status.ENDED, EndBasis.STATED)
    assert (owned.ended_from, owned.ended_to) == (last_seen, missing.now)
    event = missing.event("number.confirmed_gone")
    assert (event.actor, event.reason) == ("finance", "Ana cancelled it")
    assert waiting() == []
    # and should the person have been wrong, the same possession goes on
    missing.sandbox.api("faults", method="DELETE")
    missing.sandbox.stock(owned=[{"number": ONE, "numberKey": f"K{ONE}"}])
    missing.next_sync()
    again = missing.owned(ONE)
    assert (again.pk, again.status, waiting()) == (owned.pk, Status.OWNED, [("back", ONE)])


def test_nobody_ends_a_number_that_was_found_or_without_the_right_or_a_reason(missing, cast):
    drifts = [Drift.objects.get()]
    for actor, note in ((cast.approver, "I know"), (cast.finance, "  ")):
        with pytest.raises(deciding.CannotDecide):
            deciding.confirm_gone(actor=actor, drifts=drifts, note=note, now=missing.now)
    numbers.found_again(owned=missing.owned(ONE), now=missing.now)
    stale = list(Drift.objects.select_related("owned_number"))
    stale[0].owned_number.status, stale[0].owned_number.missing_since = Status.MISSING, missing.now
    with pytest.raises(deciding.CannotDecide, match="not missing any more"):
        deciding.confirm_gone(
            actor=cast.finance, drifts=stale, note="I know", now=missing.now + timedelta(minutes=1)
        )
    assert missing.owned(ONE).status == Status.OWNED
    assert Drift.objects.get().state == DriftState.OPEN


@pytest.mark.parametrize("kind", ["missing", "appeared"])
def test_what_needs_more_is_not_just_accepted(missing, cast, kind):
    found = Drift.objects.get()
    found.kind = kind
    with pytest.raises(deciding.CannotDecide, match="not decided here"):
        deciding.accept(actor=cast.finance, drifts=[found], note="", now=missing.now)
