"""Several orders approved on one page: each for itself, as it was shown."""

from typing import Any

import pytest
from django.test import Client

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import decision_views
from numbersadmin.orders.models import Decision, Order, OrderItem
from numbersadmin.orders.quotes import Offer
from tests.orders.desk import NUMBER, SECOND, Desk, item_of
from tests.orders.pages import Page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]


@pytest.fixture
def two(desk: Desk) -> list[Order]:
    return [desk.order(Offer("RU", NUMBER), reason="A <b>shop</b>"), desk.order(Offer("RU", SECOND))]


@pytest.fixture
def approver(provider: Any, signed_in: Any) -> Client:
    return signed_in("approver")


def review(client: Client, *orders: Order) -> Page:
    return get(client, f"/orders/approve/?{'&'.join(f'id={order.pk}' for order in orders)}")


def states() -> list[str]:
    return list(OrderItem.objects.order_by("id").values_list("state", flat=True))


def test_both_are_shown_and_approved(approver: Client, two: list[Order]):
    page = review(approver, *two)
    assert "Approve 2 orders for 2 numbers?" in page.text
    assert "A &lt;b&gt;shop&lt;/b&gt;" in page.html
    answer = page.send(approver, "approve-several")
    assert (answer.status_code, answer.url) == (302, "/orders/")
    assert states() == ["approved", "approved"]
    assert Decision.objects.count() == 2


def test_one_that_moved_meanwhile_does_not_keep_the_other(approver: Client, two: list[Order], sandbox: Any):
    page = review(approver, *two)
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"pricePerMonth": "16"}})
    answer = Page(page.send(approver, "approve-several"))
    assert (answer.status, states()) == (409, ["pending", "approved"])
    assert f"Order {two[0].pk}: Its offer has changed." in answer.text
    assert answer.all(data_order=str(two[0].pk))
    assert not answer.all(data_order=str(two[1].pk)), "what is done is not shown again"
    assert answer.send(approver, "approve-several").status_code == 302
    assert item_of(two[0]).approved_price_per_month == 16


def test_one_that_somebody_else_decided_is_told(approver: Client, two: list[Order], desk: Desk):
    page = review(approver, *two)
    desk.approve(two[0], actor=desk.cast.approver2)
    answer = Page(page.send(approver, "approve-several"))
    assert (answer.status, states()) == (409, ["approved", "approved"])
    assert f"Order {two[0].pk}: approver2 approved it" in answer.text


def test_an_altered_part_is_refused_and_on_record(approver: Client, two: list[Order]):
    page = review(approver, *two)
    for wrong in ({"round": "x"}, {"fingerprint": ""}):
        sent = {f"{name}-{two[0].pk}": value for name, value in wrong.items()}
        assert page.send(approver, "approve-several", **sent, id=str(two[0].pk)).status_code == 409
    assert states() == ["pending", "pending"]
    told = AuditEvent.objects.filter(verb="order.form_refused")
    assert set(told.values_list("actor", "subject_id")) == {("approver", two[0].pk)}
    other = page.fields("approve-several")[f"fingerprint-{two[1].pk}"]
    sent = {f"fingerprint-{two[0].pk}": other}  # a whole one, but of another order
    assert page.send(approver, "approve-several", **sent).status_code == 409
    assert states() == ["pending", "approved"]


def test_what_this_person_cannot_decide_is_not_with_the_others(
    approver: Client, desk: Desk, two: list[Order]
):
    desk.approve(two[1], actor=desk.cast.approver2)
    page = review(approver, *two)
    assert "Approve 1 order for 1 number?" in page.text
    assert page.fields("approve-several")["id"] == [str(two[0].pk)]
    forged = {"id": str(two[1].pk), f"round-{two[1].pk}": "1", f"fingerprint-{two[1].pk}": "f" * 64}
    assert approver.post("/orders/approve/", forged).status_code == 409
    assert Decision.objects.filter(approver=desk.cast.approver).count() == 0


def test_an_own_order_is_never_among_them(approver: Client, desk: Desk):
    own = desk.order(actor=desk.cast.approver)
    page = review(approver, own)
    assert "Nothing to approve" in page.text
    forged = {"id": str(own.pk), f"round-{own.pk}": "1", f"fingerprint-{own.pk}": item_of(own).fingerprint}
    answer = Page(approver.post("/orders/approve/", forged))
    assert (answer.status, states()) == (409, ["pending"])
    assert "You asked for this" in answer.text


@pytest.mark.parametrize("query", ["", "?id=987", "?id=x&id=²", f"?id={'9' * 30}"])
def test_nothing_chosen_says_so(approver: Client, query: str):
    page = get(approver, f"/orders/approve/{query}")
    assert (page.status, "No order chosen" in page.text) == (200, True)


def test_who_may(signed_in: Any, client: Any, two: list[Order]):
    at = f"/orders/approve/?id={two[0].pk}"
    assert client.get(at).status_code == 302
    for name, status in {"viewer": 403, "manager": 403, "admin": 403, "finance": 200}.items():
        assert signed_in(name).get(at).status_code == status, name
        forged = {"id": str(two[0].pk), f"round-{two[0].pk}": "1", f"fingerprint-{two[0].pk}": "f"}
        assert signed_in(name).post("/orders/approve/", forged).status_code in (403, 409)
    assert signed_in("approver").delete(at).status_code == 405
    assert states() == ["pending", "pending"]


def test_a_page_of_many_ends_in_time(
    approver: Client, two: list[Order], sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    """At one call a second twenty orders take longer than a page may: the rest is shown as asked, and said."""
    monkeypatch.setattr(decision_views, "READING", -1.0)
    before = len(sandbox.requests("list_available"))
    page = review(approver, *two)
    assert len(sandbox.requests("list_available")) == before
    assert "Approve 2 orders for 2 numbers?" in page.text
    monkeypatch.setattr(decision_views, "DECIDING", -1.0)
    answer = Page(page.send(approver, "approve-several"))
    assert (answer.status, states()) == (409, ["pending", "pending"])
    assert "nothing was decided on it" in answer.text
    monkeypatch.setattr(decision_views, "DECIDING", 25.0)
    assert answer.send(approver, "approve-several").status_code == 302
    assert states() == ["approved", "approved"]
