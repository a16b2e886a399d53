"""A month of finance in the browser: review, explain, reconcile, close, correct, export."""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from playwright.sync_api import Page, expect

EXTRA, NEVER_OURS = Decimal("1.00"), "447700900999"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def read(page: Page, address: str) -> bytes:
    """A file that a link on the page leads to."""
    answer = page.request.get(address)
    assert answer.ok, (address, answer.status)
    return answer.body()


def total(page: Page, month: str) -> Decimal:
    """What the month's page shows in EUR."""
    page.goto(f"/costs/{month}/?cur=EUR")
    return Decimal(page.locator("#cur-EUR b").inner_text().split()[0].replace(",", ""))


def invoice_of(lines: list[dict[str, str]]) -> tuple[bytes, str, str]:
    """What the provider bills: one number too dear, one left out, one that was never ours; and the first two."""
    owed: Counter[str] = Counter()
    for line in lines:
        owed[line["number"]] += Decimal(line["amount"])
    dearer, left_out, *_ = owed
    owed[dearer] += EXTRA
    owed[NEVER_OURS] = Decimal("9.99")
    del owed[left_out]
    text = "Number,Amount\n" + "".join(f"{number},{amount}\n" for number, amount in owed.items())
    return text.encode(), dearer, left_out


def upload(page: Page, content: bytes, month: str) -> None:
    """Upload an invoice in EUR and say which column is what."""
    page.goto("/invoices/upload/")
    page.get_by_label("CSV file").set_input_files(
        {"name": "invoice.csv", "mimeType": "text/csv", "buffer": content}
    )
    page.get_by_label("Invoice number").fill(f"INV {month}")
    page.get_by_label("Month that it bills").select_option(month)
    page.get_by_label("Currency").fill("EUR")
    page.get_by_role("button", name="Upload invoice").click()
    page.get_by_label("Point, 1234.50").check()
    page.get_by_role("button", name="Show what is read").click()
    page.get_by_role("button", name="Compare with").click()
    expect(page.get_by_role("heading", name=f"Invoice INV {month}")).to_be_visible()


def test_finance_reviews_explains_reconciles_closes_corrects_and_exports(visit: Callable):
    page = visit("finance").page
    page.goto("/costs/")
    month = page.locator("#picked option").nth(1).get_attribute("value") or ""
    name = page.locator("#picked option").nth(1).inner_text()

    reviewed = total(page, month)
    expect(page.get_by_text("Not closed yet")).to_be_visible()

    page.get_by_text("Show as a table").first.click()
    page.locator('tr[data-part="new"] a').click()
    page.locator("tr[data-number] a").first.click()
    expect(page.get_by_role("heading", name="Facts")).to_be_visible()

    lines = rows(read(page, f"/costs/{month}/lines.csv?cur=EUR").decode())
    content, dearer, left_out = invoice_of(lines)
    upload(page, content, month)
    expect(page.get_by_text("1 number billed that was never ours")).to_be_visible()
    for status, number in (("different", dearer), ("only_ledger", left_out), ("only_invoice", NEVER_OURS)):
        page.get_by_role("navigation", name="Lines of the invoice").locator(f'a[href*="{status}"]').click()
        expect(page.locator("tr[data-status]")).to_have_count(1)
        expect(page.locator(f'tr[data-status="{status}"][data-number="{number}"]')).to_be_visible()
    page.goto(page.url.replace("only_invoice", "different"))
    page.locator('tr[data-status="different"]').get_by_role("link", name="Post").click()
    page.get_by_role("button", name="Post difference").click()
    assert total(page, month) == reviewed + EXTRA

    page.get_by_role("link", name="Close", exact=False).first.click()
    page.get_by_role("button", name=f"Close {name}").click()
    page.goto(f"/costs/{month}/?cur=EUR")
    expect(page.get_by_text("Closed by finance")).to_be_visible()

    page.goto("/costs/corrections/")
    page.get_by_role("link", name="Enter a correction").click()
    page.get_by_label("Month it is about").select_option(month)
    page.get_by_label("Amount").fill("-2.50")
    page.get_by_label("Currency").fill("EUR")
    page.get_by_label("Reason").fill("Credit note for the number left out")
    page.get_by_role("button", name="Post correction").click()
    assert total(page, month) == reviewed + EXTRA  # as closed: what is closed stays
    expect(page.get_by_text("as corrected")).to_be_visible()

    focus = rows(read(page, f"/costs/{month}/focus.csv").decode())
    billed = sum((Decimal(row["BilledCost"]) for row in focus if row["BillingCurrency"] == "EUR"), Decimal(0))
    assert round(billed, 2) == reviewed + EXTRA
    with zipfile.ZipFile(io.BytesIO(read(page, f"/costs/{month}/pack.zip"))) as pack:
        assert pack.testzip() is None
        assert "report.html" in pack.namelist()
