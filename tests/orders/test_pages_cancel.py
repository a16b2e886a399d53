"""The page that cancels a number: consequences first, the typed number, and an order that needs approval."""

from typing import Any

import pytest
from django.test import Client

from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.numbers.services import end_number
from numbersadmin.orders.models import Order
from tests.orders.desk import Desk, item_of
from tests.orders.pages import Page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]
WHY = {"reason": "The shop closed", "timing": "now", "typed_number": "+44 7860 041117"}


@pytest.fixture
def manager(owned: OwnedNumber, signed_in: Any, cast: Any) -> Client:
    assert cast.approver
    return signed_in("manager")


def at(owned: OwnedNumber) -> str:
    return f"/numbers/{owned.pk}/cancel/"


def test_says_what_is_lost_and_what_is_saved(manager: Client, owned: OwnedNumber):
    page = get(manager, at(owned))
    assert page.status == 200
    for words in (
        "Cancel +44 7860 041117?",
        "This cannot be undone",
        "available for others to buy . You may never get it back.",
        "nobody, or its next owner",
        "October is already charged. Nothing is refunded.",
        "From November, per month",
        "approver approves. Until then the number stays yours.",
        "Keep number",
    ):
        assert words in page.text, words
    assert page.all(data_number="447860041117", data_id=str(owned.pk))
    assert set(page.fields("order-cancel")) >= {"typed_number", "reason", "form_token"}


def test_sending_makes_an_order_that_needs_approval(
    manager: Client, owned: OwnedNumber, signed_in: Any, desk: Desk, sandbox: Any
):
    answer = get(manager, at(owned)).send(manager, "order-cancel", **WHY)
    order = Order.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/orders/{order.pk}/")
    assert (order.kind, order.reason, item_of(order).state) == ("cancel", "The shop closed", "pending")
    assert sandbox.acts() == []
    approver = signed_in("approver")
    page = get(approver, answer.url)
    assert "Cancel +44 7860 041117?" in page.text
    assert "This cannot be undone" in page.text
    assert page.all(data_item=str(item_of(order).pk), data_state="pending", data_id=str(owned.pk))
    assert "Approve and cancel +44 7860 041117" in page.text
    assert page.send(approver, "approve").status_code == 302
    desk.carry_out(item_of(order))
    assert [act["act"] for act in sandbox.acts()] == ["cancel"]
    assert "Cancelled" in get(approver, answer.url).text
    assert "no longer yours" in get(manager, at(owned)).text


def test_sent_twice_is_one_order(manager: Client, owned: OwnedNumber):
    page = get(manager, at(owned))
    answers = {page.send(manager, "order-cancel", **WHY).url for _ in range(3)}
    assert answers == {f"/orders/{Order.objects.get().pk}/"}


@pytest.mark.parametrize("typed", ["447860041117", "+447860041117", " 44 7860-041 117 ", "0044 7860 041117"])
def test_spaces_and_plus_do_not_matter(manager: Client, owned: OwnedNumber, typed: str):
    answer = get(manager, at(owned)).send(manager, "order-cancel", **WHY | {"typed_number": typed})
    assert answer.status_code == 302


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"typed_number": "+44 7860 0411"}, "That is 10 of 12 digits. Type the whole number."),
        ({"typed_number": "447860041118"}, "That is a different number."),
        ({"typed_number": "4478600411170"}, "That is a different number."),
        ({"typed_number": ""}, "Type the number to confirm."),
        ({"typed_number": "yes"}, "That is a different number."),
        ({"reason": "  "}, "Say why. The approver reads this."),
        ({"reason": "x" * 1001}, "at most 1000 characters"),
    ],
)
def test_errors_are_at_the_field_and_in_a_summary_and_input_is_kept(
    manager: Client, owned: OwnedNumber, entered: dict[str, str], said: str
):
    answer = Page(get(manager, at(owned)).send(manager, "order-cancel", **WHY | entered))
    assert answer.status == 422
    assert answer.text.count(said) == 2
    assert not Order.objects.exists()
    kept = answer.fields("order-cancel")
    for name, value in (WHY | entered).items():
        assert kept[name] == [value]
    assert answer.send(manager, "order-cancel", **WHY).status_code == 302


def test_a_form_without_its_token_is_refused(manager: Client, owned: OwnedNumber):
    assert get(manager, at(owned)).send(manager, "order-cancel", **WHY, form_token=None).status_code == 422
    assert not Order.objects.exists()


def test_what_is_being_cancelled_already_is_not_cancelled_again(
    manager: Client, owned: OwnedNumber, desk: Desk
):
    page = get(manager, at(owned))
    live = desk.cancel(owned)
    answer = Page(page.send(manager, "order-cancel", **WHY))
    assert answer.status == 422
    assert "order-cancel" not in answer.forms
    assert answer.all(href=f"/orders/{live.pk}/")
    assert "It is being cancelled already" in get(manager, at(owned)).text
    assert Order.objects.count() == 1


def test_an_ended_number_cannot_be_cancelled(manager: Client, owned: OwnedNumber, now: Any):
    page = get(manager, at(owned))
    end_number(owned=owned, basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now)
    answer = Page(page.send(manager, "order-cancel", **WHY))
    assert answer.status == 422
    assert "This number is no longer yours" in answer.text
    assert not Order.objects.exists()


@pytest.mark.parametrize("name", ["viewer", "finance", "admin"])
def test_roles_that_do_not_order_are_refused(owned: OwnedNumber, signed_in: Any, name: str):
    client = signed_in(name)
    assert client.get(at(owned)).status_code == 403
    assert client.post(at(owned), WHY).status_code == 403
    assert not Order.objects.exists()


def test_strangers_unknown_ids_and_wrong_methods(client: Client, manager: Client, owned: OwnedNumber):
    assert client.get(at(owned)).status_code == 302
    assert client.post(at(owned), WHY).status_code == 302
    assert manager.get(f"/numbers/{owned.pk + 1}/cancel/").status_code == 404
    assert manager.get(f"/numbers/{10**30}/cancel/").status_code == 404
    assert manager.delete(at(owned)).status_code == 405
    assert not Order.objects.exists()


def test_what_people_write_is_shown_as_text(manager: Client, owned: OwnedNumber):
    evil = "<img src=x onerror=alert(1)>"
    answer = Page(
        get(manager, at(owned)).send(manager, "order-cancel", reason=evil, timing="now", typed_number=evil)
    )
    assert answer.status == 422
    assert evil not in answer.html
