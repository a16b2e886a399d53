"""The pages of invoices: from a file to a posted difference in a browser without script."""

import csv
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from numbersadmin.costs.models import LedgerLine, Origin
from numbersadmin.invoices.models import Invoice, MappingPreset, State
from tests.invoices.conftest import AGREES, HEADINGS, close

COLUMNS = {"number": "0", "amount": "1", "decimal": ".", "setup_words": "setup"}
DIFFERS = f"{AGREES.replace('79029555551;15', '79029555551;16')};41.9;Total\n491511111111;7;x\n"


def send(browser: Any, text: str, **more: Any) -> Any:
    file = SimpleUploadedFile("october.csv", text.encode())
    facts = {"file": file, "reference": "INV-7", "month": "2026-10", "currency": "eur", "encoding": "auto"}
    return browser.post("/invoices/upload/", facts | more)


@pytest.fixture
def finance(two_months, november, signed_in):
    return signed_in("finance")


@pytest.fixture
def invoice(finance, compared):
    return compared(DIFFERS)


def test_from_a_file_to_a_comparison(finance):
    answer = send(finance, DIFFERS)
    invoice = Invoice.objects.get()
    assert answer.headers["Location"] == f"/invoices/{invoice.pk}/columns/"
    page = finance.get(answer.headers["Location"]).text
    assert "Choose a column" in page
    assert "What is read" not in page, "nothing is read before a sign was chosen"
    shown = finance.post(answer.headers["Location"], COLUMNS).text
    assert "4 rows used, 1 ignored" in shown
    assert "No: a total" in shown
    assert Invoice.objects.get().state == State.DRAFT
    done = finance.post(answer.headers["Location"], COLUMNS | {"compare": "1", "save_as": "Monthly file"})
    assert done.headers["Location"] == f"/invoices/{invoice.pk}/"
    assert MappingPreset.objects.get().name == "Monthly file"
    page = finance.get(done.headers["Location"]).text
    assert "Only on the invoice" in page
    assert "1 number billed that was never ours" in page
    assert "Differences together" in page
    assert re.search(r'<a[^>]* href="/costs/"[^>]* aria-current="page"', page)


def test_a_saved_choice_is_offered_with_what_it_reads(finance):
    send(finance, DIFFERS)
    where = f"/invoices/{Invoice.objects.get().pk}/columns/"
    finance.post(where, COLUMNS | {"compare": "1", "save_as": "Monthly file"})
    send(finance, AGREES, reference="INV-8")
    page = finance.get(f"/invoices/{Invoice.objects.get(reference='INV-8').pk}/columns/").text
    assert "Filled in from “Monthly file”" in page
    assert "3 rows used, 0 ignored" in page


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"decimal": ""}, "Say how amounts are written"),
        ({"amount": "0"}, "cannot be in the same column"),
        ({"decimal": ".", "thousands": "."}, "This is the decimal sign"),
        ({"date": "2"}, "in which order dates are written"),
        ({"amount": "9"}, "not one of the available choices"),
    ],
)
def test_a_choice_that_cannot_be_is_told_and_compares_nothing(finance, sent, told):
    send(finance, DIFFERS)
    answer = finance.post(f"/invoices/{Invoice.objects.get().pk}/columns/", COLUMNS | {"compare": "1"} | sent)
    assert answer.status_code == 422
    assert told in answer.text
    assert Invoice.objects.get().state == State.DRAFT


def test_without_a_currency_a_column_has_to_name_it(finance):
    send(finance, DIFFERS, currency="")
    answer = finance.post(f"/invoices/{Invoice.objects.get().pk}/columns/", COLUMNS)
    assert "a column has to name it" in answer.text


