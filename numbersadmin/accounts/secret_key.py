"""The key that signs sessions and forms where nobody has set one."""

import contextlib
import os
import secrets
from pathlib import Path


def local_secret_key(folder: Path) -> str:
    """The key made at the first start and kept readable by its owner alone."""
    path = folder / "secret_key"
    if not path.exists():
        mine = folder / f"secret_key.{os.getpid()}"
        with os.fdopen(os.open(mine, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)  # whoever is first makes the key; everyone reads that one
        mine.unlink()
    return path.read_text()
