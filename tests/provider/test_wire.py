"""The wire itself: deadlines, sizes, redirects, other people's settings."""

import gzip
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import BadAnswer, ProviderDown
from numbersadmin.provider.transport import LARGEST_BODY, SendFailed, Transport

EMPTY = {"numbers": [], "numberCount": 0}


def dripping(text: bytes, every: float = 0.05) -> Callable[[socket.socket], None]:
    def drip(wire: socket.socket) -> None:
        for at in range(len(text)):
            wire.sendall(text[at : at + 1])
            time.sleep(every)

    return drip


@pytest.mark.parametrize("slow", ["head", "body", "endless"])
def test_a_dripping_answer_ends_at_the_deadline(slow: str, outside: Any, say: Callable[..., bytes]) -> None:
    head, _, body = say(200, EMPTY).partition(b"\r\n\r\n")
    if slow == "head":
        outside.play(dripping(head + b"\r\n\r\n" + body))
    elif slow == "body":
        outside.play(lambda wire: (wire.sendall(head + b"\r\n\r\n"), dripping(body)(wire)))
    else:
        outside.play(lambda wire: (wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), dripping(b" " * 900)(wire)))
    begun = time.monotonic()
    with pytest.raises(SendFailed) as failure:
        Transport(outside.url, "App x").send("GET", "/", read_timeout=5, deadline=0.3)
    assert failure.value.kind == "timeout"
    assert not failure.value.never_sent
    assert time.monotonic() - begun < 0.8


def test_silence_ends_at_the_read_timeout(outside: Any) -> None:
    outside.play(lambda wire: wire.recv(1))
    begun = time.monotonic()
    with pytest.raises(SendFailed) as failure:
        Transport(outside.url, "App x").send("GET", "/", read_timeout=0.2, deadline=5)
    assert failure.value.kind == "timeout"
    assert time.monotonic() - begun < 0.7


def test_a_quick_answer_is_not_disturbed_by_the_deadlines_of_others(
    outside: Any, say: Callable[..., bytes]
) -> None:
    """The connection of an exchange that was cut is not the connection of the next one."""
    transport = Transport(outside.url, "App x")
    outside.play(dripping(b"x" * 99), *[say(200, EMPTY)] * 20)
    with pytest.raises(SendFailed):
        transport.send("GET", "/", read_timeout=5, deadline=0.1)
    for _ in range(20):
        assert transport.send("GET", "/", read_timeout=1, deadline=1).status == 200


def test_connections_are_kept_for_reads_and_new_for_writes(outside: Any, say: Callable[..., bytes]) -> None:
    transport = Transport(outside.url, "App x")
    for method in ("GET", "GET", "POST", "DELETE", "GET"):
        outside.play(say(200, EMPTY))
        transport.send(method, "/", read_timeout=1, deadline=1)
    assert outside.connections == 3


@pytest.mark.parametrize("compressed", [False, True])
def test_a_huge_answer_is_cut_off(
    compressed: bool, client_of: Callable[..., Provider], outside: Any, say: Callable[..., bytes]
) -> None:
    if compressed:
        bomb = gzip.compress(b" " * 100_000_000, 1)
        outside.play(say(200, bomb, Content_Encoding="gzip"))
    else:
        outside.play(say(200, b" " * (LARGEST_BODY + 1)))
    before = psutil.Process().memory_info().rss
    with pytest.raises(BadAnswer, match="10 MB"):
        client_of(outside.url, timeout=5).list_owned(caller="worker")
    assert psutil.Process().memory_info().rss - before < 40_000_000
    assert len(outside.heard) == 1


def test_a_compressed_answer_is_read(talking: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, gzip.compress(b'{"numbers":[],"numberCount":0}'), Content_Encoding="gzip"))
    assert talking.list_owned().count == 0
    outside.play(say(200, b"not gzip at all", Content_Encoding="gzip"))
    with pytest.raises(ProviderDown):
        talking.list_owned()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(
    method: str, status: int, outside: Any, say: Callable[..., bytes]
) -> None:
    outside.play(say(status, b"", Location=f"{outside.url}/elsewhere"), say(200, EMPTY))
    answer = Transport(outside.url, "App x").send(method, "/", read_timeout=1, deadline=1)
    assert answer.status == status
    assert len(outside.heard) == 1


def test_the_machines_own_settings_do_not_take_part(
    outside: Any, say: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    outside.play(say(200, EMPTY, Set_Cookie="session=1; Path=/"))
    transport = Transport(outside.url, "App key")
    for _ in range(2):
        transport.send("GET", "/", read_timeout=1, deadline=1)
    assert [heard.headers["authorization"] for heard in outside.heard] == ["App key"] * 2
    assert all("cookie" not in heard.headers for heard in outside.heard)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
def test_what_was_never_sent_is_known_as_such(host: str) -> None:
    with pytest.raises(SendFailed) as failure:
        Transport(f"http://{host}", "App x").send("POST", "/", body={}, read_timeout=1, deadline=1)
    assert failure.value.never_sent


def test_a_full_backlog_is_a_connect_timeout_and_never_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with pytest.raises(SendFailed) as failure:
            Transport(url, "App x").send("POST", "/", body={}, read_timeout=1, deadline=0.3)
        for each in waiting:
            each.close()
    assert failure.value.never_sent
    assert "in time" in failure.value.reason


def test_a_certificate_that_is_not_accepted_sends_nothing(outside: Any) -> None:
    """Speaking TLS to a plain port fails before the request goes out."""
    outside.play(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    url = outside.url.replace("http:", "https:")
    with pytest.raises(SendFailed) as failure:
        Transport(url, "App x").send("POST", "/", body={}, read_timeout=0.2, deadline=0.4)
    assert outside.heard == [] or "numberKey" not in outside.heard[0].line
    assert failure.value.kind in ("connect", "lost", "timeout")


def test_a_client_serves_many_threads(talking: Provider, outside: Any, say: Callable[..., bytes]) -> None:
    outside.play(say(200, EMPTY))
    counts: list[int | None] = []

    def read() -> None:
        counts.extend(talking.list_owned(caller="worker").count for _ in range(10))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert counts == [0] * 60
