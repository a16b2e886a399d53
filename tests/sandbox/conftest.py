"""Plain HTTP calls to the sandbox, and sandboxes of one's own."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]


class Account:
    """The five calls as anyone with the right key can make them."""

    def __init__(self, url: str, authorization: str = "App sandbox") -> None:
        self.url, self.prefix = url, "/sms/1/numbers"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = authorization

    def call(self, method: str, path: str = "", **more: Any) -> requests.Response:
        """A call under the prefix; a path that begins with a slash stands alone."""
        url = self.url + (path if path.startswith("/") else self.prefix + ("/" + path if path else ""))
        return self.session.request(
            method, url, timeout=more.pop("timeout", 5), allow_redirects=False, **more
        )

    def owned(self, **query: Any) -> list[dict[str, Any]]:
        """A page of the owned list."""
        return self.call("GET", params=query).json()["numbers"]

    def available(self, **query: Any) -> list[dict[str, Any]]:
        """A page of what is for sale."""
        return self.call("GET", "available", params=query).json()["numbers"]

    def buy(self, key: str, **more: Any) -> requests.Response:
        """A purchase by key."""
        return self.call("POST", json={"numberKey": key}, **more)

    def cancel(self, key: str, **more: Any) -> requests.Response:
        """A cancellation by key."""
        return self.call("DELETE", requests.utils.quote(key, safe=""), **more)

    def one(self, key: str, **more: Any) -> requests.Response:
        """One owned number."""
        return self.call("GET", requests.utils.quote(key, safe=""), **more)


class Own:
    """A sandbox process of a test's own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "numbersadmin.sandbox", "--bind", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        self.url = self.line.split()[-1] if self.line else ""

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=5)
        return self.process.returncode


@pytest.fixture
def account(sandbox: Any) -> Account:
    """An account at the sandbox of the session, emptied, with its clock standing at the tests' moment."""
    return Account(sandbox.url)


@pytest.fixture
def caller(sandbox: Any) -> Callable[..., Account]:
    """Makes more callers: other credentials, or a connection of its own."""
    return lambda authorization="App sandbox": Account(sandbox.url, authorization)


@pytest.fixture
def start() -> Iterator[Callable[..., Own]]:
    """Starts sandboxes that end with the test."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str) -> Own:
            own = Own(*arguments)
            stack.callback(lambda: own.process.poll() is None and own.end())
            return own

        yield begin
