"""Comments on an order and reminders of it: who may, who is told, how often, and how the timeline tells them."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import errors, notices, talking
from numbersadmin.orders.models import Order, State
from tests.orders.desk import Desk
from tests.orders.pages import get
from tests.orders.test_races import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]


@pytest.fixture
def order(desk: Desk, cast: Any) -> Order:
    """An order that two approvers can decide on; a mail reaches one of them."""
    assert cast.approver2
    User.objects.filter(pk=cast.approver.pk).update(email="approver@example.com", full_name="Ana Lopez")
    return desk.order()


def at(order: Order, more: str = "") -> str:
    return f"/orders/{order.pk}/{more}"


def events(verb: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(verb=verb).order_by("id"))


# Comments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["manager2", "approver", "finance", "admin"])
def test_a_comment_stands_in_the_timeline_and_the_log(signed_in: Any, order: Order, name: str):
    client: Client = signed_in(name)
    answer = get(client, at(order)).send(client, "comment", text="  Is +7 <b>really</b> needed?\nAsk sales ")
    assert answer.headers["Location"] == at(order)
    [said] = events("order.commented")
    assert (said.subject_type, said.subject_id, said.actor) == ("order", order.pk, name)
    assert said.reason == "Is +7 <b>really</b> needed?\nAsk sales"
    page = get(client, at(order))
    assert "You commented" in page.text
    assert "Is +7 &lt;b&gt;really&lt;/b&gt; needed?" in page.html
    shown = User.objects.get(username=name).display_name
    assert f"{shown} commented" in get(signed_in("viewer"), at(order)).text


def test_the_comment_of_an_order_with_two_numbers_is_not_about_one(signed_in: Any, desk: Desk, cast: Any):
    order = desk.order(*(quote.offer for quote in desk.quotes()))
    talking.comment(actor=cast.approver, order=order, text="Why?", now=desk.clock())
    assert "commented Why?" in get(signed_in("manager"), at(order)).text


def test_sent_twice_it_is_said_once(desk: Desk, order: Order, cast: Any):
    for text in ("Why?", "Why? ", "Because"):
        talking.comment(actor=cast.approver, order=order, text=text, now=desk.clock())
    talking.comment(actor=cast.approver2, order=order, text="Because", now=desk.clock())
    assert [one.reason for one in events("order.commented")] == ["Why?", "Because", "Because"]


def test_who_only_looks_does_not_comment(signed_in: Any, order: Order):
    client = signed_in("viewer")
    assert "comment" not in get(client, at(order)).forms
    answer = client.post(at(order, "comment/"), {"text": "Hello"})
    assert answer.status_code == 403
    assert "Your role does not comment on orders." in answer.text
    assert events("order.commented") == []


@pytest.mark.parametrize(("text", "words"), [(" ", "Write something first."), ("x" * 1001, "at most 1000")])
def test_what_is_refused_is_shown_with_what_was_entered(signed_in: Any, order: Order, text: str, words: str):
    answer = signed_in("manager").post(at(order, "comment/"), {"text": text})
    assert answer.status_code == 422
    assert words in answer.text
    assert text.strip() in answer.text
    assert events("order.commented") == []


# Reminders -------------------------------------------------------------------------------------------------------


def test_a_reminder_goes_to_those_who_can_decide(
    signed_in: Any, order: Order, settings: Any, django_capture_on_commit_callbacks: Any
):
    settings.CELERY_TASK_ALWAYS_EAGER = True
    client = signed_in("manager")
    page = get(client, at(order))
    assert "Waiting for Ana Lopez. No mail reaches approver2." in page.text
    with django_capture_on_commit_callbacks(execute=True):
        answer = page.send(client, "remind")
    assert answer.headers["Location"] == at(order)
    assert [one.to for one in mail.outbox] == [["approver@example.com"]]
    assert events("order.reminded")[0].after == {"told": ["approver"]}
    page = get(client, at(order))
    assert "Ana Lopez will get a mail." in page.text
    assert "You reminded Ana Lopez" in page.text
    assert "You can remind them again from 13 Oct 2026, 13:00 UTC on." in page.text
    assert "remind" not in page.forms


def test_once_in_four_hours_whoever_asks(desk: Desk, order: Order, cast: Any):
    talking.remind(actor=cast.manager, order=order, now=desk.clock())
    almost = desk.clock() + talking.AGAIN_AFTER - timedelta(seconds=1)
    with pytest.raises(talking.RemindedAlready, match="manager reminded them on 13 Oct 2026, 09:00"):
        talking.remind(actor=cast.approver2, order=order, now=almost)
    assert talking.remind(actor=cast.approver2, order=order, now=desk.clock() + talking.AGAIN_AFTER)
    assert len(events("order.reminded")) == 2


def test_only_who_is_concerned_reminds(signed_in: Any, order: Order):
    for name in ("viewer", "manager2", "finance", "admin"):
        assert "remind" not in get(signed_in(name), at(order)).forms
        assert signed_in(name).post(at(order, "remind/")).status_code == 403
    assert events("order.reminded") == []


def test_nothing_is_reminded_of_that_does_not_wait(signed_in: Any, order: Order, desk: Desk, cast: Any):
    with pytest.raises(errors.Expired):
        talking.remind(actor=cast.manager, order=order, now=order.expires_at)
    order.items.update(state=State.APPROVED)
    client = signed_in("manager")
    assert "remind" not in get(client, at(order)).forms
    answer = client.post(at(order, "remind/"))
    assert answer.status_code == 409
    assert f"Nothing of order {order.pk} waits for a decision" in answer.text
    assert events("order.reminded") == []


def test_a_reminder_that_would_reach_nobody_is_refused(desk: Desk, order: Order, cast: Any, signed_in: Any):
    User.objects.update(email="")
    assert (
        "Waiting for Ana Lopez and approver2, whom no mail reaches."
        in get(signed_in("manager"), at(order)).text
    )
    with pytest.raises(talking.NobodyToRemind, match="Ana Lopez or approver2 can decide, and no mail"):
        talking.remind(actor=cast.manager, order=order, now=desk.clock())
    assert events("order.reminded") == []


# Two at once -----------------------------------------------------------------------------------------------------


def remind_at_once(order: Order, desk: Desk, cast: Any, monkeypatch: Any) -> list[Any]:
    """Two people remind at the same moment: each reads the last reminder before the other writes, if it can."""
    people, now, real = (cast.manager, cast.approver2), desk.clock(), talking.last_event
    both = threading.Barrier(2)

    def read(*given: Any) -> Any:
        found = real(*given)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return found

    monkeypatch.setattr(talking, "last_event", read)
    acts: list[Callable[[], Any]] = [
        lambda one=one: talking.remind(actor=one, order=order, now=now) for one in people
    ]
    return at_once(*acts)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_one(order: Order, desk: Desk, cast: Any, monkeypatch: Any):
    results = remind_at_once(order, desk, cast, monkeypatch)
    assert sorted(type(one).__name__ for one in results) == ["RemindedAlready", "list"], results
    assert len(events("order.reminded")) == 1
    assert notices.reminded(order, desk.clock())


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite lets one writer in at a time by itself")
def test_without_the_guard_they_are_two(order: Order, desk: Desk, cast: Any, monkeypatch: Any):
    monkeypatch.setattr(talking, "_hold", lambda order: None)
    assert [type(one) for one in remind_at_once(order, desk, cast, monkeypatch)] == [list, list]
    assert len(events("order.reminded")) == 2


assert connection  # named in the condition above
