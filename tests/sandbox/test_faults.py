"""Misbehaviour on demand: what goes over the wire, and whether the act happened."""

import json
import socket
import threading
import time

import pytest
import requests

KEY = "K1"


@pytest.fixture(autouse=True)
def numbers(sandbox):
    """One number for sale, one owned."""
    sandbox.stock(available=[{"numberKey": KEY, "number": "447860041117"}], owned=[{"numberKey": "O1"}])


def lost(account):
    """A purchase that gets no answer; the text of the error."""
    with pytest.raises(requests.RequestException) as error:
        account.buy(KEY)
    return str(error.value)


@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize(
    "kind", ["drop", "reset", "hang", "truncate", "garbage", "html", "empty", "redirect", "status"]
)
def test_write_happens_before_the_fault_or_not_at_all(sandbox, account, kind, act):
    sandbox.fault("purchase", kind, act=act, seconds=0.05)
    try:
        account.buy(KEY)
    except requests.RequestException:
        assert kind in ("drop", "reset", "hang", "truncate")
    else:
        assert kind not in ("drop", "reset", "hang", "truncate")
    assert len(sandbox.acts("purchase")) == (1 if act else 0)
    assert account.one(KEY).status_code == (200 if act else 404)


@pytest.mark.parametrize("act", [True, False])
def test_cancellation_is_lost_before_or_after(sandbox, account, act):
    sandbox.fault("cancel", "drop", act=act)
    with pytest.raises(requests.ConnectionError):
        account.cancel("O1")
    assert account.one("O1").status_code == (404 if act else 200)


def test_drop_is_a_close_without_a_byte(sandbox, account):
    sandbox.fault("purchase", "drop")
    assert "closed connection without response" in lost(account)


def test_reset_is_a_reset(sandbox, account):
    sandbox.fault("purchase", "reset")
    assert "reset by peer" in lost(account)


def test_hang_holds_the_connection_and_then_closes_it(sandbox, account):
    sandbox.fault("purchase", "hang", seconds=0.2)
    begun = time.monotonic()
    assert "closed connection without response" in lost(account)
    assert time.monotonic() - begun >= 0.2


