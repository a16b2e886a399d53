"""The clock of the imitated provider: real time, real time moved, or standing still."""

import json
import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the provider's time, always aware UTC; every method may be called from any thread."""

    def __init__(self, saved: str = "") -> None:
        state = json.loads(saved) if saved else {}
        self._lock = threading.Lock()
        self._offset = timedelta(seconds=state.get("offset", 0))
        self._frozen = parse(state["frozen"]) if state.get("frozen") else None

    def now(self) -> datetime:
        """The provider's time."""
        with self._lock:
            return self._now()

    def _now(self) -> datetime:
        return self._frozen or real_now() + self._offset

    def real(self) -> None:
        """Back to real time."""
        with self._lock:
            self._offset, self._frozen = timedelta(), None

    def set(self, now: datetime, *, frozen: bool = False) -> None:
        """Make it this time, running on from there or standing still."""
        with self._lock:
            self._frozen = now if frozen else None
            self._offset = now - real_now()

    def advance(self, seconds: float) -> None:
        """Move on (or back, below zero); a clock that stands still stands still later."""
        with self._lock:
            step = timedelta(seconds=seconds)
            self._offset += step
            if self._frozen:
                self._frozen += step

    def saved(self) -> str:
        """What to keep so that a restart goes on."""
        with self._lock:
            frozen = text(self._frozen) if self._frozen else None
            return json.dumps({"offset": self._offset.total_seconds(), "frozen": frozen})


def real_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def parse(value: str) -> datetime:
    """A time from ISO text; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def text(moment: datetime) -> str:
    """A time as ISO text ending in Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
