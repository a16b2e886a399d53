"""An outside world that says exactly what a test tells it to, over a real socket."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from numbersadmin.provider.client import Provider
from numbersadmin.provider.limits import Limiter, account_name
from numbersadmin.provider.store import SqliteStore

Play = Callable[[socket.socket], None]


@dataclass
class Heard:
    """One request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Outside:
    """Plays one answer after the other; the last one again and again."""

    listener: socket.socket
    plays: list[Play] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def play(self, *plays: Play | bytes) -> None:
        """What to do with the next requests: bytes to send as they are, or a function of the socket."""
        self.plays = [_sending(each) if isinstance(each, bytes) else each for each in plays]

    def serve(self) -> None:
        """Accept until closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError, ValueError):
            while line := lines.readline().decode("latin-1").strip():
                headers = {}
                while header := lines.readline().decode("latin-1").strip():
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = lines.read(int(headers.get("content-length", 0)))
                self.heard.append(Heard(line, headers, body))
                play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
                play(connection)


def _sending(answer: bytes) -> Play:
    return lambda connection: connection.sendall(answer)


def answer(status: int = 200, body: Any = b"", **headers: str) -> bytes:
    """A whole HTTP answer; anything but bytes goes out as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + content


def reset(connection: socket.socket) -> None:
    """Break the connection the hard way."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError  # ends the talk, which closes the connection


def hang_up(connection: socket.socket) -> None:
    """End the connection without a word."""
    connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses that nobody asked for, shortened."""
    monkeypatch.setattr("numbersadmin.provider.client.BUSY_SECONDS", 0.2)


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A server on this machine that plays what it is told."""
    listener = socket.create_server(("127.0.0.1", 0))
    world = Outside(listener)
    world.play(answer(200, {"numbers": [], "numberCount": 0}))
    thread = threading.Thread(target=world.serve, daemon=True)
    thread.start()
    yield world
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def say() -> Callable[..., bytes]:
    """Makes HTTP answers."""
    return answer


@pytest.fixture
def broken() -> dict[str, Play]:
    """Ways in which no answer comes."""
    return {"reset": reset, "hang_up": hang_up}


@pytest.fixture
def client_of(tmp_path: Path) -> Callable[..., Provider]:
    """A client for any address, with a shared store of its own."""

    def make(
        url: str,
        *,
        prefix: str = "/sms/1/numbers",
        authorization: str = "App sandbox",
        timeout: float = 3.0,
        rate_limits: bool = False,
        page_size: int = 100,
        people: int = 4,
    ) -> Provider:
        store = SqliteStore(tmp_path / "provider.sqlite3")
        limiter = Limiter(store, account_name(url, authorization), enabled=rate_limits)
        return Provider(url, prefix, authorization, timeout, limiter, page_size, people)

    return make


@pytest.fixture
def talking(outside: Outside, client_of: Callable[..., Provider]) -> Provider:
    """A client that talks to the outside world of this test."""
    return client_of(outside.url)
