"""Habits of the provider: lists that lie, purchases that come late, the shape of answers."""

import pytest
import requests

KEY, NUMBER = "K1", "447860041117"


@pytest.fixture(autouse=True)
def number(sandbox):
    """One number for sale."""
    sandbox.stock(available=[{"numberKey": KEY, "number": NUMBER}])


def own(sandbox, amount):
    sandbox.stock(owned=[{"numberKey": f"O{n:03}", "number": f"44786005{n:04}"} for n in range(amount)])


def test_purchase_answer_empty_201(sandbox, account):
    sandbox.switch(purchase_answer="201_empty")
    answer = account.buy(KEY)
    assert (answer.status_code, answer.content) == (201, b"")
    assert account.one(KEY).json()["number"] == NUMBER


@pytest.mark.parametrize(("ends", "status"), [("settled", None), ("BILLING_FAILED", "BILLING_FAILED")])
def test_pending_purchase_settles_or_fails(sandbox, account, ends, status):
    sandbox.switch(purchase_answer="pending", pending_ends=ends, pending_seconds=60)
    assert account.buy(KEY).json()["reservationStatus"] == "PENDING"
    assert account.owned()[0]["reservationStatus"] == "PENDING"
    sandbox.api("clock", {"advance_seconds": 61})
    assert account.one(KEY).json().get("reservationStatus") == status
    assert account.owned()[0].get("reservationStatus") == status


def test_read_lag_hides_a_purchase_for_a_while(sandbox, account):
    sandbox.switch(read_lag_seconds=30)
    assert account.buy(KEY).status_code == 200
    assert account.available() == []
    assert account.owned() == []
    assert account.one(KEY).status_code == 404
    assert account.buy(KEY).status_code == 400
    sandbox.api("clock", {"advance_seconds": 29})
    assert account.owned() == []
    sandbox.api("clock", {"advance_seconds": 1})
    assert [n["numberKey"] for n in account.owned()] == [KEY]
    assert account.one(KEY).status_code == 200


@pytest.mark.parametrize("act", [True, False])
def test_late_application_of_a_dropped_purchase(sandbox, account, act):
    sandbox.switch(late_apply_seconds=20)
    sandbox.fault("purchase", "drop", act=act)
    with pytest.raises(requests.ConnectionError):
        account.buy(KEY)
    assert account.one(KEY).status_code == 404
    assert sandbox.acts() == []
    sandbox.api("clock", {"advance_seconds": 21})
    assert account.one(KEY).status_code == 200
    assert [act["act"] for act in sandbox.acts()] == ["purchase"]


def test_late_application_in_real_time_while_the_clock_stands(sandbox, account):
    sandbox.switch(late_apply_seconds=0.05)
    sandbox.fault("purchase", "drop")
    with pytest.raises(requests.ConnectionError):
        account.buy(KEY)
    for _ in range(500):
        if account.owned():
            break
    assert [n["numberKey"] for n in account.owned()] == [KEY]


def test_late_application_finds_that_somebody_else_was_first(sandbox, account):
    sandbox.switch(late_apply_seconds=20)
    sandbox.fault("purchase", "drop")
    with pytest.raises(requests.ConnectionError):
        account.buy(KEY)
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    sandbox.api("clock", {"advance_seconds": 21})
    assert account.owned() == []
    assert sandbox.acts() == []


def test_late_application_of_a_shared_number_that_was_bought_meanwhile(sandbox, account):
    shared = {"numberKey": "S1", "number": "447480000999", "shared": True}
    sandbox.stock(available=[shared])
    sandbox.switch(late_apply_seconds=20)
    sandbox.fault("purchase", "drop")
    with pytest.raises(requests.ConnectionError):
        account.buy("S1")
    assert account.buy("S1").status_code == 200
    sandbox.api("clock", {"advance_seconds": 21})
    assert [act["act"] for act in sandbox.acts()] == ["purchase"], (
        "its key is owned, as a second call would hear"
    )


def test_late_cancellation(sandbox, account):
    own(sandbox, 1)
    sandbox.switch(late_apply_seconds=20)
    sandbox.fault("cancel", "hang", seconds=0.05)
    with pytest.raises(requests.ConnectionError):
        account.cancel("O000")
    assert account.one("O000").status_code == 200
    sandbox.api("clock", {"advance_seconds": 21})
    assert account.one("O000").status_code == 404


def test_limit_is_capped_silently(sandbox, account):
    own(sandbox, 12)
    sandbox.switch(max_limit=5)
    pages = [account.owned(limit=100, page=page) for page in range(4)]
    assert [len(page) for page in pages] == [5, 5, 2, 0]


@pytest.mark.parametrize("count", [7, 0, -1, "12"])
def test_count_is_wrong(sandbox, account, count):
    own(sandbox, 3)
    sandbox.switch(wrong_count=count)
    assert account.call("GET").json()["numberCount"] == count


def test_count_is_absent(sandbox, account):
    sandbox.switch(wrong_count="absent")
    assert list(account.call("GET").json()) == ["numbers"]


def test_page_is_ignored(sandbox, account):
    own(sandbox, 6)
    sandbox.switch(ignore_page=True)
    assert account.owned(limit=3, page=0) == account.owned(limit=3, page=1) == account.owned(limit=3, page=9)


def test_a_row_comes_twice(sandbox, account):
    own(sandbox, 6)
    sandbox.switch(duplicate_row=True)
    keys = [n["numberKey"] for page in range(2) for n in account.owned(limit=3, page=page)]
    assert sorted(set(keys)) == [f"O{n:03}" for n in range(6)]
    assert len(keys) == 8


def test_owned_list_is_empty_all_of_a_sudden(sandbox, account):
    own(sandbox, 3)
    sandbox.switch(owned_empty=True)
    assert account.call("GET").json() == {"numbers": [], "numberCount": 0}
    assert account.one("O000").status_code == 200


def test_prices_are_left_out(sandbox, account):
    own(sandbox, 1)
    sandbox.switch(omit_prices=True)
    assert "price" not in account.owned()[0]
    assert "price" not in account.available()[0]


def test_shape_of_today(sandbox, account):
    own(sandbox, 1)
    before = account.owned()[0]
    sandbox.switch(shape="today")
    number = account.owned()[0]
    extra = {
        "countryName",
        "network",
        "keywords",
        "additionalSetupRequired",
        "editPermissions",
        "applicationId",
    }
    assert set(number) - set(before) == extra
    assert (number["countryName"], number["applicationId"]) == ("United Kingdom", "default")
    assert "initialMonthPrice" in before["price"]
    assert "initialMonthPrice" not in number["price"]
    assert set(account.one("O000").json()) == set(before)


def test_a_switch_that_makes_no_sense_is_refused(sandbox, account):
    for wrong in (
        {"shape": "round"},
        {"ignore_page": 1},
        {"max_limit": 0},
        {"no_such": True},
        {"read_lag_seconds": -1},
    ):
        answer = requests.post(f"{account.url}/_sandbox/switches", json=wrong, timeout=5)
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["error"]
    assert sandbox.api("switches")["shape"] == "page"
