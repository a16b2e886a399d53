"""Mails about closing and reopening: to whom it concerns, with what they need to know."""

import pytest

from numbersadmin.accounts.models import User
from numbersadmin.costs import notices, reopening, tasks
from numbersadmin.costs.months import Month
from tests.costs.closed import freeze
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
SEPTEMBER = Month.parse("2026-09")


@pytest.fixture
def closed(two_months, cast):
    """September is closed; finance, the administrator and a viewer have an address."""
    people = [cast.finance, cast.admin, cast.viewer]
    for one in people:
        User.objects.filter(pk=one.pk).update(email=f"{one.username}@example.com")
        one.refresh_from_db()
    return freeze("2026-09", cast.finance, NOW)


def test_a_request_is_told_to_those_who_may_decide_and_the_decision_to_who_asked(closed, cast, mailoutbox):
    asked = reopening.ask(month=SEPTEMBER, reason="Invoice 9\ncame late", actor=cast.finance, now=NOW)
    tasks.tell_asked(row_id=asked.pk)
    assert [mail.to for mail in mailoutbox] == [["admin@example.com"]]
    assert "> Invoice 9\n> came late" in mailoutbox[0].body
    assert f"/costs/reopenings/{asked.pk}/" in mailoutbox[0].body
    reopening.refuse(asked=asked, reason="It belongs to October", actor=cast.admin, now=NOW)
    tasks.tell_asked(row_id=asked.pk)
    assert (mailoutbox[1].to, mailoutbox[1].subject) == (
        ["finance@example.com"],
        "September 2026 stays closed",
    )
    assert "> It belongs to October" in mailoutbox[1].body


def test_a_request_that_was_withdrawn_is_told_to_nobody(closed, cast):
    asked = reopening.ask(month=SEPTEMBER, reason="Invoice 9", actor=cast.finance, now=NOW)
    reopening.withdraw(asked=asked, actor=cast.finance, now=NOW)
    asked.refresh_from_db()
    assert notices.decided(asked) == []


def test_the_page_has_the_worker_write(
    closed, cast, signed_in, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(
        tasks.current_app, "send_task", lambda name, **more: sent.append((name, more["kwargs"]))
    )
    with django_capture_on_commit_callbacks(execute=True):
        signed_in("finance").post("/costs/2026-09/reopen/", {"reason": "Invoice 9"})
    (ask_id,) = reopening.ReopenAsk.objects.values_list("pk", flat=True)
    assert sent == [("numbersadmin.costs.tasks.tell_asked", {"row_id": ask_id})]
