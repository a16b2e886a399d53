"""The pages of closing, corrections and reopening: what they show, and what their buttons do."""

import json
import re
from html import unescape

import pytest

from numbersadmin.costs import closing
from numbersadmin.costs.models import LedgerLine, MonthClose, ReopenAsk, Waiver
from numbersadmin.costs.months import Month
from numbersadmin.costs.selectors import records
from tests.costs.conftest import at
from tests.costs.test_month_page import text_of

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
SEPTEMBER = Month.parse("2026-09")


def hidden(page, name: str) -> str:
    """The value of a hidden field of a page's form."""
    return unescape(re.search(rf'name="{name}" value="([^"]*)"', page.text)[1])


def close(browser, month: str):
    page = browser.get(f"/costs/{month}/close/")
    return browser.post(f"/costs/{month}/close/", {"shown": hidden(page, "shown")})


# Closing ----------------------------------------------------------------------------------------------------------


def test_the_page_that_closes_shows_checklist_and_figures(two_months, signed_in):
    browser = signed_in("finance")
    text = text_of(browser.get("/costs/2026-09/close/"))
    assert "Every earlier month is closed." in text
    assert "Total in EUR 23.00 EUR" in text
    assert "Charges and corrections 3" in text
    blocked = browser.get("/costs/2026-10/close/")
    assert 'href="/costs/2026-09/close/">Close September' in blocked.text
    assert 'disabled aria-describedby="off"' in blocked.text


def test_closing_from_the_page(two_months, signed_in):
    browser = signed_in("finance")
    assert close(browser, "2026-09").headers["Location"] == "/costs/2026-09/closed/"
    page = browser.get("/costs/2026-09/closed/?check=1")
    text = text_of(page)
    assert "Closed, revision 1" in text
    assert "every line is as it was closed" in text
    assert MonthClose.objects.get().sha256 in page.text
    again = browser.post("/costs/2026-09/close/", {"shown": "{}"}, follow=True)
    assert "finance has closed September 2026 already" in again.text
    assert "How it was closed" in browser.get("/costs/2026-09/").text
    assert 'href="/costs/2026-10/close/"' in browser.get("/costs/2026-10/").text


def test_figures_that_moved_are_shown_again_with_what_moved(two_months, signed_in):
    browser = signed_in("finance")
    shown = json.loads(hidden(browser.get("/costs/2026-09/close/"), "shown"))
    shown["totals"]["EUR"] = "22.000000"
    page = browser.post("/costs/2026-09/close/", {"shown": json.dumps(shown)})
    assert page.status_code == 409
    assert "EUR: 22.00 EUR was shown, it is 23.00 EUR now." in text_of(page)
    assert not MonthClose.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "x",
        "[]",
        '{"totals": {"EUR": "x"}}',
        '{"totals": 5}',
        '{"totals": {"EUR": []}}',
        '{"totals": {"EUR": "1E+999999"}}',
        '{"totals": {"EUR": "NaN"}}',
    ],
)
def test_an_altered_form_closes_nothing(two_months, signed_in, sent):
    page = signed_in("finance").post("/costs/2026-09/close/", {"shown": sent})
    assert page.status_code == 409
    assert not MonthClose.objects.exists()


@pytest.mark.parametrize("name", ["viewer", "approver", "admin"])
def test_only_finance_is_offered_to_close(two_months, signed_in, name):
    browser = signed_in(name)
    assert browser.get("/costs/2026-09/close/").status_code == 403
    assert "/close/" not in browser.get("/costs/2026-09/").text


# Corrections ------------------------------------------------------------------------------------------------------


def test_a_correction_is_entered_and_listed(two_months, signed_in):
    browser = signed_in("finance")
    page = browser.get("/costs/corrections/new/")
    form = {"form_token": hidden(page, "form_token"), "number": "+44 7860 041117", "month": "2026-09"}
    form |= {"amount": "-1.5", "currency": "eur", "reason": "Credit note 7"}
    for _ in range(2):
        page = browser.post("/costs/corrections/new/", form, follow=True)
    assert "This correction was posted already" in page.text
    posted = LedgerLine.objects.get()
    assert (posted.owned_number, posted.currency, posted.month) == (two_months["GB"], "EUR", "2026-09")
    text = text_of(browser.get("/costs/corrections/"))
    assert "Credit note 7 Entered by a person" in text
    assert "\u22121.50 EUR" in text


@pytest.mark.parametrize(
    ("field", "sent", "told"),
    [
        ("number", "123", "No number of ours"),
        ("amount", "1,5", "Write an amount like"),
        ("amount", "0", "0 changes nothing"),
        ("amount", "1.0000001", "no more than 6 decimal places"),
        ("currency", "EURO", "Three letters"),
        ("month", "2026-10", "not one of the available choices"),
        ("reason", " ", "Say why"),
    ],
)
def test_a_bad_correction_says_what_to_do_and_loses_nothing(two_months, signed_in, field, sent, told):
    form = {
        "number": "447860041117",
        "month": "2026-09",
        "amount": "-1.5",
        "currency": "EUR",
        "reason": "Credit",
    }
    page = signed_in("finance").post("/costs/corrections/new/", form | {"form_token": "one", field: sent})
    assert page.status_code == 422
    assert told in page.text
    assert field == "amount" or 'value="-1.5"' in page.text
    assert not LedgerLine.objects.exists()