def test_truncated_answer_promises_more_than_it_holds(sandbox, account):
    sandbox.fault("list_owned", "truncate")
    with socket.create_connection(account.url.removeprefix("http://").split(":")) as wire:
        wire.sendall(b"GET /sms/1/numbers HTTP/1.1\r\nHost: x\r\nAuthorization: App sandbox\r\n\r\n")
        raw = b"".join(iter(lambda: wire.recv(65536), b""))
    head, _, body = raw.partition(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < promised


def test_delay_answers_late_and_acts(sandbox, account):
    sandbox.fault("purchase", "delay", seconds=0.2)
    begun = time.monotonic()
    assert account.buy(KEY).status_code == 200
    assert time.monotonic() - begun >= 0.2


def test_delay_before_the_act_outlives_an_impatient_caller(sandbox, account):
    sandbox.fault("purchase", "delay", seconds=0.3)
    with pytest.raises(requests.ReadTimeout):
        account.buy(KEY, timeout=0.1)
    assert sandbox.acts() == []
    deadline = time.monotonic() + 3
    while not sandbox.acts():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_drip_takes_its_time_over_a_whole_answer(sandbox, account):
    sandbox.fault("list_owned", "drip", seconds=0.3)
    begun = time.monotonic()
    assert [n["numberKey"] for n in account.owned()] == ["O1"]
    assert time.monotonic() - begun >= 0.25


def test_stand_ins_for_the_answer(sandbox, account):
    def get(kind, **details):
        sandbox.fault("list_owned", kind, **details)
        return account.call("GET")

    html = get("html")
    assert (html.status_code, html.headers["Content-Type"]) == (502, "text/html")
    with pytest.raises(requests.JSONDecodeError):
        get("garbage").json()
    empty = get("empty")
    assert (empty.status_code, empty.content) == (200, b"")
    elsewhere = get("redirect")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/elsewhere")
    assert b'"pricePerMonth":NaN' in get("nan_price").content
    wrong = get("wrong_key").json()["numbers"][0]["numberKey"]
    assert wrong not in ("O1", KEY)
    assert json.loads(get("status", status=503, body={"a": 1}).text) == {"a": 1}
    limited = get("status", status=429, headers={"Retry-After": "9"})
    assert limited.headers["Retry-After"] == "9"
    assert limited.json()["requestError"]["serviceException"]["messageId"] == "TOO_MANY_REQUESTS"
    assert get("status", status=404).content == b""
    assert get("status", status=418, body="teapot").text == "teapot"
    assert account.call("GET").status_code == 200


def test_huge_answers_plain_and_packed(sandbox, account):
    sandbox.fault("list_owned", "huge", megabytes=11)
    assert len(account.call("GET").content) > 11 * 1024 * 1024
    sandbox.fault("list_owned", "huge", megabytes=11, gzip=True)
    packed = account.call("GET", stream=True)
    assert int(packed.headers["Content-Length"]) < 100_000
    packed.close()


def test_empty_purchase_is_a_201_that_happened(sandbox, account):
    sandbox.fault("purchase", "empty", act=True)
    answer = account.buy(KEY)
    assert (answer.status_code, answer.content) == (201, b"")
    assert account.one(KEY).status_code == 200


def test_times_skip_and_endpoints(sandbox, account):
    sandbox.fault("get", "status", times=2, skip=1)
    statuses = [account.one("O1").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    sandbox.fault("*", "status", status=503, times=-1)
    assert (
        account.call("GET").status_code
        == account.buy(KEY).status_code
        == account.one("O1").status_code
        == 503
    )
    assert sandbox.api("state")["faults"][0]["happened"] == 3
    sandbox.api("faults", method="DELETE")
    assert account.call("GET").status_code == 200


def test_one_fault_can_be_taken_back(sandbox, account):
    first = sandbox.api("faults", {"endpoint": "get", "kind": "status", "status": 500})["id"]
    sandbox.api("faults", {"endpoint": "get", "kind": "status", "status": 503})
    sandbox.api(f"faults/{first}", method="DELETE")
    assert account.one("O1").status_code == 503
    assert requests.delete(f"{account.url}/_sandbox/faults/{first}", timeout=5).status_code == 404


def test_requests_tell_which_got_no_answer(sandbox, account):
    sandbox.fault("purchase", "drop", act=True)
    lost(account)
    account.call("GET")
    first, second = sandbox.requests()
    assert (first["endpoint"], first["status"], first["fault"] is not None) == ("purchase", None, True)
    assert (second["endpoint"], second["status"], second["fault"]) == ("list_owned", 200, None)
    assert sandbox.acts()[0]["request"] == first["request"]


def test_calls_under_way_are_counted(sandbox, account, caller):
    sandbox.fault("list_owned", "delay", seconds=0.3, times=3)
    threads = [threading.Thread(target=caller().call, args=("GET",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    while sandbox.api("state")["in_flight"]["list_owned"] < 3:
        assert any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    while any(
        sandbox.api("state")["in_flight"].values()
    ):  # the answer is out a moment before the call is over
        pass
    assert sandbox.api("state")["max_in_flight"]["list_owned"] == 3
    for _ in range(20):
        caller().one("O1")
    assert sandbox.api("state")["max_in_flight"]["get"] == 1


def test_reset_ends_what_hangs_and_undoes_what_waits(sandbox, account):
    sandbox.fault("purchase", "delay", seconds=30)
    failed = threading.Event()

    def buy():
        try:
            account.buy(KEY)
        except requests.RequestException:
            failed.set()

    thread = threading.Thread(target=buy)
    thread.start()
    while not sandbox.requests("purchase"):
        time.sleep(0.01)
    sandbox.reset()
    sandbox.stock(available=[{"numberKey": KEY}])
    thread.join(5)
    assert failed.is_set()
    assert sandbox.acts() == []


def test_a_fault_that_makes_no_sense_is_refused(account):
    for wrong in (
        {"endpoint": "nowhere", "kind": "drop"},
        {"endpoint": "get", "kind": "explode"},
        {"endpoint": "get", "kind": "drop", "tmes": 2},
        {"endpoint": "get", "kind": "status", "status": 99},
        {"endpoint": "get", "kind": "drop", "act": "yes"},
        {"kind": "drop"},
    ):
        answer = requests.post(f"{account.url}/_sandbox/faults", json=wrong, timeout=5)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
