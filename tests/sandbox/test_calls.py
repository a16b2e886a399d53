"""The five calls as the documentation shows them, under both prefixes."""

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from numbersadmin.sandbox.acts import BOUGHT, Acts
from numbersadmin.sandbox.calls import Calls, Request
from numbersadmin.sandbox.clock import Clock
from numbersadmin.sandbox.numbers import FOR_SALE, new_number
from numbersadmin.sandbox.store import Store

OLD, NEW = "/sms/1/numbers", "/numbers/1/numbers"
DOCUMENTED = {"owned": 0, "available": 14}
GB_KEY, GB_OWNED_KEY = "58B3840032C7774BAC840EEEA2C23A44", "6FED0BC540BFADD9B05ED7D89AAC22FA"
PERCENT_KEY = "3B9D1EACAB7FBDRN%EE03592BFCD6BE"


def example(name: str) -> object:
    """The body of a documented answer."""
    return json.loads((Path(__file__).parents[1] / "provider" / "examples" / name).read_text())


def test_documented_available_list(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    answer = account.call("GET", "available", params={"country": "RU"}).json()
    wanted = example("1-list-available.response.json")
    assert sorted(answer["numbers"], key=lambda n: n["number"], reverse=True) == wanted["numbers"]
    assert answer["numberCount"] == 2


def test_documented_purchase_list_get_and_cancel(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    sandbox.switch(key_changes_on_purchase=True)
    sandbox.api("clock", {"advance_seconds": 86400})
    bought = account.buy(GB_KEY)
    assert (bought.status_code, bought.json()) == (200, example("2-purchase.response.json"))
    assert account.call("GET").json() == example("3-list-purchased.response.json")
    assert account.one(GB_OWNED_KEY).json() == example("4-get-one.response.json")
    gone = account.cancel(GB_OWNED_KEY)
    assert (gone.status_code, gone.content, gone.headers["Content-Length"]) == (204, b"", "0")
    assert account.owned() == []
    assert [n["numberKey"] for n in account.available(number="447860041117")] == [GB_KEY]


def test_key_stays_where_the_switch_is_off_and_is_new_for_each_life_where_it_is_on(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    assert account.buy(GB_KEY).json()["numberKey"] == GB_KEY
    account.cancel(GB_KEY)
    sandbox.switch(key_changes_on_purchase=True)
    second = account.buy(GB_KEY).json()["numberKey"]
    account.cancel(second)
    third = account.buy(GB_KEY).json()["numberKey"]
    assert len({GB_KEY, second, third}) == 3


@pytest.mark.parametrize("prefix", [OLD, NEW])
@pytest.mark.parametrize("slash", ["", "/"])
def test_both_prefixes_with_and_without_slash(sandbox, account, prefix, slash):
    sandbox.reset(owned=1, available=14)
    assert account.call("GET", f"{prefix}/available{slash}").json()["numberCount"] == 14
    assert account.call("GET", f"{prefix}{slash}").json()["numberCount"] == 1
    bought = account.call("POST", f"{prefix}{slash}", json={"numberKey": GB_KEY})
    assert bought.status_code == 200
    assert account.call("GET", f"{prefix}/{GB_KEY}{slash}").status_code == 200
    assert account.call("DELETE", f"{prefix}/{GB_KEY}{slash}").status_code == 204


def test_paths_and_methods_that_do_not_exist(account):
    for path in ("/sms/2/numbers", "/", f"{OLD}/available/more", f"{OLD}//"):
        assert account.call("GET", path).status_code == 404
    answer = account.call("PUT", GB_KEY, json={"applicationId": "x"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, DELETE")
    assert account.call("POST", "available").status_code == 405


def test_each_generation_has_its_default_limit(sandbox, account):
    sandbox.reset(owned=60, available=60)
    lengths = {
        (prefix, path): len(account.call("GET", prefix + path).json()["numbers"])
        for prefix in (OLD, NEW)
        for path in ("", "/available")
    }
    assert lengths == {(OLD, ""): 50, (OLD, "/available"): 50, (NEW, ""): 50, (NEW, "/available"): 10}


@pytest.mark.parametrize("path", ["", "available"])
def test_pages_begin_at_zero_and_hold_every_number_once(sandbox, account, path):
    sandbox.reset(owned=25, available=25)
    pages = [account.call("GET", path, params={"limit": 10, "page": page}).json() for page in range(4)]
    assert [len(page["numbers"]) for page in pages] == [10, 10, 5, 0]
    assert {page["numberCount"] for page in pages} == {25}
    numbers = [n["number"] for page in pages for n in page["numbers"]]
    assert numbers == sorted(numbers)
    assert len({n["numberKey"] for page in pages for n in page["numbers"]}) == 25


def test_filters_of_the_available_list(sandbox, account):
    sandbox.reset(owned=0, available=3000)
    romanian = account.available(country="ro", capabilities="SMS,VOICE", number="4037170005", limit=100)
    assert {n["number"] for n in romanian} >= {"40371700050", "40371700051"}
    assert "40371700054" not in {n["number"] for n in romanian}
    both = account.call("GET", "available?capabilities=SMS&capabilities=VOICE&limit=3000").json()
    assert both["numberCount"] == len(both["numbers"]) > 500
    assert all({"SMS", "VOICE"} <= set(n["capabilities"]) for n in both["numbers"])
    middle = account.available(number="0417", limit=3000)
    assert middle
    assert all("0417" in n["number"] for n in middle)
    assert account.available(country="XX") == []
    assert [n["type"] for n in account.available(capabilities="TELEPATHY")] == ["HOLOGRAM_NUMBER"]


def test_owned_list_is_narrowed_by_digits_only(sandbox, account):
    sandbox.reset(owned=60, available=0)
    assert [n["country"] for n in account.owned(number="60888")] == ["GB", "FR"]
    assert len(account.owned(country="RO", limit=100)) == 60


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("page=-1", "page"),
        ("page=x", "page"),
    ],
)
@pytest.mark.parametrize("path", ["", "available"])
def test_wrong_parameters_are_refused_by_name(account, path, query, field):
    answer = account.call("GET", f"{path}?{query}" if path else f"{OLD}?{query}")
    exception = answer.json()["requestError"]["serviceException"]
    assert (answer.status_code, exception["messageId"]) == (400, "BAD_REQUEST")
    assert list(exception["validationErrors"]) == [field]


def test_unknown_capability_is_refused(account):
    answer = account.call("GET", "available", params={"capabilities": "SMS,FAX"})
    assert answer.status_code == 400
    assert "capabilities" in answer.json()["requestError"]["serviceException"]["validationErrors"]


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"{}", b'{"numberKey":""}', b'{"numberKey":7}', b'{"number":" "}'[:-1]]
)
def test_purchase_without_a_key_is_refused(sandbox, account, body):
    answer = account.call("POST", data=body)
    errors = answer.json()["requestError"]["serviceException"]["validationErrors"]
    assert (answer.status_code, errors) == (400, {"numberKey": ["property not found or blank"]})
    assert sandbox.acts() == []


def test_purchase_of_what_is_not_for_sale(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    unknown = account.buy("nowhere")
    assert (unknown.status_code, unknown.content) == (404, b"")
    account.buy(GB_KEY)
    again = account.buy(GB_KEY)
    assert again.status_code == 400
    assert again.json()["requestError"]["serviceException"]["messageId"] == "BAD_REQUEST"
    assert len(sandbox.acts("purchase")) == 1


def test_us_numbers_are_bought_by_number_and_others_by_key(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    us_key, us = "1F0E2D3C4B5A69788796A5B4C3D2E1F0", "12025550143"
    assert account.call("POST", NEW, json={"numberKey": us_key}).status_code == 400
    assert account.call("POST", NEW, json={"numberKey": us_key, "number": us}).status_code == 400
    assert account.call("POST", NEW, json={"number": "447860041117"}).status_code == 400
    assert account.call("POST", NEW, json={"number": "12025550000"}).status_code == 404
    assert account.call("POST", NEW, json={"number": us}).json()["numberKey"] == us_key
    assert account.call("POST", NEW, json={"number": us}).status_code == 400


def test_a_number_for_sale_is_not_owned(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    answer = account.one(GB_KEY)
    assert (answer.status_code, answer.content) == (404, b"")
    gone = account.cancel(GB_KEY)
    assert gone.status_code == 404
    assert gone.json()["requestError"]["serviceException"]["messageId"] == "NOT_FOUND"


def test_percent_in_a_key_must_be_quoted(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    assert account.buy(PERCENT_KEY).json()["numberKey"] == PERCENT_KEY
    assert account.one(PERCENT_KEY).json()["number"] == "79029555525"
    assert account.call("GET", PERCENT_KEY).status_code == 404  # %EE alone is another key
    assert account.cancel(PERCENT_KEY).status_code == 204


def test_odd_keys_survive_path_and_body(sandbox, account):
    keys = [added["number_key"] for added in sandbox.api("numbers", {"odd_keys": "available"})["added"]]
    assert len(keys) == 28
    for key in set(keys) - {".", ".."}:
        assert account.buy(key).json()["numberKey"] == key
        if key != "available":  # that one path is the list of what is for sale
            assert account.one(key).json()["numberKey"] == key
        assert account.cancel(key).status_code == 204


def test_shared_number_stays_for_sale(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    sandbox.switch(key_changes_on_purchase=True)
    shared = "9A37D0E5C2184B6FA0D3E7B95C4F1826"
    keys = {account.buy(shared).json()["numberKey"] for _ in range(2)}
    assert len(keys) == 2
    assert {n["numberKey"] for n in account.owned()} == keys
    assert account.available(number="447480000123")[0]["numberKey"] == shared
    for key in keys:
        account.cancel(key)
    assert account.owned() == []
    assert len(account.available(number="447480000123")) == 1


def test_shared_number_is_refused_a_second_time_where_keys_stay(sandbox, account):
    sandbox.reset(**DOCUMENTED)
    shared = "9A37D0E5C2184B6FA0D3E7B95C4F1826"
    assert [account.buy(shared).status_code for _ in range(2)] == [200, 400]


def test_fifty_buyers_of_one_number_get_it_once(sandbox, caller):
    sandbox.reset(**DOCUMENTED)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: caller().buy(GB_KEY).status_code, range(50)))
    assert sorted(answers) == [200] + [400] * 49
    assert len(sandbox.acts("purchase")) == 1
    assert sandbox.api("state")["calls"]["purchase"] == 50


class Unguarded(Store):
    """A store that lets two threads look before either has written."""

    def __init__(self):
        super().__init__(":memory:")
        self.both = threading.Barrier(2, timeout=5)

    @contextlib.contextmanager
    def change(self, *, keep=True):
        yield

    def find(self, condition, *values):
        found = super().find(condition, *values)
        if BOUGHT in condition:  # the last look before the act
            self.both.wait()
        return found


@pytest.mark.parametrize(("store", "bought"), [(Unguarded, 2), (lambda: Store(":memory:"), 1)])
def test_without_the_guard_two_buyers_get_one_number(store, bought):
    kept = store()
    with Store.change(kept):
        kept.add([new_number(FOR_SALE, {"number": "447860041117"}, GB_KEY)])
    clock = Clock()
    calls = Calls(kept, clock, Acts(kept, clock), frozenset({"App sandbox"}))
    body = json.dumps({"numberKey": GB_KEY}).encode()
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda n: calls.answer(Request(n, "purchase", OLD, "", "", "App sandbox", body)), range(2)
            )
        )
    assert len(kept.acts()) == bought
    kept.close()


def test_many_at_once_lose_nothing(sandbox, account, caller):
    sandbox.reset(owned=0, available=50)
    keys = [n["numberKey"] for n in account.available(limit=50) if n["country"] != "US" and not n["shared"]]
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda key: caller().buy(key).status_code, keys)) == {200}
    assert {n["numberKey"] for n in account.owned(limit=100)} == set(keys)
    assert len(sandbox.acts("purchase")) == len(keys)
