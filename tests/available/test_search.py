"""Searching: what the provider filters, what we filter over its pages, and what is said about it."""

from urllib.parse import quote

import pytest

pytestmark = pytest.mark.django_db

RU = [f"790295555{n:02}" for n in range(25)]


def test_everybody_searches_and_strangers_do_not(client, look, shop):
    assert client.get("/available/").status_code == 302
    for person in ("viewer", "manager", "approver", "finance", "admin"):
        assert look("country=GB", person, live=True).numbers == ["442071234567", "447860041117", "60444"]


def test_only_get(signed_in, shop):
    assert signed_in("manager").post("/available/").status_code == 405


def test_without_filters_every_number_can_be_reached(look, shop):
    seen, page = [], look()
    assert "Infobip lists 30 numbers." in page.text
    for _ in range(9):
        seen += page.numbers
        if not page.next:
            break
        page = look(page.next)
    assert len(seen) == 30
    assert len(set(seen)) == 29  # one short code is in two countries


def test_a_page_of_the_list_costs_one_call(look, shop):
    page = look("country=RU&page=2")
    assert page.numbers == RU[10:20]
    assert "11–20 of 25 numbers" in page.text
    assert len(shop.requests("list_available")) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("country=RO", ["40371700053"]),
        ("country=ro", ["40371700053"]),
        ("country=GB&capabilities=VOICE", ["442071234567", "447860041117"]),
        ("country=GB&capabilities=SMS&capabilities=VOICE", ["447860041117"]),
        ("country=GB&capabilities=SMS,VOICE", ["447860041117"]),
        ("capabilities=MMS", ["40371700053"]),
        ("digits=5511", ["79029555511"]),
        ("digits=%2B7+902+955+55+11", ["79029555511"]),
        ("digits=0079029555511", ["79029555511"]),
        ("digits=604", ["60444", "60444"]),
        ("digits=4&match=starts&country=GB", ["442071234567", "447860041117"]),
        ("digits=44&match=ends", ["60444", "60444"]),
        ("digits=00&match=ends", ["79029555500"]),
        ("digits=00&match=contains", ["40371700053", "447860041117", "79029555500"]),
        ("digits=24&match=ends&country=RU", ["79029555524"]),
        ("type=SHORT_CODE", ["60444", "60444"]),
        ("max_price=12&country=RU", RU[:3]),
        ("max_price=4.5", ["442071234567"]),
        ("country=GB&sort=-number", ["60444", "447860041117", "442071234567"]),
        ("country=GB&sort=price", ["447860041117", "60444", "442071234567"]),
        ("country=GB&sort=-price", ["60444", "447860041117", "442071234567"]),
        ("digits=60444&sort=-country", ["60444", "60444"]),
        ("country=AQ", []),
        ("country=XX", []),
        ("digits=999999", []),
    ],
)
def test_filters(look, shop, query, expected):
    page = look(query, live=True)
    for _ in range(3):
        if page.more:
            page = look(page.more, live=True)
    assert page.numbers == expected


def test_prices_are_put_in_order_within_a_currency_only(look, shop):
    page = look("country=GB&sort=-price")
    assert page.numbers[-1] == "442071234567"  # 4.50 GBP is neither more nor less than 5.00 EUR


def test_says_how_many_were_checked_of_how_many_listed(look, shop):
    page = look("country=RU&digits=9&match=ends")
    assert page.numbers == ["79029555509", "79029555519"]
    assert (
        "2 matches in the 20 Russia numbers with 9 checked so far. Infobip lists 25. Check the next 5"
        in page.text
    )
    rest = look(page.more)
    assert "2 matches in all 25 Russia numbers with 9 that Infobip lists." in rest.text
    assert not rest.more


def test_checking_more_is_the_next_page_for_a_program(look, shop):
    page, seen = look("max_price=30"), set()
    for _ in range(9):
        seen |= set(page.numbers)
        if not page.next:
            break
        page = look(page.next)
    assert seen == {*RU[:21], "447860041117", "442071234567", "40371700053"}


