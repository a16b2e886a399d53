"""The same assertions against the sandbox always, and, reading only, against a real account when one is named.

A real account is named by CONTRACT_BASE_URL with CONTRACT_API_KEY, or CONTRACT_USERNAME and
CONTRACT_PASSWORD, and CONTRACT_PREFIX if it is not the default.
"""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from numbersadmin.provider.address import authorization, normalise_base_url, normalise_prefix
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import CredentialsRefused, NotOwned
from numbersadmin.provider.limits import Limiter, account_name
from numbersadmin.provider.schema import Outcome, Page
from numbersadmin.provider.store import SqliteStore

_connect = socket.socket.connect
PREFIXES = ("/sms/1/numbers", "/numbers/1/numbers")


def _provider(url: str, prefix: str, header: str, folder: Path, *, rate_limits: bool) -> Provider:
    limiter = Limiter(SqliteStore(folder / "p.sqlite3"), account_name(url, header), enabled=rate_limits)
    return Provider(url, prefix, header, 10, limiter, 50)


def _real(folder: Path, header: str = "") -> Provider:
    given = os.environ.get
    header = header or authorization(
        api_key=given("CONTRACT_API_KEY", ""),
        username=given("CONTRACT_USERNAME", ""),
        password=given("CONTRACT_PASSWORD", ""),
    )
    prefix = normalise_prefix(given("CONTRACT_PREFIX", "/sms/1/numbers"))
    url = normalise_base_url(os.environ["CONTRACT_BASE_URL"])
    return _provider(url, prefix, header, folder, rate_limits=True)


