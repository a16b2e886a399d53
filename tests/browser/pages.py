"""Every page of the product, with what the demo has on it: addresses by name."""

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from playwright.sync_api import Page

APPEARED = "/sync/drift/?kind=appeared"
ORDER = re.compile(r"/orders/(\d+)/")


def first(page: Page, address: str, selector: str, attribute: str) -> str:
    """An attribute of the first element that fits on a page."""
    page.goto(address)
    return page.locator(selector).first.get_attribute(attribute) or ""


def addresses(page: Page) -> dict[str, str]:
    """Name -> address of every page that a person who may order sees; `page` belongs to a manager."""
    number = first(page, an_older_order(page), "[data-item][data-id]", "data-id")
    ended = first(page, "/numbers/?state=ended", "tr[data-id]", "data-id")
    offers = page_offers(page)
    states = {name: f"/orders/?state={name}" for name in ("open", "mine", "bought", "rejected")}
    return {
        "overview": "/",
        "available": "/available/?country=GB&digits=44&match=starts",
        "available-nothing": "/available/?country=GB&digits=123456789",
        "order-new": f"/orders/new/?{offers}",
        **{f"orders-{name}": address for name, address in states.items()},
        **orders(page),
        "order-first": "/available/order/?country=SE&count=5",
        "policies": "/policies/",
        "budgets": "/policies/budgets/",
        "numbers": "/numbers/",
        "numbers-nothing": "/numbers/?q=000000000",
        "numbers-change": "/numbers/change/?what=labels&all=1",
        "numbers-changes": "/numbers/changes/",
        "numbers-import": "/numbers/import/",
        "number": f"/numbers/{number}/",
        "number-ended": f"/numbers/{ended}/",
        "number-edit": f"/numbers/{number}/edit/",
        "number-cancel": f"/numbers/{number}/cancel/",
        **costs(page, number),
        "attestation": "/attestation/",
        **attestation(page),
        "audit": "/audit/",
        "sync": "/sync/",
        "sync-run": f"/sync/{sync_run(page)}/",
        "sync-drift": APPEARED,
        "sync-adopt": first(page, APPEARED, "a[href*='/adopt/']", "href"),
        "me": "/me/",
        "sandbox": "/sandbox/",
        "number-as-of": f"/numbers/{number}/?as_of=2026-10-01",
        "asked-for": "/available/asked/",
        "go": "/go/?q=4",
        "go-list": "/go/list/",
    }


def attestation(page: Page) -> dict[str, str]:
    """The person's own sheet, and what answering it does."""
    sheet = f"/attestation/{first(page, '/attestation/', 'li[data-sheet]', 'data-sheet')}/"
    return {"attestation-sheet": sheet, "attestation-answer": f"{sheet}answer/"}


def costs(page: Page, number: str) -> dict[str, str]:
    """The pages of costs that everybody sees."""
    month = datetime.now(UTC).strftime("%Y-%m")
    return {
        "costs": f"/costs/{month}/",
        "costs-owner": f"/costs/{month}/?by=owner",
        "costs-lines": f"/costs/{month}/lines/",
        "costs-number": f"/costs/numbers/{number}/",
        "costs-no-month": "/costs/1999-01/",
        "costs-bridge": f"/costs/{month}/bridge/?cur=EUR",
        "costs-forecast": f"/costs/{month}/forecast/",
        "costs-report": f"/costs/{month}/report/",
        "costs-corrections": "/costs/corrections/",
        "costs-closed": f"/costs/{a_closed_month(page)}/closed/",
        "rates": "/costs/rates/",
        "invoices": "/invoices/",
    }


def a_closed_month(page: Page) -> str:
    """The newest month that is closed: all but the last two are, in the demo."""
    return first(page, "/costs/", "#picked option:nth-child(3)", "value")


