"""Choosing: who may, what a tick carries, and that it survives paging and searching, with script and without."""

import pytest
import time_machine

from numbersadmin.orders.models import Kind, Order, OrderItem

pytestmark = pytest.mark.django_db


def test_the_form_leads_to_an_order(look, shop):
    page = look("country=RU")
    assert '<form id="choose" method="get" action="/orders/new/" data-action="choose">' in page.html
    assert list(page.boxes())[:2] == ["RU-79029555500", "RU-79029555501"]
    assert len(page.boxes()) == len(page.numbers) == 10


@pytest.mark.parametrize(
    ("person", "may"),
    [("viewer", False), ("manager", True), ("approver", True), ("finance", False), ("admin", False)],
)
def test_only_who_may_order_chooses(look, shop, person, may):
    page = look("country=RU&kept=GB-60444", person)
    assert len(page.numbers) == 10
    assert bool(page.boxes()) == may
    assert ('data-action="choose"' in page.html) == may


def test_three_prices_with_the_share_of_the_month(look, shop):
    page = look("country=GB&digits=447860041117")
    assert "Set-up, once October, 19 of 31 days Then per month" in page.text
    row = page.row("447860041117")
    box = page.boxes()["GB-447860041117"]
    assert ">2.50 <" in row
    assert ">3.06 <" in row
    assert ">5.00 <" in row
    for mark in (
        'data-currency="EUR"',
        'data-setup="2500000"',
        'data-month="3064517"',
        'data-monthly="5000000"',
    ):
        assert mark in box


def test_no_share_is_claimed_when_the_first_price_is_another(look, shop, now):
    shop.clock(now.replace(day=20))
    assert "Set-up, once October Then per month" in look("country=RU").text


def test_the_share_is_of_the_day_where_months_are_charged(look, shop, now, settings):
    late = now.replace(hour=23)
    shop.clock(late.replace(day=14, hour=1))
    settings.BILLING_TIME_ZONE = "Asia/Tokyo"
    with time_machine.travel(late, tick=False):
        assert "October, 18 of 31 days" in look("country=RU").text


def test_what_is_ours_says_so(look, shop, own_one):
    owned = own_one("79029555501", "RU")
    page = look("country=RU")
    assert f'href="/numbers/{owned.pk}/">Yours<' in page.row("79029555501")
    assert "disabled" in page.boxes()["RU-79029555501"]


def test_the_same_digits_in_another_country_are_another_number(look, shop, own_one):
    own_one("60444", "GB")
    assert "Yours" not in look("digits=60444&country=DE").text
    assert "Yours" in look("digits=60444&country=GB").text


def test_a_shared_number_can_be_bought_again(look, shop, own_one):
    own_one("60444", "DE")
    assert "disabled" not in look("country=DE").boxes()["DE-60444"]


def test_what_is_ordered_already_says_so(look, shop, cast, now):
    order = Order.objects.create(
        kind=Kind.PURCHASE,
        requester=cast.manager2,
        reason="x",
        form_token="t",
        created_at=now,
        expires_at=now,
    )
    item = OrderItem.objects.create(
        order=order, kind=Kind.PURCHASE, number="79029555502", number_key="K", country="RU", quote={},
        fingerprint="f", created_at=now, updated_at=now,
    )  # fmt: skip
    page = look("country=RU")
    assert f'href="/orders/{order.pk}/">Order {order.pk}<' in page.row("79029555502")
    assert "disabled" in page.boxes()["RU-79029555502"]
    OrderItem.objects.filter(pk=item.pk).update(state="rejected")
    assert "disabled" not in look("country=RU").boxes()["RU-79029555502"]


def test_without_script_the_selection_travels_in_links_and_in_the_form(look, shop):
    # "Keep these and search on" sends the boxes and the filters to this page
    page = look("country=RU&offer=RU-79029555500&offer=RU-79029555503")
    assert page.ticked() == ["RU-79029555500", "RU-79029555503"]
    assert "2 numbers selected" in page.text
    second = look(page.next)
    assert second.numbers[0] == "79029555510"
    assert second.ticked() == ["RU-79029555500", "RU-79029555503"]
    back = look(second.link('rel="prev"'))
    assert back.ticked() == ["RU-79029555500", "RU-79029555503"]
    assert 'name="kept" value="RU-79029555503"' in back.html  # the Search button takes it along, too


def test_with_script_the_boxes_are_all_there_is(look, shop):
    # the link still names what was kept when the page was drawn; one box was unticked, another ticked since
    page = look("country=RU&kept=RU-79029555500&live=1&offer=RU-79029555501&page=2", live=True)
    assert page.ticked() == ["RU-79029555501"]
    assert page.answer["HX-Push-Url"] == "/available/?country=RU&page=2&kept=RU-79029555501"
    empty = look("country=RU&kept=RU-79029555500&live=1", live=True)
    assert empty.ticked() == []


def test_sums_per_currency_of_all_that_is_chosen(look, shop):
    look("country=RU")  # seen on another page, so its price is known
    page = look(
        "country=GB&kept=RU-79029555500&kept=GB-447860041117&kept=GB-442071234567&kept=BR-551140000000"
    )
    assert "4 numbers selected" in page.text
    sums = page.text.partition("numbers selected")[2]
    assert "Set-up 2.50 EUR 0.00 GBP October 9.19 EUR 2.76 GBP Then per month 15.00 EUR 4.50 GBP" in sums
    elsewhere = [tag for tag in page.html.split("<input") if "data-kept-row" in tag]
    assert 'data-monthly="10000000"' in elsewhere[0]
    assert 'data-monthly=""' in elsewhere[1]  # never seen: unknown, not nothing


def test_one_can_be_taken_out_again(look, shop):
    page = look("country=GB&kept=RU-79029555500&kept=RU-79029555501")
    rest = look(page.link("drop=RU-79029555500"))
    assert rest.ticked() == ["RU-79029555501"]


def test_at_most_twenty(look, shop):
    refs = [f"RU-790295555{n:02}" for n in range(25)]
    page = look("country=GB&" + "&".join(f"kept={ref}" for ref in refs))
    assert len(page.ticked()) == 20
    assert "One order holds at most 20 numbers" in page.text
    assert 'data-max="20"' in page.html


def test_what_cannot_be_chosen_is_not_kept(look, shop, own_one):
    own_one("79029555501", "RU")
    page = look("country=RU&kept=RU-79029555501&kept=nonsense&kept=RU-")
    assert page.ticked() == []


def test_selection_outlives_a_search_without_result(look, shop):
    page = look("digits=999999&kept=RU-79029555500")
    assert page.ticked() == ["RU-79029555500"]
    assert 'data-action="choose"' in page.html
