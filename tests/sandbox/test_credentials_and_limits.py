"""Who is let in, in which order a call is checked, and how often one may ask."""

import time

import pytest

OLD, NEW = "/sms/1/numbers", "/numbers/1/numbers"
UNAUTHORIZED = (
    b'{"requestError":{"serviceException":{"messageId":"UNAUTHORIZED","text":"Invalid login details"}}}'
)
BASIC = "Basic c2FuZGJveDpzYW5kYm94"
CALLS = [
    ("GET", f"{OLD}/available"),
    ("GET", OLD),
    ("POST", OLD),
    ("GET", f"{OLD}/x"),
    ("DELETE", f"{OLD}/x"),
]


@pytest.mark.parametrize("authorization", ["App sandbox", BASIC])
def test_key_and_basic_are_let_in(caller, authorization):
    assert caller(authorization).call("GET").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "App wrong",
        "app sandbox",
        "APP sandbox",
        "Bearer sandbox",
        "sandbox",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    ],
)
def test_anything_else_gets_the_real_401(caller, authorization):
    for method, path in CALLS:
        answer = caller(authorization).call(method, path)
        assert (answer.status_code, answer.content) == (401, UNAUTHORIZED)
        assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert answer.headers["Content-Length"] == "97"


def test_header_name_may_be_written_in_any_case(caller):
    plain = caller()
    del plain.session.headers["Authorization"]
    assert plain.call("GET", headers={"authorization": "App sandbox"}).status_code == 200


def test_credentials_can_be_refused_to_all(sandbox, account):
    sandbox.switch(refuse_credentials=True)
    assert account.call("GET").content == UNAUTHORIZED
    sandbox.switch(refuse_credentials=False)
    assert account.call("GET").status_code == 200


def test_credentials_come_first_then_rate_then_parameters_then_existence(sandbox, account, caller):
    sandbox.switch(rate_limits=True)
    stranger = caller("App wrong")
    assert [stranger.call("POST", data=b"x").status_code for _ in range(3)] == [401] * 3  # cost no token
    assert account.call("POST", data=b"x").status_code == 400
    assert account.call("POST", data=b"x").status_code == 429
    sandbox.switch(rate_limits=False)
    assert account.call("POST", data=b"x").status_code == 400
    assert account.buy("nowhere").status_code == 404


def test_buckets_are_those_of_the_provider(sandbox, account):
    sandbox.switch(rate_limits=True)
    lists = [account.call("GET", path).status_code for path in ("", "available", "", "available")]
    assert lists == [200, 200, 429, 429]
    writes = [account.cancel("x").status_code, account.buy("x").status_code]
    assert writes == [404, 429]
    gets = [account.one("x").status_code for _ in range(30)]
    assert gets[:10] == [404] * 10
    assert 429 in gets
    assert sandbox.acts() == []


def test_tokens_come_back_in_real_time_while_the_clock_stands(sandbox, account):
    sandbox.switch(rate_limits=True)
    begun = time.monotonic()
    served = 0
    while served < 12:  # ten at once, the others a tenth of a second apart
        served += account.one("x").status_code == 404
        assert time.monotonic() - begun < 3
    assert time.monotonic() - begun >= 0.19


def test_too_many_requests_in_both_envelopes(sandbox, account):
    sandbox.switch(rate_limits=True, retry_after=7)
    answer = [account.call("GET", NEW) for _ in range(3)][-1]
    exception = answer.json()["requestError"]["serviceException"]
    assert exception == {"messageId": "TOO_MANY_REQUESTS", "text": "Too many requests"}
    assert answer.headers["Retry-After"] == "7"
    sandbox.switch(error_envelope="error_code", retry_after=None)
    answer = account.call("GET", NEW)
    assert answer.json()["errorCode"] == "E429"
    assert set(answer.json()) == {"errorCode", "description", "action", "violations", "resources"}
    assert "Retry-After" not in answer.headers


def test_validation_errors_in_the_newer_envelope(sandbox, account):
    sandbox.switch(error_envelope="error_code")
    answer = account.call("GET", params={"limit": "x"}).json()
    assert answer["errorCode"] == "E400"
    assert [violation["property"] for violation in answer["violations"]] == ["limit"]
