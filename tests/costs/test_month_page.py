"""The page of a month: totals per currency, what they are split by, and the months there are no figures for."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.costs import selectors
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import GROUPINGS
from numbersadmin.money import rounded
from numbersadmin.numbers.models import OwnedNumber

pytestmark = pytest.mark.usefixtures("november")
HTMX = {"HX-Request": "true"}


def text_of(page) -> str:
    """The words of a page without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text)).replace("\u00a0", " ")


def month_page(month: str, now, **chosen):
    return selectors.month_page(selectors.records(now), Month.parse(month), now=now, **chosen)


@pytest.fixture
def at_noon(november):
    """The moment the page is looked at."""
    from django.utils import timezone

    return timezone.now()


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_totals_of_each_currency_against_the_month_before(two_months, at_noon):
    euro, dollar = month_page("2026-11", at_noon).totals
    assert (euro.currency, euro.numbers, euro.amount) == ("EUR", 3, Decimal("22.000000"))
    assert (euro.before, euro.change, euro.percent) == (
        Decimal("25.903226"),
        Decimal("-3.90"),
        "\u221215.1%",
    )
    assert (dollar.currency, dollar.amount, dollar.change) == ("USD", Decimal("1.5"), 0)


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("month", ["2026-09", "2026-10", "2026-11"])
@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_groups_add_up_to_the_total(two_months, at_noon, by, month, currency):
    page = month_page(month, at_noon, by=by, currency=currency)
    assert page.currency == currency
    assert sum(row.total.amount for row in page.groups) == page.total.amount
    assert sum(row.total.numbers for row in page.groups) == page.total.numbers
    assert sum(row.amount for row in page.groups) == rounded(page.total.amount, currency)
    if month != "2026-09":
        assert sum(row.total_before.amount for row in page.groups) == page.total.before
        assert all(row.change == row.amount - row.before for row in page.groups)
        assert sum(row.change for row in page.groups) == page.total.change


def test_a_split_by_owner_names_the_group_without_one(two_months, at_noon):
    rows = month_page("2026-11", at_noon, by="owner").groups
    assert [(row.filter, row.total.amount) for row in rows] == [
        ("manager", Decimal(14)),
        ("(none)", Decimal(8)),
    ]


def test_a_set_of_capabilities_is_one_group(two_months, at_noon):
    rows = month_page("2026-11", at_noon, by="capabilities", currency="USD").groups
    assert [row.value for row in rows] == ["SMS,VOICE"]


def test_each_label_alone_opens_its_lines_and_is_said_not_to_add_up(two_months, at_noon, signed_in):
    for code, labels in {"GB": ["support"], "DE": ["support", "a&b"]}.items():
        OwnedNumber.objects.filter(pk=two_months[code].pk).update(labels=labels)
    page = month_page("2026-11", at_noon, by="labels")
    assert {row.value: row.total.amount for row in page.groups} == {"": 8, "a&b, support": 9, "support": 5}
    assert [(label, one.numbers, one.amount) for label, one in page.labels] == [
        ("support", 2, 14),
        ("a&b", 1, 9),
    ]
    client = signed_in("viewer")
    text = client.get("/costs/2026-11/?by=labels").text
    assert "so these do not add up to the total" in text
    (link,) = re.findall(r'data-label="a&amp;b"><td><span class="two"><a class="brk" href="([^"]*)"', text)
    lines = client.get(link.replace("&amp;", "&")).text
    assert re.findall(r'<tr data-number="(\d+)"', lines) == [two_months["DE"].number]
    assert month_page("2026-11", at_noon, by="labels", currency="USD").labels == [], "no number has several"


def test_many_groups_are_folded_into_one_row_that_keeps_the_total(story, at_noon):
    story.listed("2026-09-01", "2026-11-20")
    for index in range(14):
        story.found(f"4478600411{index:02}", "2026-09-01", f"{index}.333333", cost_centre=f"CC-{index}")
    page = month_page("2026-11", at_noon, by="cost_centre")
    assert (len(page.groups), page.more.more) == (10, 4)
    assert sum(row.amount for row in page.groups) + page.more.amount == rounded(page.total.amount, "EUR")
    everything = month_page("2026-11", at_noon, by="cost_centre", all_groups=True)
    assert (len(everything.groups), everything.more) == (14, None)


def test_the_trend_has_the_months_before_records_empty_not_zero(two_months, at_noon):
    trend = {str(row.month): row.amount for row in month_page("2026-11", at_noon).trend.rows}
    assert len(trend) == 12 + 1, "and the forecast"
    assert trend["2026-08"] is None
    assert [trend[f"2026-{month}"] for month in ("09", "10", "11")] == [
        Decimal(23),
        Decimal("25.903226"),
        Decimal(22),
    ]


