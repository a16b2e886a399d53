"""Start everything on this machine: database, static files, sandbox, web, worker and beat."""

import argparse
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from kombu.exceptions import OperationalError

from numbersadmin.celery import app
from numbersadmin.overview import static_files
from numbersadmin.overview.processes import AskedToStop, ProcessDied, Processes
from numbersadmin.sync.selectors import is_fresh

START_SECONDS = 60
CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "numbersadmin.celery"]


class Command(BaseCommand):
    """`up [--bind HOST:PORT]`: runs until Ctrl-C; when one process ends, all do, and the exit code is 1."""

    help = "Start the web server, the worker, its schedule, and the sandbox if no provider is set."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--bind", default="127.0.0.1:8000", help="address of the web server (default: %(default)s)"
        )

    def handle(self, *args: Any, bind: str, **options: Any) -> None:
        host, port = parse_bind(bind)
        with only_one():
            refuse_taken_port(host, port)
            call_command("migrate", verbosity=0)
            static_files.collect()
            processes = Processes()
            processes.catch_signals()
            try:
                self.start_all(processes, host, port)
                processes.wait()
            except AskedToStop:
                self.stdout.write("Stopping.")
            except ProcessDied as death:
                raise CommandError(f"{death}; everything else was stopped.") from death
            finally:
                processes.stop()

    def start_all(self, processes: Processes, host: str, port: int) -> None:
        """The sandbox first, because demo data needs it; then the web, then worker and beat."""
        if settings.SANDBOX:
            self.start_sandbox(processes)
        if not settings.PRODUCTION:  # links in mails lead to where we are
            os.environ.setdefault("PUBLIC_URL", web_address(host, port))
        processes.start("web", web_command(host, port))
        processes.start("worker", worker_command())
        processes.start("beat", beat_command())
        wait_for_web(processes, host, port)
        self.start_first_sync()
        self.announce(host, port)

    def start_first_sync(self) -> None:
        """Ask for a sync now unless one is fresh or the periodic sync is off."""
        if not settings.SYNC_INTERVAL_SECONDS or is_fresh(timezone.now()):
            return
        try:
            app.send_task("numbersadmin.sync.tasks.sync_periodically")
        except OperationalError as error:
            self.stderr.write(f"The broker does not answer ({error}); background work waits until it does.")

    def start_sandbox(self, processes: Processes) -> None:
        """Start the imitation of the provider, remember where it is, and fill an empty database."""
        child = processes.start("sandbox", sandbox_command(), answers=True)
        assert child.stdout
        line = child.stdout.readline()
        if "listening on" not in line:
            raise ProcessDied("the sandbox did not start")
        settings.INFOBIP_BASE_URL = line.split()[-1]
        settings.SANDBOX_URL_FILE.write_text(settings.INFOBIP_BASE_URL + "\n")
        call_command("demo_data", stdout=self.stdout, stderr=self.stderr)

    def announce(self, host: str, port: int) -> None:
        self.stdout.write(f"numbersadmin is at {web_address(host, port)}/")
        sign_ins = settings.VAR_DIR / "demo-sign-ins"
        if settings.SANDBOX and sign_ins.exists():
            self.stdout.write(f"Demo people (name role password), also in {sign_ins}:")
            self.stdout.write(sign_ins.read_text().rstrip())
        self.stdout.write("Ctrl-C stops everything.")
        self.stdout.flush()


def web_address(host: str, port: int) -> str:
    """The address that a browser opens."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def parse_bind(bind: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; CommandError when it is none."""
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise CommandError(f"--bind {bind}: that is no HOST:PORT. Example: --bind 127.0.0.1:8000")
    return host.strip("[]") or "127.0.0.1", int(port)


def refuse_taken_port(host: str, port: int) -> None:
    """CommandError when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"{host}:{port} cannot be used ({error.strerror}). Choose another, as --bind {host}:{port + 1}"
            ) from error


@contextmanager
def only_one() -> Iterator[None]:
    """One `up` for each VAR_DIR: the second would run a second beat on the same state."""
    with (settings.VAR_DIR / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(
                f"numbersadmin is already running with VAR_DIR={settings.VAR_DIR}. Stop it, or set another VAR_DIR."
            ) from error
        yield


def sandbox_command() -> list[str]:
    """The sandbox on a free port, with its stock kept in VAR_DIR."""
    state = settings.VAR_DIR / "sandbox.sqlite3"
    command = [sys.executable, "-m", "numbersadmin.sandbox", "--bind", "127.0.0.1:0", "--file", str(state)]
    return [*command, "--owned", "120", "--available", "5000"]


def web_command(host: str, port: int) -> list[str]:
    """gunicorn with threads: one that waits for the provider does not hold up the others, and at most half do.

    Preloaded, because a worker that is told to end while it is still importing does not hear it. Connections
    are not kept: when told to end, a worker waits the whole graceful time for those that browsers keep open.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    size = f"--workers 2 --worker-class gthread --threads {settings.WEB_THREADS} --timeout 60 --preload"
    end = "--keep-alive 0 --graceful-timeout 8 --no-control-socket --log-level warning --limit-request-line 8190"
    command = [sys.executable, "-m", "gunicorn", "numbersadmin.wsgi", "--bind", address]
    return [*command, *size.split(), *end.split()]


def worker_command() -> list[str]:
    """A Celery worker with two processes."""
    return [*CELERY, "worker", "--concurrency", "2", "--loglevel", "warning", "--without-mingle"]


def beat_command() -> list[str]:
    """What sends the sweep and the sync on time.

    A process of its own: inside the worker it would be a child whose death nobody notices, and from then on
    nothing that was left anywhere would be picked up.
    """
    return [*CELERY, "beat", "--loglevel", "warning"]


def wait_for_web(processes: Processes, host: str, port: int) -> None:
    """Return when the web server answers; ProcessDied when it does not."""
    reach = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    url = f"http://[{reach}]:{port}/healthz" if ":" in reach else f"http://{reach}:{port}/healthz"
    deadline = time.monotonic() + START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline:
            processes.check()
            try:
                session.get(
                    url, timeout=2, headers={"Host": settings.ALLOWED_HOSTS[0]}, allow_redirects=False
                )
                return
            except requests.RequestException:
                time.sleep(0.1)
    raise ProcessDied("the web server did not answer")
