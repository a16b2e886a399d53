"""A total deadline for HTTP exchanges: read timeouts count per read, so a dripping answer outlives them."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

TICK_SECONDS = 0.1

_of_thread = threading.local()


class Watch:
    """One exchange under a deadline; used as a context around it."""

    def __init__(self, owner: "Watchdog", seconds: float, on_sent: Callable[[], None] | None) -> None:
        self.ends = time.monotonic() + seconds
        self.expired = False
        self.sent = False
        self._owner = owner
        self._on_sent = on_sent
        self._socket: socket.socket | None = None

    @staticmethod
    def current() -> "Watch | None":
        """The watch of the exchange that this thread is in."""
        return getattr(_of_thread, "watch", None)

    def request_sent(self, over: socket.socket | None) -> None:
        """The request is out; from here on the socket is cut at the deadline."""
        self.sent = True
        self._socket = over
        if self._on_sent is not None:
            self._on_sent()

    def check(self) -> None:
        """Raise TimeoutError once the deadline has passed."""
        if self.expired or time.monotonic() > self.ends:
            self.expired = True
            raise TimeoutError

    def cut(self) -> None:
        """End whatever read is going on. Not through the TLS layer, which another thread is inside of."""
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def __enter__(self) -> "Watch":
        _of_thread.watch = self
        self._owner.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner.remove(self)
        self._socket = None
        _of_thread.watch = None


class Watchdog:
    """One thread a process that cuts exchanges at their deadline; asleep while there are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._some = threading.Event()
        self._process = 0

    def watch(self, seconds: float, on_sent: Callable[[], None] | None = None) -> Watch:
        """A watch that ends in `seconds`."""
        return Watch(self, seconds, on_sent)

    def add(self, watch: Watch) -> None:
        """Begin to watch."""
        with self._lock:
            self._watches.add(watch)
            if self._process != os.getpid():  # the first exchange, or the first after a fork
                self._process = os.getpid()
                threading.Thread(target=self._run, name="provider-deadlines", daemon=True).start()
        self._some.set()

    def remove(self, watch: Watch) -> None:
        """Stop watching."""
        with self._lock:
            self._watches.discard(watch)
            if not self._watches:
                self._some.clear()

    def _run(self) -> None:
        while True:
            self._some.wait()
            now = time.monotonic()
            with self._lock:  # held while cutting, so that no socket is cut that serves the next exchange
                for watch in self._watches:
                    if now >= watch.ends and not watch.expired:
                        watch.cut()
            time.sleep(TICK_SECONDS)
