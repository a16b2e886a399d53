"""The broker of the embedded default: messages are files in VAR_DIR.

Kombu's own file broker makes a message's file first and fills it afterwards. A worker that takes it in between
reads nothing, and ends. Here a file has its name only when it is whole, and one that cannot be read is skipped:
the row is the queue, a message only the nudge. Nothing passes through the machine's shared temporary folder.
"""

import logging
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Whole files only, on their way in and out."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{time.monotonic_ns() // 1_000_000:020}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in self._waiting(queue):
            taken = path.with_suffix(".taken")
            try:
                path.rename(taken)  # whoever renames it has it
            except FileNotFoundError:
                continue
            text = taken.read_bytes()
            taken.unlink()
            try:
                return loads(text.decode())
            except ValueError:
                logger.warning("a message that cannot be read was dropped: %s", path.name)
        raise Empty

    def _waiting(self, queue: str) -> Iterator[Path]:
        folder = Path(self.data_folder_in)
        names = (name for name in os.listdir(folder) if name.partition(".")[2] == f"{queue}.msg")
        return (folder / name for name in sorted(names))

    def get_table(self, exchange: str) -> Any:
        """The queues of an exchange; none where a process was killed while it wrote them down."""
        try:
            return super().get_table(exchange)
        except ValueError:
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        table = self.get_table(exchange)
        if bound not in table:
            _write_whole(self._exchange_file(exchange), dumps([bound, *table]))


def _write_whole(path: Path, text: str) -> None:
    """Write a file that nobody sees before it is complete. Raises ChannelError when it cannot be written."""
    growing = path.with_name(f"{path.name}.{uuid.uuid4()}.new")
    try:
        growing.write_text(text)
        growing.replace(path)
    except OSError as error:
        raise ChannelError(f"the message could not be written: {error.strerror}") from error


class Transport(filesystem.Transport):
    """Kombu's file transport with these channels."""

    Channel = Channel
