"""The list as files: the same rows and order as on the screen, unharmed by a spreadsheet."""

import csv
import io
import re
import zipfile
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from numbersadmin.numbers import export_list
from numbersadmin.numbers.models import OwnedNumber

pytestmark = pytest.mark.django_db
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def three(own, cast):
    cast.manager.full_name = "Ana Kovač"
    cast.manager.save()
    return [
        own(
            "447860041117",
            owner=cast.manager,
            cost_centre="=1+1",
            labels=["a;b", "otp"],
            per_month="5.123456",
        ),
        own("4930226104", country="DE", capabilities=("SMS", "VOICE"), per_month="1500", currency="JPY"),
        own("60444", per_month=None, setup=None, initial=None, currency="", cost_centre="-5"),
    ]


def rows(answer):
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def cells(answer, sheet=1):
    """Each cell of a sheet: its type (s text, n number) and its value, row by row."""
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as book:
        tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
        shared = ["".join(one.itertext()) for one in _shared(book)]
    assert not list(tree.iter(f"{SHEET}f")), "a formula"
    return tree, [[_cell(cell, shared) for cell in row.iter(f"{SHEET}c")] for row in tree.iter(f"{SHEET}row")]


def _shared(book):
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    return list(ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{SHEET}si"))


def _cell(cell, shared):
    text = "".join(cell.itertext())
    kind = cell.get("t", "n")
    return (shared[int(text)] if kind == "s" else text) if kind != "n" else float(text)


def test_csv_is_phone_safe_and_formula_safe(signed_in, three):
    found = rows(signed_in("viewer").get("/numbers/export.csv"))
    assert [row["number"] for row in found] == ["447860041117", "4930226104", "60444"]
    assert found[0] == {
        "number": "447860041117", "country": "GB", "capabilities": "SMS", "labels": '"a;b";otp', "owner": "manager",
        "owner_name": "Ana Kovač", "cost_centre": "'=1+1", "since": "13 Oct 2026", "state": "Active",
        "price_per_month": "5.123456", "currency": "EUR",
    }  # fmt: skip
    assert (found[2]["price_per_month"], found[2]["currency"], found[2]["cost_centre"]) == ("", "", "-5")


def test_it_has_the_rows_order_and_columns_of_the_screen(signed_in, three):
    client = signed_in("viewer")
    page = client.get("/numbers/?sort=-number").content.decode()
    link = re.search(r'href="(/numbers/export\.csv\?[^"]*)"', page)[1].replace("&amp;", "&")
    assert [row["number"] for row in rows(client.get(link))] == ["60444", "4930226104", "447860041117"]
    found = rows(client.get("/numbers/export.csv?country=DE&columns=number,price"))
    assert found == [{"number": "4930226104", "price_per_month": "1500", "currency": "JPY"}]


def test_it_has_the_ticked_ones_or_all_of_the_filter(signed_in, three):
    client = signed_in("viewer")
    ticked = f"/numbers/export.csv?filter=sort%3D-number&id={three[0].pk}&id={three[1].pk}"
    assert [row["number"] for row in rows(client.get(ticked))] == ["4930226104", "447860041117"]
    everything = f"/numbers/export.csv?filter=country%3DGB&id={three[0].pk}&all=1"
    assert [row["number"] for row in rows(client.get(everything))] == ["447860041117", "60444"]


def test_xlsx_has_numbers_as_text_and_money_as_numbers(signed_in, three):
    tree, found = cells(signed_in("viewer").get("/numbers/export.xlsx?sort=number"))
    head, first, second, third = found
    assert head[0] == "Number"
    assert first[0] == "+44 7860 041117"
    assert "=1+1" in first  # as text: no cell is a formula
    assert 5.123456 in first
    assert second[-2:] == [1500.0, "JPY"]
    assert "EUR" not in third
    assert tree.find(f".//{SHEET}pane").get("state") == "frozen"


def test_xlsx_says_what_it_is(signed_in, three):
    _, found = cells(signed_in("viewer").get("/numbers/export.xlsx?country=GB&q=604"), sheet=2)
    facts = {row[0]: row[1] for row in found}
    assert facts["Filter"] == "Number or label: 604; Country: United Kingdom; State: Ours now"
    assert facts["Numbers"] == "1"
    assert facts["By"] == "viewer"
    assert facts["Age of the data"] == "Never synced"


def test_more_than_a_sheet_holds_is_said(signed_in, three, monkeypatch):
    monkeypatch.setattr(export_list, "MOST_XLSX", 2)
    answer = signed_in("viewer").get("/numbers/export.xlsx")
    assert answer.status_code == 422
    assert "An Excel sheet holds 2 numbers" in answer.content.decode()
    assert cells(signed_in("viewer").get("/numbers/export.xlsx?country=GB"))[1]


def test_it_is_read_as_it_is_sent(three, django_assert_num_queries):
    lines = export_list.csv_lines(OwnedNumber.objects.order_by("pk"), zone=timezone.get_current_timezone())
    with django_assert_num_queries(0):
        next(lines)  # the headings
    with django_assert_num_queries(1):
        assert len(list(lines)) == 3


def test_strangers_get_nothing(client, three):
    for form in ("csv", "xlsx"):
        assert client.get(f"/numbers/export.{form}").status_code == 302
