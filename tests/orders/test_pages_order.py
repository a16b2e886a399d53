"""The page of one order: deciding on exactly what is shown, progress, what is unknown, who may do what."""

from typing import Any

import pytest
from django.test import Client

from numbersadmin.accounts.models import RoleGrant
from numbersadmin.orders.models import Decision, Order, OrderItem
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk, Offer, item_of
from tests.orders.pages import Page, fragment_stands_in_page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]
TWO = (OFFER, Offer("RU", SECOND))


@pytest.fixture
def order(desk: Desk) -> Order:
    return desk.order(reason="Order confirmations for the web shop", sender_id=True)


@pytest.fixture
def approver(provider: Any, signed_in: Any) -> Client:
    return signed_in("approver")


def at(order: Order) -> str:
    return f"/orders/{order.pk}/"


def states(order: Order) -> list[str]:
    return list(order.items.order_by("id").values_list("state", flat=True))


def changed(sandbox: Any, **facts: Any) -> None:
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": facts})


# What it shows ---------------------------------------------------------------------------------------------------


def test_an_approver_sees_who_asks_why_and_what_it_costs_now(approver: Client, order: Order):
    page = get(approver, at(order))
    assert page.status == 200
    for words in (
        "Buy +7 902 955 55 51?".replace(" 9", " 9").replace(" 5", " 5"),
        "manager asked",
        "order 1 of 1 waiting for you",
        "Order confirmations for the web shop",
        "4120 Retail",
        "Wanted. Ask the Infobip account manager before it goes live.",
        "19 of 31 days, if bought today 9.19 EUR",
        "Then every month 15.00 EUR",
        "Price read at Infobip at 09:00 UTC , unchanged".replace(" ,", ","),
        "Approve and buy for 15.00 EUR/month",
        "Expires 27 Oct 2026, 09:00 UTC if nobody decides",
    ):
        assert words in page.text, words


def test_hooks(approver: Client, order: Order):
    page = get(approver, at(order))
    assert page.all(data_order=str(order.pk))
    item = item_of(order)
    assert page.all(data_item=str(item.pk), data_state="pending", data_number=NUMBER)
    assert set(page.forms) == {"approve", "reject", "sign-out"}
    fields = page.fields("approve")
    assert (fields["round"], len(fields["fingerprint"][0])) == (["1"], 64)
    assert "comment" in page.fields("reject")


def test_the_requester_may_withdraw_and_not_decide(desk: Desk, order: Order, signed_in: Any, cast: Any):
    assert cast.approver
    page = get(signed_in("manager"), at(order))
    assert set(page.forms) == {"withdraw", "sign-out"}
    assert "Your role does not approve orders. approver can." in page.text


def test_ones_own_order_cannot_be_approved_and_says_who_can(
    desk: Desk, signed_in: Any, cast: Any, provider: Any
):
    assert cast.approver2
    own = desk.order(actor=cast.approver)
    client = signed_in("approver")
    page = get(client, at(own))
    assert "Someone else must approve this You asked for it, so you cannot approve it. approver2 can." in (
        page.text
    )
    assert "approve" not in page.forms
    assert page.all("disabled", type="button")
    seen = get(signed_in("approver2"), at(own)).fields("approve")
    answer = client.post(f"{at(own)}approve/", seen)
    assert answer.status_code == 403
    assert "Another approver has to" in answer.content.decode()
    rejected = client.post(f"{at(own)}reject/", {"comment": "no"})
    assert rejected.status_code == 403
    assert states(own) == ["pending"]
    assert not Decision.objects.exists()


def test_four_eyes_bind_the_person_whatever_roles_they_hold(desk: Desk, order: Order, signed_in: Any):
    RoleGrant.objects.create(user=desk.cast.manager, role="approver")
    seen = get(signed_in("approver"), at(order)).fields("approve")
    assert signed_in("manager").post(f"{at(order)}approve/", seen).status_code == 403
    assert states(order) == ["pending"]


# Deciding --------------------------------------------------------------------------------------------------------


def test_approving_leads_back_and_the_number_is_bought(
    approver: Client, order: Order, desk: Desk, bought_here: Any
):
    answer = get(approver, at(order)).send(approver, "approve")
    assert (answer.status_code, answer.url) == (302, at(order))
    assert states(order) == ["approved"]
    page = get(approver, at(order))
    assert "Approved order" in page.text
    assert page.all(data_state="approved")
    desk.carry_out(item_of(order))
    done = get(approver, at(order))
    item = item_of(order)
    assert done.all(data_state="done", data_id=str(item.owned_number_id))
    assert done.all(href=f"/numbers/{item.owned_number_id}/")
    assert bought_here() == [NUMBER]


