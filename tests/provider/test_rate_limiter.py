"""One rate limit over threads and processes: never exceeded, people first, nobody forgotten."""

import contextlib
import multiprocessing
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError
from numbersadmin.provider.limits import LATE, LEASE, RATES, Caller, Limiter, Rate, account_name, claim
from numbersadmin.provider.store import Bucket, RedisStore, SqliteStore, State, Store, StoreFailed

LIST = RATES["list"]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis of our own, if this machine has one."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        with redis.Redis.from_url(url) as connection:
            for _ in range(100):
                try:
                    connection.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
        yield url
        process.terminate()


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Both places where the shared document can live."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "deep" / "provider.sqlite3")
    return RedisStore(request.getfixturevalue("redis_url"), key=f"test:{tmp_path}")


class Queue:
    """Callers at one bucket, in a time of the test's own."""

    def __init__(self, rate: Rate) -> None:
        self.rate, self.bucket, self.now = rate, Bucket(), 100.0

    def ask(self, ticket: str, late: float = 0.0) -> bool:
        return claim(self.bucket, self.rate, ticket, late, self.now) is None

    def served(
        self, callers: dict[str, float], seconds: float, step: float = 0.05
    ) -> list[tuple[float, str]]:
        """Everybody asks again and again; who is served when. Those who are served leave."""
        order, waiting = [], dict(callers)
        for _ in range(round(seconds / step)):
            for ticket, late in list(waiting.items()):
                if self.ask(ticket, late):
                    order.append((self.now - 100, ticket))
                    del waiting[ticket]
            self.now += step
        return order


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.sampled_from(sorted(RATES)))
def test_no_window_ever_holds_more_calls_than_the_provider_allows(gaps: list[float], kind: str) -> None:
    """Against the provider's own bucket: a burst, and then one token each interval."""
    queue, level, last = Queue(RATES[kind]), float(RATES[kind].burst), 100.0
    for at, gap in enumerate(gaps):
        queue.now += gap
        while not queue.ask(f"t{at}"):
            queue.now += 0.01
        level = min(RATES[kind].burst, level + (queue.now - last) / (RATES[kind].interval / 1.05))
        last = queue.now
        level -= 1
        assert level >= 0


def test_the_negative_control_a_limit_twice_as_fast_is_noticed() -> None:
    with pytest.raises(AssertionError):
        _exceed(Rate(LIST.interval / 2, 2))


def _exceed(rate: Rate) -> None:
    queue, level, last = Queue(rate), 2.0, 100.0
    for at in range(10):
        while not queue.ask(f"t{at}"):
            queue.now += 0.01
        level = min(2.0, level + (queue.now - last)) - 1
        last = queue.now
        assert level >= 0


def test_the_burst_is_used_and_then_one_a_second() -> None:
    times = [at for at, _ in Queue(LIST).served({f"p{n}": 0.0 for n in range(5)}, 5)]
    assert times == pytest.approx([0, 0, 1.05, 2.1, 3.15], abs=0.06)


def test_people_overtake_a_sync_and_workers_too() -> None:
    queue = Queue(LIST)
    queue.served({"a": 0, "b": 0}, 0.1)
    queue.ask("sync", LATE["sync"])
    queue.ask("worker", LATE["worker"])
    order = queue.served({"sync": 10, "worker": 3, "person": 0}, 8)
    assert [who for _, who in order] == ["person", "worker", "sync"]


def test_a_sync_leaves_the_second_token_to_people() -> None:
    queue = Queue(LIST)
    assert queue.ask("sync1", LATE["sync"])
    assert not queue.ask("sync2", LATE["sync"])
    assert queue.ask("person")


def test_a_sync_that_waited_ten_seconds_is_overtaken_no_more() -> None:
    queue, served_at = Queue(LIST), None
    queue.ask("sync", LATE["sync"])  # takes the token it may take
    queue.ask("again", LATE["sync"])
    for step in range(800):  # somebody new comes every half second: twice what there is
        queue.now += 0.05
        if queue.ask("again", LATE["sync"]):
            served_at = queue.now - 100
            break
        for ticket in [each for each in queue.bucket.waiting if each != "again"]:
            queue.ask(ticket)
        if step % 10 == 0:
            queue.ask(f"n{step}")
    assert served_at is not None
    assert 10 < served_at < 25  # after all who came in those ten seconds


