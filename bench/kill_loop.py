"""Kills web, worker and beat while people order: `python bench/kill_loop.py [--kills 200] [--chance N]`.

A manager and an approver work over HTTP with a slow sandbox; SIGKILL hits one of them or a child of
theirs at random moments. At the end every purchase of the provider's ledger has exactly one item that is
done, and the other way round. Exit code 1 otherwise. SQLite, or the (empty) database of DATABASE_URL.
"""

import argparse
import contextlib
import logging
import random
import sys
import tempfile
import threading
import time
from typing import Any

import requests
from running import Person, Running, await_that, running

FIRST = 493_077_700_000
TARGETS = ("web", "worker", "beat")
LATENCY = {"purchase": 0.4, "cancel": 0.3, "list_available": 0.03, "list_owned": 0.03}


class People:
    """A manager who orders number after number and gives some back, and an approver who approves them all."""

    def __init__(self, product: Running, numbers: list[str], chance: random.Random) -> None:
        self.product, self.numbers, self.chance = product, numbers, chance
        self.stop, self.sent, self.failed_posts = threading.Event(), 0, 0
        self.errors: list[BaseException] = []
        self.threads = [
            threading.Thread(target=self._work, args=(what,)) for what in (self.order, self.decide)
        ]
        for thread in self.threads:
            thread.start()

    def _work(self, what: Any) -> None:
        """Do it again and again; a server that is not there is no reason to stop."""
        person: Person | None = None
        name = "manager" if what == self.order else "approver"
        while not self.stop.is_set():
            try:
                person = person or Person(self.product.url, name)
                what(person)
            except requests.RequestException:
                time.sleep(0.1)
            except Exception as error:
                self.errors.append(error)
                raise

    def order(self, manager: Person) -> None:
        """Order the next number; a form without an answer is sent again, as people do."""
        from numbersadmin.numbers.models import OwnedNumber

        time.sleep(0.1)
        owned = OwnedNumber.objects.open().order_by("?").first() if self.chance.random() < 0.25 else None
        if owned:
            path = f"/numbers/{owned.pk}/cancel/"
            form = {
                **manager.fields(path),
                "reason": "A bench",
                "typed_number": owned.number,
                "timing": "now",
            }
        elif self.numbers:
            path, form = "/orders/new/", manager.order_form(self.numbers[-1])
        else:
            return
        while not self.stop.is_set():
            with contextlib.suppress(requests.RequestException):
                answer = manager.post(path, form)
                self.sent += answer.status_code == 302
                break
            self.failed_posts += 1
            time.sleep(0.1)
        if not owned:
            self.numbers.pop()

    def decide(self, approver: Person) -> None:
        """Approve the oldest order that waits."""
        from numbersadmin.orders.models import OrderItem

        item = OrderItem.objects.filter(state="pending").order_by("id").first()
        if item is None:
            time.sleep(0.1)
            return
        with contextlib.suppress(requests.HTTPError):
            approver.approve(item.order_id)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Ledger:
    """What the provider saw; it keeps the last 5000 requests only, so they are fetched as we go."""

    def __init__(self, product: Running) -> None:
        self.product = product
        self.requests: dict[tuple[str, ...], dict[str, Any]] = {}

    def read(self) -> dict[str, Any]:
        told = self.product.sandbox("ledger")
        for request in told["requests"]:
            if request["endpoint"] in ("purchase", "cancel"):
                self.requests[request["real_at"], request["path"], request["body"]] = request
        return {"acts": told["acts"], "requests": list(self.requests.values())}


def kill_all_the_time(product: Running, ledger: Ledger, kills: int, chance: random.Random) -> float:
    """So many kills, each followed by a start; the moment of the last start."""
    for count in range(kills):
        time.sleep(chance.uniform(0.1, 1.5))
        name = chance.choices(TARGETS, weights=(4, 4, 1))[0]
        if chance.random() < 0.6:
            product.kill(name)
        else:
            product.kill_child(name, chance)
        product.start(name)
        if chance.random() < 0.8:  # else the next kill may hit a start
            product.wait_for_web()
        if count % 10 == 9:
            ledger.read()
    for name in TARGETS:
        product.start(name)
    product.wait_for_web()
    return time.monotonic()