def test_rejecting_needs_a_comment_that_the_requester_sees(approver: Client, order: Order, signed_in: Any):
    empty = Page(get(approver, at(order)).send(approver, "reject", comment="  "))
    assert empty.status == 422
    assert "Say why you reject it" in empty.text
    assert states(order) == ["pending"]
    too_long = Page(empty.send(approver, "reject", comment="x" * 1001))
    assert too_long.status == 422
    assert too_long.fields("reject")["comment"] == ["x" * 1001]
    answer = too_long.send(approver, "reject", comment="We own a <b>spare</b>")
    assert answer.status_code == 302
    assert states(order) == ["rejected"]
    page = get(signed_in("manager"), at(order))
    assert "We own a &lt;b&gt;spare&lt;/b&gt;" in page.html
    assert "approver rejected it" in page.text


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_who_comes_second_is_told_who_was_first(approver: Client, order: Order, signed_in: Any, action: str):
    second = signed_in("approver2")
    late = get(second, at(order))
    get(approver, at(order)).send(approver, "approve")
    answer = Page(late.send(second, action, comment="no"))
    assert answer.status == 409
    assert "Somebody was faster approver approved it" in answer.text
    assert states(order) == ["approved"]
    assert Decision.objects.count() == 1


def test_withdrawing(order: Order, signed_in: Any):
    manager = signed_in("manager")
    answer = get(manager, at(order)).send(manager, "withdraw")
    assert (answer.status_code, answer.url) == (302, at(order))
    assert states(order) == ["withdrawn"]
    again = manager.post(f"{at(order)}withdraw/")
    assert again.status_code == 409
    page = get(manager, at(order))
    assert page.all(data_action="order-again", href=f"/orders/new/?offer=RU-{NUMBER}")


@pytest.mark.parametrize(("name", "status"), [("manager2", 403), ("approver", 403), ("admin", 302)])
def test_only_the_requester_or_an_admin_withdraws(order: Order, signed_in: Any, name: str, status: int):
    assert signed_in(name).post(f"{at(order)}withdraw/").status_code == status
    assert states(order) == ["withdrawn" if status == 302 else "pending"]


def test_an_approved_order_can_still_be_withdrawn_before_it_is_sent(
    desk: Desk, signed_in: Any, bought_here: Any
):
    item = desk.approved()
    manager = signed_in("manager")
    page = get(manager, at(item.order))
    assert "You can still withdraw what has not been sent yet" in page.text
    assert page.send(manager, "withdraw").status_code == 302
    desk.carry_out(item)
    assert bought_here() == []


# Exactly what was shown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", [{"fingerprint": "0" * 64}, {"round": "2"}, {"fingerprint": ""}, {"round": "x"}]
)
def test_a_tampered_approval_is_refused(approver: Client, order: Order, field: dict[str, str]):
    answer = Page(get(approver, at(order)).send(approver, "approve", **field))
    assert answer.status == 409
    assert states(order) == ["pending"]
    assert not Decision.objects.exists()
    assert answer.send(approver, "approve").status_code == 302, "the page shown then is right"


def test_a_price_that_moved_is_shown_at_opening_and_taken_over_by_one_click(
    approver: Client, order: Order, sandbox: Any
):
    changed(sandbox, pricePerMonth="15.5")
    page = get(approver, at(order))
    assert "The offer has changed since it was asked for" in page.text
    assert "Per month 15.00 EUR 15.50 EUR +0.50 EUR" in page.text
    assert "approve" not in page.forms
    answer = page.send(approver, "reprice")
    assert (answer.status_code, states(order)) == (302, ["pending"])
    page = get(approver, at(order))
    assert "The price changed, so nothing was bought" in page.text
    assert "Asked was 15.00 EUR per month. Infobip now asks 15.50 EUR." in page.text
    assert "Approve 15.50 EUR per month" in page.text
    assert page.fields("approve")["round"] == ["2"]
    assert page.send(approver, "approve").status_code == 302
    assert states(order) == ["approved"]