def test_first_come_first_served() -> None:
    queue = Queue(LIST)
    queue.served({"a": 0, "b": 0}, 0.05)
    for name in ("one", "two", "three"):
        queue.ask(name)
        queue.now += 0.01
    assert [who for _, who in queue.served({"three": 0, "two": 0, "one": 0}, 5)] == ["one", "two", "three"]


def test_who_cannot_be_served_in_time_is_told_at_once_and_holds_nobody_up(store: Store) -> None:
    limiter = Limiter(store, "a")
    limiter.ok(limiter.take("list", "person", 0))
    limiter.take("list", "person", 0)
    begun = time.monotonic()
    with pytest.raises(ProviderBusy) as busy:
        limiter.take("list", "person", 0.5)
    assert time.monotonic() - begun < 0.3
    assert busy.value.retry_after is not None
    assert 1 <= busy.value.retry_after <= 1.1
    assert store.read().buckets["list"].waiting == {}


def test_a_caller_that_died_while_waiting_is_passed_over(store: Store) -> None:
    limiter = Limiter(store, "a")
    limiter.ok(limiter.take("get", "person", 0))

    def die(state: State, now: float) -> None:
        state.buckets["get"].waiting["dead"] = (now - 5, now - 0.01)

    store.change(die)
    limiter.take("get", "person", 0.5)


def test_a_caller_that_lives_is_waited_for(store: Store) -> None:
    """The negative control of the test above."""
    limiter = Limiter(store, "a")
    limiter.ok(limiter.take("get", "person", 0))
    store.change(lambda state, now: state.buckets["get"].waiting.update(alive=(now - 5, now + LEASE)))
    with pytest.raises(ProviderBusy):
        limiter.take("get", "person", 0.15)


def test_a_429_holds_back_everybody(store: Store) -> None:
    limiter, other = Limiter(store, "a"), Limiter(store, "a")
    turn = limiter.take("write", "worker", 0)
    limiter.pause(turn, 30)
    with pytest.raises(ProviderBusy) as busy:
        other.take("write", "worker", 2)
    assert busy.value.retry_after is not None
    assert 29 < busy.value.retry_after <= 30
    other.take("list", "person", 0)


def test_a_request_that_went_out_late_puts_off_the_next(store: Store) -> None:
    limiter = Limiter(store, "a")
    turn = limiter.take("write", "worker", 0)
    before = store.read().buckets["write"].full_at
    time.sleep(0.05)
    limiter.sent(turn)
    assert 0.05 <= store.read().buckets["write"].full_at - before < 0.2


def test_a_clock_that_was_set_back_does_not_hold_up_calls(store: Store) -> None:
    limiter = Limiter(store, "a")
    limiter.ok(limiter.take("write", "worker", 0))
    store.change(lambda state, now: setattr(state.buckets["write"], "full_at", now + 3600))
    limiter.take("write", "worker", 0)


def test_changes_by_many_threads_are_all_kept(store: Store) -> None:
    def one_more(state: State, now: float) -> None:
        waiting = state.buckets.setdefault("list", Bucket()).waiting
        waiting[str(len(waiting))] = (0.0, 0.0)

    def count() -> None:
        for _ in range(25):
            store.change(one_more)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(store.read().buckets["list"].waiting) == 100


def test_a_document_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p.sqlite3")
    store.read()
    store._connection().execute("INSERT INTO shared (id, document) VALUES (1, '{\"buckets\": 5}')")
    assert store.read() == State()


def test_the_file_is_its_owners_alone_and_may_be_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "p.sqlite3"
    store = SqliteStore(path)
    store.change(lambda state, now: state.accounts.clear())
    assert path.stat().st_mode & 0o077 == 0
    for each in tmp_path.iterdir():
        each.unlink()
    store.change(lambda state, now: state.accounts.clear())
    assert path.exists()


