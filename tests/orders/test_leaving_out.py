"""An approver leaves numbers out of an order: these are rejected with the reason, the rest is approved."""

from typing import Any

import pytest
from django.test import Client

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import services
from numbersadmin.orders.models import Decision, Order
from numbersadmin.orders.quotes import Offer
from numbersadmin.orders.selectors import shown_fingerprint
from tests.orders.desk import NUMBER, SECOND, Desk, item_of, rule
from tests.orders.pages import Page, get

pytestmark = pytest.mark.django_db
FIRST, OTHER = Offer("RU", NUMBER), Offer("RU", SECOND)


@pytest.fixture
def order(desk: Desk) -> Order:
    return desk.order(FIRST, OTHER)


def states(order: Order) -> list[str]:
    return list(order.items.order_by("id").values_list("state", flat=True))


def approve_first(desk: Desk, order: Order, **given: Any) -> services.Approval:
    wanted = [item_of(order)]
    facts = {"item_ids": {wanted[0].pk}, "comment": "One is enough"}
    facts["fingerprint"] = shown_fingerprint(order, wanted, desk.clock())
    return desk.approve(order, **facts | given)


def test_what_is_left_out_is_rejected_and_the_rest_is_bought(desk: Desk, order: Order, bought_here: Any):
    result = approve_first(desk, order)
    assert (len(result.approved), [item.number for item in result.left_out]) == (1, [SECOND])
    assert states(order) == ["approved", "rejected"]
    assert Decision.objects.get().item_ids == [item_of(order).pk]
    told = AuditEvent.objects.get(verb="order.rejected")
    assert (told.actor, told.reason, told.number) == ("approver", "One is enough", SECOND)
    desk.sweep()
    assert bought_here() == [NUMBER]


def test_it_needs_a_reason_and_something_that_is_left(desk: Desk, order: Order):
    with pytest.raises(services.Incomplete, match="Say why you leave numbers out") as told:
        approve_first(desk, order, comment=" ")
    assert told.value.field == "comment"
    with pytest.raises(services.Incomplete, match="Reject it instead"):
        approve_first(desk, order, item_ids={987654})
    assert states(order) == ["pending", "pending"]
    assert not Decision.objects.exists()


def test_the_whole_is_not_approved_on_a_page_that_showed_a_part(desk: Desk, order: Order):
    with pytest.raises(services.OutOfDate):
        approve_first(desk, order, item_ids=None)
    assert states(order) == ["pending", "pending"]


def test_a_price_that_moved_rejects_nothing(desk: Desk, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"pricePerMonth": "16"}})
    assert approve_first(desk, order).changed
    assert states(order) == ["pending", "pending"]


def test_the_price_of_what_is_left_out_does_not_matter(desk: Desk, order: Order, sandbox: Any):
    sandbox.api("outside", {"act": "change", "number": SECOND, "set": {"pricePerMonth": "16"}})
    assert approve_first(desk, order).approved


def test_the_second_of_two_approvers_decides_on_what_the_first_left(desk: Desk):
    rule(desk.cast, desk.clock(), mode="two")
    order = desk.order(FIRST, OTHER)
    assert approve_first(desk, order).agreed
    assert states(order) == ["pending", "rejected"]
    assert len(desk.approve(order, actor=desk.cast.approver2).approved) == 1
    assert states(order) == ["approved", "rejected"]


# By the page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def approver(order: Order, signed_in: Any, today: None) -> Client:
    return signed_in("approver")


def test_the_page_works_out_the_rest(approver: Client, order: Order):
    first, at = item_of(order), f"/orders/{order.pk}/"
    whole = get(approver, at)
    assert "Approve and buy 2 numbers for 30.00 EUR/month" in whole.text
    assert len(whole.all("checked", type="checkbox", name="item")) == 2
    page = get(approver, f"{at}?item={first.pk}")
    assert "Approve and buy for 15.00 EUR/month" in page.text
    assert "Why leave 1 out?" in page.text
    assert page.fields("approve")["item"] == [str(first.pk)]
    assert [one["value"] for one in page.all("checked", type="checkbox", name="item")] == [str(first.pk)]
    empty = Page(page.send(approver, "approve", comment=""))
    assert (empty.status, states(order)) == (422, ["pending", "pending"])
    assert "Say why you leave numbers out" in empty.text
    assert empty.fields("approve")["item"] == [str(first.pk)], "the choice is kept"
    answer = empty.send(approver, "approve", comment="One is <b>enough</b>")
    assert (answer.status_code, states(order)) == (302, ["approved", "rejected"])
    assert "One is &lt;b&gt;enough&lt;/b&gt;" in get(approver, at).html


@pytest.mark.parametrize("item", ["0", "987654", "x", "²", "9" * 30])
def test_a_choice_of_nothing_is_the_whole_order(approver: Client, order: Order, item: str):
    page = get(approver, f"/orders/{order.pk}/?item={item}")
    assert "Approve and buy 2 numbers for 30.00 EUR/month" in page.text
    assert "item" not in page.fields("approve")


@pytest.mark.parametrize("item", ["987654", "x", "²"])
def test_an_altered_choice_decides_nothing(approver: Client, order: Order, item: str):
    page = get(approver, f"/orders/{order.pk}/?item={item_of(order).pk}")
    answer = page.send(approver, "approve", item=item, comment="One is enough")
    assert answer.status_code in (409, 422)
    assert states(order) == ["pending", "pending"]


@pytest.mark.parametrize("sent", [{"round": "x"}, {"fingerprint": ""}, {"fingerprint": "f" * 65}])
def test_a_form_that_is_not_ours_is_on_record(approver: Client, order: Order, sent: dict[str, str]):
    page = get(approver, f"/orders/{order.pk}/")
    assert page.send(approver, "approve", **sent).status_code == 409
    told = AuditEvent.objects.get(verb="order.form_refused")
    assert (told.actor, told.subject_id) == ("approver", order.pk)
    assert page.send(approver, "approve").status_code == 302
    assert AuditEvent.objects.filter(verb="order.form_refused").count() == 1, "a right one is not"
