"""The seals of the audit log: they hold for untouched data, and for nothing else, on either database."""

import io
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from numbersadmin.audit import append_only, seal, tasks
from numbersadmin.audit.models import AuditEvent, Seal
from numbersadmin.audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(cast, now):
    """Six events under two seals, and one after them."""
    for at in range(6):
        if at == 3:
            seal.seal(now, note="first")
        record(
            actor=cast.manager,
            verb="user.greeted",
            subject=cast.manager,
            at=now,
            after={"at": at},
            reason="Hi",
        )
    seal.seal(now, "close", note="2026-10 revision 1")
    record(actor=cast.manager, verb="user.greeted", subject=cast.manager, at=now)


@contextmanager
def past_the_application():
    """As somebody who may write to the database, and takes the triggers off."""
    for table in ("audit_auditevent", "audit_seal"):
        append_only.remove(connection, table)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        for table in ("audit_auditevent", "audit_seal"):
            append_only.install(connection, table)


def greeted(at: int) -> int:
    return AuditEvent.objects.filter(verb="user.greeted").order_by("id")[at].pk


def verified(*args: str) -> str:
    out = io.StringIO()
    call_command("verify_audit", *args, stdout=out)
    return out.getvalue()


def test_untouched_data_is_proven(log, now):
    assert "under 2 seals are as they were sealed" in verified()
    assert AuditEvent.objects.get(verb="audit.verified").after == {"seals": 2, "events": 7}
    assert [one.events for one in Seal.objects.order_by("number")] == [3, 4]  # the first seal is an event too


def test_nothing_sealed_proves_nothing(db, now):
    assert seal.seal(now) is None
    with pytest.raises(CommandError, match="no seal yet") as refused:
        verified()
    assert refused.value.returncode == 2


def test_everything_but_the_address_is_sealed():
    every = [field.column for field in AuditEvent._meta.concrete_fields]
    assert sorted([*seal.SEALED, "ip"]) == sorted(every)


def test_an_address_may_still_be_forgotten(log):
    AuditEvent.objects.update(ip=None)
    assert "as they were sealed" in verified()


EDITS = {
    "id": "id + 1000000",
    "at": "'2020-01-01 00:00:00+00'",
    "actor_id": "17",
    "subject_id": "subject_id + 1",
    "related_id": "1",
    "before": "'{}'",
    "after": "'{\"at\": 77}'",
}


@pytest.mark.parametrize("column", seal.SEALED)
@pytest.mark.parametrize("place", [0, 4])
def test_any_edit_of_an_event_is_found(log, column, place):
    with past_the_application() as cursor:
        value = EDITS.get(column, "'x'")
        cursor.execute(f'UPDATE audit_auditevent SET "{column}" = {value} WHERE id = %s', [greeted(place)])
    with pytest.raises(CommandError, match=f"Seal {1 if place == 0 else 2} of .* does not hold") as refused:
        verified()
    assert refused.value.returncode == 1
    assert AuditEvent.objects.filter(verb="audit.broken").exists()


@pytest.mark.parametrize("place", [0, 2, 3, 5])
def test_a_deletion_is_found(log, place):
    with past_the_application() as cursor:
        cursor.execute("DELETE FROM audit_auditevent WHERE id = %s", [greeted(place)])
    with pytest.raises(CommandError, match="events, 1 are gone"):
        verified()


@pytest.mark.parametrize("where", ["before all", "in a gap"])
def test_an_insertion_is_found(cast, now, where):
    record(actor=None, verb="user.greeted", subject=cast.manager, at=now)
    gone = record(actor=None, verb="user.greeted", subject=cast.manager, at=now)
    with past_the_application() as cursor:  # as a transaction that was rolled back leaves its id unused
        cursor.execute("DELETE FROM audit_auditevent WHERE id = %s", [gone.pk])
    record(actor=None, verb="user.greeted", subject=cast.manager, at=now)
    seal.seal(now)
    assert "as they were sealed" in verified()
    gone.pk = -5 if where == "before all" else gone.pk
    gone.save(force_insert=True)
    with pytest.raises(CommandError, match="1 events were inserted afterwards"):
        verified()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_seal SET number = 7 WHERE number = 2",
        "UPDATE audit_seal SET kind = 'other' WHERE number = 1",
        "UPDATE audit_seal SET note = 'other' WHERE number = 1",
        "UPDATE audit_seal SET at = '2020-01-01 00:00:00+00' WHERE number = 2",
        "UPDATE audit_seal SET through_id = through_id + 1 WHERE number = 2",
        "UPDATE audit_seal SET events = events + 1 WHERE number = 1",
        "UPDATE audit_seal SET previous = sha256 WHERE number = 2",
        "UPDATE audit_seal SET sha256 = previous WHERE number = 2",
        "DELETE FROM audit_seal WHERE number = 1",
        "DELETE FROM audit_seal WHERE number = 2",
    ],
)
def test_a_changed_or_missing_seal_is_found(log, change):
    with past_the_application() as cursor:
        cursor.execute(change)
    with pytest.raises(CommandError, match="Seal"):
        verified()