def test_a_price_that_moves_between_page_and_click_is_not_approved(
    approver: Client, order: Order, sandbox: Any, signed_in: Any
):
    page = get(approver, at(order))
    other = get(signed_in("approver2"), at(order))
    changed(sandbox, setupPrice="3")
    assert page.send(approver, "approve").status_code == 302
    assert states(order) == ["pending"]
    both = get(approver, at(order))
    assert "Set-up, once 0.00 EUR 3.00 EUR +3.00 EUR" in both.text
    stale = Page(other.send(signed_in("approver2"), "approve"))
    assert stale.status == 409
    assert "The order has changed since you opened it" in stale.text
    assert "Set-up, once 0.00 EUR 3.00 EUR" in stale.text
    assert not Decision.objects.exists()


def test_taking_over_a_price_that_did_not_move_changes_nothing(approver: Client, order: Order):
    answer = approver.post(f"{at(order)}reprice/", {"round": "1"}, follow=True)
    assert "The price is as it was asked" in answer.content.decode()
    order.refresh_from_db()
    assert order.round == 1
    assert approver.post(f"{at(order)}reprice/", {"round": "7"}).status_code == 409
    assert approver.post(f"{at(order)}reprice/", {"round": "²"}).status_code == 409


def test_only_those_concerned_take_over_a_price(order: Order, signed_in: Any, sandbox: Any):
    changed(sandbox, pricePerMonth="15.5")
    assert signed_in("manager2").post(f"{at(order)}reprice/", {"round": "1"}).status_code == 403
    assert signed_in("viewer").post(f"{at(order)}reprice/", {"round": "1"}).status_code == 403
    assert signed_in("manager").post(f"{at(order)}reprice/", {"round": "1"}).status_code == 302
    order.refresh_from_db()
    assert order.round == 2


