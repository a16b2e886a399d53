"""The imitated provider over HTTP: reads requests, has them answered or spoilt, and ends promptly."""

import ipaddress
import socket
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from numbersadmin.sandbox import faults
from numbersadmin.sandbox.acts import Acts
from numbersadmin.sandbox.answers import Answer, error
from numbersadmin.sandbox.calls import Calls, Request, Route, credentials, route
from numbersadmin.sandbox.clock import Clock, real_now, text
from numbersadmin.sandbox.control import PATH as CONTROL_PATH
from numbersadmin.sandbox.control import Control
from numbersadmin.sandbox.stock import make
from numbersadmin.sandbox.store import Store
from numbersadmin.sandbox.switches import Switches
from numbersadmin.sandbox.traffic import Call, Traffic

LONGEST_BODY = 1024 * 1024
LONGEST_CONTROL_BODY = 256 * 1024 * 1024
KEPT_OF_A_BODY = 2000
IDLE_SECONDS = 60


@dataclass(frozen=True)
class Options:
    """How a sandbox is started; __main__.py has the defaults."""

    host: str
    port: int
    file: str
    owned: int
    available: int
    api_key: str
    username: str
    password: str
    rate_limits: bool
    seed: int


class Sandbox(ThreadingHTTPServer):
    """One imitated provider account behind one port. Raises StoreError, OSError when it cannot start."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, options: Options) -> None:
        store = Store(options.file)
        clock = Clock(store.get("clock") or "")
        switches = Switches(rate_limits=options.rate_limits)
        let_in = credentials(options.api_key, options.username, options.password)
        self.calls = Calls(store, clock, Acts(store, clock), let_in, switches=switches)
        self.traffic = Traffic(first=store.last_request() + 1)
        self.faults = faults.Plan()
        amounts = (options.owned, options.available, options.seed)
        self.control = Control(self.calls, self.traffic, self.faults, *amounts, switches)
        self.stopping = False
        super().__init__((options.host, options.port), Handler)
        if store.get("stocked") is None:
            store.restock(make(*amounts))
            store.put("stocked", text(real_now()))

    def server_bind(self) -> None:
        """Bind without asking name servers what this machine is called."""
        TCPServer.server_bind(self)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[0], self.server_address[1]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        """End: hanging answers are let go, the write under way is finished."""
        self.stopping = True
        self.faults.let_go()
        self.shutdown()
        self.server_close()
        self.calls.store.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away is no news; anything else is shown."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Sandbox
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server_version, sys_version = "sandbox", ""

    def handle_any(self) -> None:
        """Answer one request of any method."""
        path, _, query = self.path.partition("?")
        own = path.startswith(CONTROL_PATH)
        body = self._read(LONGEST_CONTROL_BODY if own else LONGEST_BODY)
        if body is None:
            self._send(error(413))
        elif own:
            self._send(self._control(path, body))
        else:
            found = route(self.command, path)
            call = self._begin(path, query, body, found.endpoint if found else "")
            try:
                self._call(call, found, query, body)
            finally:
                self.server.traffic.end(call)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any  # noqa: N815

    def _call(self, call: Call, found: Route | None, query: str, body: bytes) -> None:
        if found is None:
            self._finish(call, error(404))
        elif not found.endpoint:
            self._finish(call, Answer(405, error(405).body, {"Allow": found.allowed}))
        else:
            authorization = self.headers.get("Authorization", "")
            place = (found.endpoint, found.prefix, found.key)
            request = Request(call.seen.request, *place, query, authorization, body)
            fault = self.server.faults.take(found.endpoint)
            if fault:
                self._spoil(call, request, fault)
            else:
                self._finish(call, self._answer(request))

    def _answer(self, request: Request, fault_kind: str = "", keep: bool = True) -> Answer:
        try:
            answer = self.server.calls.answer(request, fault_kind=fault_kind, keep=keep)
            self.server.control.answered(request.endpoint)
            return answer
        except Exception:
            if not self.server.stopping:
                traceback.print_exc()
            return error(500)

    def _finish(self, call: Call, answer: Answer) -> None:
        """Send an answer; by then the call is over for all who count calls."""
        call.seen.status = answer.status
        self.server.traffic.end(call)
        self._send(answer)

    def _spoil(self, call: Call, request: Request, fault: faults.Fault) -> None:
        call.seen.fault = fault.id
        over = self.server.faults.over
        delayed = fault.kind == "delay"
        if delayed and not fault.act and over.wait(fault.seconds):
            self.close_connection = True
            return
        answer = self._answer(request) if delayed else self._answer(request, fault.kind, fault.act)
        if fault.kind == "hang" or (delayed and fault.act):
            over.wait(fault.seconds)
        answer = faults.stand_in(fault, answer, request.endpoint)
        head = self._head(answer)
        if fault.kind not in faults.WITHOUT_ANSWER:
            call.seen.status = answer.status
        if fault.kind != "drip":
            self.server.traffic.end(call)
        try:
            goes_on = faults.send(fault, head + answer.body, len(head), self.connection, over)
        except OSError:  # the caller has gone
            goes_on = False
        if not goes_on:
            self.close_connection = True

    def _control(self, path: str, body: bytes) -> Answer:
        """The control API is for programs on this machine: no other machines, no web pages."""
        if not ipaddress.ip_address(self.client_address[0]).is_loopback or "Origin" in self.headers:
            return error(403)
        try:
            return self.server.control.answer(self.command, path, body)
        except Exception:
            traceback.print_exc()
            return error(500)

    def _begin(self, path: str, query: str, body: bytes, endpoint: str) -> Call:
        return self.server.traffic.begin(
            at=text(self.server.calls.clock.now()),
            real_at=text(real_now()),
            method=self.command,
            path=path,
            query=query,
            endpoint=endpoint,
            body=body[:KEPT_OF_A_BODY].decode(errors="replace"),
            accept=self.headers.get("Accept", ""),
            user_agent=self.headers.get("User-Agent", ""),
        )

    def _read(self, longest: int) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > longest or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the caller has gone in the middle: nothing may come of it
            self.close_connection = True
            return None
        return body

    def _head(self, answer: Answer) -> bytes:
        try:
            reason = HTTPStatus(answer.status).phrase
        except ValueError:
            reason = "Unknown"
        headers = {"Server": self.server_version, "Date": self.date_time_string()}
        if answer.body:
            headers["Content-Type"] = answer.content_type
        headers |= {"Content-Length": str(len(answer.body)), **answer.headers}
        if self.close_connection:
            headers["Connection"] = "close"
        lines = [
            f"HTTP/1.1 {answer.status} {reason}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")

    def _send(self, answer: Answer) -> None:
        body = b"" if self.command == "HEAD" else answer.body
        try:
            self.connection.sendall(self._head(answer) + body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Requests are told by the control API, not on stderr."""


def listening_address(bind: str) -> tuple[str, int]:
    """Host and port of HOST:PORT. Raises ValueError."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("--bind must be HOST:PORT, like 127.0.0.1:8081")
    socket.getaddrinfo(host, int(port))
    return host, int(port)
