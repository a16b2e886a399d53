"""What a load balancer or a monitor asks: does the process live, can it work."""

from dataclasses import asdict, dataclass
from datetime import datetime

from celery import Celery
from django.db import DatabaseError, InterfaceError, connection
from kombu.exceptions import OperationalError

from numbersadmin.celery import app
from numbersadmin.sync.selectors import freshness

BROKER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Readiness:
    """`database` and `broker` are up or down; `last_complete_sync` is never, fresh, stale or unknown."""

    database: str
    broker: str
    last_complete_sync: str

    @property
    def ready(self) -> bool:
        """Pages can be answered: the database answers. The broker may be away; the row is the queue."""
        return self.database == "up"

    def facts(self) -> dict[str, str]:
        """As the probe's JSON."""
        return {"status": "ready" if self.ready else "not ready", **asdict(self)}


def readiness(now: datetime) -> Readiness:
    """Ask the database and the broker."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return Readiness("up", broker_state(), freshness(now))
    except (DatabaseError, InterfaceError):
        return Readiness("down", broker_state(), "unknown")


def broker_state(celery: Celery = app) -> str:
    """up or down; a broker that accepts and says nothing is down after a second."""
    try:
        with celery.connection_for_write(connect_timeout=BROKER_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=BROKER_SECONDS)
        return "up"
    except (OperationalError, OSError):
        return "down"
