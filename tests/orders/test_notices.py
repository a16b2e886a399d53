"""Mails about orders: who gets which, what they say, and that a mail which cannot be sent harms nothing."""

import logging
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail

from numbersadmin.accounts import mailing
from numbersadmin.accounts.models import User
from numbersadmin.accounts.roles import Role
from numbersadmin.orders import notices, services, talking, tasks
from numbersadmin.orders.models import Order, State
from numbersadmin.orders.selectors import waiting_for, waiting_persons
from tests.orders.desk import NUMBER, RU, SECOND, Desk, Offer, again, budget, item_of

pytestmark = pytest.mark.django_db
TWO = (Offer("RU", NUMBER), Offer("RU", SECOND))
SERVER = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture(autouse=True)
def everyone(cast: Any) -> None:
    """All of the cast are there, and a mail reaches each of them."""
    for name in cast.ROLES:
        person = getattr(cast, name)
        person.email = f"{name}@example.com"
        person.save()


def told(mails: list[Any]) -> list[str]:
    """The names of those a mail goes to, each mail to one person alone."""
    assert all(len(one.to) == 1 and not one.cc and not one.bcc for one in mails)
    return sorted(one.to[0].removesuffix("@example.com") for one in mails)


# Who gets what ---------------------------------------------------------------------------------------------------


def test_who_may_decide_gets_the_decision_card_in_words(desk: Desk):
    order = desk.order(*TWO, reason="Web shop\n> and more")
    mails = notices.submitted(order, desk.clock())
    assert told(mails) == ["approver", "approver2"]
    assert mails[0].subject == f"Order {order.pk} waits for you: manager asks to buy 2 numbers"
    for line in (
        f"http://127.0.0.1:8000/orders/{order.pk}/",
        "> Web shop",
        "> > and more",
        "Asked by: manager, 13 Oct 2026, 09:00 UTC",
        "Cost centre: 4120 Retail",
        f"Who decides: {order.rule_words}",
        "  +7 902 955 55 51, Russia",
        "What it costs in EUR",
        "  Set-up, once: 0.00 EUR",
        "  October: 18.39 EUR (19 of 31 days, if bought today)",
        "  Due this month: 18.39 EUR",
        "  Then every month: 30.00 EUR",
        "  Over 12 months: 360.00 EUR",
        "Prices as read at Infobip on 13 Oct 2026, 09:00 UTC.",
    ):
        assert line in mails[0].body.splitlines(), line


def test_currencies_stay_apart(desk: Desk, sandbox: Any):
    dollars = {"pricePerMonth": "7", "setupPrice": "1", "currency": "USD"}
    sandbox.stock(available=[{"number": "79029555540", "country": "RU", "price": dollars}])
    body = notices.submitted(desk.order(TWO[0], Offer("RU", "79029555540")), desk.clock())[0].body
    assert "Then every month: 15.00 EUR" in body
    assert "Then every month: 7.00 USD" in body
    assert "22.00" not in body


def test_an_order_that_its_rule_let_through_asks_nobody(desk: Desk):
    order = desk.order()
    order.items.update(state=State.APPROVED)
    assert notices.submitted(order, desk.clock()) == []


@pytest.mark.parametrize(("approvals", "finance"), [(1, False), (2, False), (1, True), (0, True)])
def test_who_waits_for_whom_is_the_same_from_both_sides(desk: Desk, cast: Any, approvals: int, finance: bool):
    order = desk.order(actor=cast.approver, owner=cast.approver)
    Order.objects.filter(pk=order.pk).update(
        mode="two" if approvals == 2 else "one", approvals_needed=approvals, finance_needed=finance
    )
    for step in (None, cast.approver2):
        if step:
            order.decisions.create(
                round=1,
                approver=step,
                requester=cast.approver,
                verdict="approve",
                item_ids=[],
                at=desk.clock(),
            )
        order.refresh_from_db()
        other_side = {one for one in User.objects.all() if order in waiting_for(one)}
        assert set(waiting_persons(order)) == other_side
        assert cast.approver not in other_side
        assert (cast.finance in other_side) == finance


