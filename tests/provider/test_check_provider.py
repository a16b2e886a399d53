"""check_provider: one harmless GET under each prefix, and one sentence about what to set."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

NOT_FOUND = {"requestError": {"serviceException": {"messageId": "NOT_FOUND", "text": "Not found"}}}


def run() -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = StringIO(), StringIO()
    try:
        call_command("check_provider", stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_all_is_well(sandbox: Any) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert "Everything is set right." in out
    paths = [(each["method"], each["path"], each["query"]) for each in sandbox.requests()]
    assert paths == [
        ("GET", "/numbers/1/numbers", "limit=1&page=0"),
        ("GET", "/sms/1/numbers", "limit=1&page=0"),
    ]


def test_wrong_credentials_are_named_and_tried_twice_only(sandbox: Any, settings: Any) -> None:
    settings.INFOBIP_AUTHORIZATION = "App canary-4711"
    code, out, err = run()
    assert code == 1
    assert "INFOBIP_API_KEY" in err
    assert "numbers:manage" in err
    assert "credentials (401) UNAUTHORIZED" in out
    assert "canary" not in out + err
    for _ in range(3):
        assert run()[0] == 1
    assert len(sandbox.requests()) == 3


def test_the_other_prefix_is_named(
    outside: Any, say: Callable[..., bytes], settings: Any, sandbox: Any
) -> None:
    settings.INFOBIP_BASE_URL = outside.url
    outside.play(say(200, {"numbers": [], "numberCount": 4}), say(404, b"<html>", Content_Type="text/html"))
    code, out, err = run()
    assert code == 1
    assert err.startswith("Set INFOBIP_PREFIX=/numbers/1/numbers:")
    assert "/numbers/1/numbers: answers, 4 numbers owned" in out


@pytest.mark.parametrize(
    ("first", "second", "code"), [((403, NOT_FOUND), (200, {"numbers": []}), 0), ((500, b""), (500, b""), 1)]
)
def test_only_the_configured_prefix_has_to_work(
    first: Any, second: Any, code: int, outside: Any, say: Callable[..., bytes], settings: Any, sandbox: Any
) -> None:
    settings.INFOBIP_BASE_URL = outside.url
    outside.play(say(*first), say(*second))
    assert run()[0] == code
    assert len(outside.heard) == 2


def test_a_wrong_address_is_named(settings: Any, sandbox: Any) -> None:
    settings.INFOBIP_BASE_URL = "http://127.0.0.1:1"
    code, out, err = run()
    assert code == 1
    assert "INFOBIP_BASE_URL" in err
    assert "refuses connections" in out
