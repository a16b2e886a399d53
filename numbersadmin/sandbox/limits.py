"""The provider's rate limits: one token bucket each for lists, writes and single reads."""

import threading
import time

# tokens a bucket holds, tokens that come back a second
RATES = {"list": (2, 1), "write": (1, 1), "get": (10, 10)}
FAMILY = {
    "list_available": "list",
    "list_owned": "list",
    "get": "get",
    "purchase": "write",
    "cancel": "write",
}


class Limits:
    """Counts calls against real time, whatever the movable clock says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.fill()

    def fill(self) -> None:
        """All buckets full."""
        with self._lock:
            now = time.monotonic()
            self._level = {family: (float(burst), now) for family, (burst, _) in RATES.items()}

    def allows(self, endpoint: str) -> bool:
        """Take a token for a call, or say that there is none."""
        family = FAMILY[endpoint]
        burst, rate = RATES[family]
        with self._lock:
            now = time.monotonic()
            level, at = self._level[family]
            level = min(burst, level + (now - at) * rate)
            allowed = level >= 1
            self._level[family] = (level - 1 if allowed else level, now)
            return allowed
