"""Reading from the provider: what is sent, what is believed, how often it is tried, how long it takes."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from numbersadmin.provider.client import Provider, quoted_key
from numbersadmin.provider.errors import (
    BadAnswer,
    CredentialsRefused,
    NotOwned,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    Refused,
)

EMPTY = {"numbers": [], "numberCount": 0}
ROW = {"numberKey": "K", "number": "447860041117", "country": "GB"}
NOT_FOUND = {"requestError": {"serviceException": {"messageId": "NOT_FOUND", "text": "Not found"}}}
FORBIDDEN = {"requestError": {"serviceException": {"messageId": "FORBIDDEN", "text": "Forbidden"}}}
BAD = {"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "Bad request"}}}
KEYS = [
    "3B9D1EACAB7FBDRN%EE03592BFCD6BE", "78D8394AC3EG0460B4CF0E723FC31B49", "a/b", "/", "a?b=c", "a#b", "a b", "a+b",
    "a;b", "a\"b'c", "<b>", "%", "%2e%2e", "%00", "čšž", "日本", "🙂", "a" * 255, "AbC", "aBc", "...", ".a", "a.",
    "~", "a\\b", "a:b", "@", "a&b",
]  # fmt: skip


def test_lists_always_say_page_and_limit_and_who_asks(talking: Provider, outside: Any) -> None:
    talking.list_owned()
    talking.list_available(page=2, limit=7)
    assert outside.heard[0].line == "GET /sms/1/numbers?limit=100&page=0 HTTP/1.1"
    assert outside.heard[1].line == "GET /sms/1/numbers/available?limit=7&page=2 HTTP/1.1"
    assert outside.heard[0].headers["accept"] == "application/json"
    assert outside.heard[0].headers["authorization"] == "App sandbox"


def test_filters_are_sent_as_each_generation_reads_them(
    client_of: Callable[..., Provider], outside: Any
) -> None:
    asked = {"country": "ro", "capabilities": ("SMS", "VOICE"), "number": "+40 37 170", "limit": 3}
    client_of(outside.url).list_available(**asked)
    client_of(outside.url, prefix="/numbers/1/numbers").list_available(**asked)
    then, today = (heard.line.split()[1] for heard in outside.heard)
    assert then == "/sms/1/numbers/available?limit=3&page=0&capabilities=SMS,VOICE&country=RO&number=4037170"
    assert today == (
        "/numbers/1/numbers/available?limit=3&page=0&capabilities=SMS&capabilities=VOICE&country=RO&number=4037170"
    )


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_any_characters_makes_the_round_trip(
    key: str, talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(200, ROW | {"numberKey": key}))
    assert talking.get_owned(key).number_key == key
    path = outside.heard[0].line.split(" ")[1]
    assert path == f"/sms/1/numbers/{quoted_key(key)}"
    assert not set(path.removeprefix("/sms/1/numbers/")) & set("/?#;+ \"'<")


@pytest.mark.parametrize("key", ["", ".", "..", "\ud800"])
def test_a_key_that_means_another_address_is_never_sent(key: str, talking: Provider, outside: Any) -> None:
    with pytest.raises(Refused):
        talking.get_owned(key)
    result = talking.cancel(key)
    assert (result.outcome, result.error_kind, result.retry) == ("not_done", "refused", False)
    assert outside.heard == []


@pytest.mark.parametrize(
    "body", [EMPTY, ROW | {"numberKey": "k"}, ROW | {"numberKey": ""}, [ROW], {}, b"", b"{", b"null"]
)
def test_an_answer_about_something_else_is_refused(
    body: Any, talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(200, body))
    with pytest.raises(BadAnswer) as trouble:
        talking.get_owned("K")
    assert trouble.value.kind == "bad_answer"
    assert len(outside.heard) == 1


@pytest.mark.parametrize(
    ("body", "owned_by_api"), [(b"", True), (b" \n", True), (NOT_FOUND, True), ({}, False)]
)
def test_only_the_apis_own_404_means_not_owned(
    body: Any, owned_by_api: bool, talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(404, body))
    with pytest.raises(NotOwned if owned_by_api else BadAnswer):
        talking.get_owned("K")


def test_a_404_page_is_a_wrong_address_not_a_lost_number(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(404, b"<html>Not Found</html>", Content_Type="text/html"))
    with pytest.raises(BadAnswer, match="INFOBIP_PREFIX") as trouble:
        talking.get_owned("K")
    assert not isinstance(trouble.value, NotOwned)
    with pytest.raises(BadAnswer, match="INFOBIP_PREFIX"):
        talking.list_owned()


@pytest.mark.parametrize(
    ("status", "body", "headers", "error", "kind", "sent"),
    [
        (400, BAD, {}, Refused, "refused", 1),
        (422, BAD, {}, Refused, "refused", 1),
        (401, b"", {}, CredentialsRefused, "credentials", 1),
        (403, FORBIDDEN, {}, CredentialsRefused, "credentials", 1),
        (403, b"<html>", {"Content_Type": "text/html"}, CredentialsRefused, "credentials", 1),
        (405, b"", {}, BadAnswer, "bad_answer", 1),
        (302, b"", {"Location": "/numbers/1/numbers"}, BadAnswer, "redirect", 1),
        (301, b"", {"Location": "http://127.0.0.1:9/"}, BadAnswer, "redirect", 1),
        (204, b"", {}, BadAnswer, "bad_answer", 1),
        (201, EMPTY, {}, BadAnswer, "bad_answer", 1),
        (200, b"<html>Sign in</html>", {"Content_Type": "text/html"}, BadAnswer, "bad_answer", 1),
        (200, EMPTY, {"Content_Type": "text/plain"}, BadAnswer, "bad_answer", 1),
        (200, b"", {}, BadAnswer, "bad_answer", 1),
        (429, b"", {"Retry_After": "0"}, ProviderBusy, "busy", 3),
        (500, b"", {}, ProviderDown, "down", 3),
        (502, b"<html>", {"Content_Type": "text/html"}, ProviderDown, "down", 3),
        (503, b"", {"Retry_After": "0"}, ProviderDown, "down", 3),
        (408, b"", {}, ProviderDown, "down", 3),
    ],
)
def test_each_answer_has_one_meaning(
    status: int, body: Any, headers: dict[str, str], error: type[ProviderError], kind: str, sent: int,
    talking: Provider, outside: Any, say: Callable[..., bytes],
) -> None:  # fmt: skip
    outside.play(say(status, body, **headers))
    with pytest.raises(error) as trouble:
        talking.list_owned(caller="sync")
    assert trouble.value.kind == kind
    assert trouble.value.http_status == status
    assert len(outside.heard) == sent
    assert {heard.line.split()[0] for heard in outside.heard} == {"GET"}


@pytest.mark.parametrize("way", ["reset", "hang_up"])
def test_a_broken_connection_is_tried_again(
    way: str, talking: Provider, outside: Any, say: Callable[..., bytes], broken: dict[str, Any]
) -> None:
    outside.play(broken[way], say(500), say(200, EMPTY))
    assert talking.list_owned(caller="worker").count == 0
    assert len(outside.heard) == 3
    assert talking.health().down_since is None


def test_half_an_answer_is_none(
    talking: Provider, outside: Any, say: Callable[..., bytes], broken: Any
) -> None:
    half = say(200, EMPTY)[:-5]
    outside.play(lambda wire: (wire.sendall(half), broken["hang_up"](wire)), say(200, EMPTY))
    assert talking.list_owned(caller="worker").count == 0
    assert len(outside.heard) == 2


@pytest.mark.parametrize(
    ("header", "told"), [("86400", 60), ("Fri, 31 Dec 2100 23:59:59 GMT", 60), ("61", 60), ("3", 3)]
)
def test_a_page_does_not_wait_for_a_busy_provider(
    header: str, told: float, talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(429, b"", Retry_After=header))
    begun = time.monotonic()
    with pytest.raises(ProviderBusy) as busy:
        talking.list_available(caller="person")
    assert time.monotonic() - begun < 1
    assert busy.value.retry_after == told
    assert len(outside.heard) == 1


@pytest.mark.parametrize("header", ["", "-1", "abc", "Fri, 99 Dec"])
def test_a_senseless_retry_after_is_as_none(
    header: str, talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(429, b"", Retry_After=header), say(200, EMPTY))
    begun = time.monotonic()
    assert talking.list_available(caller="person").count == 0
    assert 0.2 < time.monotonic() - begun < 1


def test_retry_after_is_honoured(talking: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(429, b"", Retry_After="1"), say(200, EMPTY))
    begun = time.monotonic()
    assert talking.list_owned(caller="worker").count == 0
    assert time.monotonic() - begun >= 1


def test_a_page_gets_its_answer_in_time_from_a_provider_that_hangs(
    client_of: Callable[..., Provider], outside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numbersadmin.provider.client.PERSON_SECONDS", 0.5)
    outside.play(lambda wire: wire.recv(1))
    begun = time.monotonic()
    with pytest.raises(ProviderDown):
        client_of(outside.url, timeout=10).list_available()
    assert time.monotonic() - begun < 1


def test_the_providers_words_never_repeat_our_secret(
    client_of: Callable[..., Provider], outside: Any, say: Callable[..., bytes]
) -> None:
    echo = {
        "requestError": {"serviceException": {"messageId": "BAD", "text": "App canary-4711 is <b>bad</b>\n"}}
    }
    outside.play(say(400, echo))
    with pytest.raises(Refused) as refusal:
        client_of(outside.url, authorization="App canary-4711").list_owned()
    assert refusal.value.text == "BAD: *** is <b>bad</b>"
    assert "canary" not in repr(refusal.value)


def test_only_so_many_pages_wait_for_the_provider_at_once(talking: Provider, outside: Any) -> None:
    for _ in range(4):
        talking._people.acquire()
    with pytest.raises(ProviderBusy) as busy:
        talking.list_available()
    assert busy.value.retry_after == 2
    assert talking.list_available(caller="worker").count == 0
    for _ in range(4):
        talking._people.release()
    assert talking.list_available().count == 0
