"""Carrying out approved items: sent once, and every answer taken for what it proves and no more."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders import execution
from numbersadmin.orders.models import OrderItem, ProviderAttempt
from numbersadmin.orders.quotes import Offer
from numbersadmin.provider.client import get_provider
from tests.orders.desk import KEY, NUMBER, Desk, again, item_of

pytestmark = pytest.mark.django_db


def posts(sandbox: Any) -> int:
    return len(sandbox.requests("purchase"))


# Buying ----------------------------------------------------------------------------------------------------------


def test_an_approved_number_is_bought_and_owned_at_once(desk: Desk, sandbox: Any, bought_here: Any):
    item = desk.carry_out(desk.approved())
    assert (item.state, item.note, item.failure) == ("done", "", "")
    owned = OwnedNumber.objects.get()
    assert owned == item.owned_number
    assert (owned.number, owned.number_key, owned.status) == (NUMBER, KEY, Status.OWNED)
    assert (owned.owner, owned.cost_centre) == (desk.cast.manager, "4120 Retail")
    assert owned.initial_month_price == Decimal("9.193549")  # of the offer: the answer does not tell it
    assert (owned.acquired_at, owned.acquired_basis) == (desk.clock(), "purchased_here")
    assert bought_here() == [NUMBER]
    attempt = ProviderAttempt.objects.get()
    assert (attempt.outcome, attempt.http_status, attempt.ambiguous) == ("ok", 200, False)
    version = owned.versions.get()
    assert (version.source, version.source_id) == ("purchase", attempt.pk)
    verbs = AuditEvent.objects.order_by("id").values_list("verb", flat=True)
    assert list(verbs) == [
        "order.submitted",
        "order.approved",
        "item.executing",
        "number.purchased",
        "item.bought",
    ]


def test_the_key_of_the_answer_is_kept_not_the_one_sent(desk: Desk, sandbox: Any):
    sandbox.switch(key_changes_on_purchase=True)
    item = desk.carry_out(desk.approved())
    [act] = sandbox.acts("purchase")
    assert item.number_key == item.owned_number.number_key == act["new_key"] != KEY
    assert ProviderAttempt.objects.get().number_key == KEY


def test_an_answer_without_a_price_takes_that_of_the_offer(desk: Desk, sandbox: Any):
    item = desk.approved()
    body = {"numberKey": KEY, "number": NUMBER, "country": "RU", "capabilities": ["SMS"]}
    sandbox.fault("purchase", "status", act=True, status=200, body=body)
    owned = desk.carry_out(item).owned_number
    assert (owned.price_per_month, owned.setup_price, owned.currency) == (Decimal(15), Decimal(0), "EUR")
    assert owned.initial_month_price == Decimal("9.193549")


def test_an_american_number_is_bought_by_its_number(desk: Desk, sandbox: Any, bought_here: Any):
    sandbox.stock(available=[{"number": "12025550123", "country": "US"}])
    assert desk.carry_out(desk.approved(Offer("US", "12025550123"))).state == "done"
    assert bought_here() == ["12025550123"]


def test_what_is_not_approved_is_left_alone(desk: Desk, sandbox: Any):
    item = item_of(desk.order())
    assert desk.carry_out(item).state == "pending"
    assert posts(sandbox) == 0


def test_a_repeated_message_does_nothing(desk: Desk, sandbox: Any):
    item = desk.approved()
    for _ in range(3):
        assert desk.carry_out(item).state == "done"
    assert posts(sandbox) == 1
    assert OwnedNumber.objects.count() == 1


def test_an_approval_that_ran_out_is_never_carried_out(desk: Desk, sandbox: Any):
    item = desk.approved()
    desk.clock.on(86400)
    assert desk.carry_out(item).state == "expired"
    assert (posts(sandbox), ProviderAttempt.objects.count()) == (0, 0)


def test_the_attempt_is_committed_before_anything_is_sent(desk: Desk, sandbox: Any):
    desk.carry_out(desk.approved())
    [request] = sandbox.requests("purchase")
    claimed = AuditEvent.objects.get(verb="item.executing")
    assert claimed.after["attempt"] == ProviderAttempt.objects.get().pk
    assert request["at"] >= claimed.at.isoformat().replace("+00:00", "Z")


def test_one_live_attempt_per_item_and_per_key_in_the_database(desk: Desk):
    item = desk.approved()
    facts = {"verb": "purchase", "number_key": KEY, "number": NUMBER, "started_at": desk.clock()}
    facts["lease_until"] = desk.clock()
    ProviderAttempt.objects.create(item=item, **facts)
    other = OrderItem.objects.get(pk=item.pk)
    other.pk, other.state = None, "failed"
    other.save(force_insert=True)
    for whose, key in ((item, "OTHER"), (other, KEY)):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProviderAttempt.objects.create(item=whose, **facts | {"number_key": key})


# The price right before buying ---------------------------------------------------------------------------------


def outside(sandbox: Any, act: str, number: str = NUMBER, **more: Any) -> None:
    sandbox.api("outside", {"act": act, "number": number, **more})


def test_a_price_that_moved_after_approval_stops_it(desk: Desk, sandbox: Any):
    item = desk.approved()
    outside(sandbox, "change", set={"pricePerMonth": "15.01"})
    item = desk.carry_out(item)
    assert (item.state, item.order.round) == ("pending", 2)
    assert (item.approved_quote["price_per_month"], item.changed_quote["price_per_month"]) == ("15", "15.01")
    assert (item.approved_at, item.approved_price_per_month) == (None, None)
    assert (posts(sandbox), ProviderAttempt.objects.count()) == (0, 0)
    told = AuditEvent.objects.get(verb="item.price_changed")
    assert (told.before["state"], told.after["state"]) == ("approved", "pending")
    assert told.after["quote"] == item.changed_quote
    assert told.after["quote_before"] == item.approved_quote
    assert desk.approve(item.order).approved
    assert desk.carry_out(item).owned_number.price_per_month == Decimal("15.01")


@pytest.mark.parametrize("change", [{"pricePerMonth": "12.5"}, {"capabilities": ["SMS", "VOICE"]}])
def test_what_is_no_worse_than_approved_is_bought_and_noted(desk: Desk, sandbox: Any, change: dict[str, Any]):
    item = desk.approved()
    outside(sandbox, "change", set=change)
    item = desk.carry_out(item)
    assert (item.state, item.order.round, posts(sandbox)) == ("done", 1, 1)
    told = AuditEvent.objects.get(verb="item.executing").after
    assert (told["quote_before"], told["quote"]) == (item.approved_quote, item.executed_quote)
    assert told["quote_before"] != told["quote"]
    assert item.owned_number.price_per_month == Decimal(change.get("pricePerMonth", 15))
    assert set(item.owned_number.capability_list) == set(change.get("capabilities", ["SMS"]))


def test_what_is_as_approved_is_not_noted(desk: Desk):
    desk.carry_out(desk.approved())
    assert "quote" not in AuditEvent.objects.get(verb="item.executing").after


@pytest.mark.parametrize(
    "change", [{"capabilities": ["VOICE"]}, {"currency": "USD"}, {"pricePerMonth": "13"}]
)
def test_what_is_worse_than_approved_stops_it(desk: Desk, sandbox: Any, change: dict[str, Any]):
    """Approved was 12.50, cheaper than asked: that counts, and not what was asked."""
    order = desk.order()
    outside(sandbox, "change", set={"pricePerMonth": "12.5"})
    assert desk.approve(order).approved
    outside(sandbox, "change", set=change)
    item = desk.carry_out(item_of(order))
    assert (item.state, item.order.round, posts(sandbox)) == ("pending", 2, 0)


def test_a_smaller_first_month_is_bought(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.clock(desk.clock.on(86399))
    item = desk.carry_out(item)
    assert item.state == "done"
    assert item.owned_number.initial_month_price == item.initial_month_price == Decimal("8.709678")


def test_another_key_for_the_same_offer_is_bought_under_the_new_key(desk: Desk, sandbox: Any):
    item = desk.approved()
    outside(sandbox, "change", set={"numberKey": "NEWKEY"})
    assert desk.carry_out(item).owned_number.number_key == "NEWKEY"


def test_what_is_gone_fails_without_a_call(desk: Desk, sandbox: Any):
    item = desk.approved()
    outside(sandbox, "taken")
    item = desk.carry_out(item)
    assert (item.state, item.failure, posts(sandbox)) == ("failed", "gone", 0)


def test_what_was_bought_elsewhere_fails_as_ours(desk: Desk, sandbox: Any):
    item = desk.approved()
    outside(sandbox, "purchase")
    item = desk.carry_out(item)
    assert (item.state, item.failure, posts(sandbox)) == ("failed", "already_owned", 0)


@pytest.mark.parametrize("fault", ["garbage", "reset"])
def test_when_the_provider_cannot_be_asked_it_stays_approved_and_waits(desk: Desk, sandbox: Any, fault: str):
    item = desk.approved()
    sandbox.fault("list_available", fault, times=-1)
    item = desk.carry_out(item)
    assert (item.state, item.not_before) == ("approved", desk.clock() + timedelta(seconds=15))
    desk.clock.on(16)
    item = desk.carry_out(item)
    assert item.not_before == desk.clock() + timedelta(seconds=30)  # ever longer
    sandbox.api("faults", method="DELETE")
    assert desk.carry_out(item).state == "approved"  # not due
    desk.clock.on(31)
    assert desk.carry_out(item).state == "done"
    assert posts(sandbox) == 1


def test_refused_credentials_stop_purchases_before_they_are_sent(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.switch(refuse_credentials=True)
    item = desk.carry_out(item)
    assert (item.state, posts(sandbox)) == ("approved", 0)
    assert item.not_before == desk.clock() + timedelta(seconds=60)


# Answers to the purchase -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, "refused"),
        (401, "credentials"),
        (403, "credentials"),
        (404, "gone"),
        (409, "gone"),
        (422, "refused"),
    ],
)
def test_a_refusal_fails(desk: Desk, sandbox: Any, status: int, failure: str):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=status)
    item = desk.carry_out(item)
    assert (item.state, item.failure) == ("failed", failure)
    assert (posts(sandbox), OwnedNumber.objects.count()) == (1, 0)
    assert ProviderAttempt.objects.get().outcome == "not_done"


def test_too_little_credit_is_named(desk: Desk, sandbox: Any):
    item = desk.approved()
    words = {"messageId": "NOT_ENOUGH_CREDITS", "text": "Not enough <b>credits</b>"}
    body = {"requestError": {"serviceException": words}}
    sandbox.fault("purchase", "status", status=403, body=body)
    item = desk.carry_out(item)
    assert (item.failure, item.failure_text) == (
        "no_credit",
        "NOT_ENOUGH_CREDITS: Not enough <b>credits</b>",
    )


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refusal_is_not_believed_when_the_number_is_ours(desk: Desk, sandbox: Any, status: int):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=status, act=True)
    item = desk.carry_out(item)
    assert (item.state, item.note, posts(sandbox)) == ("done", "settled", 1)
    assert OwnedNumber.objects.get() == item.owned_number


def test_a_refusal_that_cannot_be_checked_is_unknown(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=404, act=True)
    sandbox.fault("list_owned", "garbage", times=-1)
    assert desk.carry_out(item).state == "unknown"


@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("drop", {}),
        ("reset", {}),
        ("hang", {}),
        ("truncate", {}),
        ("garbage", {}),
        ("html", {"status": 200}),
        ("html", {"status": 502}),
        ("empty", {"status": 201}),
        ("status", {"status": 500}),
        ("status", {"status": 502}),
        ("status", {"status": 503}),
        ("status", {"status": 504}),
        ("status", {"status": 408}),
        ("redirect", {}),
    ],
)
def test_without_a_definite_answer_it_is_looked_for_and_never_sent_again(
    desk: Desk, sandbox: Any, kind: str, details: dict[str, Any], act: bool
):
    item = desk.approved()
    sandbox.fault("purchase", kind, act=act, **details)
    item = desk.carry_out(item)
    # when it had acted the look right after finds it; else nobody can tell yet
    assert item.state == ("done" if act else "unknown")
    assert ProviderAttempt.objects.get().ambiguous
    desk.clock.on(60)
    desk.sweep()
    item = again(item)
    assert (item.state, item.failure) == (("done", "") if act else ("failed", "not_bought"))
    assert posts(sandbox) == 1
    assert OwnedNumber.objects.count() == len(sandbox.acts("purchase")) == act


def test_the_answer_for_another_number_is_none(desk: Desk, sandbox: Any):
    item = desk.approved()
    other = {"numberKey": "X", "number": "4930123", "country": "DE"}
    sandbox.fault("purchase", "status", status=200, body=other)
    assert desk.carry_out(item).state == "unknown"
    assert not OwnedNumber.objects.exists()


def test_a_purchase_that_is_still_being_arranged_is_waited_for(desk: Desk, sandbox: Any):
    sandbox.switch(purchase_answer="pending", pending_seconds=30)
    item = desk.carry_out(desk.approved())
    assert item.state == "unknown"
    assert ProviderAttempt.objects.get().evidence[0]["owned"] == "pending"
    sandbox.clock(desk.clock.on(61))
    desk.sweep()
    assert again(item).state == "done"


def test_a_purchase_that_the_provider_gave_up_fails(desk: Desk, sandbox: Any):
    sandbox.switch(purchase_answer="pending", pending_seconds=30, pending_ends="BILLING_FAILED")
    item = desk.carry_out(desk.approved())
    sandbox.clock(desk.clock.on(61))
    desk.sweep()
    assert (again(item).state, again(item).failure) == ("failed", "reservation_failed")
    assert not OwnedNumber.objects.exists()


def test_busy_is_surely_not_bought_and_is_sent_again_when_due(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=429, headers={"Retry-After": "7"})
    item = desk.carry_out(item)
    assert (item.state, item.not_before) == ("approved", desk.clock() + timedelta(seconds=7))
    assert desk.carry_out(item).state == "approved"
    desk.clock.on(8)
    item = desk.carry_out(item)
    assert (item.state, posts(sandbox), len(sandbox.acts("purchase"))) == ("done", 2, 1)
    assert [a.outcome for a in item.attempts.order_by("id")] == ["not_done", "ok"]


def test_bought_in_spite_of_a_busy_answer_is_found_and_not_sent_again(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=429, act=True)
    assert desk.carry_out(item).state == "approved"
    desk.clock.on(60)
    item = desk.carry_out(item)
    assert (item.state, item.note, item.failure, posts(sandbox)) == ("done", "found", "", 1)
    assert item.owned_number.acquired_basis == "purchased_here"


def test_it_is_sent_again_three_times_at_most(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=429, times=-1)
    for _ in range(6):
        item = desk.carry_out(item)
        desk.clock.on(3600)
    assert (item.state, item.failure, posts(sandbox)) == ("failed", "not_sent", 4)


def test_our_own_rate_limit_costs_no_try(
    desk: Desk, sandbox: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    """Nothing was sent, so the item waits and has as many tries left as before."""
    item = desk.approved()
    settings.PROVIDER_RATE_LIMITS = True
    monkeypatch.setattr(execution, "SEND_WAIT", 0.0)
    limited = get_provider()
    limited.cancel("NOBODYS")  # takes the turn to write of this second
    for _ in range(execution.MOST_RETRIES + 2):
        attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
        result = execution.send(item, attempt, limited)
        execution.record(item, attempt, result, limited, desk.clock)
        item = again(item)
        assert item.state == "approved"
    assert posts(sandbox) == 0
    assert item.not_before > desk.clock()