def test_matches_are_marked_in_the_number(look, shop):
    assert "<mark>11</mark>" in look("country=RU&digits=11&match=ends").row("79029555511")


@pytest.mark.parametrize(
    ("filters", "page"),
    [
        *(("country=RU", page) for page in ("0", "-3", "999", "x", "1.5", "99999999999999999999")),
        ("country=RU&digits=555", "2"),
        ("country=RU&digits=555", "0"),
    ],
)
def test_a_page_that_is_not_there_says_so(look, shop, filters, page):
    found = look(f"{filters}&page={page}")
    assert "There is no such page" in found.text
    assert found.numbers[:3] == RU[:3]


@pytest.mark.parametrize(
    "query",
    ["match=middle", "sort=secret", "max_price=cheap", "max_price=-1", "max_price=NaN", "digits=abc", "checked=x",
     "country=<b>", "type=%00", "capabilities=S%20M", "page=%C2%B2"],
)  # fmt: skip
def test_a_filter_that_is_not_understood_is_named_and_the_others_count(look, shop, query):
    page = look(f"{query}&country=RO" if not query.startswith("country") else query)
    assert "Not understood, so left out" in page.text
    assert "40371700053" in page.numbers or query.startswith("country")


PARAMETERS = "country capabilities digits match type max_price sort page checked offer kept drop live".split()


@pytest.mark.parametrize("nasty", ["\0", "'", '"', "%", "\\", "😀", "x" * 500, "<script>", "1e999999999"])
def test_nothing_sent_breaks_it(look, shop, nasty):
    page = look("&".join(f"{name}={quote(nasty)}" for name in PARAMETERS))
    assert "<script>" not in page.html.partition("<main")[2]


@pytest.mark.parametrize("name", PARAMETERS)
def test_nothing_sent_breaks_any_one_of_them(look, shop, name):
    page = look(f"{name}={quote('<script>😀')}", live=True)
    assert "<script>" not in page.html


def test_an_unknown_capability_is_asked_for_and_the_refusal_told(look, shop):
    page = look("capabilities=TELEPATHY")
    assert "Infobip does not accept this search" in page.text
    assert not page.numbers


def test_what_it_was_not_told_is_a_dash_and_cannot_be_chosen(look, sandbox, for_sale):
    sandbox.stock(available=[for_sale("79029555551", price=None), for_sale("79029555552")])
    page = look("country=RU")
    assert "Price unknown" in page.row("79029555551")
    assert "disabled" in page.boxes()["RU-79029555551"]
    assert "disabled" not in page.boxes()["RU-79029555552"]
    assert look("country=RU&max_price=100").numbers == ["79029555552"]


def test_rows_that_cannot_be_read_are_counted(look, sandbox, for_sale):
    sandbox.stock(available=[for_sale("79029555551"), for_sale("79029555552", country=["RU"])])
    assert "1 row could not be read and is left out" in look().text


def test_the_fragment_stands_in_the_page(look, shop):
    whole, part = look("country=GB&digits=44"), look("country=GB&digits=44", live=True)
    assert "<html" not in part.html
    assert part.html.strip() in whole.html
    assert "HX-Request" in part.answer["Vary"]


def test_every_state_is_a_link_as_short_as_can_be(look, shop):
    page = look(
        "country=RU&capabilities=SMS&digits=%2B7+902&match=contains&type=&max_price=&sort=&page=", live=True
    )
    assert page.answer["HX-Push-Url"] == "/available/?country=RU&capabilities=SMS&digits=7902"
    assert look(live=True).answer["HX-Push-Url"] == "/available/"


def test_countries_met_before_come_first(look, shop):
    assert "Met before" not in look("country=AQ").html
    look("country=RO")
    options = look("country=AQ").html
    assert options.index('value="RO"') < options.index('value="AF"')
