"""What a search asks of the provider: few calls, shared by all, and an answer in any case."""

import time
from pathlib import Path

import pytest
import time_machine

from numbersadmin.provider.client import get_provider

pytestmark = pytest.mark.django_db

RU = [f"790295555{n:02}" for n in range(25)]


def calls(shop):
    return len(shop.requests("list_available"))


def test_sorting_paging_and_narrowing_cost_no_further_call(look, shop):
    look("country=RU&digits=555&checked=25")
    before = calls(shop)
    for query in ("sort=price", "max_price=12&match=starts"):
        look(f"country=RU&digits=555&checked=25&{query}")
    look("country=RU&digits=555&checked=25", person="approver")
    assert (before, calls(shop)) == (3, 3)


def test_what_is_kept_is_asked_for_anew_after_half_a_minute(look, shop, now):
    look("country=RO")
    with time_machine.travel(now.replace(second=31), tick=False):
        look("country=RO")
    assert calls(shop) == 2


def test_pages_behind_the_first_stay_while_the_list_has_not_changed(look, shop, now):
    look("country=RU&digits=555&checked=25")
    with time_machine.travel(now.replace(minute=2), tick=False):
        look("country=RU&digits=555&checked=25")
        assert calls(shop) == 4  # only the first page again
        shop.api("outside", {"act": "taken", "number": RU[0]})
    with time_machine.travel(now.replace(minute=3), tick=False):
        assert RU[0] not in look("country=RU&digits=555&checked=25").numbers
    assert calls(shop) == 7


def test_a_file_that_cannot_be_used_costs_calls_and_nothing_else(look, shop, settings, caplog):
    path = Path(settings.VAR_DIR) / "provider_pages.sqlite3"
    path.write_bytes(b"not a database" * 100)
    try:
        assert look("country=RO").numbers == ["40371700053"]
        assert look("country=RO").numbers == ["40371700053"]
    finally:
        path.unlink()
    assert calls(shop) == 2
    assert "cannot be used" in caplog.text


def test_a_provider_that_gives_shorter_pages_than_asked_for(look, shop):
    shop.switch(max_limit=4)
    assert look("country=RU&page=3").numbers == RU[8:12]
    assert look("country=RU&digits=5524&match=ends&checked=25").numbers == ["79029555524"]


def test_a_provider_that_ignores_the_page(look, shop):
    shop.switch(ignore_page=True)
    page = look("country=RU&digits=555&checked=25")
    assert page.numbers == RU[:10]
    assert not page.more


@pytest.mark.parametrize("count", [3, 4000, "absent"])
def test_a_provider_that_miscounts(look, shop, count):
    shop.switch(wrong_count=count)
    for query in ("country=RU", "country=RU&page=2", "country=RU&page=3", "country=RU&digits=555&checked=30"):
        look(query)


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        ("status", {"status": 500, "times": -1}, "The search did not reach Infobip"),
        ("drop", {"times": -1}, "The search did not reach Infobip"),
        ("html", {"times": -1}, "The search did not reach Infobip"),
        ("garbage", {}, "Infobip gave an answer that we do not understand"),
        ("redirect", {}, "Infobip gave an answer that we do not understand"),
    ],
)
def test_a_failure_never_looks_like_an_empty_result(look, shop, kind, details, said):
    shop.fault("list_available", kind, **details)
    page = look("country=RU&digits=555&match=ends&max_price=20&capabilities=SMS&kept=GB-60444")
    assert said in page.text
    assert "data-retry-after=" in page.html
    assert 'value="555"' in page.html
    assert '<option value="RU" selected>' in page.html
    assert page.ticked() == ["GB-60444"]
    assert "Nothing fits" not in page.text
    assert "has none of these" not in page.text


def test_refused_credentials_say_who_can_help(look, shop):
    shop.switch(refuse_credentials=True)
    page = look("country=RU")
    assert "Infobip refuses our sign-in" in page.text
    assert "data-retry-after=" not in page.html


def test_trouble_on_a_later_page_shows_what_there_is(look, shop):
    shop.fault("list_available", "status", status=500, skip=1, times=-1)
    page = look("country=RU&digits=555&checked=25")
    assert page.numbers == RU[:10]
    assert "10 matches in the 10 Russia numbers with 555 checked so far. Infobip lists 25." in page.text
    assert "Infobip did not answer further than that" in page.text
    assert page.more


@pytest.fixture
def limited(shop, settings):
    settings.PROVIDER_RATE_LIMITS = True
    get_provider().list_owned()  # proves the credentials: until then calls are fewer still
    return shop


def test_under_the_rate_limit_it_answers_in_time_with_what_it_could_check(look, limited, settings):
    began = time.monotonic()
    page = look("country=RU&digits=555&checked=25")
    assert time.monotonic() - began < 5
    assert page.numbers[:10] == RU[:10]


def test_when_others_are_first_it_says_when_to_try_again(look, limited):
    limited.fault("list_available", "status", status=429, headers={"Retry-After": "7"}, times=-1)
    began = time.monotonic()
    page = look("country=RU&digits=555")
    assert time.monotonic() - began < 5
    assert "Infobip is busy, try again in 7 s" in page.text
    assert 'data-retry-after="7"' in page.html
    assert 'value="555"' in page.html