def test_the_same_file_again_leads_to_the_first(finance):
    send(finance, AGREES)
    answer = send(finance, AGREES, reference="INV-8")
    assert answer.status_code == 422
    assert "uploaded already by finance, as INV-7" in answer.text
    assert f'href="/invoices/{Invoice.objects.get().pk}/"' in answer.text


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"reference": " "}, "number that stands on the invoice"),
        ({"currency": "€"}, "A currency is three letters"),
        ({"month": "2031-01"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_with_an_upload_is_told(finance, sent, told):
    answer = send(finance, AGREES, **sent)
    assert answer.status_code == 422
    assert told in answer.text
    assert not Invoice.objects.exists()


def test_a_file_that_cannot_be_read_is_told(finance):
    answer = send(finance, "")
    assert answer.status_code == 422
    assert "The file is empty" in answer.text


TABS = ["different", "only_invoice", "only_ledger", "ambiguous", "matched", "settled", "ignored", "nonsense"]


@pytest.mark.parametrize("show", TABS)
def test_each_tab_is_a_page(finance, invoice, show):
    answer = finance.get(f"/invoices/{invoice.pk}/?show={show}")
    assert answer.status_code == 200
    shown = {"different": "79029555551", "only_invoice": "491511111111", "matched": "447860041117"}
    if show in shown:
        assert f'data-number="{shown[show]}" ' in answer.text
    if show == "ignored":
        assert 'data-ignored="total"' in answer.text


def test_a_difference_is_confirmed_then_posted(finance, invoice, cast):
    close(cast, "2026-09")
    line = invoice.lines.get(number="79029555551")
    assert "Post difference" in finance.get(f"/invoices/{invoice.pk}/lines/{line.pk}/").text
    where = f"/invoices/{invoice.pk}/lines/{line.pk}/post/"
    assert "October 2026, the earliest month that is not closed" in finance.get(where).text
    assert not LedgerLine.objects.filter(origin=Origin.INVOICE).exists()
    assert finance.post(where).headers["Location"] == f"/invoices/{invoice.pk}/"
    assert finance.post(where).status_code == 422
    assert LedgerLine.objects.filter(origin=Origin.INVOICE).count() == 1
    assert "Posted from this invoice so far: 1.00" in finance.get(f"/invoices/{invoice.pk}/").text


def test_all_are_posted_as_they_were_seen(finance, invoice, cast):
    close(cast, "2026-09")
    where = f"/invoices/{invoice.pk}/post/"
    assert f'name="seen" value="{invoice.comparison}"' in finance.get(where).text
    finance.post(f"/invoices/{invoice.pk}/compare/")
    assert "meanwhile" in finance.post(where, {"seen": invoice.comparison}).text
    assert not LedgerLine.objects.filter(origin=Origin.INVOICE).exists()
    finance.post(where, {"seen": invoice.comparison + 1})
    assert LedgerLine.objects.filter(origin=Origin.INVOICE).count() == 2


def test_a_row_is_ignored_for_a_reason(finance, invoice):
    where = f"/invoices/{invoice.pk}/rows/3/ignore/"
    assert "79029555551" in finance.get(where).text
    assert "Say why" in finance.post(where, {"reason": ""}).text
    assert finance.post(where, {"reason": "Another account"}).status_code == 302
    assert "Another account" in finance.get(f"/invoices/{invoice.pk}/?show=ignored").text


def test_an_invoice_is_discarded_for_a_reason(finance, invoice):
    assert finance.post(f"/invoices/{invoice.pk}/discard/", {"reason": ""}).status_code == 422
    assert finance.post(f"/invoices/{invoice.pk}/discard/", {"reason": "Wrong month"}).status_code == 302
    assert not Invoice.objects.exists()


def test_the_result_is_a_file_that_no_spreadsheet_runs(finance, compared):
    invoice = compared(f"{HEADINGS}79029555551;16;RU\n@cmd;;+danger\n4915112345678;+x(1);y\n")
    answer = finance.get(f"/invoices/{invoice.pk}/result.csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    different = next(row for row in rows if row["status"] == "different")
    assert (different["invoice"], different["ours"], different["difference"]) == ("16", "15", "1")
    assert {row["row"] for row in rows if row["status"] == "ignored"} == {"3", "4"}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_viewers_see_it_and_change_nothing(invoice, signed_in):
    viewer = signed_in("viewer")
    page = viewer.get(f"/invoices/{invoice.pk}/").text
    assert "79029555551" in page
    assert "Post…" not in page
    assert "Compare again" not in page
    Invoice.objects.update(state=State.DRAFT, comparison=0)
    assert "Not compared yet" in viewer.get(f"/invoices/{invoice.pk}/").text


def test_a_number_that_is_billed_waits_among_the_differences(finance, invoice):
    page = finance.get("/sync/drift/?kind=billed").text
    assert "On invoice INV-7. No sync has ever shown it." in page
    assert "billed for October 2026" in page
    token = page.partition('name="id" value="')[2].partition('"')[0]
    assert "Accept: +49" in finance.get(f"/sync/drift/accept/?id={token}").text
    assert finance.post("/sync/drift/accept/?kind=billed", {"id": token, "note": "asked"}).status_code == 302
    assert "No sync has ever shown it" not in finance.get("/sync/drift/?kind=billed").text


PATHS = ["", "lines/1/", "lines/1/post/", "post/", "columns/", "rows/1/ignore/", "result.csv"]


@pytest.mark.parametrize("path", PATHS)
def test_what_there_is_not_is_404(finance, path):
    assert finance.get(f"/invoices/987654/{path}").status_code == 404