def of_finance(page: Page) -> dict[str, str]:
    """Name -> address of the pages of costs and invoices that only finance sees; `page` belongs to finance.

    An invoice is uploaded, so that there is one in each state: with its columns to be chosen, and compared.
    """
    month, before = (first(page, "/costs/", f"#picked option:nth-child({at})", "value") for at in (1, 2))
    closed = a_closed_month(page)
    number = first(page, f"/costs/{before}/lines/?cur=EUR", "tr[data-number]", "data-number")
    draft, compared = (an_invoice(page, before, number, compare) for compare in (False, True))
    line = first(page, f"{compared}?show=only_ledger", "tr[data-id]", "data-id")
    return {
        "budget-new": "/policies/budgets/new/",
        "costs-note-add": f"/costs/{month}/notes/add/",
        "costs-files": f"/costs/{month}/files/",
        "costs-close": f"/costs/{before}/close/",
        "costs-reopen": f"/costs/{closed}/reopen/",
        "costs-unpriced": f"/costs/{before}/unpriced/",
        "costs-correct": "/costs/corrections/new/",
        "rate-set": "/costs/rates/set/",
        "invoice-upload": "/invoices/upload/",
        "invoice-columns": f"{draft}columns/",
        "invoice-discard": f"{draft}discard/",
        "invoice": compared,
        "invoice-ignored": f"{compared}?show=ignored",
        "invoice-line": f"{compared}lines/{line}/",
        "invoice-post": f"{compared}lines/{line}/post/",
        "invoice-post-all": f"{compared}post/",
        "invoice-ignore": f"{compared}rows/2/ignore/",
    }


def an_invoice(page: Page, month: str, number: str, compare: bool) -> str:
    """Upload a small invoice of a month; its address. The same file is taken once, so each has a row of its own."""
    content = f"Number,Amount\n{number},999.99\n,{1 + compare}.00\n{number},x\n".encode()
    page.goto("/invoices/upload/")
    file = {"name": "invoice.csv", "mimeType": "text/csv", "buffer": content}
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_label("Invoice number").fill(f"INV {month}/{1 + compare}")
    page.get_by_label("Month that it bills").select_option(month)
    page.get_by_label("Currency").fill("EUR")
    page.get_by_role("button", name="Upload invoice").click()
    if compare:
        page.get_by_label("Point, 1234.50").check()
        page.get_by_role("button", name="Show what is read").click()
        page.get_by_role("button", name="Compare with").click()
    page.wait_for_load_state()
    return re.sub(r"columns/$", "", urlsplit(page.url).path)


def an_older_order(page: Page) -> str:
    """An order whose numbers have had time for a history."""
    page.goto("/orders/?state=bought")
    rows = page.locator("tr[data-order]:not(:has-text('cancellation'))")
    return f"/orders/{rows.nth(15).get_attribute('data-order')}/"


def page_offers(page: Page) -> str:
    """The query of an order page with two numbers."""
    page.goto("/available/?country=SE")
    boxes = page.locator('input[name="offer"]:enabled')
    return "&".join(f"offer={boxes.nth(at).get_attribute('value')}" for at in range(2))


def orders(page: Page) -> dict[str, str]:
    """One order of each ending that the demo has."""
    found: dict[str, str] = {}
    for name, words in (("waits", "open"), ("bought", "bought"), ("rejected", "rejected")):
        page.goto(f"/orders/?state={words}")
        number = page.locator("[data-order]").first.get_attribute("data-order")
        found[f"order-{name}"] = f"/orders/{number}/"
    page.goto("/orders/?state=open")
    for row in page.locator("tr[data-order]").all():
        if "cancellation" in (row.text_content() or ""):
            found["order-cancels"] = f"/orders/{row.get_attribute('data-order')}/"
        if "+ 2" in (row.text_content() or ""):
            found["order-of-three"] = f"/orders/{row.get_attribute('data-order')}/"
    return found


def sync_run(page: Page) -> str:
    """A run that found something."""
    page.goto("/sync/")
    link = page.locator('main a[href^="/sync/"]').first.get_attribute("href") or ""
    return link.strip("/").rpartition("/")[2]