def test_how_much_of_the_money_rests_on_what(story, at_noon):
    story.listed("2026-09-01", "2026-11-20")
    story.found("447860041117", "2026-09-01", "99")
    story.found("447860041118", "2026-11-03", "1", after="2026-10-28")
    assert month_page("2026-11", at_noon).bases == ["99% stated by Infobip", "1% inferred"]
    story.found("447860041119", "2026-09-01", "900")
    assert month_page("2026-11", at_noon).bases == ["over 99% stated by Infobip", "under 1% inferred"]


def test_a_number_without_a_price_is_counted_and_never_zero(story, at_noon, signed_in):
    story.listed("2026-09-01", "2026-11-20")
    story.found("447860041117", "2026-09-01", "5")
    story.found("447860041118", "2026-09-01", None)
    page = month_page("2026-11", at_noon)
    assert (page.unpriced, page.total.amount, page.total.numbers) == (1, Decimal(5), 1)
    assert "1 number without a price" in text_of(signed_in("viewer").get("/costs/2026-11/"))


@pytest.fixture
def unknown(story):
    """A country in euro and all dollars of which no amount is known, in September, October and November."""
    story.listed("2026-09-01", "2026-11-20")
    story.found("447860041117", "2026-09-01", "5", country="GB")
    story.found("4915112345678", "2026-09-01", None, currency="EUR", country="DE")
    story.found("12025550123", "2026-09-01", None, currency="USD", country="US")


def test_what_has_no_amount_in_a_group_or_a_currency_is_unknown(unknown, at_noon):
    page = month_page("2026-11", at_noon)
    shown = [(row.value, row.amount, row.before, row.change, row.total.unpriced) for row in page.groups]
    assert shown == [("GB", 5, 5, 0, 0), ("DE", None, None, None, 1)]
    assert [(one.currency, one.amount, one.before, one.change) for one in page.totals] == [
        ("EUR", 5, 5, 0),
        ("USD", None, None, None),
    ]
    dollars = month_page("2026-11", at_noon, currency="USD")
    assert (dollars.bridge, [step.amount for step in dollars.steps]) == (None, [None] * 3)
    assert {row.amount for row in dollars.trend.rows} == {None}


def test_an_unknown_amount_is_shown_as_such_and_counted(unknown, signed_in):
    client = signed_in("viewer")
    page = client.get("/costs/2026-11/?cur=EUR")
    row = page.text[page.text.index('data-group="DE"') :].partition("</tr>")[0]
    assert "1 without an amount" in row
    assert "unknown" in row
    card = page.text[page.text.index('id="cur-USD"') :].partition("</a>")[0]
    assert "1 without an amount" in card
    for address in ("?cur=USD", "forecast/?cur=USD", "report/", "lines/?cur=USD"):
        text = client.get(f"/costs/2026-11/{address}").text
        assert not re.search(r"\b0\.00\b", text), address
    assert "USD unknown" in client.get("/").text
    assert "October 2026: unknown" in client.get("/costs/2026-11/?cur=USD").text


def test_months_of_open_numbers_without_a_list_are_inferred(story, at_noon):
    story.listed("2026-09-01", "2026-10-30")
    story.found("447860041117", "2026-09-01", "5")
    assert month_page("2026-11", at_noon).bases == ["100% inferred"]
    assert month_page("2026-10", at_noon).bases == ["100% stated by Infobip"]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_shows_each_total_and_never_one_of_all(two_months, signed_in):
    page = text_of(signed_in("viewer").get("/costs/2026-11/"))
    assert "22.00 EUR" in page
    assert "1.50 USD" in page
    assert "23.50" not in page
    assert "\u22123.90 on October, \u221215.1%" in page
    assert "Open until 30 November" in page
    assert "Months begin at midnight UTC" in page


def test_another_currency_and_another_split_are_links(two_months, signed_in):
    page = signed_in("viewer").get("/costs/2026-11/?cur=USD&by=type")
    assert "?cur=EUR&amp;by=type" in page.text
    assert "?cur=USD&amp;by=owner" in page.text
    assert "November by" in text_of(page)


@pytest.mark.parametrize("query", ["?cur=XXX", "?by=shoe+size", "?cur=&by=&all=", "?cur=%00&by=%27"])
def test_an_unknown_choice_is_answered_with_the_usual_one(two_months, signed_in, query):
    page = signed_in("viewer").get(f"/costs/2026-11/{query}")
    assert page.status_code == 200
    assert "22.00" in page.text


def test_the_fragment_stands_in_the_page(two_months, signed_in):
    client = signed_in("viewer")
    fragment = client.get("/costs/2026-10/?by=owner", headers=HTMX)
    page = client.get("/costs/2026-10/?by=owner")
    assert fragment.text.strip() in page.text
    assert "<html" not in fragment.text
    assert "HX-Request" in page.headers["Vary"]


