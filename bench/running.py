"""The product as real processes for the benches: sandbox, gunicorn, worker and beat.

All state is in a temporary directory; DATABASE_URL and REDIS_URL are taken over when they are set.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import psutil
import requests

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a bench is no secret"
CAST = {"manager": "manager", "approver": "approver", "viewer": "viewer"}
INPUT, ATTRIBUTE = re.compile(r"<input[^>]*>"), re.compile(r'\b(name|value)="([^"]*)"')
CHOICE = re.compile(r'type="(radio|checkbox)"')
OURS = ("INFOBIP_", "SYNC_", "SWEEP_", "SETTLE_", "PROVIDER_", "LIST_", "WEB_", "ALLOWED_")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def session() -> requests.Session:
    """A session that knows no proxies."""
    made = requests.Session()
    made.trust_env = False
    return made


def await_that(condition: Callable[[], object], seconds: float, what: object) -> float:
    """Look again until it holds; how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began


class Person:
    """Somebody signed in, who sends forms as a browser does."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.session = url, session()
        form = {**self.fields("/sign-in/"), "username": name, "password": PASSWORD}
        self.post("/sign-in/", form).raise_for_status()

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=30)

    def fields(self, path: str) -> dict[str, str]:
        """The inputs of a page's forms as they come."""
        page = self.get(path)
        page.raise_for_status()
        tags = [tag for tag in INPUT.findall(page.text) if not CHOICE.search(tag) or " checked" in tag]
        found = [dict(ATTRIBUTE.findall(tag)) for tag in tags]
        return {field["name"]: unescape(field.get("value", "")) for field in found if "name" in field}

    def post(self, path: str, form: dict[str, str]) -> requests.Response:
        """Send a form; redirects are not followed."""
        return self.session.post(self.url + path, data=form, timeout=30, allow_redirects=False)

    def order_form(self, number: str) -> dict[str, str]:
        """The form that orders a German number, filled in."""
        form = self.fields(f"/orders/new/?offer=DE-{number}")
        return {**form, "offer": f"DE-{number}", "reason": "A bench"}

    def approve(self, order_id: int) -> requests.Response:
        """Open an order and click Approve."""
        return self.post(f"/orders/{order_id}/approve/", self.fields(f"/orders/{order_id}/"))


class Running:
    """One installation and its processes by name."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.port, self.log = folder, free_port(), (folder / "log").open("w")
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[Any]] = {}
        self.provider = self._sandbox()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(OURS)} | {
            "VAR_DIR": str(folder / "var"),
            "INFOBIP_BASE_URL": self.provider,
            "INFOBIP_API_KEY": "sandbox",
            "PROVIDER_RATE_LIMITS": "off",
            "SYNC_INTERVAL_SECONDS": "0",
            "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
            **settings,
        }
        self.commands = self._prepare()

    def _sandbox(self) -> str:
        command = [sys.executable, "-m", "numbersadmin.sandbox", "--bind", "127.0.0.1:0", "--owned", "0"]
        process = subprocess.Popen(
            [*command, "--available", "0", "--file", str(self.folder / "sandbox.sqlite3")],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.processes["sandbox"] = process
        assert process.stdout
        return process.stdout.readline().split()[-1]

    def _prepare(self) -> dict[str, list[str]]:
        """Django in this process on the same database, tables, people, static files; the commands of `up`."""
        os.environ.update(self.environment)
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.core.management import call_command

        from numbersadmin.accounts.models import RoleGrant, User
        from numbersadmin.overview import static_files
        from numbersadmin.overview.management.commands import up

        call_command("migrate", verbosity=0)
        static_files.collect()
        for name, role in CAST.items():
            user, new = User.objects.get_or_create(username=name)
            user.set_password(PASSWORD)
            user.save()
            if new:
                RoleGrant.objects.create(user=user, role=role)
        return {
            "web": up.web_command("127.0.0.1", self.port),
            "worker": up.worker_command(),
            "beat": up.beat_command(),
        }

    def start(self, name: str) -> None:
        """Start web, worker or beat, unless it runs."""
        if name in self.processes and self.processes[name].poll() is None:
            return
        self.processes[name] = subprocess.Popen(
            self.commands[name], cwd=ROOT, env=self.environment, start_new_session=True,
            stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def answers(self) -> bool:
        """Does the web server?"""
        with contextlib.suppress(requests.RequestException):
            return session().get(f"{self.url}/healthz", timeout=5).ok
        return False

    def wait_for_web(self) -> float:
        """Until it answers; how long that took."""
        return await_that(self.answers, 60, "the web server")

    def kill(self, name: str) -> None:
        """SIGKILL to one of them with all its children: nobody has a moment to tidy up."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def kill_child(self, name: str, chance: Any) -> None:
        """SIGKILL to one of the children of web or worker; the parent lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if children := psutil.Process(self.processes[name].pid).children():
                chance.choice(children).kill()

    def sandbox(self, path: str, body: Any = None, method: str = "") -> Any:
        """A call to the sandbox's control API."""
        answer = session().request(
            method or ("GET" if body is None else "POST"), f"{self.provider}/_sandbox/{path}", json=body, timeout=30
        )  # fmt: skip
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def stop(self) -> None:
        """End everything."""
        for name, process in reversed(self.processes.items()):
            if name == "worker":
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.log.close()


@contextlib.contextmanager
def running(folder: str, **settings: str) -> Iterator[Running]:
    """The product until the end of the block."""
    product = Running(Path(folder), **settings)
    try:
        yield product
    finally:
        product.stop()
