"""New numbers are recorded while the list is still being read, each once, and many rows are written together."""

import pytest
from django.db import IntegrityError, connection, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import event, record_all
from numbersadmin.numbers.models import NumberVersion, OwnedNumber, Status
from numbersadmin.rows import insert, new
from numbersadmin.sync import presence
from numbersadmin.sync.models import RunStatus, SyncRun

TEN = [f"44770090040{n}" for n in range(10)]


@pytest.fixture
def early(mirror, monkeypatch):
    """Ten numbers on five pages; four new ones are enough to record them."""
    monkeypatch.setattr(presence, "EARLY", 4)
    mirror.stock(*TEN)
    return mirror


def each_once(mirror):
    numbers = sorted(OwnedNumber.objects.values_list("number", flat=True))
    versions = sorted(NumberVersion.objects.values_list("owned_number__number", flat=True))
    events = AuditEvent.objects.filter(verb="number.appeared").values_list("number", flat=True)
    return numbers == versions == sorted(events)


def test_what_is_new_is_recorded_before_the_list_ends(early):
    recorded = []
    run = early.sync(lambda page: recorded.append(OwnedNumber.objects.count()))
    assert recorded == [0, 4, 4, 8, 8]
    assert (run.status, run.appeared, run.distinct_keys) == (RunStatus.COMPLETE, 10, 10)
    assert early.open() == set(TEN)
    assert each_once(early)


def test_what_was_recorded_early_is_not_absent_from_a_second_reading(early):
    """Given back between two readings: this run has no list that had it and one that has not."""
    early.outside("cancel", TEN[0], after={"endpoint": "list_owned", "calls": 3})
    run = early.sync()
    assert (run.status, run.readings, run.appeared, run.ended, run.calls) == (
        "complete",
        2,
        10,
        0,
        run.pages + 1,
    )
    assert early.open() == set(TEN)
    assert early.next_sync().ended == 1
    assert each_once(early)


def test_what_changes_after_it_was_recorded_early_becomes_a_version(early):
    change = {
        "number": TEN[0],
        "set": {"pricePerMonth": "7.25"},
        "after": {"endpoint": "list_owned", "calls": 3},
    }
    early.sandbox.api("outside", {"act": "change", **change})
    early.sandbox.switch(wrong_count=99)  # so that the list is read four times
    early.sync(lambda page: early.later(seconds=1))
    assert str(early.owned(TEN[0]).price_per_month) == "7.250000"


def test_a_number_of_ours_under_a_new_key_waits_for_the_whole_list(early):
    early.sync()
    early.outside("change", TEN[0], set={"numberKey": "KNEW"})
    early.stock(*[f"44770090050{n}" for n in range(8)])
    run = early.next_sync()
    assert (run.appeared, run.changed, early.owned(TEN[0]).number_key) == (8, 1, "KNEW")
    assert OwnedNumber.objects.filter(number=TEN[0]).count() == 1


def test_a_run_that_dies_while_it_reads_leaves_what_it_saw(early):
    def die(page):
        if page == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        early.sync(die)
    assert (SyncRun.objects.get().status, OwnedNumber.objects.count()) == (RunStatus.ABANDONED, 4)
    assert early.next_sync().appeared == 6
    assert each_once(early)


def test_rows_written_together_are_as_if_saved_one_by_one(early, cast):
    early.sync()
    owned = early.owned(TEN[0])
    facts = {"actor": cast.manager, "verb": "number.assigned", "subject": owned, "at": early.now}
    facts |= {"before": {"labels": []}, "after": {"labels": ["é,\t\\N"]}, "reason": "a\nb"}
    together = [event(**facts), event(**facts)]
    with transaction.atomic():
        record_all(together)
    event(**facts).save(force_insert=True)
    *_, first, second, alone = AuditEvent.objects.order_by("id").values()
    assert [first.pop("id"), second.pop("id")] == [each.pk for each in together]
    assert second["after"] == {"labels": ["é,\t\\N"]}
    assert alone.pop("id") > together[1].pk
    assert first == second == alone


def test_a_rule_that_rows_written_together_break_undoes_all_of_them(early):
    early.sync()
    columns = {"number": "441", "acquired_to": early.now, "acquired_basis": "unknown"}
    twice = [new(OwnedNumber, number_key=key, **columns) for key in ("A", "B", "A")]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(twice)
    assert OwnedNumber.objects.count() == 10
    with transaction.atomic():
        insert(twice[:2])
    assert OwnedNumber.objects.filter(status=Status.OWNED, labels=[], version=1).count() == 12
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM numbers_ownednumber WHERE missing_since IS NULL AND owner_id IS NULL"
        )
        assert cursor.fetchone() == (12,)