@pytest.fixture(params=[*PREFIXES, "real account"])
def provider(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The sandbox under both prefixes, and the real account if one is named."""
    if request.param != "real account":
        sandbox = request.getfixturevalue("sandbox")
        sandbox.reset(owned=120, available=200, seed=7)
        return _provider(sandbox.url, request.param, "App sandbox", tmp_path, rate_limits=False)
    if not os.environ.get("CONTRACT_BASE_URL"):
        pytest.skip("no real account: CONTRACT_BASE_URL is not set")
    monkeypatch.setattr(socket.socket, "connect", _connect)
    return _real(tmp_path)


@pytest.fixture(params=PREFIXES)
def sandboxed(request: pytest.FixtureRequest, sandbox: Any, tmp_path: Path) -> Provider:
    """Only the sandbox: for what buys and cancels."""
    sandbox.reset(owned=5, available=60, seed=7)
    return _provider(sandbox.url, request.param, "App sandbox", tmp_path, rate_limits=False)


def _understood(page: Page) -> None:
    assert page.count is not None
    assert page.invalid == ()
    for number in page.numbers:
        assert number.number_key
        assert number.number
        assert number.country == number.country.upper()


def test_available_numbers_have_prices_and_pages_count_from_zero(provider: Provider) -> None:
    first, second = provider.list_available(limit=5), provider.list_available(limit=5, page=1)
    _understood(first)
    _understood(second)
    for number in first.numbers:
        assert number.price.problem == ""
        assert number.price.per_month is not None
        assert number.price.setup is not None
    keys = {each.number_key for each in first.numbers}
    assert len(keys) == len(first.rows) <= 5
    assert not keys & {each.number_key for each in second.numbers}


def test_filters_of_available_numbers(provider: Provider) -> None:
    some = provider.list_available(limit=1).numbers
    if not some:
        pytest.skip("nothing is for sale")
    _understood(provider.list_available(limit=5, capabilities=("SMS", "VOICE")))
    for number in provider.list_available(limit=5, capabilities=("SMS", "VOICE")).numbers:
        assert {"SMS", "VOICE"} <= set(number.capabilities)
    for number in provider.list_available(limit=5, country=some[0].country).numbers:
        assert number.country == some[0].country
    found = provider.list_available(limit=50, number=some[0].number).numbers
    assert some[0].number in {each.number for each in found}


def test_owned_numbers_can_be_read_one_by_one_and_found_by_number(provider: Provider) -> None:
    page = provider.list_owned(limit=3)
    _understood(page)
    assert page.count is not None
    assert page.count >= len(page.rows)
    for number in page.numbers[:2]:
        single = provider.get_owned(number.number_key)
        assert (single.number, single.country) == (number.number, number.country)
        found = provider.list_owned(number=number.number).numbers
        assert number.number_key in {each.number_key for each in found}


def test_a_page_beyond_the_end_is_empty(provider: Provider) -> None:
    assert provider.list_owned(limit=50, page=10_000).rows == ()


def test_an_unknown_key_is_not_owned(provider: Provider) -> None:
    with pytest.raises(NotOwned):
        provider.get_owned("00000000000000000000000000000000")


def test_the_key_of_an_available_number_is_not_owned(provider: Provider) -> None:
    for number in provider.list_available(limit=1).numbers:
        with pytest.raises(NotOwned):
            provider.get_owned(number.number_key)


def test_wrong_credentials_are_refused(provider: Provider, tmp_path: Path) -> None:
    url, folder = provider._transport.base_url, tmp_path / "other"
    with pytest.raises(CredentialsRefused):
        _provider(url, provider.prefix, "App 0", folder, rate_limits=True).list_owned()


def test_a_bought_number_is_ours_and_a_cancelled_one_is_for_sale_again(sandboxed: Provider) -> None:
    wanted = next(
        each for each in sandboxed.list_available().numbers if each.country != "US" and not each.shared
    )
    bought = sandboxed.purchase(number_key=wanted.number_key, number=wanted.number, country=wanted.country)
    assert bought.outcome is Outcome.DONE
    assert bought.number
    assert bought.number.price.initial_month is None
    key = bought.number.number_key
    assert sandboxed.get_owned(key).number == wanted.number
    assert [each.number_key for each in sandboxed.list_owned(number=wanted.number).numbers] == [key]
    again = sandboxed.purchase(number_key=wanted.number_key, number=wanted.number, country=wanted.country)
    assert again.outcome is Outcome.NOT_DONE
    assert sandboxed.cancel(key).outcome is Outcome.DONE
    with pytest.raises(NotOwned):
        sandboxed.get_owned(key)
    assert sandboxed.cancel(key).error_kind == "not_found"
    assert [each.number for each in sandboxed.list_available(number=wanted.number).numbers] == [wanted.number]


def test_the_key_may_change_when_a_number_is_bought(sandboxed: Provider, sandbox: Any) -> None:
    sandbox.switch(key_changes_on_purchase=True)
    wanted = sandboxed.list_available().numbers[0]
    bought = sandboxed.purchase(number_key=wanted.number_key, number=wanted.number, country=wanted.country)
    assert bought.outcome is Outcome.DONE
    assert bought.number
    assert bought.number.number_key != wanted.number_key
    assert sandboxed.get_owned(bought.number.number_key).number == wanted.number


def test_a_us_number_is_bought_by_its_number(sandboxed: Provider, sandbox: Any) -> None:
    sandbox.stock(available=[{"number": "12065550100", "country": "US", "numberKey": "US1"}])
    bought = sandboxed.purchase(number_key="US1", number="12065550100", country="US")
    assert bought.outcome is Outcome.DONE
    assert '"number"' in sandbox.requests("purchase")[-1]["body"]
    assert "US1" not in sandbox.requests("purchase")[-1]["body"]


def test_an_unknown_key_cannot_be_bought(sandboxed: Provider) -> None:
    result = sandboxed.purchase(number_key="nothing", number="447", country="GB")
    assert (result.outcome, result.look_first) == (Outcome.NOT_DONE, True)


@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("drop", {}),
        ("reset", {}),
        ("truncate", {}),
        ("garbage", {}),
        ("html", {}),
        ("empty", {}),
        ("status", {"status": 500}),
        ("status", {"status": 502}),
        ("status", {"status": 504}),
        ("redirect", {}),
    ],
)
def test_whether_it_acted_or_not_an_unclear_answer_is_unknown_and_sent_once(
    kind: str, details: dict[str, Any], act: bool, sandbox: Any, tmp_path: Path
) -> None:
    sandbox.stock(available=[{"number": "447860041117", "country": "GB", "numberKey": "K1"}])
    sandbox.stock(owned=[{"number": "447860041118", "country": "GB", "numberKey": "K2"}])
    provider = _provider(sandbox.url, PREFIXES[0], "App sandbox", tmp_path, rate_limits=False)
    sandbox.fault("purchase", kind, act=act, **details)
    sandbox.fault("cancel", kind, act=act, **details)
    assert provider.purchase(number_key="K1", number="447860041117", country="GB").outcome is Outcome.UNKNOWN
    assert provider.cancel("K2").outcome is Outcome.UNKNOWN
    assert len(sandbox.requests("purchase")) == 1
    assert len(sandbox.requests("cancel")) == 1
    assert len(sandbox.acts("purchase")) == act
    assert len(sandbox.acts("cancel")) == act