def test_the_first_of_two_approvals_tells_who_is_still_needed(desk: Desk):
    order = desk.order()
    Order.objects.filter(pk=order.pk).update(mode="two", approvals_needed=2)
    order.refresh_from_db()
    desk.approve(order)
    mails = notices.agreed(order, desk.clock())
    assert told(mails) == ["approver2", "manager"]
    assert "approver approved it. It still waits for approver2." in mails[0].body


def test_the_requester_hears_of_the_decision(desk: Desk, cast: Any):
    order = desk.order()
    desk.approve(order, comment="Go on")
    mails = notices.approved(order, desk.clock())
    assert told(mails) == ["manager"]
    assert mails[0].subject == f"Order {order.pk} is approved: buy +7 902 955 55 51"
    assert "approver approved your order.\nIt is bought within a minute.\n> Go on\n" in mails[0].body
    other = desk.order(Offer("RU", SECOND))
    services.reject(actor=cast.approver, order=other, comment="Too\ndear", now=desk.clock())
    mails = notices.rejected(other, desk.clock())
    assert told(mails) == ["manager"]
    assert mails[0].body.startswith("approver rejected your order:\n> Too\n> dear\n")


def test_one_mail_when_nothing_is_under_way_any_more(desk: Desk, sandbox: Any):
    order = desk.order(*TWO)
    desk.approve(order)
    first, second = order.items.order_by("id")
    first = desk.carry_out(first)
    assert notices.finished(first, desk.clock()) == [], "the other one is still to come"
    desk.clock.on(1)
    sandbox.api("outside", {"act": "taken", "number": SECOND})
    second = desk.carry_out(second)
    assert notices.finished(again(first), desk.clock()) == [], "the last one tells it"
    mails = notices.finished(again(second), desk.clock())
    assert told(mails) == ["manager"]
    assert mails[0].subject == f"Order {order.pk}: 1 of 2 numbers were bought"
    assert "Was bought:\n  +7 902 955 55 51: Confirmed by Infobip at 09:00:00\n" in mails[0].body
    assert "Was not bought:\n  +7 902 955 55 25: Somebody else bought it first." in mails[0].body
    assert f"/orders/{order.pk}/similar/{second.pk}/" in mails[0].body


def test_a_long_order_is_a_short_mail(desk: Desk, sandbox: Any):
    numbers = [f"790295560{n:02}" for n in range(12)]
    sandbox.stock(available=[{"number": number, **RU} for number in numbers])
    body = notices.submitted(desk.order(*(Offer("RU", number) for number in numbers)), desk.clock())[0].body
    assert body.count(", Russia\n") == 10
    assert "\n  and 2 more\n" in body


def test_a_lost_answer_is_told_to_all_who_look_after_it(desk: Desk, sandbox: Any):
    sandbox.fault("purchase", "drop", act=False)
    item = desk.carry_out(desk.approved())
    mails = notices.unknown(item, desk.clock())
    assert told(mails) == ["admin", "approver", "approver2", "finance", "manager"]
    assert mails[0].subject.endswith("outcome unknown, was +7 902 955 55 51 bought?")
    assert "The purchase was sent on 13 Oct 2026, 09:00 UTC." in mails[0].body
    assert "It is not sent again, because that could buy twice." in mails[0].body
    desk.clock.on(120)
    desk.sweep(at_once=True)
    assert notices.unknown(again(item), desk.clock()) == [], "by now it is known"


def test_a_changed_price_is_told_with_both(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"pricePerMonth": "15.5"}})
    item = desk.carry_out(item)
    mails = notices.price_changed(item.order, desk.clock())
    assert told(mails) == ["approver", "approver2", "manager"]
    assert "  Per month: was 15.00 EUR, now 15.50 EUR" in mails[0].body
    assert "This month: was" not in mails[0].body, "that part falls by itself"


def test_a_pause_is_told_to_who_can_end_it(desk: Desk):
    order = desk.order(*TWO)
    desk.approve(order)
    assert notices.paused(order, desk.clock()) == []
    Order.objects.filter(pk=order.pk).update(paused_at=desk.clock())
    order.refresh_from_db()
    mails = notices.paused(order, desk.clock())
    assert told(mails) == ["admin", "approver", "approver2"]
    assert "2 numbers of this order wait" in mails[0].body