def violations(told: dict[str, Any], numbers: list[str]) -> list[str]:
    """What does not agree between the provider's ledger and our orders."""
    from numbersadmin.orders.models import OrderItem, ProviderAttempt
    from tests.orders import books

    items = list(OrderItem.objects.order_by("id"))
    wrong = []
    try:
        books.check(items, told, numbers)
    except AssertionError as error:
        wrong.append(str(error))
    ours = {act["number"] for act in told["acts"] if act["act"] == "purchase"}
    given_back = {act["number"] for act in told["acts"] if act["act"] == "cancel"}
    for item in items:
        if item.kind == "purchase" and item.state == "failed" and item.number in ours - given_back:
            wrong.append(f"{item} failed, and its number is ours")
    began = {
        (attempt.verb, attempt.number_key): attempt.started_at for attempt in ProviderAttempt.objects.all()
    }
    for request in told["requests"]:
        started = began.get(books.call_of(request))
        if started is None or started.isoformat()[:23] > request["real_at"][:23]:
            wrong.append(f"{request['method']} {request['real_at']} has no older attempt")
    return wrong


def report(people: People, kills: int, told: dict[str, Any], settled: float) -> None:
    from django.db import connection
    from django.db.models import Count

    from numbersadmin.orders.models import OrderItem, ProviderAttempt

    late = [
        item.updated_at - attempt.started_at
        for attempt in ProviderAttempt.objects.select_related("item")
        if (item := attempt.item).state == "done"
    ]
    acts = [act["act"] for act in told["acts"]]
    print(f"{connection.vendor}: {kills} kills, {people.failed_posts} forms without an answer")
    print(
        f"orders: {people.sent} sent; items {dict(OrderItem.objects.values_list('state').annotate(Count('id')))}"
    )
    print(f"provider: {acts.count('purchase')} purchases, {acts.count('cancel')} cancellations")
    print(f"calls whose worker died: {ProviderAttempt.objects.filter(error_kind='lease').count()}")
    print(f"longest from call to done: {max(late).total_seconds():.1f} s")
    print(f"from the last start to nothing under way: {settled:.1f} s")


def main() -> int:
    """Start, kill, settle, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--chance", type=int, default=random.randrange(10**6))
    parser.add_argument("--sweep", default="5", help="seconds between two sweeps")
    parser.add_argument("--settle", default="5", help="seconds between two looks at an unknown outcome")
    given = parser.parse_args()
    chance = random.Random(given.chance)
    quick = {"SWEEP_INTERVAL_SECONDS": given.sweep, "SETTLE_INTERVAL_SECONDS": given.settle}
    with (
        tempfile.TemporaryDirectory(prefix="bench-kills-") as folder,
        running(folder, PROVIDER_TIMEOUT_SECONDS="1", **quick) as product,
    ):
        logging.disable(logging.CRITICAL)
        from numbersadmin.orders.models import OrderItem

        numbers = [str(FIRST + at) for at in range(20 * given.kills)]
        rows = [{"number": each, "country": "DE", "numberKey": f"K{each}"} for each in numbers]
        product.sandbox("numbers", {"owned": [], "available": rows})
        product.sandbox("switches", {"key_changes_on_purchase": True})
        for endpoint, seconds in LATENCY.items():
            product.sandbox(
                "faults", {"endpoint": endpoint, "kind": "delay", "seconds": seconds, "times": -1}
            )
        for name in TARGETS:
            product.start(name)
        product.wait_for_web()
        people, ledger = People(product, list(numbers), chance), Ledger(product)
        try:
            kill_all_the_time(product, ledger, given.kills, chance)
        finally:
            people.end()
        busy = OrderItem.objects.filter(state__in=("approved", "executing", "unknown"))
        try:
            settled = await_that(lambda: not busy.exists(), 120, "nothing is under way")
        except TimeoutError:
            settled = float("inf")
        told = ledger.read()
        report(people, given.kills, told, settled)
        wrong = violations(told, numbers) + [repr(error) for error in people.errors]
    print("\n".join([f"violations: {len(wrong)} (chance {given.chance})", *wrong[:20]]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
