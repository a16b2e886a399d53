"""The pages of attestation: a sheet from draft to answer, what is handed over, rounds and their export."""

from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from numbersadmin.attestation import services, tasks
from numbersadmin.attestation.models import Round, Sheet
from numbersadmin.orders.models import Order
from tests.attestation.conftest import note, sheet_of
from tests.orders.pages import get

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today(now: datetime) -> Any:
    """The pages' own clock begins at the tests' moment."""
    with time_machine.travel(now, tick=True):
        yield


@pytest.fixture
def sent(monkeypatch: Any) -> list[tuple[str, dict[str, Any]]]:
    """The messages to the worker, kept instead of sent."""
    kept: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(tasks, "_send", lambda task, kwargs: kept.append((task, kwargs)))
    return kept


def lines(sheet: Sheet, *owned: Any) -> list[str]:
    return [str(pk) for pk in sheet.lines.filter(owned_number__in=owned).values_list("pk", flat=True)]


def test_a_sheet_from_draft_to_answer(
    begun: Round, cast: Any, company: Any, signed_in: Any, sent: Any, django_capture_on_commit_callbacks: Any
):
    manager, sheet = signed_in("manager"), sheet_of(cast.manager)
    address = f"/attestation/{sheet.pk}/"
    assert f'href="{address}"' in get(manager, "/").html
    page = get(manager, f"{address}?show=not_chosen")
    assert "Keep all 3 not answered" in page.text
    assert "11.25 EUR + 1 of unknown price" in page.text.replace("\xa0", " ")
    answer = page.send(
        manager, "choose", line=lines(sheet, company["a"]), choice="give_back", reason="Shop closed"
    )
    assert answer.url == f"{address}?show=not_chosen"  # one stays where one was
    get(manager, address).send(
        manager, "choose", line=lines(sheet, company["b"]), choice="hand_over", to_person="finance"
    )
    assert "1 number without an answer" in get(manager, f"{address}answer/").text
    get(manager, address).send(manager, "choose", keep_rest="1")
    seen = get(manager, f"{address}answer/")
    for words in ("Give back 1 number", "Hand over 1 number", "Keep 1 number", "1: Shop closed"):
        assert words in seen.text
    with django_capture_on_commit_callbacks(execute=True):
        assert seen.send(manager, "answer").url == address
    order = Order.objects.get()
    assert sent == [
        ("numbersadmin.attestation.tasks.tell_handed", {"sheet_id": sheet.pk}),
        ("numbersadmin.orders.tasks.tell", {"what": "submitted", "order_id": order.pk}),
    ]
    again = seen.send(manager, "answer")
    assert again.status_code == 409
    assert "manager has answered this sheet already" in again.content.decode()
    page = get(manager, address)
    assert f'href="/orders/{order.pk}/"' in page.html
    assert "Waits to be taken over" in page.text
    assert not page.all(type="checkbox")


def test_what_is_handed_over_is_taken_or_refused(
    begun: Round, cast: Any, company: Any, signed_in: Any, now: Any
):
    finance, manager, sheet = signed_in("finance"), signed_in("manager"), sheet_of(cast.finance)
    note(cast.finance, sheet, now, "hand_over", company["f"], to_person=cast.manager)
    get(finance, f"/attestation/{sheet.pk}/answer/").send(finance, "answer")
    assert "1 number handed to you" in get(manager, "/").text
    page = get(manager, "/attestation/")
    [line] = lines(sheet, company["f"])
    assert page.send(manager, "handed", do="take").status_code == 409  # none ticked
    refused = page.send(manager, "handed", do="refuse", line=line)
    assert "Say why you do not take them over." in refused.content.decode()
    assert page.send(manager, "handed", do="take", line=line).url == "/attestation/"
    company["f"].refresh_from_db()
    assert company["f"].owner == cast.manager
    assert "Handed to you" not in get(manager, "/attestation/").text


