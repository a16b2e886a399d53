"""One HTTP exchange: no proxies, no redirects, no retries, a deadline and a largest body."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse, IncompleteRead
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from numbersadmin.provider.watchdog import Watch, Watchdog

CONNECT_SECONDS = 3.05
LARGEST_BODY = 10_000_000  # bytes after decompression
LONGEST_RETRY_AFTER = 60.0
CHUNK = 65_536
NEVER_SENT: Final = (NewConnectionError, NameResolutionError, ConnectTimeoutError)


class SendFailed(Exception):
    """No whole answer came. `never_sent` is only true where the provider cannot have seen the request."""

    def __init__(self, kind: str, reason: str, *, never_sent: bool = False) -> None:
        super().__init__(reason)
        self.kind = kind  # "connect", "timeout", "lost" or "too_large"
        self.reason = reason
        self.never_sent = never_sent


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: datetime

    @property
    def is_json(self) -> bool:
        """Whether the answer says that it is JSON, or says nothing."""
        said = self.headers.get("Content-Type", "").lower()
        return not said or "json" in said.partition(";")[0]

    @property
    def retry_after(self) -> float | None:
        """Seconds asked for, at most 60; None if the header is absent or makes no sense."""
        said = self.headers.get("Retry-After", "").strip()
        if said.isascii() and said.isdigit():
            return min(float(said[:9]), LONGEST_RETRY_AFTER)
        try:
            moment = parsedate_to_datetime(said)
        except (ValueError, TypeError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


class Transport:
    """Sends requests to one host with one Authorization header."""

    def __init__(self, base_url: str, authorization: str) -> None:
        self.base_url = base_url
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Authorization": authorization,
            "User-Agent": "numbersadmin",
        }
        self._watchdog = Watchdog()
        self._session = self._new_session()

    def send(
        self,
        method: str,
        target: str,
        *,
        body: dict[str, str] | None = None,
        read_timeout: float,
        deadline: float,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one request and read its whole answer within `deadline` seconds.

        `target` is path and query, quoted already. A write gets a connection of its own: on one that
        was kept open, the other side may be closing just then, and the outcome would be unknown.
        `on_sent` is called when the request is out and the wait begins. Raises only SendFailed.
        """
        session = self._session if method == "GET" else self._new_session()
        watch = self._watchdog.watch(deadline, on_sent)
        asked_at = datetime.now(UTC)
        try:
            with watch:
                response = session.request(
                    method,
                    self.base_url + target,
                    json=body,
                    timeout=(min(CONNECT_SECONDS, deadline), read_timeout),
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    content = _read(response, watch)
        except SendFailed:
            raise
        except Exception as error:  # whatever the libraries raise: the caller has to learn what it means
            raise _failure(error, watch) from error
        finally:
            if session is not self._session:
                session.close()
        return Answer(response.status_code, response.headers, content, asked_at)

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxy variables, and no ~/.netrc in place of our credentials
        session.headers.clear()
        session.headers.update(self._headers)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, _WatchedAdapter(max_retries=urllib3.Retry(total=0, read=False)))
        return session


def _read(response: requests.Response, watch: Watch) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.raw.stream(CHUNK, decode_content=True):
        size += len(chunk)
        if size > LARGEST_BODY:
            raise SendFailed("too_large", "the answer is larger than 10 MB")
        chunks.append(chunk)
        watch.check()
    watch.check()
    return b"".join(chunks)


def _failure(error: Exception, watch: Watch) -> SendFailed:
    """What an exception of the libraries says about the request (the same class can mean either)."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, NEVER_SENT) and not watch.sent:
        return SendFailed("connect", _connect_words(reason), never_sent=True)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        return SendFailed("connect", "the address or the credentials cannot be sent", never_sent=True)
    if isinstance(error, requests.exceptions.SSLError) and not watch.sent:
        return SendFailed("connect", "the provider's certificate was not accepted", never_sent=True)
    if watch.expired or isinstance(error, requests.Timeout | TimeoutError):
        return SendFailed("timeout", "no whole answer in time")
    return SendFailed("lost", "the connection broke before the answer was whole")


def _connect_words(reason: Exception) -> str:
    if isinstance(reason, NameResolutionError):
        return "the provider's host name is not known"
    if isinstance(reason, NewConnectionError):
        return "the provider refuses connections"
    return "no connection to the provider in time"


class _Lines:
    """A reader that remembers its last line."""

    last = b""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readline(self, *limit: int) -> bytes:
        self.last = self._reader.readline(*limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


class _WholeHead(HTTPResponse):
    """The standard library takes a connection that ends among the headers for the end of the headers.

    A 204 broken off there would count as done.
    """

    def begin(self) -> None:
        """Read status and headers, to the empty line that ends them."""
        reader = self.fp
        lines: Any = _Lines(reader)
        self.fp = lines
        super().begin()
        self.fp = reader
        if lines.last not in (b"\r\n", b"\n"):
            raise IncompleteRead(lines.last)


class _Watched:
    """Tells the watch of this thread's exchange which socket it runs over, once the request is out."""

    sock: Any
    response_class: Any = _WholeHead

    def getresponse(self) -> Any:
        """Wait for the answer; the request has been sent by now."""
        watch = Watch.current()
        if watch is not None:
            watch.request_sent(self.sock)
        return super().getresponse()  # type: ignore[misc]


class _WatchedHTTPConnection(_Watched, HTTPConnection):
    pass


class _WatchedHTTPSConnection(_Watched, HTTPSConnection):
    pass


class _WatchedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTPConnection


class _WatchedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPSConnection


class _WatchedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _WatchedHTTPPool, "https": _WatchedHTTPSPool}