def test_late_facts_are_posted_from_the_page(two_months, signed_in, story):
    browser = signed_in("finance")
    close(browser, "2026-09")
    story.gone(two_months["US"], "2026-08-31", "2026-11-19")
    page = browser.get("/costs/corrections/")
    assert "It was gone from the list. Recorded on 19 Nov 2026." in text_of(page)
    assert "Post the correction" in page.text
    assert 'action="/costs/corrections/late/"' not in signed_in("viewer").get("/costs/corrections/").text
    mark = hidden(page, "mark")
    for told in ("1 correction posted.", "was posted already"):
        page = browser.post("/costs/corrections/late/", {"mark": mark}, follow=True)
        assert told in page.text
    assert LedgerLine.objects.filter(origin="late").count() == 1
    assert "1.50" in text_of(browser.get(f"/costs/numbers/{two_months['US'].pk}/"))
    assert "Correction for September 2026" in text_of(browser.get(f"/numbers/{two_months['US'].pk}/"))


def test_an_unknown_price_is_waived_or_told_from_the_page(story, signed_in):
    story.listed("2026-10-01 12:00", "2026-11-02")
    first, second = (story.found(f"44786004111{at_}", "2026-10-01 12:00", None) for at_ in "12")
    browser = signed_in("finance")
    assert "2 charges without a price." in text_of(browser.get("/costs/2026-10/close/"))
    url = f"/costs/2026-10/unpriced/{first.pk}/"
    assert browser.post(url, {"act": "waive", "reason": " "}).status_code == 422
    assert browser.post(url, {"act": "waive", "reason": "Contract lost"}).status_code == 302
    url = f"/costs/2026-10/unpriced/{second.pk}/"
    cost = {"act": "cost", "amount": "4.2", "currency": "EUR", "reason": "Invoice 8", "form_token": "one"}
    assert browser.post(url, cost).status_code == 302
    assert Waiver.objects.count() == 2
    assert "Contract lost" in browser.get("/costs/2026-10/unpriced/").text
    assert "Total in EUR 4.20 EUR" in text_of(browser.get("/costs/2026-10/close/"))
    assert browser.get("/costs/2026-10/unpriced/987654/").status_code == 404


# Reopening --------------------------------------------------------------------------------------------------------


def test_reopening_takes_two_people(two_months, signed_in):
    finance, admin = signed_in("finance"), signed_in("admin")
    close(finance, "2026-09")
    assert finance.post("/costs/2026-09/reopen/", {"reason": ""}).status_code == 422
    asked = finance.post("/costs/2026-09/reopen/", {"reason": "Invoice 9"}).headers["Location"]
    assert "asks to reopen September 2026" in text_of(admin.get("/costs/2026-09/closed/"))
    assert finance.get("/costs/2026-09/reopen/").headers["Location"] == asked
    assert "Withdraw the request" in finance.get(asked).text
    assert finance.post(asked, {"act": "confirm"}).status_code == 409
    assert admin.post(asked, {"act": "refuse", "reason": ""}).status_code == 409
    assert admin.post(asked, {"act": ""}).status_code == 409
    assert admin.post(asked, {"act": "confirm"}).status_code == 302
    assert records(NOW).to_close == SEPTEMBER
    assert "Reopened for corrections" in text_of(finance.get("/costs/2026-09/closed/"))
    assert admin.post(asked, {"act": "refuse", "reason": "No"}).status_code == 409
    close(finance, "2026-09")
    text = text_of(finance.get("/costs/2026-09/closed/"))
    assert "Closed, revision 2" in text
    assert "No difference to the revision before" in text
    assert "asked by finance, confirmed by admin: Invoice 9" in text
    assert [one.row.action for one in closing.revisions(SEPTEMBER)] == ["close", "reopen", "close"]
    assert ReopenAsk.objects.get().state == "confirmed"


def test_a_month_that_is_not_closed_says_so(two_months, signed_in):
    browser = signed_in("finance")
    assert "September 2026 is not closed" in text_of(browser.get("/costs/2026-09/closed/"))
    assert "September 2026 is not closed" in text_of(browser.get("/costs/2026-09/reopen/"))
    assert "is not closed" in browser.post("/costs/2026-09/reopen/", {"reason": "x"}).text


def test_what_no_database_can_keep_is_left_out_of_a_reason(two_months, cast, signed_in):
    close(signed_in("finance"), "2026-09")
    signed_in("finance").post("/costs/2026-09/reopen/", {"reason": "Invoice 9"})
    path = f"/costs/reopenings/{ReopenAsk.objects.get().pk}/"
    assert signed_in("admin").post(path, {"act": "refuse", "reason": "\x00"}).status_code == 409
    assert signed_in("admin").post(path, {"act": "refuse", "reason": "It stays\x00"}).status_code == 302
    assert ReopenAsk.objects.get().decision_reason == "It stays"
