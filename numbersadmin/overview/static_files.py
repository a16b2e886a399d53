"""Collecting static files at a start, and only when they are not what was collected before: it takes seconds."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect() -> bool:
    """Lay the static files out for serving, compressed and named by content; False when they are already."""
    stamp = Path(settings.VAR_DIR) / "static.collected"
    wanted = _fingerprint()
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if manifest.exists() and stamp.exists() and stamp.read_text() == wanted:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(wanted)
    return True


def _fingerprint() -> str:
    """Changes with any source file, with how they are stored, and with what stores them."""
    facts = [version("whitenoise"), version("django"), str(settings.STORAGES["staticfiles"])]
    for finder in get_finders():
        for path, storage in finder.list(None):
            found = Path(storage.path(path)).stat()
            facts.append(f"{path} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()
