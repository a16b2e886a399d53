"""When no call is made: refused credentials, a dead provider; and what everybody knows of its health."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from numbersadmin.provider import circuit
from numbersadmin.provider.client import Provider, get_provider
from numbersadmin.provider.errors import CredentialsRefused, ProviderDown, ProviderError
from numbersadmin.provider.limits import Limiter, account_name
from numbersadmin.provider.store import RedisStore, SqliteStore

EMPTY = {"numbers": [], "numberCount": 0}
REFUSED = {
    "requestError": {"serviceException": {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}}
}


def tried(call: Callable[[], object]) -> str:
    try:
        call()
    except ProviderError as error:
        return error.kind
    return ""


@pytest.mark.parametrize("rate_limits", [True, False])
def test_wrong_credentials_make_three_calls_a_minute_whoever_calls(
    rate_limits: bool, client_of: Callable[..., Provider], sandbox: Any
) -> None:
    """Also when all begin at once, before anybody knows; switching the rates off changes nothing."""
    providers = [client_of(sandbox.url, authorization="App wrong", rate_limits=rate_limits) for _ in range(3)]
    kinds: list[str] = []

    def call(provider: Provider) -> None:
        kinds.append(tried(lambda: provider.list_owned(caller="sync", wait=1)))
        kinds.append(tried(lambda: provider.get_owned("K", caller="worker", wait=1)))
        kinds.append(tried(lambda: provider.purchase(number_key="K", number="447", wait=1)))

    threads = [threading.Thread(target=call, args=(provider,)) for provider in providers for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(sandbox.requests()) == 3
    assert "credentials" in kinds
    assert set(kinds) <= {
        "credentials",
        "",
        "busy",
    }  # "" is a WriteResult; busy: not in time at a list a second
    health = client_of(sandbox.url, authorization="App wrong").health()
    assert health.refused_since is not None
    assert health.refused_text == "UNAUTHORIZED: Invalid login details"


def test_without_the_circuit_every_call_would_go_out(
    client_of: Callable[..., Provider], sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    monkeypatch.setattr(circuit, "PROBES", 10**6)
    for _ in range(5):
        tried(client_of(sandbox.url, authorization="App wrong").list_owned)
    assert len(sandbox.requests()) == 5


def test_a_key_that_is_taken_back_makes_three_calls_too(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(200, EMPTY))
    assert tried(talking.list_owned) == ""
    outside.play(say(401, REFUSED))
    assert [tried(talking.list_owned) for _ in range(6)] == ["credentials"] * 6
    assert len(outside.heard) == 1 + 3


def test_a_minute_later_three_more_go_out_and_a_success_closes_it(
    talking: Provider, outside: Any, say: Callable[..., bytes], tmp_path: Path
) -> None:
    outside.play(say(401, REFUSED))
    assert [tried(talking.list_owned) for _ in range(5)] == ["credentials"] * 5
    assert len(outside.heard) == 3
    _let_pass(tmp_path, outside.url, circuit.PROBE_WINDOW - 5)
    assert tried(talking.list_owned) == "credentials"
    assert len(outside.heard) == 3
    _let_pass(tmp_path, outside.url, 5)
    outside.play(say(401, REFUSED), say(200, EMPTY))
    assert [tried(talking.list_owned) for _ in range(4)] == ["credentials", "", "", ""]
    assert len(outside.heard) == 7
    assert talking.health().refused_since is None


def _let_pass(folder: Path, url: str, seconds: float) -> None:
    """As if so much time had gone by since the last probes."""
    name = account_name(url, "App sandbox")
    SqliteStore(folder / "provider.sqlite3").change(lambda state, now: _age(state.accounts[name], seconds))


def _age(account: Any, seconds: float) -> None:
    account.probes = [at - seconds for at in account.probes]


def test_who_asks_in_vain_is_told_when(talking: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(403))
    for _ in range(3):
        tried(talking.list_owned)
    with pytest.raises(CredentialsRefused) as refusal:
        talking.list_owned()
    assert refusal.value.retry_after is not None
    assert 55 < refusal.value.retry_after <= 61
    assert len(outside.heard) == 3


def test_other_credentials_begin_anew_and_the_old_ones_stay_refused(
    client_of: Callable[..., Provider], outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(401))
    old, new = (
        client_of(outside.url, authorization="App old"),
        client_of(outside.url, authorization="App new"),
    )
    assert [tried(old.list_owned) for _ in range(4)] == ["credentials"] * 4
    outside.play(say(200, EMPTY))
    assert tried(new.list_owned) == ""
    assert tried(old.list_owned) == "credentials"
    assert len(outside.heard) == 4
    assert new.health().refused_since is None


def test_no_credit_is_not_refused_credentials(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(
        say(403, {"requestError": {"serviceException": {"messageId": "NOT_ENOUGH_CREDITS", "text": "No"}}})
    )
    assert talking.purchase(number_key="K", number="447").error_kind == "no_credit"
    assert talking.health().refused_since is None


def test_a_provider_that_is_only_down_does_not_use_up_the_three_calls(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(500))
    for _ in range(5):
        assert tried(lambda: talking.list_owned(caller="sync")) == "down"
    outside.play(say(200, EMPTY))
    assert tried(lambda: talking.list_owned(caller="sync")) == ""


def test_people_do_not_queue_at_a_dead_provider(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(500))
    for _ in range(4):
        tried(talking.list_available)
    known = len(outside.heard)
    with pytest.raises(ProviderDown) as down:
        talking.list_available()
    assert down.value.retry_after == circuit.LOOK_AGAIN
    assert len(outside.heard) == known
    tried(lambda: talking.list_owned(caller="worker"))
    assert len(outside.heard) > known
    outside.play(say(200, EMPTY))
    talking.list_owned(caller="sync")
    assert tried(talking.list_available) == ""


def test_two_seconds_later_one_person_looks_again(
    talking: Provider, outside: Any, say: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "LOOK_AGAIN", 0.2)
    outside.play(say(500))
    for _ in range(4):
        tried(talking.list_available)
    known = len(outside.heard)
    time.sleep(0.25)
    assert [tried(talking.list_available) for _ in range(3)] == ["down"] * 3
    assert len(outside.heard) == known + 1


def test_health_is_what_all_have_seen(
    client_of: Callable[..., Provider], outside: Any, say: Callable[..., bytes]
) -> None:
    one, other = client_of(outside.url), client_of(outside.url)
    assert other.health() == circuit.Health()
    begun = datetime.now(UTC)
    one.list_owned()
    ok_at = other.health().ok_at
    assert ok_at
    assert begun <= ok_at <= datetime.now(UTC)
    outside.play(say(503))
    tried(one.list_owned)
    down_since = other.health().down_since
    assert down_since
    assert other.health().down_reason == "the provider answered 503"
    tried(one.list_owned)
    assert other.health().down_since == down_since
    assert other.health().ok_at == ok_at
    outside.play(say(200, EMPTY))
    one.list_owned()
    assert (other.health().down_since, other.health().down_reason) == (None, "")


def test_what_is_not_the_api_shows_in_the_health(
    talking: Provider, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(302, b"", Location="https://login.example/"))
    assert tried(talking.list_owned) == "redirect"
    assert "INFOBIP_BASE_URL" in talking.health().down_reason
    talking.purchase(number_key="K", number="447")
    assert "redirect" in talking.health().down_reason
    outside.play(say(200, b"<html>", Content_Type="text/html"))
    assert tried(talking.list_owned) == "bad_answer"
    assert "not JSON" in talking.health().down_reason


def test_health_without_a_store_says_nothing_and_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert Limiter(SqliteStore(tmp_path / "p"), "a").health() == circuit.Health()


def test_a_frozen_store_holds_up_one_page_not_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # accepts, never answers
        limiter = Limiter(RedisStore(f"redis://127.0.0.1:{frozen.getsockname()[1]}/0"), "a")
        begun = time.monotonic()
        assert [limiter.health() for _ in range(20)] == [circuit.Health()] * 20
        assert time.monotonic() - begun < 1.5


def test_no_secret_is_written_down(client_of: Callable[..., Provider], outside: Any, tmp_path: Path) -> None:
    client_of(outside.url, authorization="App canary-4711").list_owned()
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert kept
    assert b"canary" not in kept
    assert "4711" not in account_name("https://x", "App canary-4711")


def test_the_settings_name_the_provider(sandbox: Any, settings: Any) -> None:
    provider = get_provider()
    assert provider is get_provider()
    assert provider.list_owned().count == 0
    settings.INFOBIP_PREFIX = "/numbers/1/numbers"
    assert get_provider().prefix == "/numbers/1/numbers"
    assert get_provider().list_owned().count == 0
