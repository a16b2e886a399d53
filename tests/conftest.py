"""What every test may use: the sandbox over a real socket, the cast of people, and the append-only tables."""

import gc
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from hypothesis import settings as hypothesis_settings

from numbersadmin.accounts.models import RoleGrant, User
from numbersadmin.orders import tasks
from numbersadmin.provider import client as provider_client
from numbersadmin.provider import store as provider_store
from tests.flush import keep_append_only

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 10, 13, 9, 0, tzinfo=UTC)  # day 13 of a 31-day month: 19 days are left

hypothesis_settings.register_profile("suite", deadline=None, max_examples=50)
hypothesis_settings.load_profile("suite")

keep_append_only()
gc.set_threshold(
    100_000, 20, 20
)  # thousands of short tests keep little: looking for cycles takes a tenth of them

# ── the provider ─────────────────────────────────────────────────────────────────────────────────────────────────


class Sandbox:
    """The sandbox process that a test talks to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def api(self, path: str, body: Any = None, method: str = "") -> Any:
        """A call to the control API: GET without a body, POST with one."""
        method = method or ("GET" if body is None else "POST")
        answer = self.session.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.ok, (path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def reset(self, **stock: Any) -> None:
        """New stock ({"empty": True} for none), no faults, no switches, an empty ledger, and the tests' clock."""
        self.api("reset", stock or {"empty": True})
        self.clock(NOW)

    def clock(self, now: datetime) -> None:
        """Stop the provider's clock at this moment."""
        self.api("clock", {"now": now.isoformat().replace("+00:00", "Z"), "frozen": True})

    def stock(
        self, *, owned: list[dict[str, Any]] | None = None, available: list[dict[str, Any]] | None = None
    ) -> None:
        """Add exactly these numbers; fields left out get the sandbox's defaults."""
        self.api("numbers", {"owned": owned or [], "available": available or []})

    def fault(self, endpoint: str, kind: str, **details: Any) -> None:
        """Misbehave on the next call of an endpoint (docs/sandbox.md)."""
        self.api("faults", {"endpoint": endpoint, "kind": kind, **details})

    def switch(self, **switches: Any) -> None:
        """Change how the provider behaves from now on."""
        self.api("switches", switches)

    def acts(self, act: str = "") -> list[dict[str, Any]]:
        """What the provider really did, in order."""
        return [a for a in self.api("ledger")["acts"] if not act or a["act"] == act]

    def requests(self, endpoint: str = "") -> list[dict[str, Any]]:
        """Every call it saw, in order."""
        return [r for r in self.api("ledger")["requests"] if not endpoint or r["endpoint"] == endpoint]


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    """One sandbox for the whole session of a test process."""
    command = [sys.executable, "-m", "numbersadmin.sandbox", "--bind", "127.0.0.1:0", "--file", ":memory:"]
    with subprocess.Popen(
        [*command, "--owned", "0", "--available", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert "listening on" in line, f"the sandbox did not start: {line!r}"
        yield Sandbox(line.split()[-1])
        process.terminate()


@pytest.fixture
def sandbox(sandbox_process: Sandbox, settings: Any) -> Sandbox:
    """A provider without numbers, faults or history, that the settings point at; its clock stands at NOW."""
    sandbox_process.reset()
    settings.INFOBIP_BASE_URL = sandbox_process.url
    settings.INFOBIP_AUTHORIZATION = "App sandbox"
    settings.PROVIDER_RATE_LIMITS = False
    settings.PROVIDER_TIMEOUT_SECONDS = 2
    for leftover in Path(django_settings.VAR_DIR).glob("provider*"):
        leftover.unlink(missing_ok=True)
    if settings.REDIS_URL:  # there, too, each test begins with nothing known of the provider
        provider_store.REDIS_KEY = f"numbersadmin:provider:{uuid.uuid4()}"
        provider_client._provider.cache_clear()
    return sandbox_process


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits between two tries of a reading, but not for long."""
    monkeypatch.setattr(provider_client, "BACKOFF_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Cast:
    """One person per role, a second manager and a second approver, each made when first asked for."""

    ROLES = {
        "viewer": "viewer",
        "manager": "manager",
        "manager2": "manager",
        "approver": "approver",
        "approver2": "approver",
        "finance": "finance",
        "admin": "admin",
    }

    def __getattr__(self, name: str) -> User:
        if name not in self.ROLES:
            raise AttributeError(name)
        user = User.objects.create_user(username=name, password=None)
        RoleGrant.objects.create(user=user, role=self.ROLES[name])
        setattr(self, name, user)
        return user


@pytest.fixture
def cast(db: None) -> Cast:
    """People by name: `cast.manager`, `cast.approver2` ..."""
    return Cast()


@pytest.fixture
def signed_in(cast: Cast) -> Callable[[str], Client]:
    """A browser in which the named person is signed in: `signed_in("approver").get("/orders/")`."""

    def sign_in(name: str) -> Client:
        client = Client()
        client.force_login(getattr(cast, name), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def now() -> datetime:
    """The moment the tests live in, on our side as on the provider's."""
    return NOW


@pytest.fixture(autouse=True)
def no_memory_of_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with nothing known of a broker that an earlier one could not reach."""
    monkeypatch.setattr(tasks, "_away_until", 0.0)


@pytest.fixture(autouse=True)
def quick_pages(settings: Any) -> None:
    """Pages are rendered without collecting static files first, and passwords checked in no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()


# ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite in a file, as in production: threads of a test lock each other out only there as they do in it."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(Path(django_settings.VAR_DIR) / "test.sqlite3")
