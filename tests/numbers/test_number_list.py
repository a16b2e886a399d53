"""The list of owned numbers: filters, totals, paging, and that its cost does not grow with the rows."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.numbers import services
from numbersadmin.numbers.listing import number_list
from numbersadmin.numbers.models import EndBasis
from numbersadmin.numbers.selectors import NumberFilter, digits_of

pytestmark = pytest.mark.django_db


def numbers_of(response):
    return re.findall(r'data-number="([^"]+)"', response.content.decode())


def shown(client, query=""):
    return numbers_of(client.get(f"/numbers/{query}", headers={"HX-Request": "true"}))


@pytest.fixture
def some(own, cast):
    """Five numbers that differ in everything the filters know."""
    return {
        "gb": own("447860041117", owner=cast.manager, cost_centre="Retail", labels=["otp", "uk-retail"]),
        "de": own(
            "493022610441",
            country="DE",
            capabilities=("SMS", "VOICE"),
            per_month="18",
            cost_centre="Logistics",
        ),
        "us": own("12025550147", country="US", per_month="2.15", currency="USD", owner=cast.finance),
        "hr": own("38516789012", country="HR", capabilities=("VOICE",), per_month=None, labels=["żółć"]),
        "short": own("60444", country="GB", type="SHORT_CODE", capabilities=("MMS", "SMS"), per_month="96.5"),
    }


def test_everybody_sees_it_and_strangers_do_not(client, signed_in, some):
    assert client.get("/numbers/").status_code == 302
    for name in ("viewer", "manager", "approver", "finance", "admin"):
        assert len(shown(signed_in(name))) == 5
    assert signed_in("viewer").post("/numbers/").status_code == 405


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?q=%2B44+7860+041", ["447860041117"]),
        ("?q=0044-7860", ["447860041117"]),
        ("?q=441", ["493022610441"]),
        ("?q=uk-ret", ["447860041117"]),
        ("?q=RETAIL", ["447860041117"]),
        ("?q=logist", ["493022610441"]),
        ("?q=%C5%BC%C3%B3%C5%82", ["38516789012"]),
        ("?q=nothing+like+it", []),
        ("?country=GB", ["447860041117", "60444"]),
        ("?country=gb", ["447860041117", "60444"]),
        ("?country=ZZ", []),
        ("?capabilities=VOICE", ["38516789012", "493022610441"]),
        ("?capabilities=SMS&capabilities=VOICE", ["493022610441"]),
        ("?capabilities=SMS,VOICE", ["493022610441"]),
        ("?capabilities=MMS", ["60444"]),
        ("?capabilities=MS", []),
        ("?owner=manager", ["447860041117"]),
        ("?owner=nobody-at-all", []),
        ("?owner=(none)&country=DE", ["493022610441"]),
        ("?cost_centre=Retail", ["447860041117"]),
        ("?cost_centre=(none)", ["12025550147", "38516789012", "60444"]),
        ("?sort=-number&country=GB", ["60444", "447860041117"]),
        ("?sort=price&capabilities=SMS", ["447860041117", "493022610441", "60444", "12025550147"]),
        ("?sort=-price&capabilities=SMS", ["60444", "493022610441", "447860041117", "12025550147"]),
    ],
)
def test_filters(signed_in, some, query, expected):
    assert shown(signed_in("viewer"), query) == expected


def test_ended_numbers_are_shown_when_asked_for(signed_in, some, now):
    services.mark_missing(owned=some["de"], now=now)
    services.end_number(
        owned=some["gb"], basis=EndBasis.CANCELLED_HERE, ended_from=now, ended_to=now, actor=None, now=now
    )
    client = signed_in("viewer")
    assert "447860041117" not in shown(client)
    assert shown(client, "?state=ended") == ["447860041117"]
    assert shown(client, "?state=missing") == ["493022610441"]
    assert "493022610441" not in shown(client, "?state=owned")
    assert len(shown(client, "?state=all")) == 5


def test_totals_are_per_currency_exact_and_of_all_matching(some):
    found = number_list(NumberFilter())
    assert dict(found.totals) == {"EUR": Decimal("119.5"), "USD": Decimal("2.15")}
    assert (found.count, found.unknown_prices) == (5, 1)


def test_totals_leave_out_what_has_ended(some, now):
    services.end_number(
        owned=some["short"], basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    assert number_list(NumberFilter(state="all")).totals["EUR"] == 23
    assert dict(number_list(NumberFilter(state="ended")).totals) == {}


def test_an_unknown_price_is_a_dash_and_said(signed_in, some):
    page = signed_in("viewer").get("/numbers/?country=HR").content.decode()
    assert "1 of them has no price that we know" in page
    assert "0.00" not in page


def test_whatever_was_typed_or_sent_is_shown_as_text(signed_in, own, cast):
    cast.manager.full_name = "<b>owner"
    cast.manager.save()
    facts = {"country": "<b>land", "capabilities": ("<b>CAP",), "currency": "<b>"}
    own('<b>"number', owner=cast.manager, cost_centre="<b>centre", labels=["<b>label"], **facts)
    page = signed_in("viewer").get("/numbers/?state=active").content.decode()
    assert "<b>" not in re.sub(r'<a class="health".*?</a>', "", page)
    for text in ("&quot;number", "owner", "land", "CAP", "centre", "label"):
        assert page.count(f"&lt;b&gt;{text}") + page.count(f"&lt;B&gt;{text}") > 0, text


def test_pages_follow_each_other(signed_in, own_many):
    own_many([{"number": f"4930{n:07}"} for n in range(120)])
    client, query, seen = signed_in("viewer"), "", []
    for _ in range(4):
        page = client.get(f"/numbers/{query}")
        seen += numbers_of(page)
        link = re.search(r'rel="next" href="([^"]+)"', page.content.decode())
        if not link:
            break
        query = link[1].replace("&amp;", "&")
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == 120


@pytest.mark.parametrize("page", ["0", "x", "1.5", "²", "WyJudW1iZXIi:1:2"])
def test_a_page_that_is_not_there_says_so(signed_in, some, page):
    answer = signed_in("viewer").get("/numbers/", {"after": page})
    assert answer.status_code == 200
    assert "There is no such page" in answer.content.decode()
    assert len(numbers_of(answer)) == 5


@pytest.mark.parametrize("query", [{"state": "gone"}, {"sort": "secret"}, {"sort": "-"}])
def test_a_filter_that_is_not_understood_is_named(signed_in, some, query):
    answer = signed_in("viewer").get("/numbers/", query)
    assert answer.status_code == 200
    assert "Not understood, so left out" in answer.content.decode()
    assert len(numbers_of(answer)) == 5


@pytest.mark.parametrize("nasty", ["\0", "'", '"', "%", "\\", "😀", "x" * 199, "<script>", "['"])
def test_nothing_typed_breaks_it(signed_in, some, nasty):
    client = signed_in("viewer")
    names = (
        "q",
        "country",
        "capabilities",
        "owner",
        "cost_centre",
        "state",
        "sort",
        "after",
        "before",
        "end",
    )
    for sent in (dict.fromkeys(names, nasty), {"q": nasty}):
        answer = client.get("/numbers/", sent)
        assert answer.status_code == 200
        assert "<script>" not in answer.content.decode().partition("<main")[2]


def test_the_number_of_queries_does_not_grow_with_the_rows(signed_in, own_many):
    client = signed_in("viewer")
    own_many([{"number": f"4930{n:07}", "country": "DE"} for n in range(3)])
    client.get("/numbers/")
    with CaptureQueriesContext(connection) as few:
        assert len(numbers_of(client.get("/numbers/"))) == 3
    places = [("RO", "EUR"), ("FR", "USD"), ("PL", "GBP")]
    own_many(
        [
            {"number": f"40{n:09}", "country": places[n % 3][0], "currency": places[n % 3][1]}
            for n in range(297)
        ]
    )
    with CaptureQueriesContext(connection) as lots:
        assert len(numbers_of(client.get("/numbers/"))) == 50
    assert len(lots) == len(few)


def test_the_fragment_stands_in_the_page(signed_in, some):
    client = signed_in("viewer")
    whole = client.get("/numbers/?country=GB").content.decode()
    answer = client.get("/numbers/?country=GB&q=&state=active", headers={"HX-Request": "true"})
    assert "<html" not in answer.content.decode()
    assert numbers_of(answer) == ["447860041117", "60444"]
    same = client.get("/numbers/?country=GB", headers={"HX-Request": "true"})
    table, views, _ = same.content.decode().partition('<div class="row wrap mb-s" id="views"')
    assert views
    assert table.strip() in whole
    assert answer["HX-Push-Url"] == "/numbers/?country=GB"
    assert "HX-Request" in answer["Vary"]


def test_before_the_first_sync_it_says_what_to_do(signed_in):
    page = signed_in("viewer").get("/numbers/").content.decode()
    assert "No numbers yet" in page
    assert 'href="/sync/"' in page


@pytest.mark.parametrize(
    ("text", "digits"),
    [("+44 7860", "447860"), ("0044 (7860)", "447860"), ("555", "555"), ("otp", ""), ("44a", ""), ("", "")],
)
def test_digits_of(text, digits):
    assert digits_of(text) == digits
