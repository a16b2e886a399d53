"""The audit log page: filters, own events only for some, older pages, and its exports."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction

from numbersadmin.audit import selectors
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import record
from numbersadmin.orders.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def events(cast, now):
    """Two people, three days, a number and an order."""
    order = Order(pk=1037, kind="purchase", requester=cast.manager, created_at=now, expires_at=now)
    record(
        actor=cast.manager,
        verb="order.submitted",
        subject=order,
        at=now - timedelta(days=2),
        number="447860041117",
        reason="<b>bold</b>",
        after={"state": "pending"},
    )
    record(
        actor=cast.approver,
        verb="order.approved",
        subject=order,
        at=now - timedelta(days=1),
        before={"state": "pending"},
        after={"state": "approved"},
    )
    record(
        actor=None,
        verb="user.changed",
        subject=cast.viewer,
        at=now,
        before={"theme": "auto"},
        after={"theme": "dark"},
    )


def verbs(page) -> list[str]:
    return [part.partition('"')[0] for part in page.text.split('data-verb="')[1:]]


def test_it_shows_who_what_when_before_and_after(events, signed_in):
    page = signed_in("admin").get("/audit/")
    assert verbs(page) == ["user.changed", "order.approved", "order.submitted"]
    assert "&lt;b&gt;bold&lt;/b&gt;" in page.text
    assert "+44 7860 041117".replace(" ", "\u00a0") in page.text
    assert "Tuesday 13 October 2026" in page.text
    assert "auto" in page.text
    assert "dark" in page.text
    assert 'href="/orders/1037/"' in page.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("who=manager", ["order.submitted"]),
        ("who=numbersadmin", ["user.changed"]),
        ("what=order", ["order.approved", "order.submitted"]),
        ("q=%2B44 7860 041117", ["order.submitted"]),
        ("q=0044786", ["order.submitted"]),
        ("q=order 1037", ["order.approved", "order.submitted"]),
        ("q=1037", ["order.approved", "order.submitted"]),
        ("since=2026-10-12&until=2026-10-12", ["order.approved"]),
        ("since=2026-10-14", []),
        ("before=nonsense", ["user.changed", "order.approved", "order.submitted"]),
    ],
)
def test_filters(events, signed_in, query, found):
    assert verbs(signed_in("finance").get(f"/audit/?{query}")) == found


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("query", ["1037", "1037&hide_syncs=on", "order 1037", "10"])
def test_a_text_finds_orders_and_numbers_in_one_row_of_time(
    events, cast, signed_in, now, monkeypatch, few, query
):
    monkeypatch.setattr(selectors, "FEW", few)  # many are found on the way back in time, few by their number
    for minute, number in enumerate(["10379", "99910370", "1036", "10370"]):
        at = now - timedelta(days=1, minutes=-minute)
        record(actor=None, verb=f"number.{number}", subject=cast.viewer, at=at, number=number)
    by_number = [] if "order" in query else ["number.10370", "number.1036", "number.10379"]
    if query != "10":
        by_number = [one for one in by_number if one != "number.1036"]
    by_order = [] if query == "10" else ["order.approved", "order.submitted"]
    assert verbs(signed_in("finance").get(f"/audit/?q={query}")) == by_number + by_order


@pytest.mark.parametrize(
    "query", ["since=tomorrow", "what=x", "who=nobody", "since=2026-10-13&until=2026-10-01", "q=" + "1" * 99]
)
def test_a_wrong_filter_is_told(events, signed_in, query):
    page = signed_in("finance").get(f"/audit/?{query}")
    assert page.status_code == 422
    assert "These filters cannot be used" in page.text


@pytest.mark.parametrize(("name", "seen"), [("manager", ["order.submitted"]), ("viewer", [])])
def test_some_see_only_what_they_did(events, signed_in, name, seen):
    client = signed_in(name)
    assert verbs(client.get("/audit/")) == seen
    assert client.get("/audit/?who=approver").status_code == 422
    assert client.get("/audit/export.csv").status_code == 403


def test_older_pages_hold_the_rest(signed_in, cast, now):
    for minute in range(120):
        record(
            actor=cast.admin, verb="user.greeted", subject=cast.admin, at=now + timedelta(minutes=minute // 2)
        )
    client, url, seen = signed_in("admin"), "/audit/", []
    for _ in range(3):
        page = client.get(url)
        seen += [int(part.partition('"')[0]) for part in page.text.split('data-event="')[1:]]
        url = "/audit/" + page.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == list(AuditEvent.objects.order_by("-at", "-id").values_list("pk", flat=True))


def test_the_fragment_stands_in_the_page(events, signed_in):
    client = signed_in("admin")
    fragment = client.get("/audit/?what=order", headers={"HX-Request": "true"})
    assert "<html" not in fragment.text
    assert fragment.text.strip() in client.get("/audit/?what=order").text
    assert "HX-Request" in fragment.headers["Vary"]


def test_the_number_of_queries_is_fixed(events, signed_in, cast, now, django_assert_max_num_queries):
    client = signed_in("admin")
    client.get("/audit/")
    with django_assert_max_num_queries(13) as few:
        client.get("/audit/")
    for _ in range(40):
        record(actor=cast.admin, verb="user.greeted", subject=cast.admin, at=now)
    with django_assert_max_num_queries(len(few)):
        client.get("/audit/")


def test_the_csv_has_the_same_events(events, signed_in):
    response = signed_in("approver").get("/audit/export.csv?what=order")
    text = b"".join(response.streaming_content).decode("utf-8")
    assert text.startswith("\ufeffat,actor,verb,subject,before,after,reason,request_id\r\n")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["verb"] for row in rows] == ["order.approved", "order.submitted"]
    assert json.loads(rows[0]["before"]) == {"state": "pending"}


def test_the_command_exports_everything_oldest_first(events):
    out = io.StringIO()
    call_command("export_audit", "--format", "json", stdout=out)
    rows = json.loads(out.getvalue())
    assert [row["verb"] for row in rows] == ["order.submitted", "order.approved", "user.changed"]
    assert rows[0] == {
        "at": "2026-10-11T09:00:00Z",
        "actor": "manager",
        "verb": "order.submitted",
        "subject": "order 1037",
        "before": None,
        "after": {"state": "pending"},
        "reason": "<b>bold</b>",
        "request_id": "",
    }


def test_an_event_goes_with_its_change_or_not_at_all(cast, now):
    class Undone(Exception):
        pass

    with pytest.raises(Undone), transaction.atomic():  # noqa: PT012
        record(actor=None, verb="user.greeted", subject=cast.viewer, at=now)
        raise Undone
    assert not AuditEvent.objects.exists()
