"""The lines and groups of a month as files: the rows and sums of the screen, unharmed by a spreadsheet."""

import csv
import io
import re
import zipfile
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from numbersadmin import export
from numbersadmin.costs import selectors
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.models import MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.report import GROUPINGS
from numbersadmin.costs.services import post_correction
from numbersadmin.money import Totals, rounded
from numbersadmin.numbers.models import OwnedNumber
from tests.costs.closed import freeze
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def rows(answer):
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = answer.getvalue().decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def sheets(answer):
    """Each sheet as rows of (type, text) cells."""
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as book:
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            tree = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            shared = ["".join(one.itertext()) for one in tree.iter(f"{SHEET}si")]
        names = sorted(name for name in book.namelist() if name.startswith("xl/worksheets/"))
        trees = [ElementTree.fromstring(book.read(name)) for name in names]
    assert not any(list(tree.iter(f"{SHEET}f")) for tree in trees), "a formula"

    def cell(one):
        text, kind = "".join(one.itertext()), one.get("t", "n")
        return (shared[int(text)] if kind == "s" else text) if kind != "n" else Decimal(text)

    return [
        [[cell(one) for one in row.iter(f"{SHEET}c")] for row in tree.iter(f"{SHEET}row")] for tree in trees
    ]


def totals_of(found):
    return dict(
        Totals.of((row["currency"], Decimal(row["amount"]) if row["amount"] else None) for row in found)
    )


def shown(page: str) -> dict[str, Decimal]:
    """The totals at the foot of a page, as they are rounded there."""
    foot = page[page.index("<tfoot") : page.index("</tfoot>")]
    cells = re.findall(r'<span class="money[^>]*>(.*?) <span class="cur">(\w+)</span>', foot)
    return {code: Decimal(text.replace(",", "").replace("\u2212", "-")) for text, code in cells}


