"""Pages and orders while Redis is away: `REDIS_URL=redis://127.0.0.1:6379/0 python bench/broker_away.py`.

A way to Redis that can be closed: it then refuses, or accepts and never answers. Printed are the times of what
people send meanwhile, and how long after Redis is back the approved order is done. SQLite, or DATABASE_URL.
"""

import argparse
import contextlib
import os
import socket
import sys
import tempfile
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from running import Person, Running, await_that, running

FIRST = 493_077_900_000
LIMIT = 1.0


class Way:
    """A way to Redis on a port of its own. `open` passes on; else new and old connections are dead."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}{parts.path}"
        self.passes = threading.Event()
        self.sockets: list[socket.socket] = []
        self.passes.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.passes.wait()
            server = socket.create_connection(self.target)
            self.sockets.append(server)
            threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
            self._copy(client, server)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.passes.wait()
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Connections stay and are made, and nothing comes over them."""
        self.passes.clear()

    def refuse(self) -> None:
        """Connections break, and none is made."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def back(self) -> None:
        """Redis answers again."""
        if self.listener.fileno() < 0:
            self.listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, daemon=True).start()
        self.passes.set()


def timed(what: str, act: Any, *facts: Any) -> tuple[float, Any]:
    """Do it and print how long it took and what it answered."""
    began = time.monotonic()
    answer = act(*facts)
    seconds = time.monotonic() - began
    print(f"  {what:44}{seconds * 1000:7.0f} ms  {answer.status_code}")
    return seconds, answer


def order_id(answer: Any) -> int:
    return int(answer.headers["Location"].rstrip("/").rpartition("/")[2])


def bought(product: Running, people: tuple[Person, Person], number: str) -> Any:
    """A number that was ordered, approved and carried out while all was well."""
    from numbersadmin.numbers.models import OwnedNumber

    manager, approver = people
    order = order_id(manager.post("/orders/new/", manager.order_form(number)))
    approver.approve(order)
    await_that(OwnedNumber.objects.filter(number=number).exists, 120, "the first number is bought")
    return OwnedNumber.objects.get(number=number)


def away(product: Running, way: Way, how: str, first: int) -> float:
    """One round: what people do without Redis, and the wait after it is back. The slowest page that is ours."""
    from numbersadmin.orders.models import OrderItem

    manager, approver = people = Person(product.url, "manager"), Person(product.url, "approver")
    owned = bought(product, people, str(first))
    purchase = order_id(manager.post("/orders/new/", manager.order_form(str(first + 1))))
    buy = approver.fields(f"/orders/{purchase}/")
    order_form = manager.order_form(str(first + 2))
    path = f"/numbers/{owned.pk}/cancel/"
    cancel_form = {**manager.fields(path), "reason": "A bench", "typed_number": owned.number, "timing": "now"}
    print(f"Redis {how}:")
    getattr(way, {"refuses": "refuse", "is frozen": "freeze"}[how])()
    submit, _ = timed("submit a purchase", manager.post, "/orders/new/", order_form)
    cancel, answer = timed("submit a cancellation", manager.post, path, cancel_form)
    cancellation = order_id(answer)
    shown = approver.fields(f"/orders/{cancellation}/")
    approve, _ = timed("approve the cancellation", approver.post, f"/orders/{cancellation}/approve/", shown)
    refused, _ = timed(
        "approve a purchase (its price cannot be read)", approver.post, f"/orders/{purchase}/approve/", buy
    )
    for page in ("/", "/orders/", f"/orders/{cancellation}/"):
        timed(f"look at {page}", approver.get, page)
    assert OrderItem.objects.get(order_id=cancellation).state == "approved"
    way.back()
    done = await_that(OrderItem.objects.filter(order_id=cancellation, state="done").exists, 120, "it is done")
    print(f"  from Redis being back to the order being done {done:6.1f} s")
    return max(submit, cancel, approve, refused)


def main() -> int:
    """Both ways of being away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweep", default="60", help="seconds between two sweeps")
    given = parser.parse_args()
    way = Way(os.environ["REDIS_URL"])
    settings = {"REDIS_URL": way.url, "SWEEP_INTERVAL_SECONDS": given.sweep, "PROVIDER_RATE_LIMITS": "on"}
    with (
        tempfile.TemporaryDirectory(prefix="bench-broker-") as folder,
        running(folder, **settings) as product,
    ):
        numbers = [{"number": str(FIRST + at), "country": "DE", "numberKey": f"K{at}"} for at in range(20)]
        product.sandbox("numbers", {"owned": [], "available": numbers})
        for name in ("web", "worker", "beat"):
            product.start(name)
        product.wait_for_web()
        slowest = max(
            away(product, way, how, FIRST + 10 * at) for at, how in enumerate(("refuses", "is frozen"))
        )
    print(f"slowest answer to a form: {slowest * 1000:.0f} ms (at most {LIMIT * 1000:.0f})")
    return int(slowest >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
