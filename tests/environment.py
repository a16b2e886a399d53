"""The environment that tests run in: a state directory of its own, set before Django reads its settings."""

import atexit
import os
import tempfile
from pathlib import Path

# DATABASE_URL and REDIS_URL stay: the suite runs on both databases and both brokers.
OURS = (
    "INFOBIP_",
    "SYNC_",
    "SWEEP_",
    "SETTLE_",
    "PROVIDER_",
    "LIST_",
    "WEB_",
    "ENVIRONMENT",
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
)

_var = tempfile.TemporaryDirectory(prefix="numbersadmin-tests-")
atexit.register(_var.cleanup)
for name in [
    name for name in os.environ if name.startswith(OURS) or name in ("TIME_ZONE", "BILLING_TIME_ZONE")
]:
    del os.environ[name]
os.environ["VAR_DIR"] = _var.name
(Path(_var.name) / "static").mkdir()
