"""Counting ahead: what large accounts are shown equals what every charge adds up to, and is counted anew in time."""

import re
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from numbersadmin.audit import words
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import event, record
from numbersadmin.costs import counting, figures, line_pages, selectors, services
from numbersadmin.costs.classes import Classes
from numbersadmin.costs.differing import differences
from numbersadmin.costs.models import Count, MonthClose, Rollup
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.report import GROUPINGS, Sum
from numbersadmin.money import Totals
from tests.costs.conftest import at
from tests.costs.histories import FIRST, LAST, NOW, an_account, freeze, lines_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(story, cast, request):
    """An account with a history of its own for each number."""
    return an_account(story, cast, request.param)


accounts = pytest.mark.parametrize("account", range(6), indirect=True)


@accounts
def test_numbers_alike_together_come_to_the_same_as_one_by_one(account):
    for first in (FIRST.previous, Month.parse("2026-09")):
        one_by_one, together = (
            figures.figures(account, first, LAST, list(GROUPINGS), shown=None, alike=alike)
            for alike in (False, True)
        )
        assert sorted(together) == sorted(one_by_one)
        assert len(sorted(together)) > 100
        start = max(first, figures.first_open(account))
        classes = list(Classes(account, start, LAST, None).alike(()))
        assert sum(one.times for one in classes) > len(classes) > 3, (
            "some are alike, or nothing is shown here"
        )


@accounts
@pytest.mark.parametrize("waived", [False, True])
def test_a_close_is_asked_for_the_sums_of_its_lines(account, waived):
    """Together as line by line, in months that are open."""
    opened = [month for month in account.months if not account.frozen(month)]
    for month in opened:
        unknown = [one.subject.id for one in lines_of(account, month) if one.charge.amount is None]
        through = frozenset(unknown[::2]) if waived else frozenset()
        by_line, together = (
            figures.line_sums(account, month, through, alike=alike) for alike in (False, True)
        )
        assert vars(together) == vars(by_line)
        assert together.open_prices == sum(number not in through for number in unknown)
        assert together.lines


@accounts
def test_counted_months_are_what_their_statements_add_up_to(account):
    """The bridge as well: number by number it leads to the same."""
    found = figures.figures(account, FIRST.previous, LAST, ["owner"], shown=None, alike=True)
    for month in (FIRST.plus(later) for later in range(7)):
        lines = [entry.charge for entry in lines_of(account, month)]
        assert some(found.amounts(month)) == some(Totals.of((line.currency, line.amount) for line in lines))
        reasons = defaultdict(Sum)
        for one in differences(account, month):
            reasons[one.currency, one.part] += Sum(one.part != "corrections", 0, one.amount)
        assert some(found.of(month, "bridge")) == some(reasons)


def some(figures):
    return {key: figure for key, figure in figures.items() if figure}


@accounts
def test_a_page_shows_the_same_from_what_was_counted(account, monkeypatch):
    asked = {"now": NOW, "by": "owner", "currency": "EUR", "all_groups": True}
    months = (Month.parse("2026-11"), FIRST)
    live = [selectors.month_page(account, month, **asked) for month in months]
    monkeypatch.setattr(counting, "SMALL", 10)
    counting.count(account, NOW)
    assert Rollup.objects.exists()
    monkeypatch.setattr(figures, "held_among", None)  # nothing is computed any more
    assert [selectors.month_page(account, month, **asked) for month in months] == live


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def large(two_months, monkeypatch):
    """An account that is counted ahead."""
    monkeypatch.setattr(counting, "SMALL", 2)
    monkeypatch.setattr(counting, "AT_MOST", 4)


def count(now=NOW):
    return [str(month) for month in counting.count(selectors.records(now), now)]


def test_a_small_account_is_counted_on_each_look(two_months):
    assert count() == []
    assert selectors.month_page(selectors.records(NOW), Month.parse("2026-11"), now=NOW).counted == NOW


def test_a_large_account_is_counted_once_and_anew_after_a_change(large, two_months, cast):
    assert sorted(count()) == ["2026-09", "2026-10", "2026-11", "2026-12"]
    later = NOW + timedelta(hours=1)
    assert count(later) == []
    record(actor=cast.admin, verb="user.signed_in", subject=cast.admin, at=later)
    assert count(later) == [], "that changes no figure"
    record(actor=None, verb="number.assigned", subject=two_months["GB"], at=later)
    assert len(count(later)) == 4
    assert set(Count.objects.values_list("at", flat=True)) == {later}


def test_every_kind_of_event_is_one_that_figures_rest_on_or_is_not():
    """A new one is to be thought about."""
    used = {verb.partition(".")[0] for verb in words.VERBS} | {*words.KINDS}
    assert used == {*counting.UNRELATED, "number", "cost"}
    assert not {"number", "cost"} & {*counting.UNRELATED}


def test_an_event_that_turns_up_late_is_not_missed(large, two_months):
    """Its id was given before that of one that a count has seen, it was committed after."""
    newest = AuditEvent.objects.latest("id").pk
    AuditEvent.objects.bulk_create([late_event(two_months["GB"], newest + 10)])
    count()
    AuditEvent.objects.bulk_create([late_event(two_months["GB"], newest + 5)])
    assert len(count()) == 4