@pytest.fixture
def november_corrected(two_months, cast, story):
    """The two months, one number without a price, and a correction about no number."""
    story.found("60444", "2026-09-01 12:00", None)
    OwnedNumber.objects.filter(country="DE").update(labels=["otp", "support"])
    freeze("2026-09", cast.finance, NOW)
    freeze("2026-10", cast.finance, NOW)
    post_correction(
        known=selectors.records(NOW), subject=Subject(None), amount=Decimal("-0.000001"), currency="EUR",
        reason="=cmd|calc", actor=cast.finance, now=NOW, corrects=Month.parse("2026-10"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["", "?cur=EUR", "?cur=unknown", "?country=GB", "?owner=manager&cur=EUR", "?labels=(none)", "?label=otp"],
)
@pytest.mark.parametrize("month", ["2026-10", "2026-11"])
def test_the_file_adds_up_to_the_page_with_the_same_filter(november_corrected, signed_in, month, query):
    client = signed_in("finance")
    page = client.get(f"/costs/{month}/lines/{query}").text
    link = re.search(r'href="(/costs/[\d-]+/lines\.csv[^"]*)"', page)[1].replace("&amp;", "&")
    found = rows(client.get(link))
    assert found
    if any(row["amount"] for row in found):
        assert {code: rounded(total, code) for code, total in totals_of(found).items()} == shown(page)
    assert page.count("<tr data-number=") == len(found)


def test_the_file_has_every_line_of_the_statement_to_the_micro_unit(november_corrected, signed_in):
    month = Month.parse("2026-11")
    exact = Totals.of((e.charge.currency, e.charge.amount) for e in statement(selectors.records(NOW), month))
    found = rows(signed_in("finance").get("/costs/2026-11/lines.csv"))
    assert totals_of(found) == dict(exact) == {"EUR": Decimal("21.999999"), "USD": Decimal("1.5")}
    assert found[0] | {"note": ""} == {
        "month": "2026-11", "number": "447860041117", "country": "GB", "type": "VIRTUAL_LONG_NUMBER",
        "capabilities": "SMS", "labels": "", "owner": "manager", "cost_centre": "", "kind": "recurring",
        "amount": "5", "currency": "EUR", "basis": "listed", "per_month": "5", "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z", "corrects": "", "note": "",
    }  # fmt: skip
    assert [row["amount"] for row in found if row["number"] == "60444"] == [""]
    assert (found[-1]["amount"], found[-1]["corrects"], found[-1]["note"]) == (
        "-0.000001", "2026-10", "'=cmd|calc",
    )  # fmt: skip


def test_the_excel_file_has_numbers_as_text_and_money_as_numbers(november_corrected, signed_in):
    lines, about = sheets(signed_in("finance").get("/costs/2026-11/lines.xlsx?cur=EUR"))
    assert lines[1][1] == "+44 7860 041117"
    assert Decimal("-0.000001") in lines[-1]
    assert "=cmd|calc" in lines[-1]
    assert sum(row[lines[0].index("Amount") - 7] for row in lines[-1:]) == Decimal("-0.000001")
    facts = {row[0]: row[1] for row in about}
    assert facts["State"] == "Open: the figures can still change"
    assert facts["Filter"] == "Currency: EUR"
    october = MonthClose.objects.get(month="2026-10")
    (_, closed) = sheets(signed_in("finance").get("/costs/2026-10/lines.xlsx"))
    assert {row[0]: row[1] for row in closed}["State"] == f"Closed, revision 1, checksum {october.sha256}"


def test_what_one_sheet_does_not_hold_is_on_the_next(two_months, signed_in, monkeypatch):
    monkeypatch.setattr(export, "MOST_XLSX", 2)
    *lines, _ = sheets(signed_in("finance").get("/costs/2026-11/lines.xlsx"))
    assert [len(sheet) for sheet in lines] == [3, 3, 2]


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("month", ["2026-10", "2026-11"])
def test_groups_add_up_to_the_month(november_corrected, signed_in, by, month):
    client = signed_in("finance")
    exact = Totals.of(
        (e.charge.currency, e.charge.amount) for e in statement(selectors.records(NOW), Month.parse(month))
    )
    found = rows(client.get(f"/costs/{month}/groups.csv?by={by}"))
    assert totals_of(found) == dict(exact)
    assert sum(int(row["without_amount"]) for row in found) == 1
    in_sheet = sheets(client.get(f"/costs/{month}/groups.xlsx?by={by}"))[0]
    assert sum(row[3] for row in in_sheet[1:] if len(row) == 5) == sum(exact.values())


def test_groups_are_those_of_the_page(two_months, signed_in):
    client = signed_in("finance")
    page = client.get("/costs/2026-11/?by=country&cur=EUR").text
    found = rows(client.get("/costs/2026-11/groups.csv?by=country"))
    euro = {
        row["country"]: rounded(Decimal(row["amount"]), "EUR") for row in found if row["currency"] == "EUR"
    }
    for country, amount in euro.items():
        row = page[page.index(f'data-group="{country}"') :].partition("</tr>")[0]
        assert f">{amount}<" in row
    assert {row["country"]: row["numbers"] for row in found} == {"FR": "1", "DE": "1", "GB": "1", "US": "1"}


def test_a_group_of_which_no_amount_is_known_has_an_empty_cell(two_months, story, signed_in):
    story.found("4312345678", "2026-09-01 12:00", None, currency="EUR", country="AT")
    client = signed_in("finance")
    (austria,) = [row for row in rows(client.get("/costs/2026-11/groups.csv")) if row["country"] == "AT"]
    assert (austria["numbers"], austria["amount"], austria["without_amount"]) == ("1", "", "1")
    (in_sheet,) = [row for row in sheets(client.get("/costs/2026-11/groups.xlsx"))[0] if row[0] == "Austria"]
    assert in_sheet == ["Austria", "EUR", 1, 1], "the cell of the amount is not there"


def test_an_unknown_grouping_is_the_usual_one(two_months, signed_in):
    assert "country" in rows(signed_in("finance").get("/costs/2026-11/groups.csv?by=x"))[0]


def test_statements_are_read_as_they_are_sent(two_months, django_assert_num_queries):
    entries = statement(selectors.records(NOW), Month.parse("2026-11"))
    with django_assert_num_queries(3):
        assert len(list(entries)) == 5


FILES = ["files/", "lines.csv", "lines.xlsx", "groups.csv", "groups.xlsx", "focus.csv", "pack.zip"]


@pytest.mark.parametrize("file", FILES)
def test_only_those_who_may_export_get_files(two_months, signed_in, file):
    assert signed_in("viewer").get(f"/costs/2026-11/{file}").status_code == 403
    assert signed_in("approver").get(f"/costs/2026-11/{file}").status_code in (200, 302)
    assert signed_in("approver").get(f"/costs/1990-01/{file}").headers["Content-Type"].startswith("text/html")


def test_the_page_of_files_leads_to_all_of_them(november_corrected, signed_in):
    client = signed_in("finance")
    page = client.get("/costs/2026-10/files/").text
    assert "1 charge without an amount is left out" in page
    links = set(re.findall(r'href="(/costs/2026-10/[^"]+)"', page))
    assert len(links) == 2 + 2 * len(GROUPINGS) + 3
    for link in links:
        answer = client.get(link.replace("&amp;", "&"))
        assert (answer.status_code, bool(answer.getvalue())) == (200, True)
    assert "pack.zip" not in client.get("/costs/2026-11/files/").text
