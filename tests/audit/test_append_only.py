"""Rows of append-only tables cannot be changed by any road, on either database."""

import pytest
from django.db import DatabaseError, connection, transaction

from numbersadmin.audit import append_only
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(cast, now):
    return record(actor=cast.manager, verb="user.greeted", subject=cast.manager, at=now, after={"a": 1})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET verb = 'other' WHERE id = %s",
        "UPDATE audit_auditevent SET ip = '127.0.0.1' WHERE id = %s",
        "UPDATE audit_auditevent SET ip = NULL, verb = 'other' WHERE id = %s",
        "DELETE FROM audit_auditevent WHERE id = %s",
    ],
)
def test_refuses_change(event, statement):
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [event.pk])
    assert AuditEvent.objects.get(pk=event.pk).verb == "user.greeted"


def test_every_append_only_table_has_its_triggers_after_all_migrations():
    """A migration that alters such a table builds it anew on SQLite, and would lose them."""
    where = "pg_trigger t" if connection.vendor == "postgresql" else "sqlite_master t WHERE type = 'trigger'"
    name = "tgname" if connection.vendor == "postgresql" else "name"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM {where}")
        found = {row[0] for row in cursor.fetchall()}
    kinds = ("no_change", "no_truncate") if connection.vendor == "postgresql" else ("no_update", "no_delete")
    assert {f"{table}_{kind}" for table in append_only.TABLES for kind in kinds} <= found


def test_refuses_replacing_a_row(event):
    if connection.vendor == "postgresql":
        statement = "TRUNCATE audit_auditevent"
    else:
        statement = (
            f"INSERT OR REPLACE INTO audit_auditevent SELECT * FROM audit_auditevent WHERE id = {event.pk}"
        )
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_an_address_may_be_forgotten(event):
    assert AuditEvent.objects.filter(pk=event.pk).update(ip=None) == 1


def test_without_the_triggers_a_change_would_pass(event):
    """The control: what refuses is the trigger and nothing else."""
    append_only.remove(connection, "audit_auditevent")
    try:
        assert AuditEvent.objects.filter(pk=event.pk).update(verb="other") == 1
    finally:
        append_only.install(connection, "audit_auditevent")
