"""The lines of a month, narrowed and paged, and what one phone number has cost."""

import re
from decimal import Decimal

import pytest

from numbersadmin.money import Totals
from numbersadmin.numbers.models import OwnedNumber

pytestmark = pytest.mark.usefixtures("november")


def numbers_on(page) -> list[str]:
    return re.findall(r'<tr data-number="(\d+)"', page.text)


def test_every_line_opens_its_number(two_months, signed_in):
    page = signed_in("viewer").get("/costs/2026-11/lines/")
    assert sorted(numbers_on(page)) == sorted(
        ["447860041117", "4915112345678", "33612345678", "33612345678", "12025550123"]
    )
    french = two_months["FR"]
    assert f'href="/numbers/{french.pk}/"' in page.text
    assert f'data-id="{french.pk}" data-kind="setup" data-basis="quoted"' in page.text


@pytest.mark.parametrize(
    ("query", "countries"),
    [
        ("?cur=USD", "US"),
        ("?country=FR", "FR FR"),
        ("?type=NATIONAL", "FR FR"),
        ("?capabilities=SMS,VOICE", "US"),
        ("?owner=manager", "GB DE"),
        ("?owner=(none)&cur=EUR", "FR FR"),
        ("?cost_centre=CC-1", "DE"),
        ("?cost_centre=(none)&country=GB&cur=EUR", "GB"),
        ("?label=support", "GB DE"),
        ("?label=otp&owner=manager", "DE"),
        ("?labels=support", "GB"),
        ("?label=supp", ""),
        ("?country=XX", ""),
        ("?cur=unknown", ""),
    ],
)
def test_lines_are_narrowed(two_months, signed_in, query, countries):
    labels = {"GB": ["support"], "DE": ["support", "otp"], "US": ["a&b"]}
    for code, words in labels.items():
        OwnedNumber.objects.filter(pk=two_months[code].pk).update(labels=words)
    page = signed_in("viewer").get(f"/costs/2026-11/lines/{query}")
    assert numbers_on(page) == [two_months[code].number for code in countries.split()]
    assert ("No charge fits" in page.text) == (not countries)


@pytest.mark.parametrize(
    ("by", "rows"), [("country", 3), ("owner", 2), ("cost_centre", 2), ("capabilities", 1), ("type", 2)]
)
def test_each_group_of_the_month_opens_the_lines_it_is_made_of(two_months, signed_in, by, rows):
    client = signed_in("viewer")
    page = client.get(f"/costs/2026-11/?cur=EUR&by={by}").text
    links = re.findall(rf'href="(/costs/2026-11/lines/\?cur=EUR&amp;{by}=[^"]*)"', page)
    assert len(links) == rows
    lines = [number for link in links for number in numbers_on(client.get(link.replace("&amp;", "&")))]
    assert sorted(lines) == sorted(["447860041117", "4915112345678", "33612345678", "33612345678"])


def test_a_group_that_has_gone_opens_the_lines_of_the_month_before(two_months, signed_in):
    client = signed_in("viewer")
    page = client.get("/costs/2026-11/").text
    (link,) = re.findall(r'href="(/costs/2026-10/lines/[^"]*)"', page)
    assert numbers_on(client.get(link.replace("&amp;", "&"))) == [two_months["RU"].number]


def test_lines_without_a_price_are_found_and_counted(story, signed_in):
    story.listed("2026-09-01", "2026-11-20")
    story.found("447860041117", "2026-09-01", "5")
    story.found("447860041118", "2026-09-01", None)
    page = signed_in("viewer").get("/costs/2026-11/lines/?cur=unknown")
    assert numbers_on(page) == ["447860041118"]
    assert "1 of these charges has no amount" in page.text


def test_pages_of_lines(story, signed_in):
    story.listed("2026-09-01", "2026-11-20")
    for index in range(51):
        story.found(f"44786004{index:04}", "2026-09-01", "1")
    client = signed_in("viewer")
    first = client.get("/costs/2026-11/lines/?cur=EUR")
    assert (len(numbers_on(first)), "1–50 of 51 charges" in first.text) == (50, True)
    assert 'rel="next" href="?cur=EUR&amp;page=2"' in first.text
    assert "51.00" in first.text, "the total is that of all pages"
    second = client.get("/costs/2026-11/lines/?cur=EUR&page=2")
    assert (len(numbers_on(second)), 'rel="next"' in second.text) == (1, False)


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "", "9" * 30])
def test_a_page_there_is_none_of_is_the_nearest(two_months, signed_in, page):
    answer = signed_in("viewer").get(f"/costs/2026-11/lines/?page={page}")
    assert (answer.status_code, len(numbers_on(answer))) == (200, 5)


@pytest.mark.parametrize(("month", "status"), [("2026-99", 404), ("2027-01", 200), ("2020-01", 200)])
def test_months_without_figures_have_no_lines_and_no_file(two_months, signed_in, month, status):
    for path in ("lines/", "export.csv"):
        answer = signed_in("finance").get(f"/costs/{month}/{path}")
        assert answer.status_code == status
        assert "<h1>Costs" in answer.text


# ── one number ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_number_has_cost_so_far(two_months, signed_in):
    german = two_months["DE"]
    page = signed_in("viewer").get(f"/costs/numbers/{german.pk}/")
    assert page.context["cost"].totals == Totals({"EUR": Decimal(25)})
    assert [str(line.charge.month) for line in page.context["cost"].lines] == [
        "2026-11",
        "2026-10",
        "2026-09",
    ]
    assert "Every charge since September 2026" in page.text
    assert f'data-id="{german.pk}"' in page.text


def test_every_time_it_was_ours_counts(story, signed_in):
    story.listed("2026-08-01", "2026-11-20")
    first = story.bought("447860041117", "2026-09-01", "5", initial="5")
    story.cancelled(first, "2026-09-04")
    again = story.bought(
        "447860041117", "2026-11-16", "10", initial="5", currency="USD", number_key="OTHER", setup="1"
    )
    namesake = story.bought("447860041117", "2026-11-16", "99", country="DE", number_key="NAMESAKE")
    for record in (first, again):
        page = signed_in("viewer").get(f"/costs/numbers/{record.pk}/")
        assert page.context["cost"].totals == Totals({"EUR": Decimal(5), "USD": Decimal(6)})
        assert "over the 2 times it was ours" in page.text
        assert page.text.count("Bought again") == 2, "with its set-up and its first month"
    assert "Bought again" not in signed_in("viewer").get(f"/costs/numbers/{namesake.pk}/").text


def test_the_figure_is_the_same_on_the_page_of_the_number(two_months, signed_in):
    client, number = signed_in("viewer"), two_months["GB"]
    for page in (f"/costs/numbers/{number.pk}/", f"/numbers/{number.pk}/"):
        found = re.search(r'<span class="lbl">Cost so far</span>.*?</div>', client.get(page).text, re.S)
        assert "7.90" in found[0]
        assert "October to November 2026" in found[0]


def test_no_such_number(two_months, signed_in):
    assert signed_in("viewer").get("/costs/numbers/99999/").status_code == 404
    assert signed_in("viewer").get("/costs/numbers/9999999999999999999999/").status_code == 404
