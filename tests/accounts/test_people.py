"""Adding and disabling people from the command line, and what each role may do."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import RoleGrant, User
from numbersadmin.accounts.roles import PERMISSIONS, Role, permissions_of
from numbersadmin.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def add(monkeypatch, name: str, password: str, *roles: str) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    out = io.StringIO()
    arguments = [part for role in roles for part in ("--role", role)]
    call_command("add_person", name, *arguments, "--password-stdin", stdout=out)
    return out.getvalue()


def test_a_person_with_two_roles(monkeypatch):
    assert (
        add(monkeypatch, "ana", "correct horse battery", "manager", "viewer")
        == "Added ana (manager, viewer).\n"
    )
    ana = User.objects.get(username="ana")
    assert ana.roles == {"manager", "viewer"}
    assert ana.check_password("correct horse battery")
    assert AuditEvent.objects.get(verb="user.added").after == {"roles": ["manager", "viewer"]}


def test_a_person_with_a_mail_address(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    words = ("add_person", "ana", "--role", "viewer", "--password-stdin", "--email")
    with pytest.raises(CommandError, match="valid email"):
        call_command(*words, "ana@", stdout=io.StringIO())
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    call_command(*words, "ana@example.com", stdout=io.StringIO())
    assert User.objects.get(username="ana").email == "ana@example.com"
    assert AuditEvent.objects.get(verb="user.added").after == {"roles": ["viewer"], "email": "given"}


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("ana", "correct horse battery", "already"),
        ("bob", "short", "12 characters"),
        ("bob", "", "12 characters"),
        ("b o b", "correct horse battery", "valid username"),
        ("", "correct horse battery", "cannot be blank"),
        ("x" * 151, "correct horse battery", "150"),
    ],
)
def test_what_is_refused(monkeypatch, name, password, words):
    add(monkeypatch, "ana", "correct horse battery", "viewer")
    with pytest.raises(CommandError, match=words):
        add(monkeypatch, name, password, "viewer")
    assert list(User.objects.values_list("username", flat=True)) == ["ana"]


def test_disabling_is_recorded_once(cast):
    name = cast.manager.username
    for _ in range(2):
        call_command("disable_person", name, stdout=io.StringIO())
    assert not User.objects.get(username=name).is_active
    assert AuditEvent.objects.filter(verb="user.disabled").count() == 1
    with pytest.raises(CommandError, match="no person named nobody"):
        call_command("disable_person", "nobody")


def test_a_disabled_person_may_do_nothing(cast):
    assert cast.approver.can("orders.approve")
    User.objects.filter(pk=cast.approver.pk).update(is_active=False)
    assert not User.objects.get(pk=cast.approver.pk).can("orders.approve")


def test_duties_are_apart():
    """The matrix of who may do what, where it must not bend."""
    assert (
        "orders.approve"
        not in PERMISSIONS[Role.ADMIN] | PERMISSIONS[Role.MANAGER] | PERMISSIONS[Role.FINANCE]
    )
    assert (
        "orders.submit" not in PERMISSIONS[Role.ADMIN] | PERMISSIONS[Role.FINANCE] | PERMISSIONS[Role.VIEWER]
    )
    assert permissions_of(frozenset()) == frozenset()
    assert permissions_of(frozenset({"unheard-of"})) == frozenset()
    assert {"orders.submit", "orders.approve"} <= permissions_of(frozenset({Role.MANAGER, Role.APPROVER}))


def test_a_role_is_held_once(cast):
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=cast.manager, role="manager")