def test_the_root_leads_to_the_current_month_and_to_a_picked_one(two_months, signed_in):
    client = signed_in("viewer")
    assert client.get("/costs/").headers["Location"] == "/costs/2026-11/"
    picked = client.get("/costs/?month=2026-09&cur=USD&by=owner&other=1")
    assert picked.headers["Location"] == "/costs/2026-09/?cur=USD&by=owner"
    assert client.get("/costs/?month=//evil.example").status_code == 404


def test_the_chart_says_the_same_as_its_table(two_months, signed_in):
    page = signed_in("viewer").get("/costs/2026-11/").text
    start = page.index('<svg class="chart half')
    chart = page[start : page.index("</svg>", start)]
    assert chart.count('<rect class="b"') == 3
    assert chart.count('<rect class="out"') == 1
    assert "December 2026, forecast: 24.00\u00a0EUR" in chart
    assert "October 2026: 25.90\u00a0EUR" in chart
    assert "August 2026: before records" in chart
    assert "style=" not in chart


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-00", "26-10", "2026-1", "0000-01", "9999-12", "x", "2026-10-01", "٢٠٢٦-١٠"]
)
def test_what_is_no_month_is_said(two_months, signed_in, month):
    page = signed_in("viewer").get(f"/costs/{month}/")
    assert page.status_code == 404
    assert "There is no such month" in page.text


@pytest.mark.parametrize("month", ["2026-12", "2027-01", "9998-12"])
def test_a_month_that_has_not_started(two_months, signed_in, month):
    page = signed_in("viewer").get(f"/costs/{month}/")
    assert page.status_code == 200
    assert "has not started" in page.text


@pytest.mark.parametrize("month", ["2026-08", "1970-01"])
def test_a_month_before_records_is_not_zero(two_months, signed_in, month):
    page = signed_in("viewer").get(f"/costs/{month}/")
    assert "lies before our records" in page.text
    assert "Records begin in September 2026" in page.text
    assert "0.00" not in page.text


def test_before_the_first_sync_there_are_no_costs_yet(story, signed_in):
    assert "No costs yet" in signed_in("viewer").get("/costs/2026-11/").text


def test_a_month_in_which_nothing_was_ours(story, signed_in):
    story.listed("2026-09-01", "2026-11-20")
    assert "Nothing is charged in November 2026" in signed_in("viewer").get("/costs/2026-11/").text


def test_the_neighbouring_months_are_links_as_far_as_there_are_figures(two_months, signed_in):
    client = signed_in("viewer")
    first = client.get("/costs/2026-09/?cur=USD").text
    last = client.get("/costs/2026-11/").text
    assert 'rel="next" href="/costs/2026-10/?cur=USD"' in first
    assert 'rel="prev"' not in first
    assert 'rel="prev" href="/costs/2026-10/"' in last
    assert 'rel="next"' not in last


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PAGES = [
    "/costs/2026-11/",
    "/costs/2026-11/bridge/",
    "/costs/2026-11/forecast/",
    "/costs/2026-11/lines/",
    "/costs/2026-11/export.csv",
]


@pytest.mark.parametrize("path", ["/costs/", *PAGES, "/costs/numbers/1/"])
def test_strangers_are_sent_to_sign_in(db, client, path):
    assert client.get(path).headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("path", ["/costs/", *PAGES, "/costs/numbers/1/"])
def test_pages_are_read_only(two_months, signed_in, path):
    assert signed_in("admin").post(path).status_code == 405


@pytest.mark.parametrize("who", ["viewer", "manager", "approver", "finance", "admin"])
def test_everybody_sees_costs_and_some_may_take_them_away(two_months, signed_in, who):
    client, may = signed_in(who), who in ("approver", "finance", "admin")
    page = client.get("/costs/2026-11/")
    assert page.status_code == 200
    assert ("/costs/2026-11/files/" in page.text) == may
    assert ("/costs/2026-11/lines.csv" in client.get("/costs/2026-11/lines/").text) == may
    assert client.get("/costs/2026-11/export.csv").status_code == (200 if may else 403)


# ── how often the database is asked ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/costs/2026-11/", "/costs/2026-11/lines/"])
def test_the_number_of_queries_does_not_grow(story, signed_in, path):
    story.listed("2026-09-01", "2026-11-20")
    client = signed_in("finance")
    counts = []
    for batch in range(2):
        for index in range(1 + 20 * batch):
            story.found(f"44786{batch}{index:04}", "2026-09-01", "5", country=("GB", "DE")[index % 2])
        client.get(path)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
