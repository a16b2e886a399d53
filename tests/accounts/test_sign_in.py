"""Signing in and out, and how long a session lasts."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from numbersadmin.accounts import services
from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def ana(now) -> User:
    return services.add_person(actor=None, username="ana", password=PASSWORD, roles=["manager"], now=now)


def sign_in(client: Client, username: str = "ana", password: str = PASSWORD, **more):
    return client.post("/sign-in/", {"username": username, "password": password, **more})


def test_it_works(ana, client):
    client.get("/me/")
    before = client.cookies.get("numbersadmin_session")
    response = sign_in(client, next="/me/")
    assert (response.status_code, response.headers["Location"]) == (302, "/me/")
    assert client.cookies["numbersadmin_session"].value != getattr(before, "value", None)
    assert client.get("/me/").status_code == 200
    assert AuditEvent.objects.get(verb="user.signed_in").actor == "ana"


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https:evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "%",
        "日本語",
        "orders",
        "/" + "é" * 1000,
    ],
)
def test_next_leads_nowhere_else(ana, client, wanted):
    assert sign_in(client, next=wanted).headers["Location"] == "/"
    assert client.get("/sign-in/", {"next": wanted}).headers["Location"] == "/"


def test_a_wrong_password_and_an_unknown_name_look_the_same(ana, client):
    wrong = sign_in(client, password="wrong")
    unknown = sign_in(client, username="nobody", password="wrong")
    assert wrong.status_code == unknown.status_code == 422
    assert "do not go together" in wrong.text
    assert wrong.text.count("do not go together") == unknown.text.count("do not go together")
    assert 'value="ana"' in wrong.text, "the name typed is kept"


@pytest.mark.parametrize("name", ["ana", "nobody"])
def test_ten_wrong_passwords_lock_for_a_while(ana, client, name):
    for _ in range(9):
        assert sign_in(client, name, "wrong").status_code == 422
    locked = sign_in(client, name, "wrong")
    assert locked.status_code == 429
    assert "Wait 15 minutes" in locked.text
    assert sign_in(client, name).status_code == 429, "the right password does not help now"


def test_a_disabled_person_is_out_at_the_next_request(ana, client, now):
    sign_in(client)
    services.disable_person(actor=None, username="ana", now=now)
    assert client.get("/me/").headers["Location"] == "/sign-in/?next=/me/"
    assert sign_in(client).status_code == 422


def test_signing_out_ends_the_session_on_the_server(ana, client):
    sign_in(client)
    stolen = client.cookies["numbersadmin_session"].value
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    client.cookies["numbersadmin_session"] = stolen
    assert client.get("/me/").status_code == 302
    assert AuditEvent.objects.filter(verb="user.signed_out").count() == 1


def test_signing_out_by_a_link_is_refused(ana, client):
    sign_in(client)
    assert client.get("/sign-out/").status_code == 405


@pytest.mark.parametrize(
    ("step", "steps", "alive"), [(29, 5, True), (31, 1, False), (25, 28, True), (25, 29, False)]
)
def test_a_session_ends_when_idle_or_old(ana, client, now, step, steps, alive):
    """30 minutes without a request, or 12 hours altogether."""
    with time_machine.travel(now, tick=False) as clock:
        sign_in(client)
        for _ in range(steps):
            clock.shift(timedelta(minutes=step))
            response = client.get("/go/")
        assert (response.status_code == 200) == alive


def test_a_fragment_after_the_end_sends_the_whole_page_to_sign_in(client):
    response = client.get(
        "/me/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/orders/?state=open"}
    )
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == "/sign-in/?next=%2Forders%2F%3Fstate%3Dopen"


def test_a_form_without_its_token_gets_a_plain_page(ana):
    client = Client(enforce_csrf_checks=True)
    response = sign_in(client)
    assert response.status_code == 403
    assert "This form has expired" in response.text
