"""Every write to people: adding and disabling them, signing in and out, what they prefer."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from numbersadmin.accounts.mailing import mails, send
from numbersadmin.accounts.middleware import SEEN_AT, SIGNED_IN_AT
from numbersadmin.accounts.models import RoleGrant, User
from numbersadmin.accounts.roles import Role
from numbersadmin.audit.services import record

__all__ = [
    "BACKEND",
    "PersonRefused",
    "add_person",
    "change_password",
    "disable_person",
    "mails",
    "send",
    "set_preferences",
    "sign_in",
    "sign_out",
]
BACKEND = "django.contrib.auth.backends.ModelBackend"


class PersonRefused(Exception):
    """The person could not be added or changed; the message says what to do."""


def add_person(
    *,
    actor: User | None,
    username: str,
    password: str,
    roles: Iterable[str],
    now: datetime,
    email: str = "",
) -> User:
    """A new person with these roles. Raises PersonRefused for a taken or bad name, a weak password, no role."""
    wanted = sorted(set(roles))
    if not wanted or not set(wanted) <= set(Role.values):
        raise PersonRefused(f"Give at least one role of: {', '.join(Role.values)}.")
    person = User(username=User.normalize_username(username), email=email)
    try:
        person.clean_fields(exclude=["password"])
        validate_password(password, person)
        with transaction.atomic():
            person = User.objects.create_user(username, password, email)
            RoleGrant.objects.bulk_create(RoleGrant(user=person, role=role) for role in wanted)
            after = {"roles": wanted} | ({"email": "given"} if email else {})
            record(actor=actor, verb="user.added", subject=person, at=now, after=after)
    except ValidationError as error:
        raise PersonRefused(" ".join(error.messages)) from error
    except IntegrityError as error:
        raise PersonRefused(f"There is a person named {username} already.") from error
    return person


def disable_person(*, actor: User | None, username: str, now: datetime) -> User:
    """Nobody can sign in as the person from now on, and their sessions end at the next request."""
    person = User.objects.filter(username=username).first()
    if not person:
        raise PersonRefused(f"There is no person named {username}.")
    with transaction.atomic():
        if User.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
            record(
                actor=actor,
                verb="user.disabled",
                subject=person,
                at=now,
                before={"is_active": True},
                after={"is_active": False},
            )
    return person


def sign_in(*, request: HttpRequest, person: User, now: datetime) -> None:
    """Start a session of the person's own, under a new id."""
    login(request, person)
    request.session[SIGNED_IN_AT] = request.session[SEEN_AT] = now.timestamp()
    record(actor=person, verb="user.signed_in", subject=person, at=now)


def sign_out(*, request: HttpRequest, now: datetime) -> None:
    """End the session here and on the server."""
    record(actor=request.user, verb="user.signed_out", subject=request.user, at=now)
    logout(request)


def set_preferences(
    *, actor: User, full_name: str, email: str, time_zone: str, theme: str, shortcuts: bool, now: datetime
) -> None:
    """What a person chooses for themselves. The mail address itself stays out of the log, which is for ever."""
    wanted = {
        "full_name": full_name,
        "email": email,
        "time_zone": time_zone,
        "theme": theme,
        "shortcuts": shortcuts,
    }
    changed = {field: value for field, value in wanted.items() if getattr(actor, field) != value}
    if not changed:
        return
    before = {field: getattr(actor, field) for field in changed if field != "email"}
    after = changed | ({"email": "changed"} if "email" in changed else {})
    with transaction.atomic():
        User.objects.filter(pk=actor.pk).update(**changed)
        record(actor=actor, verb="user.changed", subject=actor, at=now, before=before, after=after)
    for field, value in changed.items():
        setattr(actor, field, value)


def change_password(*, request: HttpRequest, password: str, now: datetime) -> None:
    """A new password; every other session of the person ends."""
    person = request.user
    assert isinstance(person, User)
    person.set_password(password)
    with transaction.atomic():
        person.save(update_fields=["password"])
        record(actor=person, verb="user.password_changed", subject=person, at=now)
    update_session_auth_hash(request, person)
