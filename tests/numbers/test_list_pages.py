"""Pages of the list follow each other in every order, forwards and back, with ties and unknown values."""

import pytest

from numbersadmin.numbers import listing, selectors
from numbersadmin.numbers.listing import NoSuchPage, number_list
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.selectors import EVERY, ORDERS, NumberFilter, matching

pytestmark = pytest.mark.django_db
SORTS = [f"{sign}{sort}" for sort in ORDERS for sign in ("", "-")]
FILTERS = [{}, {"q": "930"}, {"q": "4930", "country": "GB"}]


@pytest.fixture(params=["few", "many"])
def small_pages(request, monkeypatch):
    """Pages of three rows; everything is few, or everything is many."""
    monkeypatch.setattr(listing, "ROWS", 3)
    if request.param == "many":
        monkeypatch.setattr(listing, "FEW", 0)
        monkeypatch.setattr(listing, "COUNTED", 0)
        monkeypatch.setattr(selectors, "EVERYWHERE", 0)


@pytest.fixture
def mixed(own_many, cast):
    """Eleven numbers with equal and unknown values in every order."""
    rows = own_many(
        [
            {
                "number": f"{('4930', '4477', '1493')[at % 3]}{at % 5}0",
                "number_key": f"K{at}",
                "country": ("GB", "DE")[at % 2],
                "per_month": (None, "5", "5", "7")[at % 4],
                "currency": ("EUR", "USD")[at % 3 == 0],
            }
            for at in range(11)
        ]
    )
    for at, row in enumerate(rows):
        row.owner = (None, cast.manager, cast.finance)[at % 3]
        row.cost_centre = ("", "Retail")[at % 2]
        row.labels = [["otp"], []][at % 2]
    OwnedNumber.objects.bulk_update(rows, ["owner", "cost_centre", "labels"])
    return rows


def walk(wanted, **start):
    """Ids page by page forwards from the start, and the pages' places."""
    seen, places, page = [], [], number_list(wanted, **start)
    while True:
        seen += [row.id for row in page.rows]
        places.append(page.first)
        if not page.on:
            return seen, places
        page = number_list(wanted, after=page.on)


def back_from_the_end(wanted):
    page = number_list(wanted, at_end=True)
    seen = [row.id for row in page.rows]
    while page.back:
        page = number_list(wanted, before=page.back)
        seen = [row.id for row in page.rows] + seen
    return seen


def expected(wanted):
    """The same order by sorting in Python."""
    down = wanted.sort.startswith("-")
    sort = wanted.sort.removeprefix("-")
    column = {
        "since": "acquired_to",
        "state": "status",
        "price": "price_per_month",
        "owner": "owner__username",
    }
    first = column.get(sort, sort)
    rows = list(matching(wanted).values("id", "number", "currency", first))
    rows.sort(key=lambda row: (row["number"], row["id"]), reverse=down)
    known = [row for row in rows if row[first] is not None]
    known.sort(key=lambda row: row[first], reverse=down)
    rows = [*known, *(row for row in rows if row[first] is None)]
    if sort == "price":
        rows.sort(key=lambda row: row["currency"])
    return [row["id"] for row in rows]


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_forwards_and_back(small_pages, mixed, sort):
    for chosen in FILTERS:
        wanted = NumberFilter(sort=sort, state=EVERY, **chosen)
        seen, places = walk(wanted)
        in_order = expected(wanted)
        if number_list(wanted).begins:
            begin = [row.pk for row in mixed if row.number.startswith(chosen["q"])]
            in_order.sort(key=lambda key: key not in begin)
        assert seen == in_order
        assert back_from_the_end(wanted) == seen
        assert places == [1 + 3 * at for at in range(len(places))]


def test_rows_that_come_and_go_between_pages_repeat_and_skip_none(mixed, own_many, monkeypatch):
    monkeypatch.setattr(listing, "ROWS", 3)
    wanted = NumberFilter()
    page = number_list(wanted)
    own_many([{"number": "100"}])
    OwnedNumber.objects.filter(pk=page.rows[0].id).update(number="99999")
    after = [row.id for row in number_list(wanted, after=page.on).rows]
    assert not set(after) & {row.id for row in page.rows}
    assert after == [row.pk for row in OwnedNumber.objects.order_by("number", "id")[3:6]]


def test_a_mark_of_another_order_or_of_a_part_that_is_gone_is_refused(mixed, cast, monkeypatch):
    monkeypatch.setattr(listing, "ROWS", 3)
    mark = number_list(NumberFilter(sort="owner")).on
    for wanted, after in ((NumberFilter(), mark), (NumberFilter(sort="owner"), mark[:-1] + "x")):
        with pytest.raises(NoSuchPage):
            number_list(wanted, after=after)
    with pytest.raises(NoSuchPage):
        number_list(NumberFilter(sort="owner", owner="manager"), after=mark)
    OwnedNumber.objects.update(owner=None)
    assert len(number_list(NumberFilter(sort="owner"), after=mark).rows) == 3  # nobody's come last


def test_too_many_for_a_text_is_said_and_not_summed(mixed, signed_in, monkeypatch):
    monkeypatch.setattr(listing, "COUNTED", 4)
    found = number_list(NumberFilter(q="930"))
    assert (found.count, found.totals, found.facets) == (None, None, None)
    page = signed_in("viewer").get("/numbers/?q=930").content.decode()
    assert "of more than 4 numbers" in page
    assert "More numbers fit than are counted" in page
    assert "per month</td>" not in page
    narrower = number_list(NumberFilter(q="930", country="GB", owner="(none)"))
    assert narrower.count == len(narrower.rows)
    assert narrower.totals is not None


@pytest.mark.parametrize("everywhere", [0, 1000])
@pytest.mark.parametrize(
    "text", ["otp", "O", "o", "a b", 'he"x', '", "', "C:\\d", "100%", "żółć", "930", "49 30"]
)
def test_a_text_finds_the_same_with_and_without_the_search_table(mixed, monkeypatch, everywhere, text):
    for row, labels in zip(
        mixed, [["o"], ["a b", "c"], ['he"xa'], ["C:\\dir"], ["100%"], ["ŻÓŁĆ"]], strict=False
    ):
        row.labels = labels
        row.save()
    monkeypatch.setattr(selectors, "EVERYWHERE", everywhere)
    found = {row.pk for row in matching(NumberFilter(q=text, state=EVERY))}
    written, digits = text.lower(), selectors.digits_of(text)
    whole = len(text) < selectors.SHORT
    assert found == {
        row.pk
        for row in mixed
        if any(written == one.lower() if whole else written in one.lower() for one in row.labels)
        or (digits and digits in row.number)
    }
