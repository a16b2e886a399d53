"""Every address of the site: who may open it, with which method, and what every answer carries."""

import re
from wsgiref.util import setup_testing_defaults

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from numbersadmin.accounts.roles import PERMISSIONS, Role
from numbersadmin.wsgi import application

pytestmark = pytest.mark.django_db
PUBLIC = {
    "sign-in": "people who are not signed in have to be able to",
    "healthz": "a load balancer asks; tells nothing but that the process lives",
    "readyz": "a load balancer asks; tells states, no facts",
}
PEOPLE = {
    "viewer": "viewer",
    "manager": "manager",
    "approver": "approver",
    "finance": "finance",
    "admin": "admin",
}
CSP = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


def addresses(resolver: URLResolver | None = None, before: str = ""):
    """Every (path with sample arguments, pattern) of the site."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, route)
        else:
            yield "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: sample(m[1] or "str"), route).lstrip("/"), entry


def sample(converter: str) -> str:
    """An argument that no row has."""
    return {"int": "987654", "str": "2026-10"}.get(converter, "2026-10")


ALL = list(addresses())


def permission_of(pattern: URLPattern) -> str | None:
    return getattr(pattern.callback, "permission", None)


def test_there_are_addresses():
    assert len(ALL) > 20
    assert len({pattern.name for _, pattern in ALL}) == len(ALL), "each address has a name of its own"


@pytest.mark.parametrize(("path", "pattern"), ALL, ids=[path for path, _ in ALL])
def test_every_view_names_a_permission_that_exists_or_is_public_for_a_reason(path, pattern):
    if pattern.name in PUBLIC:
        assert pattern.callback.login_required is False
        return
    assert getattr(pattern.callback, "login_required", True)
    assert any(permission_of(pattern) in allowed for allowed in PERMISSIONS.values()), permission_of(pattern)


@pytest.mark.parametrize(("path", "pattern"), ALL, ids=[path for path, _ in ALL])
def test_anonymous_people_are_sent_to_sign_in(path, pattern, client):
    for method in ("get", "post"):
        response = getattr(client, method)(path)
        if pattern.name in PUBLIC:
            assert response.status_code != 302
        else:
            assert response.status_code == 302
            assert response.headers["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize("name", PEOPLE)
def test_each_role_gets_in_where_it_may_and_nowhere_else(name, signed_in, sandbox):
    client = signed_in(name)
    wrong = []
    for path, pattern in ALL:
        if pattern.name in PUBLIC or pattern.name == "sign-out":
            continue
        allowed = permission_of(pattern) in PERMISSIONS[Role(PEOPLE[name])]
        for method in ("get", "post"):
            status = getattr(client, method)(path).status_code
            if (status == 403) == allowed or status >= 500:
                wrong.append((method, path, status))
    assert wrong == []


def test_other_methods_do_nothing(signed_in, sandbox):
    wrong, browsers = [], {name: signed_in(name) for name in PEOPLE}
    for path, pattern in ALL:
        if pattern.name in PUBLIC or pattern.name == "sign-out":
            continue
        name = next(name for name in PEOPLE if permission_of(pattern) in PERMISSIONS[Role(PEOPLE[name])])
        for method in ("put", "patch", "delete"):
            status = getattr(browsers[name], method)(path).status_code
            if status not in (404, 405):
                wrong.append((method, path, status))
    assert wrong == []


def test_a_person_without_a_role_gets_nowhere(cast, client):
    cast.viewer.grants.all().delete()
    client.force_login(cast.viewer, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get("/numbers/")
    assert response.status_code == 403
    assert "You may not do this" in response.text


@pytest.mark.parametrize(
    "path", ["/", "/sign-in/", "/no/such/page/", "/healthz", "/orders/987654/", "/audit/export.csv"]
)
def test_every_answer_carries_the_headers(path, signed_in, sandbox):
    headers = signed_in("viewer").get(path).headers
    assert {part.strip() for part in headers["Content-Security-Policy"].split(";")} == CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Request-ID"]


def test_unknown_pages_are_a_page(signed_in, client):
    for browser in (signed_in("viewer"), client):
        response = browser.get("/no/such/page/")
        assert response.status_code in (302, 404)
        if response.status_code == 404:
            assert "nothing at this address" in response.text


def test_forms_need_their_token(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.manager, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post("/sign-out/").status_code == 403
    assert client.get("/me/").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/sign-in/", "/no/such/page/"])
def test_the_answer_to_a_head_has_no_body(path):
    """Through the server's own entry point: Django's test client would drop the body by itself."""
    answered: list[str] = []
    environ = {
        "REQUEST_METHOD": "HEAD",
        "PATH_INFO": path,
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
    }
    setup_testing_defaults(environ)
    body = application(environ, lambda status, headers, exc_info=None: answered.append(status))
    assert (list(body), len(answered)) == ([], 1)
    environ["REQUEST_METHOD"] = "GET"
    assert b"".join(application(environ, lambda status, headers, exc_info=None: None))
