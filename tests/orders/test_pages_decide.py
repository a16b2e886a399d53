"""Deciding on an order by its page: four eyes, exactly what was shown, and nothing while the price is unknown."""

from typing import Any

import pytest
from django.test import Client

from numbersadmin.orders.models import Decision, Order, OrderItem
from tests.orders.desk import NUMBER, Desk, item_of
from tests.orders.pages import Page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]


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
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    page = get(approver, at(order))
    assert "No longer for sale" in page.text
    assert page.all("disabled", type="submit")
    assert page.send(approver, "approve").status_code == 302
    assert states(order) == ["failed"]


def test_a_price_that_is_not_understood_cannot_be_approved(approver: Client, order: Order, sandbox: Any):
    before = get(approver, at(order))
    changed(sandbox, pricePerMonth="free")
    page = get(approver, at(order))
    assert "The price is unknown" in page.text
    assert page.all("disabled", type="submit")
    assert "reprice" not in page.forms
    assert before.send(approver, "approve").status_code == 409  # another page has shown something else since
    assert approver.post(f"{at(order)}reprice/", {"round": "1"}).status_code == 503
    order.refresh_from_db()
    assert (states(order), order.round) == (["pending"], 1)


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


# Who may decide ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("name", ["viewer", "manager", "finance", "admin"])
def test_only_approvers_decide(order: Order, signed_in: Any, name: str, verb: str):
    answer = signed_in(name).post(f"{at(order)}{verb}/", {"comment": "x", "round": "1", "fingerprint": "x"})
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
