"""The provider's own documented requests and bodies, byte for byte, through the client."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from numbersadmin.provider.address import authorization
from numbersadmin.provider.client import Provider
from numbersadmin.provider.schema import Outcome, ProviderNumber

EXAMPLES = Path(__file__).parent / "examples"
OWNED = "6FED0BC540BFADD9B05ED7D89AAC22FA"


def request(name: str) -> tuple[str, dict[str, str], str]:
    """A documented request as line, headers and body."""
    head, _, body = (EXAMPLES / f"{name}.request.http").read_text().partition("\n\n")
    line, *headers = head.strip().splitlines()
    return line, {name.lower(): value for name, value in (each.split(": ", 1) for each in headers)}, body


def response(name: str) -> bytes:
    return (EXAMPLES / f"{name}.response.json").read_bytes()


@pytest.fixture
def documented(client_of: Callable[..., Provider], outside: Any) -> Provider:
    """The client with the documented credentials."""
    basic = authorization(username="Aladdin", password="open sesame")
    return client_of(outside.url, authorization=basic)


def _same_request(heard: Any, name: str) -> None:
    """What we sent is the documented request; lists add the limit and page that the page leaves out."""
    line, headers, body = request(name)
    sent = heard.line.replace("?limit=100&page=0", "")
    assert sent == line
    assert {key: heard.headers[key] for key in headers if key != "host"} == {
        key: value for key, value in headers.items() if key != "host"
    }
    assert (json.loads(heard.body) if heard.body else None) == (json.loads(body) if body else None)


def _facts(number: ProviderNumber) -> tuple[object, ...]:
    price = number.price
    return number.number_key, number.number, price.per_month, price.setup, price.initial_month, price.currency


def test_list_available(documented: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, response("1-list-available")))
    page = documented.list_available()
    _same_request(outside.heard[0], "1-list-available")
    assert page.count == 2
    assert page.invalid == ()
    price = (Decimal(15), Decimal(0), Decimal("9.193549"), "EUR")
    assert [_facts(each) for each in page.numbers] == [
        ("78D8394AC3EG0460B4CF0E723FC31B49", "79029555551", *price),
        ("3B9D1EACAB7FBDRN%EE03592BFCD6BE", "79029555525", *price),
    ]
    first = page.numbers[0]
    assert (first.country, first.type, first.capabilities) == ("RU", "VIRTUAL_LONG_NUMBER", ("SMS",))
    assert first.shared is False


def test_purchase(documented: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, response("2-purchase")))
    result = documented.purchase(
        number_key="58B3840032C7774BAC840EEEA2C23A44", number="447860041117", country="GB"
    )
    _same_request(outside.heard[0], "2-purchase")
    assert result.outcome is Outcome.DONE
    assert result.number
    assert _facts(result.number) == (OWNED, "447860041117", Decimal(5), Decimal(0), None, "EUR")


def test_list_purchased(documented: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, response("3-list-purchased")))
    page = documented.list_owned()
    _same_request(outside.heard[0], "3-list-purchased")
    assert page.count == 1
    assert _facts(page.numbers[0]) == (
        OWNED,
        "447860041117",
        Decimal(5),
        Decimal(0),
        Decimal("2.903226"),
        "EUR",
    )


def test_get_one(documented: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, response("4-get-one")))
    number = documented.get_owned(OWNED)
    _same_request(outside.heard[0], "4-get-one")
    assert _facts(number) == (OWNED, "447860041117", Decimal(5), Decimal(0), None, "EUR")


def test_cancel(documented: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(204, b"", Content_Type=""))
    result = documented.cancel(OWNED)
    _same_request(outside.heard[0], "5-cancel")
    assert (result.outcome, result.http_status) == (Outcome.DONE, 204)


def test_the_documented_filters(documented: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, response("3-list-purchased")))
    documented.list_available(limit=3, country="RO", capabilities=("SMS", "VOICE"), number="4037170005")
    documented.list_owned(limit=3, number="447860041117")
    assert [heard.line.split()[1] for heard in outside.heard] == [
        "/sms/1/numbers/available?limit=3&page=0&capabilities=SMS,VOICE&country=RO&number=4037170005",
        "/sms/1/numbers?limit=3&page=0&number=447860041117",
    ]