def test_an_expired_order_is_one_mail(desk: Desk):
    order = desk.order(*TWO)
    desk.clock.on(15 * 24 * 3600)
    desk.sweep()
    mails = [one for item in order.items.all() for one in notices.expired(item, desk.clock())]
    assert told(mails) == ["manager"]
    assert "+7 902 955 55 25: nobody decided within 14 days." in mails[0].body


def test_what_one_found_out_is_confirmed_by_another(desk: Desk, sandbox: Any, cast: Any):
    sandbox.fault("purchase", "drop", act=False)
    item = desk.carry_out(desk.approved())
    item.attempts.update(evidence=[{"at": desk.clock().isoformat(), "owned": "no", "for_sale": "no"}] * 10)
    cast.approver.grants.create(role=Role.ADMIN)
    proposer = User.objects.get(pk=cast.approver.pk)
    services.propose_outcome(
        actor=proposer, item=again(item), done=False, evidence="Not in the portal", now=desk.clock()
    )
    mails = notices.proposed(again(item), desk.clock())
    assert told(mails) == ["approver2", "finance"]
    assert "approver says that +7 902 955 55 51 was not bought" in mails[0].body
    assert "> Not in the portal" in mails[0].body


def test_nothing_goes_to_who_is_inactive_or_has_no_address(desk: Desk, cast: Any):
    User.objects.filter(pk=cast.approver.pk).update(is_active=False)
    User.objects.filter(pk=cast.approver2.pk).update(email="")
    assert notices.submitted(desk.order(), desk.clock()) == []


def test_times_are_in_the_readers_zone(desk: Desk, cast: Any):
    User.objects.filter(pk=cast.approver.pk).update(time_zone="Asia/Kathmandu")
    bodies = {one.to[0]: one.body for one in notices.submitted(desk.order(), desk.clock())}
    assert "13 Oct 2026, 14:45" in bodies["approver@example.com"]
    assert "13 Oct 2026, 09:00 UTC" in bodies["approver2@example.com"]


@pytest.mark.parametrize("name", ["Eve\r\nBcc: all@example.com", "Eve\u2028Bcc: x", "x" * 150])
def test_no_name_breaks_out_of_the_subject(desk: Desk, cast: Any, name: str):
    User.objects.filter(pk=cast.manager.pk).update(full_name=name)
    order = Order.objects.get(pk=desk.order(reason="One\r\nBcc: all@example.com").pk)
    mails = notices.submitted(order, desk.clock())
    assert len(mails[0].subject.splitlines()) == 1
    assert len(mails[0].subject) <= 120
    assert mails[0].message()["Bcc"] is None
    assert mailing.send(mails) == 2


# Sending ---------------------------------------------------------------------------------------------------------


def test_the_task_mails_what_happened(desk: Desk):
    order = desk.order()
    tasks.tell(what="submitted", order_id=order.pk)
    assert told(mail.outbox) == ["approver", "approver2"]
    assert mail.outbox[0].from_email == "numbersadmin@localhost"
    desk.approve(order)
    tasks.tell(what="finished", item_id=desk.carry_out(item_of(order)).pk)
    assert mail.outbox[-1].subject == f"Order {order.pk}: +7 902 955 55 51 was bought"


def test_every_occasion_can_be_asked_for(desk: Desk):
    order = desk.order()
    for occasion in [*notices.ABOUT_ORDERS, *notices.ABOUT_ITEMS]:
        for one in notices.mails_for(
            occasion, order_id=order.pk, item_id=item_of(order).pk, now=desk.clock()
        ):
            assert one.subject
            assert f"/orders/{order.pk}/" in one.body


def test_it_is_told_after_the_commit(desk: Desk, django_capture_on_commit_callbacks: Any, settings: Any):
    settings.CELERY_TASK_ALWAYS_EAGER = True
    order = desk.order()
    with django_capture_on_commit_callbacks() as waiting:
        tasks.tell_later("submitted", order_id=order.pk)
    assert (len(waiting), mail.outbox) == (1, [])


