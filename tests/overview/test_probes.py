"""What load balancers ask: without a sign-in, quick, and honest."""

import socket
from datetime import timedelta

import pytest
from celery import Celery
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.utils import OperationalError
from django.utils import timezone

from numbersadmin.overview.probes import broker_state
from numbersadmin.sync.models import RunStatus, SyncRun


def test_healthz_asks_nobody(client):
    """No database mark: a query would fail this test."""
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize(("minutes", "told"), [(None, "never"), (5, "fresh"), (45, "stale")])
def test_readyz_tells_the_age_of_the_last_complete_sync(client, minutes, told):
    if minutes:
        at = timezone.now() - timedelta(minutes=minutes)
        SyncRun.objects.create(status=RunStatus.COMPLETE, started_at=at, heartbeat_at=at, finished_at=at)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "database": "up",
        "broker": "up",
        "last_complete_sync": told,
    }


@pytest.fixture
def database_away(monkeypatch):
    """The database connection breaks at its first use, as when the server was stopped."""

    def away(self, *args, **kwargs):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(CursorWrapper, "execute", away)
    yield
    monkeypatch.undo()
    connection.ensure_connection()


@pytest.mark.django_db
def test_readyz_is_503_without_the_database(client, database_away):
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"] == "down"


@pytest.mark.django_db
def test_a_page_without_the_database_says_so(client, cast, database_away):
    client.raise_request_exception = False
    client.cookies["numbersadmin_session"] = "anything"
    response = client.get("/numbers/")
    assert response.status_code == 503
    assert "The database does not answer right now" in response.text
    assert response.headers["Retry-After"] == "10"


@pytest.mark.parametrize("listens", [True, False])
def test_a_broker_that_is_away_or_says_nothing_is_down(listens):
    """One accepts the connection and never answers, as a frozen Redis does; the other is not there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not listens:
            silent.close()
        frozen = Celery("frozen", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
        frozen.conf.broker_transport_options = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}
        assert broker_state(frozen) == "down"
    assert broker_state() == "up"
