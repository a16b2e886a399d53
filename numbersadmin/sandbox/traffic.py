"""What was asked of the provider: counts, calls under way at once, and the last requests."""

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

ENDPOINTS = ("list_available", "list_owned", "get", "purchase", "cancel")
KEPT = 5000


@dataclass
class Seen:
    """One request as it is kept; status None = no whole answer was sent (yet)."""

    request: int
    at: str
    real_at: str
    method: str
    path: str
    query: str
    endpoint: str
    body: str
    accept: str
    user_agent: str
    status: int | None = None
    fault: int | None = None


class Call:
    """A request under way."""

    def __init__(self, seen: Seen, under_way: dict[str, int]) -> None:
        self.seen = seen
        self.under_way = under_way
        self.ended = False


class Traffic:
    """Counts calls from any thread."""

    def __init__(self, first: int = 1) -> None:
        self._lock = threading.Lock()
        self._next = first
        self.clear()

    def clear(self) -> None:
        """Forget what was seen; request numbers go on."""
        with self._lock:
            self.calls = dict.fromkeys(ENDPOINTS, 0)
            self.most = dict.fromkeys(ENDPOINTS, 0)
            self._under_way = dict.fromkeys(ENDPOINTS, 0)
            self._seen: deque[Seen] = deque(maxlen=KEPT)

    def begin(self, **facts: Any) -> Call:
        """A request has come."""
        with self._lock:
            seen = Seen(request=self._next, **facts)
            self._next += 1
            self._seen.append(seen)
            if seen.endpoint in self.calls:
                self.calls[seen.endpoint] += 1
                self._under_way[seen.endpoint] += 1
                self.most[seen.endpoint] = max(self.most[seen.endpoint], self._under_way[seen.endpoint])
            return Call(seen, self._under_way)

    def end(self, call: Call) -> None:
        """A request is over, however it ended; saying so twice does no harm."""
        with self._lock:
            if not call.ended and call.seen.endpoint in call.under_way:
                call.under_way[call.seen.endpoint] -= 1
            call.ended = True

    def counts(self) -> dict[str, dict[str, int]]:
        """Calls by endpoint, those under way now, and the most that were at once."""
        with self._lock:
            return {
                "calls": dict(self.calls),
                "in_flight": dict(self._under_way),
                "max_in_flight": dict(self.most),
            }

    def requests(self) -> list[dict[str, Any]]:
        """The last requests, oldest first."""
        with self._lock:
            return [asdict(seen) for seen in self._seen]