def test_a_broker_that_is_away_costs_a_line_in_the_log(
    desk: Desk, django_capture_on_commit_callbacks: Any, monkeypatch: Any, caplog: Any
):
    def away(**given: Any) -> None:
        raise ConnectionError("the broker is away")

    monkeypatch.setattr(tasks.tell, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.tell_later("submitted", order_id=desk.order().pk)
    assert "could not be told numbersadmin.orders.tasks.tell of {'what': 'submitted'" in caplog.text


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server that takes every mail but those to `refused`, after which it hangs up."""

    allow_reuse_address = daemon_threads = True
    refused = "nobody"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.taken: list[str] = []


class Talk(socketserver.StreamRequestHandler):
    """One conversation in SMTP."""

    server: MailServer

    def handle(self) -> None:
        self.say(220)
        to = ""
        for raw in self.rfile:
            line = raw.decode().strip()
            word = line[:4].upper()
            if word == "RCPT":
                to = line.partition("<")[2].partition("@")[0]
                if to == self.server.refused:
                    return  # hangs up
            if word == "DATA":
                self.say(354)
                while self.rfile.readline() != b".\r\n":
                    pass
                self.server.taken.append(to)
            self.say(221 if word == "QUIT" else 250)
            if word == "QUIT":
                return

    def say(self, code: int) -> None:
        self.wfile.write(f"{code} so be it\r\n".encode())


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        settings.EMAIL_BACKEND = SERVER
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        yield server
        server.shutdown()


def test_one_mail_that_is_not_taken_does_not_hold_up_the_others(
    desk: Desk, mail_server: MailServer, caplog: Any
):
    mail_server.refused = "approver"
    assert mailing.send(notices.submitted(desk.order(), desk.clock())) == 1
    assert mail_server.taken == ["approver2"]
    assert caplog.text.count("was not sent: SMTPServerDisconnected") == 1


def test_no_mail_server_is_a_line_for_each_mail(
    desk: Desk, mail_server: MailServer, settings: Any, caplog: Any
):
    mail_server.shutdown()
    mail_server.server_close()
    settings.EMAIL_HOST_PASSWORD = settings.EMAIL_HOST_USER = "hush-hush"
    assert mailing.send(notices.submitted(desk.order(), desk.clock())) == 0
    assert caplog.text.count("was not sent: ConnectionRefusedError") == 2
    assert "hush" not in caplog.text


def test_a_slow_mail_server_is_left_after_a_while(desk: Desk, monkeypatch: Any, caplog: Any):
    monkeypatch.setattr(mailing, "SEND_SECONDS", -1.0)
    assert mailing.send(notices.submitted(desk.order(), desk.clock())) == 0
    assert "2 mails are not sent: the mail server is too slow" in caplog.text


def test_without_a_mail_server_the_log_has_them(desk: Desk, settings: Any, caplog: Any):
    settings.EMAIL_BACKEND = "numbersadmin.accounts.mail.LogBackend"
    with caplog.at_level(logging.INFO):
        mailing.send(notices.submitted(desk.order(), desk.clock()))
    assert "mail to approver@example.com: Order" in caplog.text
    assert "    Then every month: 15.00 EUR" in caplog.text


def test_a_reminder_says_who_reminds(desk: Desk, cast: Any):
    order = desk.order()
    talking.remind(actor=cast.approver, order=order, now=desk.clock())
    mails = notices.reminded(order, desk.clock())
    assert told(mails) == ["approver2"], "nobody reminds themselves"
    assert "approver reminds you of this order. It waits since 13 Oct 2026, 09:00 UTC." in mails[0].body


def test_the_card_tells_the_budget_and_numbers_that_nobody_uses(desk: Desk, sandbox: Any):
    budget(desk.cast, desk.clock(), "20")
    sandbox.stock(owned=[{"numberKey": "SPARE", "number": "79029550001", **RU}])
    desk.own("SPARE", "79029550001")
    body = notices.submitted(desk.order(), desk.clock())[0].body.replace("\u00a0", " ")
    assert "Budget of 4120 Retail: 20.00 EUR a month, 20.00 EUR left before, 5.00 EUR after." in body
    assert "Owned already and used by nobody: 1 like it, as +7 902 955 00 01." in body
