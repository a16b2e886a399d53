"""The site under gunicorn on the tests' own database, and people who use it over HTTP at the same moment."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.browser.product import OURS, ROOT, free_port

SIZE = "--workers 2 --worker-class gthread --threads 8 --preload"
REST = "--keep-alive 5 --graceful-timeout 1 --no-control-socket --log-level warning"
INPUT, ATTRIBUTE = re.compile(r"<input[^>]*>"), re.compile(r'\b(name|value)="([^"]*)"')
CSRF = "a" * 32


def database_url() -> str:
    """The address of the database that the tests use."""
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    secret = f":{known['PASSWORD']}" if known["PASSWORD"] else ""
    return f"postgres://{known['USER']}{secret}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


class Person:
    """Somebody signed in, on a connection that is kept."""

    def __init__(self, url: str, user: Any) -> None:
        browser = Client()
        browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
        self.session.cookies[settings.SESSION_COOKIE_NAME] = browser.cookies[
            settings.SESSION_COOKIE_NAME
        ].value
        self.session.cookies[settings.CSRF_COOKIE_NAME] = CSRF

    def form(self, path: str) -> dict[str, str]:
        """The fields of a page's forms as they come."""
        page = self.session.get(self.url + path, timeout=20)
        assert page.status_code == 200, (page.status_code, page.text[:2000])
        fields = [dict(ATTRIBUTE.findall(tag)) for tag in INPUT.findall(page.text)]
        return {field["name"]: unescape(field.get("value", "")) for field in fields if "name" in field}

    def post(self, path: str, **fields: Any) -> requests.Response:
        """Send a form; redirects are not followed."""
        data = fields | {"csrfmiddlewaretoken": CSRF}
        return self.session.post(self.url + path, data=data, timeout=30, allow_redirects=False)


@contextlib.contextmanager
def serving(folder: Path, provider_url: str, guard_off: str = "") -> Iterator[str]:
    """gunicorn as `up` starts it, until the end of the block; its address."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {
        "VAR_DIR": str(folder / "var"),
        "SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "numbersadmin.settings",
        "DATABASE_URL": database_url(),
        "INFOBIP_BASE_URL": provider_url,
        "INFOBIP_API_KEY": "sandbox",
        "PROVIDER_RATE_LIMITS": "off",
        "GUARD_OFF": guard_off,
    }
    command = [sys.executable, "-m", "gunicorn", "tests.orders.served_app", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *SIZE.split(), *REST.split()], cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        assert process.poll() is None, "gunicorn ended"
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            requests.get(f"{url}/healthz", timeout=5).raise_for_status()
            return
        time.sleep(0.05)
    raise AssertionError("gunicorn does not answer")


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do these at the same moment; the results in order."""
    start = threading.Barrier(len(acts))

    def act(what: Callable[[], Any]) -> Any:
        start.wait(10)
        return what()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))