def test_a_redis_that_does_not_answer_fails_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        begun = time.monotonic()
        with pytest.raises(StoreFailed):
            RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0").read()
        assert time.monotonic() - begun < 2.5


def _call_on_and_on(url: str, where: str, caller: Caller, seconds: float, rates: bool) -> None:
    store: Store = RedisStore(where) if where.startswith("redis:") else SqliteStore(Path(where))
    limiter = Limiter(store, account_name(url, "App sandbox"), enabled=rates)
    provider = Provider(url, "/sms/1/numbers", "App sandbox", 5, limiter, 100)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(ProviderError):
            provider.list_owned(caller=caller, wait=1.2)
        with contextlib.suppress(ProviderError):
            provider.get_owned("no such key", caller=caller, wait=1.2)
        with contextlib.suppress(ProviderError):
            provider.cancel("no such key", wait=1.2)


def hammer(url: str, where: str, seconds: float, *, rates: bool) -> None:
    """Three processes, each calling as fast as it may."""
    process_of = multiprocessing.get_context("fork").Process
    children = [
        process_of(target=_call_on_and_on, args=(url, where, caller, seconds, rates))
        for caller in ("person", "worker", "sync")
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        assert child.exitcode == 0


@pytest.mark.parametrize("where", ["sqlite", "redis"])
def test_several_processes_together_never_exceed_the_providers_limits(
    where: str, sandbox: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sandbox.switch(rate_limits=True)
    place = request.getfixturevalue("redis_url") if where == "redis" else str(tmp_path / "p.sqlite3")
    hammer(sandbox.url, place, 1.5 if where == "sqlite" else 0.5, rates=True)
    seen = sandbox.requests()
    assert [each["status"] for each in seen if each["status"] == 429] == []
    assert sum(1 for each in seen if each["endpoint"] == "list_owned") >= 2
    assert sum(1 for each in seen if each["endpoint"] == "cancel") >= 1


def test_the_negative_control_without_the_limiter_the_provider_says_429(sandbox: Any, tmp_path: Path) -> None:
    sandbox.switch(rate_limits=True)
    hammer(sandbox.url, str(tmp_path / "p.sqlite3"), 0.2, rates=False)
    assert any(each["status"] == 429 for each in sandbox.requests())


def test_a_person_is_served_while_a_sync_reads_on_and_on(sandbox: Any, client_of: Callable[..., Any]) -> None:
    sandbox.switch(rate_limits=True)
    provider = client_of(sandbox.url, rate_limits=True)
    over = threading.Event()

    def sync() -> None:
        while not over.is_set():
            provider.list_owned(caller="sync", wait=30)

    reader = threading.Thread(target=sync)
    reader.start()
    try:
        time.sleep(0.2)
        begun = time.monotonic()
        provider.list_available(caller="person")
        waited = time.monotonic() - begun
    finally:
        over.set()
        reader.join()
    assert waited < 0.8
    assert all(each["status"] == 200 for each in sandbox.requests())


@pytest.mark.parametrize(("limiters", "together"), [(1, 1), (3, 3)])
def test_of_several_threads_of_a_sync_one_waits_for_a_turn_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limiters: int, together: int
) -> None:
    """Each would be overtaken for ten seconds only, and then all of them go before people. Others are the control."""
    monkeypatch.setitem(RATES, "list", Rate(0.2, 2))
    store = SqliteStore(tmp_path / "provider.sqlite3")
    processes = [Limiter(store, "account") for _ in range(limiters)]
    for _ in range(2):  # the burst is used up, and the credentials are proven
        processes[0].ok(processes[0].take("list", "person", 0.0))
    threads = [
        threading.Thread(target=processes[each % limiters].take, args=("list", "sync", 20.0))
        for each in range(3)
    ]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(store.read().buckets["list"].waiting))
    assert most == together
