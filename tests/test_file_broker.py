"""The file broker: a worker never reads a message that is still being written, and survives what was left half."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from numbersadmin import file_broker

MESSAGES = 400
Open = Callable[[str], Any]


@pytest.fixture
def open_channel(tmp_path: Path) -> Iterator[Open]:
    """Channels over one folder, by the class that makes them."""
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    opened: list[Connection] = []

    def channel(transport: str) -> Any:
        queue = str(tmp_path / "queue")
        options = {
            "data_folder_in": queue,
            "data_folder_out": queue,
            "control_folder": str(tmp_path / "control"),
        }
        opened.append(Connection("filesystem://", transport=transport, transport_options=options))
        return opened[-1].channel()

    yield channel
    for connection in opened:
        connection.close()


@pytest.fixture
def channel(open_channel: Open) -> Any:
    return open_channel("numbersadmin.file_broker:Transport")


def half_a_message(tmp_path: Path) -> None:
    (tmp_path / "queue" / "0_half.celery.msg").touch()


def test_kombus_own_breaks_on_a_message_that_is_being_written(open_channel: Open, tmp_path: Path):
    """What ours is there for; should this ever pass, ours can go."""
    half_a_message(tmp_path)
    with pytest.raises(ValueError, match="Expecting value"):
        open_channel("filesystem")._get("celery")


def test_half_a_message_is_dropped_and_the_next_one_read(channel: Any, tmp_path: Path):
    half_a_message(tmp_path)
    channel._put("celery", {"item": 1})
    assert channel._get("celery") == {"item": 1}
    with pytest.raises(Empty):
        channel._get("celery")
    assert list((tmp_path / "queue").iterdir()) == []


def test_messages_come_whole_and_once_while_others_write_and_read(channel: Any, open_channel: Open):
    got: list[int] = []
    written = threading.Event()

    def write() -> None:
        for number in range(MESSAGES):
            channel._put("celery", {"number": number, "filling": "x" * 2000})
        written.set()

    def read(mine: Any) -> None:
        while True:
            last = written.is_set()
            try:
                got.append(mine._get("celery")["number"])
            except Empty:
                if last:
                    return

    readers = [open_channel("numbersadmin.file_broker:Transport") for _ in range(2)]
    threads = [threading.Thread(target=write), *(threading.Thread(target=read, args=(r,)) for r in readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got) == list(range(MESSAGES))


def test_a_list_of_queues_left_empty_by_a_kill_is_made_anew(channel: Any, tmp_path: Path):
    (tmp_path / "control" / "celery.exchange").touch()
    assert channel.get_table("celery") == []
    channel._queue_bind("celery", "celery", "", "celery")
    assert channel.get_table("celery") == [("celery", "", "celery")]


def test_a_folder_that_cannot_be_written_is_an_error_of_the_broker(channel: Any, tmp_path: Path):
    (tmp_path / "queue").rmdir()
    with pytest.raises(file_broker.ChannelError):
        channel._put("celery", {"item": 1})
