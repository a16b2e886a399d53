"""The real product as an operator runs it: `manage.py up` in a state directory of its own, started and stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 120  # the first start plays the demo
STOP_SECONDS = 45
OURS = (
    "INFOBIP_",
    "SYNC_",
    "SWEEP_",
    "SETTLE_",
    "PROVIDER_",
    "LIST_",
    "WEB_",
    "DATABASE_",
    "REDIS_",
    "ALLOWED_",
)
QUICK = {"PROVIDER_RATE_LIMITS": "off", "SWEEP_INTERVAL_SECONDS": "1", "SETTLE_INTERVAL_SECONDS": "1"}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **wanted: str) -> dict[str, str]:
    """What `up` runs with: nothing of the tests' own settings, its state in `folder`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**inherited, "VAR_DIR": str(folder), **QUICK, **wanted}


@dataclass
class Product:
    """A running `up`. `lines` are what it has printed so far, on both outputs."""

    process: "subprocess.Popen[str]"
    folder: Path
    port: int
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    def password(self, name: str) -> str:
        """The password that was printed for a demo person."""
        words = [line.split() for line in self.lines]
        return next(line[2] for line in words if len(line) == 3 and line[0] == name)

    def sandbox(self) -> str:
        """The address of its sandbox."""
        return (self.folder / "sandbox.url").read_text().strip()

    def family(self) -> list[psutil.Process]:
        """The process and everything it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def child(self, words: str) -> psutil.Process:
        """The direct child whose command holds these words."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))

    def wait_for(self, words: str, seconds: float = START_SECONDS) -> None:
        """Until it has printed these words. Fails when it ends before."""
        await_that(lambda: words in self.said or self.process.poll() is not None, seconds, self._so_far)
        assert words in self.said, self._so_far()

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        """Ask it to end; the exit code. Everything it started has to be gone then."""
        family = self.family() if self.process.poll() is None else []
        self.process.send_signal(with_signal)
        code = self.ended()
        gone_within(family, 2)
        return code

    def ended(self) -> int:
        """Wait until it ends by itself; the exit code."""
        return self.process.wait(STOP_SECONDS)

    def _so_far(self) -> str:
        return f"exit code {self.process.poll()}, printed so far:\n{self.said}"


@contextlib.contextmanager
def running(folder: Path, *, ready: bool = True, **wanted: str) -> Iterator[Product]:
    """`up` with its state in `folder`, stopped at the end whatever happens."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-u", "manage.py", "up", "--bind", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env=environment(folder, **wanted),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a Ctrl-C for the tests is not one for it
    )
    product = Product(process, folder, port)
    assert process.stdout
    reader = threading.Thread(target=_read, args=(process.stdout, product.lines), daemon=True)
    reader.start()
    family: list[psutil.Process] = []
    try:
        if ready:
            product.wait_for("Ctrl-C stops everything.")
            family = product.family()
        yield product
    finally:
        if process.poll() is None:
            family = product.family()
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        for left in psutil.wait_procs(family, 1)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        process.wait()
        reader.join(5)
        process.stdout.close()


def _read(stream: "Iterator[str]", lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))


def await_that(condition: Callable[[], object], seconds: float, why: Callable[[], str] = str) -> None:
    """Look again until the condition holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds} s; {why()}"
        time.sleep(0.05)


def gone_within(family: list[psutil.Process], seconds: float) -> None:
    """All of these processes have ended."""
    _, alive = psutil.wait_procs(family, seconds)
    assert not alive, [" ".join(process.cmdline()) for process in alive]
