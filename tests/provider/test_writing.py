"""Buying and cancelling: sent at most once, and never more claimed than the answer proves."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import CredentialsRefused, ProviderBusy
from numbersadmin.provider.schema import Outcome, WriteResult

ROW: dict[str, Any] = {
    "numberKey": "NEW",
    "number": "447860041117",
    "country": "GB",
    "price": {"pricePerMonth": 5, "setupPrice": 0, "currency": "EUR"},
}
REFUSAL = {"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "Bad request"}}}
CREDIT = {
    "requestError": {"serviceException": {"messageId": "NOT_ENOUGH_CREDITS", "text": "Not enough credits"}}
}
HTML = {"Content_Type": "text/html"}
DONE, NOT_DONE, UNKNOWN = Outcome.DONE, Outcome.NOT_DONE, Outcome.UNKNOWN


def buy(provider: Provider) -> WriteResult:
    return provider.purchase(number_key="OLD", number="447860041117", country="GB")


ANSWERS: list[tuple[int, Any, dict[str, str], Outcome, str, Outcome, str]] = [
    # status, body, headers, then outcome and kind of a POST and of a DELETE
    (200, ROW, {}, DONE, "", UNKNOWN, "unexpected_status"),
    (201, ROW, {}, DONE, "", UNKNOWN, "unexpected_status"),
    (201, b"", {}, UNKNOWN, "empty", UNKNOWN, "unexpected_status"),
    (200, b"", {}, UNKNOWN, "empty", UNKNOWN, "unexpected_status"),
    (200, b'{"numberKey":', {}, UNKNOWN, "bad_answer", UNKNOWN, "unexpected_status"),
    (200, b"\x80\x81garbage", {}, UNKNOWN, "bad_answer", UNKNOWN, "unexpected_status"),
    (200, [ROW], {}, UNKNOWN, "bad_answer", UNKNOWN, "unexpected_status"),
    (200, b"<html>", HTML, UNKNOWN, "bad_answer", UNKNOWN, "unexpected_status"),
    (200, ROW, HTML, UNKNOWN, "bad_answer", UNKNOWN, "unexpected_status"),
    (200, {"number": "447860041117"}, {}, UNKNOWN, "bad_answer", UNKNOWN, "unexpected_status"),
    (200, ROW | {"number": "447860041118"}, {}, UNKNOWN, "other_number", UNKNOWN, "unexpected_status"),
    (200, ROW | {"reservationStatus": "PENDING"}, {}, UNKNOWN, "pending", UNKNOWN, "unexpected_status"),
    (200, ROW | {"reservationStatus": "NEWER"}, {}, UNKNOWN, "pending", UNKNOWN, "unexpected_status"),
    (200, ROW | {"reservationStatus": "ERROR"}, {}, NOT_DONE, "reservation_failed", UNKNOWN, "unexpected_status"),
    (201, ROW | {"reservationStatus": "BILLING_FAILED"}, {}, NOT_DONE, "reservation_failed", UNKNOWN,
     "unexpected_status"),
    (200, ROW | {"reservationStatus": "RESERVATION_FAILED"}, {}, NOT_DONE, "reservation_failed", UNKNOWN,
     "unexpected_status"),
    (202, b"", {}, UNKNOWN, "unexpected_status", UNKNOWN, "unexpected_status"),
    (204, b"", {}, UNKNOWN, "unexpected_status", DONE, ""),
    (302, b"", {"Location": "/"}, UNKNOWN, "redirect", UNKNOWN, "redirect"),
    (307, b"", {"Location": "/"}, UNKNOWN, "redirect", UNKNOWN, "redirect"),
    (400, REFUSAL, {}, NOT_DONE, "refused", NOT_DONE, "refused"),
    (422, b"", {}, NOT_DONE, "refused", NOT_DONE, "refused"),
    (401, b"", {}, NOT_DONE, "credentials", NOT_DONE, "credentials"),
    (403, b"", {}, NOT_DONE, "credentials", NOT_DONE, "credentials"),
    (403, CREDIT, {}, NOT_DONE, "no_credit", NOT_DONE, "no_credit"),
    (404, b"", {}, NOT_DONE, "not_found", UNKNOWN, "not_found"),
    (404, b"<html>", HTML, NOT_DONE, "not_found", UNKNOWN, "not_found"),
    (409, b"", {}, NOT_DONE, "conflict", UNKNOWN, "conflict"),
    (408, b"", {}, UNKNOWN, "server_error", UNKNOWN, "server_error"),
    (418, b"", {}, UNKNOWN, "unexpected_status", UNKNOWN, "unexpected_status"),
    (429, b"", {}, NOT_DONE, "busy", NOT_DONE, "busy"),
    (500, REFUSAL, {}, UNKNOWN, "server_error", UNKNOWN, "server_error"),
    (502, b"<html>", HTML, UNKNOWN, "server_error", UNKNOWN, "server_error"),
    (503, b"", {}, UNKNOWN, "server_error", UNKNOWN, "server_error"),
    (503, b"", {"Retry_After": "7"}, NOT_DONE, "busy", NOT_DONE, "busy"),
    (503, b"", {"Retry_After": "abc"}, UNKNOWN, "server_error", UNKNOWN, "server_error"),
    (504, b"", {}, UNKNOWN, "server_error", UNKNOWN, "server_error"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "bought", "bought_kind", "gone", "gone_kind"), ANSWERS)
def test_an_answer_proves_so_much_and_no_more(
    status: int, body: Any, headers: dict[str, str], bought: Outcome, bought_kind: str, gone: Outcome, gone_kind: str,
    talking: Provider, outside: Any, say: Callable[..., bytes],
) -> None:  # fmt: skip
    outside.play(say(status, body, **headers))
    result = buy(talking)
    assert (result.outcome, result.error_kind, result.http_status) == (bought, bought_kind, status)
    result = talking.cancel("K")
    assert (result.outcome, result.error_kind, result.http_status) == (gone, gone_kind, status)
    assert [heard.line.split()[0] for heard in outside.heard] == ["POST", "DELETE"]
    assert result.retry == (result.error_kind == "busy")
    assert result.credentials == (result.error_kind == "credentials")
    assert result.look_first == (result.error_kind in ("refused", "not_found", "conflict"))
    assert (result.outcome is not DONE) == bool(result.text)


@pytest.mark.parametrize("way", ["reset", "hang_up", "half", "half_head", "half_line", "chunks", "silence"])
def test_an_answer_that_breaks_off_proves_nothing_and_nothing_is_sent_again(
    way: str,
    client_of: Callable[..., Provider],
    outside: Any,
    say: Callable[..., bytes],
    broken: dict[str, Any],
) -> None:
    def after(text: bytes) -> Callable[[Any], None]:
        return lambda wire: (wire.sendall(text), broken["hang_up"](wire))  # type: ignore[func-returns-value]

    ways = broken | {
        "half": after(say(200, ROW)[:-9]),
        "half_head": after(b"HTTP/1.1 204 No Content\r\nDate: T"),
        "half_line": after(b"HTTP/1."),
        "chunks": after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
        "silence": lambda wire: wire.recv(1),
    }
    outside.play(ways[way])
    talking = client_of(outside.url, timeout=0.2)
    assert buy(talking).outcome is UNKNOWN
    result = talking.cancel("K")
    assert (result.outcome, result.retry) == (UNKNOWN, False)
    assert result.error_kind == ("timeout" if way == "silence" else "lost")
    assert [heard.line.split()[0] for heard in outside.heard] == ["POST", "DELETE"]


def test_what_was_never_sent_may_be_sent_again(client_of: Callable[..., Provider]) -> None:
    for host in ("127.0.0.1:1", "no-such-host.invalid"):
        for result in (buy(client_of(f"http://{host}")), client_of(f"http://{host}").cancel("K")):
            assert (result.outcome, result.error_kind, result.retry) == (NOT_DONE, "down", True)


def test_a_purchase_names_the_key_or_for_the_us_the_number(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(200, ROW | {"number": "12065550100"}))
    talking.purchase(number_key="a%b", number="12065550100", country="GB")
    talking.purchase(number_key="a%b", number="+1 206 555 0100", country="us")
    talking.cancel("a%b")
    bodies = [heard.body for heard in outside.heard]
    assert [json.loads(body) for body in bodies[:2]] == [{"numberKey": "a%b"}, {"number": "12065550100"}]
    assert bodies[2] == b""
    assert outside.heard[0].line == "POST /sms/1/numbers HTTP/1.1"
    assert outside.heard[0].headers["content-type"] == "application/json"
    assert outside.heard[2].line == "DELETE /sms/1/numbers/a%25b HTTP/1.1"
    assert {heard.headers["accept"] for heard in outside.heard} == {"application/json"}


def test_nothing_is_bought_without_saying_what(talking: Provider, outside: Any) -> None:
    for result in (
        talking.purchase(number_key="", number="447", country="GB"),
        talking.purchase(number_key="K", number="", country="GB"),
        talking.purchase(number_key="K", number="", country="US"),
    ):
        assert (result.outcome, result.error_kind) == (NOT_DONE, "refused")
    assert outside.heard == []


def test_the_answers_key_is_the_one_to_keep(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(200, ROW | {"number": "+44 7860 041117", "price": None}))
    result = buy(talking)
    assert result.outcome is DONE
    assert result.number
    assert result.number.number_key == "NEW"
    assert result.number.price.problem


@pytest.mark.parametrize(("header", "read"), [("7", 7), ("0", 0), ("86400", 60), ("-1", None), ("abc", None)])
def test_a_busy_provider_says_when(
    header: str, read: float | None, talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(429, b"", Retry_After=header))
    assert buy(talking).retry_after == read


def test_nothing_is_sent_when_the_shared_limiter_is_out_of_reach(
    client_of: Callable[..., Provider], outside: Any, tmp_path: Any
) -> None:
    provider = client_of(outside.url)
    (tmp_path / "provider.sqlite3").mkdir()
    for call in (lambda: buy(provider), lambda: provider.cancel("K"), provider.list_owned):
        with pytest.raises(ProviderBusy, match="limiter"):
            call()
    assert outside.heard == []


def test_refused_credentials_stop_a_purchase_before_it_is_sent(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(401))
    for _ in range(3):
        assert buy(talking).credentials
    with pytest.raises(CredentialsRefused):
        buy(talking)
    with pytest.raises(CredentialsRefused):
        talking.cancel("K")
    assert len(outside.heard) == 3
