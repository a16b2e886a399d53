"""`export_orders`: every order with its items, as JSON and as a table."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.orders import services
from numbersadmin.orders.quotes import Offer
from tests.orders.desk import KEY, NUMBER, OFFER, SECOND, Desk

pytestmark = pytest.mark.django_db


def exported(form: str) -> str:
    out = StringIO()
    call_command("export_orders", "--format", form, stdout=out)
    return out.getvalue()


def test_json_holds_orders_with_their_items(desk: Desk, sandbox: Any):
    item = desk.carry_out(desk.approved())
    waiting = desk.order(Offer("RU", SECOND), reason="=1+1")
    first, second = json.loads(exported("json"))
    assert first == {
        "order": item.order_id,
        "kind": "purchase",
        "requester": "manager",
        "approvers": ["approver"],
        "reason": "Order confirmations",
        "created_at": "2026-10-13T09:00:00Z",
        "items": [
            {
                "number": NUMBER,
                "number_key": KEY,
                "state": "done",
                "approved_price_per_month": "15",
                "approved_setup_price": "0",
                "currency": "EUR",
                "attempts": 1,
                "updated_at": "2026-10-13T09:00:00Z",
            }
        ],
    }
    assert (second["order"], second["approvers"]) == (waiting.pk, [])
    [row] = second["items"]
    assert (row["state"], row["approved_price_per_month"], row["attempts"]) == ("pending", None, 0)


def test_a_table_has_a_line_for_each_item(desk: Desk):
    order = desk.order(OFFER, Offer("RU", SECOND), reason="=1+1")
    desk.approve(order)
    rows = list(csv.DictReader(StringIO(exported("csv").removeprefix("\ufeff"))))
    assert [(row["order"], row["number"], row["state"]) for row in rows] == [
        (str(order.pk), NUMBER, "approved"),
        (str(order.pk), SECOND, "approved"),
    ]
    assert (rows[0]["approvers"], rows[0]["reason"]) == ("approver", "'=1+1")
    assert list(rows[0]) == [
        "order",
        "kind",
        "requester",
        "approvers",
        "reason",
        "created_at",
        "number",
        "number_key",
        "state",
        "approved_price_per_month",
        "approved_setup_price",
        "currency",
        "attempts",
        "updated_at",
    ]


def test_who_rejected_is_no_approver(desk: Desk):
    order = desk.order()
    services.reject(actor=desk.cast.approver, order=order, comment="no", now=desk.clock())
    assert json.loads(exported("json"))[0]["approvers"] == []


def test_no_orders_are_an_empty_list(db: None):
    assert json.loads(exported("json")) == []


def test_the_number_of_queries_does_not_grow(desk: Desk):
    desk.order()
    with CaptureQueriesContext(
        connection,
    ) as one:
        exported("json")
    desk.order(Offer("RU", SECOND))
    with CaptureQueriesContext(connection) as two:
        exported("json")
    assert len(one) == len(two)
