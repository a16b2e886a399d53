"""Pages that wait for a provider which never answers take half of the threads, and no more."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.test import override_settings

from numbersadmin.provider.client import Provider, get_provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError

HALF = 2


class Stuck:
    """A provider that takes every question and answers none, until it is over and the connections break."""

    def __init__(self) -> None:
        self.arrived, self.over = threading.Semaphore(0), threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        self.arrived.release()
        self.over.wait(10)
        raise ConnectionAbortedError


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads, as a web process has them."""
    with ThreadPoolExecutor(2 * HALF + 1) as pool:
        yield pool


@pytest.fixture
def stuck(outside: Any, pool: ThreadPoolExecutor) -> Iterator[Stuck]:
    """The outside world of this test is stuck; not for longer than the test, for whose end the pool waits."""
    stuck = Stuck()
    outside.play(stuck)
    yield stuck
    stuck.over.set()


def ask(provider: Provider, caller: str = "person") -> ProviderError | None:
    """What a call ends with."""
    try:
        provider.list_available(caller=caller, wait=5)  # type: ignore[arg-type]
    except ProviderError as problem:
        return problem
    return None


def waiting(pool: ThreadPoolExecutor, provider: Provider, stuck: Stuck) -> list[Future]:
    """As many people as may wait, each with a question that has arrived and is not answered."""
    asked = [pool.submit(ask, provider) for _ in range(HALF)]
    for _ in asked:
        assert stuck.arrived.acquire(timeout=5)
    return asked


def test_half_of_the_threads_may_wait_and_the_next_page_has_its_answer_at_once(
    client_of: Callable[..., Provider], outside: Any, stuck: Stuck, pool: ThreadPoolExecutor
):
    provider = client_of(outside.url, people=HALF)
    asked = waiting(pool, provider, stuck)
    problem = ask(provider)
    assert isinstance(problem, ProviderBusy)
    assert (problem.text, problem.retry_after) == ("too many pages wait for the provider", 2.0)
    assert not any(one.done() for one in asked), "it was answered while the others still waited"
    assert outside.connections == HALF
    stuck.over.set()
    assert all(isinstance(one.result(10), ProviderError) for one in asked)
    assert not isinstance(ask(provider), ProviderBusy), "their places are free again"


def test_workers_are_not_held_back(
    client_of: Callable[..., Provider], outside: Any, stuck: Stuck, pool: ThreadPoolExecutor
):
    provider = client_of(outside.url, people=HALF)
    waiting(pool, provider, stuck)
    pool.submit(ask, provider, "worker")
    assert stuck.arrived.acquire(timeout=5)


def test_without_the_bulkhead_every_thread_would_wait(
    client_of: Callable[..., Provider], outside: Any, stuck: Stuck, pool: ThreadPoolExecutor
):
    """The control: the next page, too, is with the provider until it gives up."""
    provider = client_of(outside.url, people=100)
    waiting(pool, provider, stuck)
    pool.submit(ask, provider)
    assert stuck.arrived.acquire(timeout=5)


@pytest.mark.parametrize(("threads", "half"), [(8, 4), (5, 2), (2, 1)])
def test_the_half_follows_the_setting(threads: int, half: int):
    with override_settings(WEB_THREADS=threads, INFOBIP_BASE_URL="http://127.0.0.1:9"):
        people = get_provider()._people
    assert sum(people.acquire(blocking=False) for _ in range(threads)) == half
    for _ in range(half):
        people.release()