def test_bad_choices_are_said_and_kept(begun: Round, cast: Any, company: Any, signed_in: Any):
    manager, sheet = signed_in("manager"), sheet_of(cast.manager)
    page, ticked = get(manager, f"/attestation/{sheet.pk}/"), lines(sheet, company["a"])
    evil = "<script>alert(1)</script>"
    for given, said in (
        ({"choice": "hand_over"}, "Choose who takes them over."),
        ({"choice": "hand_over", "to_person": "manager"}, "Choose one of the people listed."),
        ({"choice": "give_back"}, "Say why. The approver reads this."),
        ({"choice": evil}, "Select a valid choice"),
    ):
        answer = page.send(manager, "choose", line=ticked, **given)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert evil not in answer.content.decode()
        assert f'value="{ticked[0]}" data-row' in answer.content.decode()
    assert not sheet.lines.exclude(choice="").exists()


def test_an_administrator_starts_watches_extends_and_closes(
    company: Any, cast: Any, signed_in: Any, sent: Any, now: Any, django_capture_on_commit_callbacks: Any
):
    admin = signed_in("admin")
    page = get(admin, "/attestation/start/")
    assert "2 people get a sheet each, with 5 numbers in all" in page.text
    with django_capture_on_commit_callbacks(execute=True):
        answer = page.send(admin, "start-attestation")
    found = Round.objects.get()
    assert answer.url == f"/attestation/rounds/{found.pk}/"
    assert "It is being prepared" in get(admin, answer.url).text
    assert sent == [("numbersadmin.attestation.tasks.tend", {})]
    tasks.tend()
    record = get(admin, answer.url)
    assert record.all("data-sheet", **{"": "tr"})
    sheet = sheet_of(cast.manager)
    assert get(admin, f"/attestation/{sheet.pk}/").forms.get("choose") is None  # its owner still has time
    page = get(admin, f"/attestation/{sheet.pk}/extend/")
    assert page.send(admin, "extend", due_on="2027-12-01", reason="x").status_code == 422
    assert page.send(admin, "extend", due_on="2026-11-02", reason="Holidays").status_code == 302
    sheet.refresh_from_db()
    assert f"{sheet.due_on}" == "2026-11-02"
    close = get(admin, f"/attestation/rounds/{found.pk}/close/")
    assert "3 sheets are not answered" in close.text
    assert close.send(admin, "close-attestation", reason=" ").status_code == 422
    assert close.send(admin, "close-attestation", reason="Enough").status_code == 302
    assert "Enough" in get(signed_in("finance"), f"/attestation/rounds/{found.pk}/").text
    lines = get_csv(signed_in("approver"), f"/attestation/rounds/{found.pk}/export.csv")
    assert len(lines) == 6
    assert any("447860041112,GB,6.25,EUR,4120 Retail,unanswered,unanswered,,,,,,,," in line for line in lines)


def get_csv(client: Client, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]


def test_sheets_of_others_are_not_there(begun: Round, cast: Any, signed_in: Any):
    mine, others = sheet_of(cast.manager).pk, sheet_of(cast.finance).pk
    manager = signed_in("manager")
    for address in (f"/attestation/{others}/", f"/attestation/{others}/answer/"):
        assert manager.get(address).status_code == 404
    assert manager.post(f"/attestation/{others}/choose/", {"keep_rest": "1"}).status_code == 404
    finance = signed_in("finance")
    assert finance.get(f"/attestation/{mine}/").status_code == 200
    assert finance.post(f"/attestation/{mine}/choose/", {"keep_rest": "1"}).status_code == 403
    assert finance.post(f"/attestation/{mine}/answer/", {"version": "1"}).status_code == 403
    assert not begun.lines.exclude(choice="").exists()


@pytest.mark.parametrize("many", [1, 30])
def test_the_queries_do_not_grow_with_the_numbers(
    cast: Any, own: Any, now: datetime, signed_in: Any, many: int, django_assert_max_num_queries: Any
):
    for index in range(many):
        own(f"4478600420{index:02}", cast.manager)
    services.fill(round_id=services.open_round(actor=cast.admin, now=now).pk, now=now)
    manager = signed_in("manager")
    with django_assert_max_num_queries(25):
        assert manager.get(f"/attestation/{sheet_of(cast.manager).pk}/").status_code == 200
