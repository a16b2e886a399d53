"""The processes of one installation, started and stopped together."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

GRACE_SECONDS = 30  # a worker may finish the call to the provider that it is in
_PR_SET_PDEATHSIG = 1


class AskedToStop(BaseException):
    """Ctrl-C, TERM or a closed terminal. Like KeyboardInterrupt, nothing that handles errors may swallow it."""


class ProcessDied(Exception):
    """A process ended by itself; the message names it."""


def _end_with_parent() -> None:
    """In the child before it runs: its own process group, and a TERM should the parent vanish (Linux)."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Processes:
    """Child processes by name. Each has its own group, so that nothing it started outlives it."""

    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    stopping: bool = False

    def start(self, name: str, command: Sequence[str], *, answers: bool = False) -> subprocess.Popen[str]:
        """Start a process; with `answers` its standard output is ours to read."""
        child = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if answers else None,
            text=True,
            preexec_fn=_end_with_parent,
        )
        self.running[name] = child
        return child

    def catch_signals(self) -> None:
        """Ctrl-C, TERM and a closed terminal stop everything."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self.stopping = True
            raise AskedToStop

    def check(self) -> None:
        """Raise ProcessDied when one has ended."""
        for name, child in self.running.items():
            if (code := child.poll()) is not None:
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
                raise ProcessDied(f"{name} {how}")

    def wait(self) -> None:
        """Go on until AskedToStop interrupts, or raise ProcessDied when one has ended."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask all to end, and end what does not within the grace time.

        Only the process itself is asked: web and worker let their own children finish what they are at.
        """
        self.stopping = True
        for child in self.running.values():
            child.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - time.monotonic()))
            _signal_group(child, signal.SIGKILL)
            child.wait()


def _signal_group(child: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
