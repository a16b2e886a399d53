"""The demo people: one for each role, with passwords made at the first start and kept in VAR_DIR alone."""

import os
import secrets
from datetime import datetime
from pathlib import Path

from django.conf import settings

from numbersadmin.accounts.models import User
from numbersadmin.accounts.roles import Role
from numbersadmin.accounts.services import add_person

PEOPLE: dict[str, Role] = {
    "manager": Role.MANAGER,
    "approver": Role.APPROVER,
    "finance": Role.FINANCE,
    "admin": Role.ADMIN,
    "viewer": Role.VIEWER,
}
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that look alike: people type these
GROUPS, OF = 4, 4  # 80 bits


def sign_ins_file() -> Path:
    """Where the sign-ins are kept: lines of name, role and password."""
    return Path(settings.VAR_DIR) / "demo-sign-ins"


def make_people(now: datetime) -> list[str]:
    """Make those that are missing; returns the names that people not made here have taken.

    The passwords are written down before anybody is made, so that none is ever lost.
    """
    known = _read()
    there = set(User.objects.filter(username__in=PEOPLE).values_list("username", flat=True))
    taken = sorted(there - set(known))
    missing = [name for name in PEOPLE if name not in there]
    if new := [name for name in missing if name not in known]:
        known |= {name: _password() for name in new}
        _write(known)
    for name in missing:
        add_person(
            actor=None,
            username=name,
            password=known[name],
            roles=[PEOPLE[name]],
            email=f"{name}@example.com",  # of nobody: RFC 2606
            now=now,
        )
    return taken


def _password() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(OF)) for _ in range(GROUPS))


def _read() -> dict[str, str]:
    file = sign_ins_file()
    lines = file.read_text().splitlines() if file.exists() else []
    return {words[0]: words[2] for line in lines if len(words := line.split()) == 3}


def _write(passwords: dict[str, str]) -> None:
    """Readable by its owner alone from the first moment on, and never half written."""
    file = sign_ins_file()
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
        out.writelines(f"{name} {PEOPLE[name]} {passwords[name]}\n" for name in PEOPLE if name in passwords)
    unfinished.replace(file)