def test_a_number_that_is_gone_cannot_be_approved(approver: Client, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    page = get(approver, at(order))
    assert "No longer for sale" in page.text
    assert page.all("disabled", type="submit")
    assert page.send(approver, "approve").status_code == 302
    assert states(order) == ["failed"]


def test_a_price_that_is_not_understood_cannot_be_approved(approver: Client, order: Order, sandbox: Any):
    changed(sandbox, pricePerMonth="free")
    page = get(approver, at(order))
    assert "The price is unknown" in page.text
    page.send(approver, "reprice")
    again = get(approver, at(order))
    assert again.all("disabled", type="submit")


@pytest.mark.parametrize("kind", ["status", "drop", "html"])
def test_nothing_is_decided_while_the_provider_does_not_answer(
    approver: Client, order: Order, sandbox: Any, kind: str
):
    before = get(approver, at(order))
    sandbox.fault("list_available", kind, times=-1)
    page = get(approver, at(order))
    assert page.status == 200
    assert "so this order cannot be approved" in page.text
    assert page.all("data-retry-after")
    assert page.all("disabled", type="submit")
    answer = Page(before.send(approver, "approve"))
    assert answer.status == 503
    assert "Nothing was decided" in answer.text
    assert states(order) == ["pending"]
    assert not Decision.objects.exists()
    rejected = answer.send(approver, "reject", comment="Later")
    assert rejected.status_code == 302, "rejecting needs no price"


# Progress and outcome --------------------------------------------------------------------------------------------


def test_progress_is_shown_by_a_fragment_that_asks_again_until_it_is_over(
    approver: Client, desk: Desk, order: Order
):
    two = desk.order(Offer("RU", SECOND))
    desk.approve(two)
    fragment = fragment_stands_in_page(approver, at(two))
    assert 'hx-trigger="every 2s"' in fragment
    assert f'hx-get="{at(two)}"' in fragment
    assert '<noscript><meta http-equiv="refresh"' in get(approver, at(two)).html
    desk.carry_out(item_of(two))
    over = approver.get(at(two), headers={"HX-Request": "true"})
    assert over.headers["HX-Retarget"] == "#main"
    assert over.headers["HX-Reselect"] == "#main"
    assert "hx-trigger" not in over.content.decode()
    assert "<noscript><meta" not in over.content.decode()


def test_an_order_that_waits_does_not_ask_again(approver: Client, order: Order):
    fragment = fragment_stands_in_page(approver, at(order))
    assert "hx-trigger" not in fragment


def test_asking_for_the_fragment_does_not_ask_the_provider(approver: Client, order: Order, sandbox: Any):
    seen = len(sandbox.requests("list_available"))
    approver.get(at(order), headers={"HX-Request": "true"})
    assert len(sandbox.requests("list_available")) == seen


def test_an_unknown_outcome_is_told_as_such(approver: Client, desk: Desk, sandbox: Any):
    sandbox.fault("purchase", "drop", act=False)
    item = desk.carry_out(desk.approved())
    page = get(approver, at(item.order))
    assert page.all(data_item=str(item.pk), data_state="unknown")
    number = "+7 902 955 55 51"
    assert f"We do not know whether {number} was bought" in page.text
    assert (
        "it may or may not have gone through. We will not send it again: that could buy twice." in page.text
    )
    assert "We sent the purchase at 09:00:00" in page.text
    assert "1 09:00:00 Not listed Still for sale" in page.text
    assert "Cost if it was bought" in page.text
    assert "Not counted in any report until we know" in page.text
    assert 'hx-trigger="every 10s"' in page.html
    assert set(page.forms) == {"sign-out"}, "nobody sends it again"


def test_what_was_not_bought_can_be_ordered_again(approver: Client, desk: Desk, sandbox: Any):
    sandbox.fault("purchase", "drop", act=False)
    item = desk.carry_out(desk.approved())
    desk.clock.on(120)
    desk.sweep(at_once=True)
    page = get(approver, at(item.order))
    assert page.all(data_state="failed")
    assert "It was not bought" in page.text
    assert page.all(data_action="order-again", href=f"/orders/new/?offer=RU-{NUMBER}")


def test_a_number_lost_to_somebody_else_leads_to_similar_ones(approver: Client, desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    desk.carry_out(item)
    page = get(approver, at(item.order))
    assert "No longer available" in page.text
    assert page.all(href="/available/?country=RU&digits=79029555&match=starts")


def test_several_items_each_have_their_own_state(approver: Client, desk: Desk):
    order = desk.order(*TWO)
    page = get(approver, at(order))
    assert "Approve and buy 2 numbers for 30.00 EUR/month" in page.text
    page.send(approver, "approve")
    desk.carry_out(item_of(order))
    half = get(approver, at(order))
    assert [row["data-state"] for row in half.all("data-item")] == ["done", "approved"]
    assert "1 of 2 done" in half.text


def test_the_queries_of_a_page_do_not_depend_on_its_items(
    approver: Client, desk: Desk, sandbox: Any, django_assert_num_queries: Any
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    one = desk.approved()
    numbers = [f"7902955{n}" for n in range(6000, 6010)]
    sandbox.stock(available=[{"number": number, "country": "RU"} for number in numbers])
    ten = desk.approved(*(Offer("RU", number) for number in numbers))
    get(approver, at(one.order))
    with CaptureQueriesContext(
        connection,
    ) as few:
        get(approver, at(one.order))
    with django_assert_num_queries(len(few)):
        get(approver, at(ten.order))


# Who may look ----------------------------------------------------------------------------------------------------


def test_everyone_may_look_and_strangers_sign_in(order: Order, signed_in: Any, client: Client, provider: Any):
    for name in ("viewer", "manager2", "finance", "admin"):
        page = get(signed_in(name), at(order))
        assert page.status == 200
        assert not {"approve", "reject", "reprice"} & set(page.forms)
    assert client.get(at(order)).status_code == 302


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("name", ["viewer", "manager", "finance", "admin"])
def test_only_approvers_decide(order: Order, signed_in: Any, name: str, verb: str):
    answer = signed_in(name).post(f"{at(order)}{verb}/", {"comment": "x", "round": "1"})
    assert answer.status_code == 403
    assert states(order) == ["pending"]


@pytest.mark.parametrize("verb", ["approve", "reject", "withdraw", "reprice"])
def test_deciding_is_by_post_alone_and_unknown_orders_are_a_page(order: Order, approver: Client, verb: str):
    assert approver.get(f"{at(order)}{verb}/").status_code == 405
    assert approver.delete(f"{at(order)}{verb}/").status_code == 405
    for unknown in (order.pk + 1, 10**30):
        answer = approver.post(
            f"/orders/{unknown}/{verb}/", {"comment": "x", "round": "1", "fingerprint": "x"}
        )
        assert answer.status_code == 404
        assert approver.get(f"/orders/{unknown}/").status_code == 404
    assert approver.post(at(order)).status_code == 405


def test_an_expired_order_says_so(approver: Client, order: Order, now: Any):
    Order.objects.filter(pk=order.pk).update(expires_at=now)
    answer = Page(get(approver, at(order)).send(approver, "approve"))
    assert answer.status == 409
    assert "waited too long" in answer.text
    assert OrderItem.objects.get().state == "expired"