def test_what_comes_after_the_last_seal_is_not_proven(log):
    """The control: without a seal over it an edit passes."""
    with past_the_application() as cursor:
        cursor.execute("UPDATE audit_auditevent SET reason = 'x' WHERE id = %s", [greeted(6)])
    assert "as they were sealed" in verified()


def test_a_chain_forged_as_a_whole_is_found_with_a_digest_kept_elsewhere(log, now):
    kept = Seal.objects.get(number=2).sha256
    assert "as they were sealed" in verified("--seal", kept)
    with past_the_application() as cursor:
        cursor.execute("UPDATE audit_auditevent SET reason = 'x' WHERE id = %s", [greeted(0)])
        cursor.execute("DELETE FROM audit_seal")
        cursor.execute("DELETE FROM audit_auditevent WHERE verb = 'audit.sealed'")
    seal.seal(now)
    seal.seal(now)
    assert "as they were sealed" in verified()
    with pytest.raises(CommandError, match="No seal has the digest"):
        verified("--seal", kept)


def test_the_schedule_seals_once_a_day(cast, now):
    record(actor=None, verb="user.greeted", subject=cast.manager, at=now)
    tasks.seal_daily()
    tasks.seal_daily()
    assert Seal.objects.count() == 1
    assert AuditEvent.objects.filter(verb="audit.verified").count() == 1


def test_the_page_tells_how_far_the_log_is_sealed(log, signed_in):
    page = signed_in("viewer").get("/audit/").text
    assert Seal.objects.get(number=2).sha256 in page
    assert "Not verified yet" in page
    verified()
    assert "nothing was changed" in signed_in("viewer").get("/audit/").text
    with past_the_application() as cursor:
        cursor.execute("DELETE FROM audit_auditevent WHERE id = %s", [greeted(0)])
    with pytest.raises(CommandError):
        verified()
    assert "This log was changed past the application" in signed_in("viewer").get("/audit/").text


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite one transaction writes at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("waits", [True, False])
def test_an_event_that_commits_late_is_waited_for(cast, now, monkeypatch, waits):
    """A transaction has taken its id and is not over: sealing past it would take its event for an insertion."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            columns = ", ".join(f'"{name}"' for name in seal.SEALED if name not in ("id", "before", "after"))
            values = (
                "now(), 'system', NULL, 'x', '', 'user.late', 'user', 1, 'x', '', '', NULL, '', '', 'cli'"
            )
            cursor.execute(f"INSERT INTO audit_auditevent ({columns}) VALUES ({values})")
        record(actor=None, verb="user.greeted", subject=cast.manager, at=now)
        if not waits:  # the control: without waiting it is exactly that
            monkeypatch.setattr(seal, "_running", set)
            seal.seal(now)
        else:
            with pytest.raises(seal.NotSettled):
                seal.seal(now, wait=0)
            assert not Seal.objects.exists()
        other.commit()
    finally:
        other.close()
    if waits:
        assert seal.seal(now).events == 2
        assert "as they were sealed" in verified()
    else:
        with pytest.raises(CommandError, match="1 events were inserted"):
            verified()


def test_a_seal_made_during_a_verification_is_no_alarm(log, now, monkeypatch):
    """Verifying a long log takes minutes, in which a month may be closed."""
    computed, made = seal.digest, []

    def slowly(*args):
        if not made:
            made.append(True)
            made.append(seal.seal(now, "close", note="2026-11 revision 1"))
        return computed(*args)

    monkeypatch.setattr(seal, "digest", slowly)
    assert seal.verify().problems == []
    assert made[1].number == 3


def test_a_seal_whose_place_was_taken_is_made_after_that_one(log, now, monkeypatch):
    """The daily one began before the month was closed: the close still has a seal over it."""
    computed, newest = seal.digest, AuditEvent.objects.latest("id").pk

    def meanwhile(made, after):
        if not Seal.objects.filter(number=3).exists():
            other = Seal(number=3, kind="daily", at=now, through_id=newest - 1, previous=made.previous)
            other.events, other.sha256 = computed(other, after)
            other.save(force_insert=True)
        return computed(made, after)

    monkeypatch.setattr(seal, "digest", meanwhile)
    assert seal.seal(now, "close", note="2026-11").through_id >= newest
    assert seal.verify().problems == []