def late_event(owned, pk):
    found = event(actor=None, verb="number.assigned", subject=owned, at=NOW)
    found.pk = pk
    return found


def test_the_next_month_is_counted_when_it_begins(large, two_months):
    count()
    assert "2027-01" in count(at("2026-12-01 00:01"))


def test_a_closed_month_is_counted_once(large, two_months, cast):
    freeze(selectors.records(NOW), Month.parse("2026-09"), cast, Random(1))
    assert "2026-09" in count()
    record(actor=None, verb="number.assigned", subject=two_months["GB"], at=NOW)
    assert sorted(count()) == ["2026-10", "2026-11", "2026-12"]


def test_what_was_counted_before_a_close_is_not_shown_as_closed(large, two_months, cast, signed_in, november):
    count()
    client = signed_in("viewer")
    assert client.get("/costs/2026-09/").status_code == 200
    freeze(selectors.records(NOW), Month.parse("2026-09"), cast, Random(1))
    assert "is being counted" in client.get("/costs/2026-09/").text
    count()
    assert "Closed by" in client.get("/costs/2026-09/").text


def test_a_correction_of_a_reopened_month_reaches_the_bridge_of_the_closed_one_after_it(
    large, two_months, cast
):
    for month in ("2026-09", "2026-10"):
        freeze(selectors.records(NOW), Month.parse(month), cast, Random(1))
    MonthClose.objects.create(
        month="2026-09",
        revision=1,
        action="reopen",
        at=NOW,
        by=cast.finance,
        second_by=cast.admin,
        reason="Late",
    )
    count()
    corrected(cast, "-1.5", Month.parse("2026-09"))
    count()
    bridge = selectors.month_page(
        selectors.records(NOW), Month.parse("2026-10"), now=NOW, currency="EUR"
    ).bridge
    exact = [bar.exact for bar in bridge.bars]
    assert sum(exact[:-1]) == exact[-1]
    assert count() == []


def test_a_correction_after_a_count_is_not_taken_off_what_does_not_have_it(large, two_months, cast):
    """The page is some minutes old, as it says, but its figures are of one moment."""
    freeze(selectors.records(NOW), Month.parse("2026-09"), cast, Random(1))
    count()
    corrected(cast, "-1.5", Month.parse("2026-09"))
    before = some_corrected("2026-10")
    count()
    after = some_corrected("2026-10")
    assert not before
    assert after.amounts == [("EUR", Decimal("24.403226"), Decimal("25.903226"))]


def some_corrected(month):
    return selectors.month_page(selectors.records(NOW), Month.parse(month), now=NOW).corrected


def corrected(cast, amount, about):
    services.post_correction(
        known=selectors.records(NOW),
        subject=Subject(None),
        amount=Decimal(amount),
        currency="EUR",
        reason="Credit note",
        corrects=about,
        actor=cast.finance,
        now=NOW,
    )


@pytest.mark.parametrize("path", ["/costs/2026-11/", "/costs/2026-11/forecast/", "/"])
def test_a_large_account_that_was_never_counted_says_so(large, signed_in, november, sandbox, path):
    page = signed_in("viewer").get(path)
    assert page.status_code == 200
    assert "counted" in page.text


def test_a_page_of_a_counted_account_reads_no_number(large, signed_in, november):
    count()
    client = signed_in("finance")
    client.get("/costs/2026-11/")
    with CaptureQueriesContext(connection) as asked:
        assert "Last counted 20 Nov 2026" in client.get("/costs/2026-11/").text
    assert not [
        one["sql"] for one in asked if "numberversion" in one["sql"] and "orderitem" not in one["sql"]
    ]


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines_on(client, path):
    """Every line of a list, from page to page, and the last page."""
    found, rows = [], re.compile(r'<tr data-number="(\d*)" data-id="(\w+)" data-kind="(\w+)"')
    while path:
        page = client.get(path).text.replace("&amp;", "&")
        found += rows.findall(page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        path = more and "/costs/2026-11/lines/" + more[1].replace("/costs/2026-11/lines/", "")
    return found, page


@pytest.mark.parametrize("account", [1, 5], indirect=True)
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?cur=EUR",
        "?cur=unknown",
        "?owner=manager",
        "?owner=(none)&country=DE",
        "?labels=a,%20b",
        "?label=a",
    ],
)
def test_the_lines_of_a_large_account_are_the_same(account, signed_in, november, monkeypatch, query):
    client, path = signed_in("finance"), f"/costs/2026-11/lines/{query}"
    lines, page = lines_on(client, path)
    monkeypatch.setattr(counting, "SMALL", 10)
    counting.count(account, NOW)
    monkeypatch.setattr(line_pages, "ROWS", 7)
    monkeypatch.setattr(line_pages, "AT_A_TIME", 5)
    keyed, last = lines_on(client, path)
    assert keyed == lines
    assert lines
    foot = re.compile(r"<tfoot.*</tfoot>", re.DOTALL)
    if "&" not in query:
        assert foot.findall(last) == foot.findall(page)
    else:
        assert "not added up here" in last


@pytest.mark.parametrize("query", ["?owner=%00", "?cur=%00"])
def test_what_no_database_can_keep_fits_no_line(large, signed_in, november, query):
    count()
    lines, page = lines_on(signed_in("finance"), f"/costs/2026-11/lines/{query}")
    assert lines == []
    assert "<html" in page
