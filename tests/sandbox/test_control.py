"""The control API: the clock, numbers made and changed from outside, the ledger, a new start."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

NUMBER = "447860041117"


def now(sandbox):
    return datetime.fromisoformat(sandbox.api("state")["now"])


def test_clock_stands_runs_and_moves(sandbox):
    sandbox.api("clock", {"now": "2026-10-31T23:59:00Z", "frozen": True})
    assert now(sandbox) == now(sandbox) == datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
    sandbox.api("clock", {"advance_seconds": 61})
    assert now(sandbox) == datetime(2026, 11, 1, 0, 0, 1, tzinfo=UTC)
    sandbox.api("clock", {"now": "2025-01-01T00:00:00Z"})
    first, second = now(sandbox), now(sandbox)
    assert datetime(2025, 1, 1, tzinfo=UTC) < first < second < datetime(2025, 1, 1, 0, 1, tzinfo=UTC)
    sandbox.api("clock", {"now": None})
    assert abs(now(sandbox) - datetime.now(UTC)) < timedelta(seconds=30)


def test_outside_purchase_and_cancellation_are_acts_of_others(sandbox, account):
    sandbox.stock(available=[{"number": NUMBER, "numberKey": "K", "pricePerMonth": "31"}])
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    assert account.owned()[0]["price"]["initialMonthPrice"] == 19
    sandbox.api("outside", {"act": "cancel", "number": NUMBER})
    assert account.owned() == []
    assert account.available()[0]["numberKey"] == "K"
    assert [act["act"] for act in sandbox.acts()] == ["outside_purchase", "outside_cancel"]
    assert {act["request"] for act in sandbox.acts()} == {None}


def test_what_the_account_really_has_is_told_whatever_the_list_says(sandbox, account):
    sandbox.stock(
        owned=[{"number": NUMBER, "numberKey": "K"}], available=[{"number": "441", "numberKey": "L"}]
    )
    sandbox.switch(owned_empty=True, read_lag_seconds=60)
    account.buy("L")
    assert account.owned() == []
    told = {row["number"]: row for row in sandbox.api("bought")["bought"]}
    assert [(row["number_key"], row["shown"]) for row in told.values()] == [("K", True), ("L", False)]
    for act in ("cancel", "purchase"):
        sandbox.api("outside", {"act": act, "number": NUMBER})
    again = next(row for row in sandbox.api("bought")["bought"] if row["number"] == NUMBER)
    assert again["id"] == told[NUMBER]["id"]
    assert again["lives"] == told[NUMBER]["lives"] + 1
    sandbox.api("outside", {"act": "change", "number": NUMBER, "omit": ["numberKey"]})
    assert {row["number_key"] for row in sandbox.api("bought")["bought"]} == {None, "L"}


def test_others_act_between_two_pages_of_a_list(sandbox, account):
    sandbox.stock(
        owned=[{"number": f"44786005{n:04}"} for n in range(4)], available=[{"number": "447860059999"}]
    )
    for act in ({"act": "cancel", "number": "447860050001"}, {"act": "purchase", "number": "447860059999"}):
        sandbox.api("outside", act | {"after": {"endpoint": "list_owned", "calls": 1}})
    pages = [account.call("GET", params={"limit": 2, "page": page}).json() for page in range(2)]
    assert [page["numberCount"] for page in pages] == [4, 4]  # no count betrays it
    seen = {n["number"][-4:] for page in pages for n in page["numbers"]}
    assert seen == {"0000", "0001", "0003", "9999"}  # 0002 is owned and was never listed, 0001 is gone


def test_what_others_were_to_do_can_be_forgotten(sandbox, account):
    sandbox.stock(owned=[{"number": NUMBER, "numberKey": "K"}])
    sandbox.api(
        "outside", {"act": "cancel", "number": NUMBER, "after": {"endpoint": "list_owned", "calls": 1}}
    )
    sandbox.api("outside", method="DELETE")
    account.owned()
    assert sandbox.acts() == []


def test_others_cannot_buy_a_shared_number_twice_under_one_key(sandbox, account):
    sandbox.stock(available=[{"number": NUMBER, "numberKey": "K", "shared": True}])
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    with pytest.raises(AssertionError, match="already owned"):
        sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    assert len(account.owned()) == 1


def test_ledger_tells_what_was_bought_for_how_much(sandbox, account):
    sandbox.stock(
        available=[{"number": NUMBER, "numberKey": "K", "pricePerMonth": "31", "setupPrice": "2.50"}]
    )
    sandbox.switch(key_changes_on_purchase=True)
    key = account.buy("K").json()["numberKey"]
    account.cancel(key)
    bought, cancelled = sandbox.acts()
    assert (bought["number"], bought["number_key"], bought["new_key"]) == (NUMBER, "K", key)
    assert (bought["price_per_month"], bought["setup_price"], bought["initial_month_price"]) == (
        "31",
        "2.50",
        "19",
    )
    assert (bought["currency"], bought["country"], bought["at"]) == ("EUR", "GB", "2026-10-13T09:00:00Z")
    assert (cancelled["act"], cancelled["number_key"], cancelled["new_key"]) == ("cancel", key, None)
    posts = sandbox.requests("purchase")
    assert [post["request"] for post in posts] == [bought["request"]]
    assert posts[0]["body"] == '{"numberKey": "K"}'


def test_change_of_facts_and_prices(sandbox, account):
    sandbox.stock(owned=[{"number": NUMBER, "numberKey": "K"}])
    wanted = {
        "pricePerMonth": "9.5",
        "capabilities": ["SMS", "VOICE"],
        "numberKey": "K2",
        "currency": "USD",
        "x": 1,
    }
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": wanted})
    number = account.owned()[0]
    assert (number["numberKey"], number["capabilities"], number["x"]) == ("K2", ["SMS", "VOICE"], 1)
    assert (number["price"]["pricePerMonth"], number["price"]["currency"]) == (9.5, "USD")
    assert sandbox.acts() == []


def test_change_finds_a_short_code_by_country(sandbox, account):
    sandbox.stock(owned=[{"number": "60777", "country": country} for country in ("GB", "DE")])
    sandbox.api(
        "outside", {"act": "change", "number": "60777", "country": "DE", "set": {"pricePerMonth": "7"}}
    )
    assert {n["country"]: n["price"]["pricePerMonth"] for n in account.owned()} == {"GB": 5, "DE": 7}


def test_exact_numbers_keep_every_oddity(sandbox, account):
    sandbox.stock(
        owned=[
            {
                "number": "1",
                "numberKey": "A",
                "price": {"pricePerMonth": "0.10", "currency": "eur"},
                "extra": {"a": [1]},
            },
            {"number": "2", "numberKey": "B", "omit": ["price", "type"]},
            {"number": "3", "omit": ["numberKey"]},
            {"number": "4", "numberKey": "D", "capabilities": None, "price": None},
            {
                "number": "5",
                "numberKey": "E",
                "pricePerMonth": {"raw": "1e400"},
                "omit": ["initialMonthPrice"],
            },
            {"number": "6", "numberKey": "F", "setupPrice": "15,00", "currency": None},
        ]
    )
    text = account.call("GET").text
    assert '"pricePerMonth":0.10,' in text
    assert '"pricePerMonth":1e400,"setupPrice":0,"currency":"EUR"}' in text
    one, two, three, four, _, six = account.owned()
    assert one["extra"] == {"a": [1]}
    assert one["price"]["currency"] == "eur"
    assert set(two) == {"numberKey", "number", "country", "capabilities", "shared"}
    assert "numberKey" not in three
    assert (four["capabilities"], four["price"]) == (None, None)
    assert (six["price"]["setupPrice"], six["price"]["currency"]) == ("15,00", None)


def test_added_numbers_get_defaults(sandbox, account):
    sandbox.stock(owned=[{}, {}], available=[{}])
    numbers = account.owned() + account.available()
    assert len({n["numberKey"] for n in numbers}) == len({n["number"] for n in numbers}) == 3
    assert {n["price"]["pricePerMonth"] for n in numbers} == {5}


def test_reset_forgets_everything(sandbox, account):
    sandbox.stock(available=[{"numberKey": "K"}])
    sandbox.switch(ignore_page=True)
    sandbox.fault("*", "drop", times=-1, skip=5)
    account.buy("K")
    state = sandbox.api("reset", {"owned": 2, "available": 3, "seed": 9})
    assert (state["owned"], state["available"], state["faults"]) == (2, 3, [])
    assert state["switches"]["ignore_page"] is False
    assert set(state["calls"].values()) == {0}
    assert sandbox.api("ledger") == {"acts": [], "requests": []}
    assert abs(now(sandbox) - datetime.now(UTC)) < timedelta(seconds=30)
    assert sandbox.api("reset", {"empty": True})["available"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {}),
        ("clock", {"now": "yesterday"}),
        ("clock", {"noww": None}),
        ("outside", {"act": "steal", "number": "1"}),
        ("outside", {"act": "cancel"}),
        ("outside", {"act": "cancel", "number": "1", "after": {"endpoint": "list"}}),
        ("outside", {"act": "change", "number": "447860041117", "set": {"price": {"perMonth": 1}}}),
        ("numbers", {"owned": [{"omit": ["number", "country", "type", "capabilities", "shared"]}]}),
        ("reset", {"amount": 3}),
    ],
)
def test_wrong_orders_are_refused_with_a_reason(sandbox, path, body):
    sandbox.stock(owned=[{"number": NUMBER}])
    answer = requests.post(f"{sandbox.url}/_sandbox/{path}", json=body, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_unknown_controls_and_numbers(sandbox):
    assert requests.get(f"{sandbox.url}/_sandbox/nothing", timeout=5).status_code == 404
    gone = requests.post(f"{sandbox.url}/_sandbox/outside", json={"act": "cancel", "number": "1"}, timeout=5)
    assert gone.status_code == 404
    assert requests.post(f"{sandbox.url}/_sandbox/clock", data=b"x", timeout=5).status_code == 400


def test_web_pages_cannot_reach_it(sandbox):
    answer = requests.post(
        f"{sandbox.url}/_sandbox/reset", headers={"Origin": "https://elsewhere"}, timeout=5
    )
    assert answer.status_code == 403
