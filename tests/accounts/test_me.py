"""The page about me: preferences and password."""

import pytest

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
CHOICES = {"full_name": "Ana", "time_zone": "Asia/Kathmandu", "theme": "dark"}


def test_it_shows_name_and_roles(signed_in):
    page = signed_in("manager").get("/me/")
    assert "manager · Account manager" in page.text


def test_preferences_are_kept_and_recorded(signed_in, cast):
    client = signed_in("manager")
    assert client.post("/me/", CHOICES).status_code == 302
    person = User.objects.get(pk=cast.manager.pk)
    assert (person.full_name, person.time_zone, person.theme, person.shortcuts) == (
        "Ana",
        "Asia/Kathmandu",
        "dark",
        False,
    )
    event = AuditEvent.objects.get(verb="user.changed")
    assert event.before["theme"] == "auto"
    assert event.after["theme"] == "dark"
    client.post("/me/", CHOICES)
    assert AuditEvent.objects.filter(verb="user.changed").count() == 1, "nothing changed the second time"


def test_the_mail_address_is_kept_and_stays_out_of_the_log(signed_in, cast):
    client = signed_in("manager")
    assert client.post("/me/", {**CHOICES, "email": "ana@example.com"}).status_code == 302
    assert User.objects.get(pk=cast.manager.pk).email == "ana@example.com"
    assert 'value="ana@example.com"' in client.get("/me/").text
    event = AuditEvent.objects.get(verb="user.changed")
    assert event.after["email"] == "changed"
    assert "ana@" not in f"{event.before}{event.after}"
    assert client.post("/me/", {**CHOICES, "email": "ana@"}).status_code == 422
    client.post("/me/", CHOICES)
    assert User.objects.get(pk=cast.manager.pk).email == ""


def test_a_wrong_choice_is_told_at_its_field(signed_in):
    response = signed_in("viewer").post("/me/", {**CHOICES, "time_zone": "Mars/Olympus"})
    assert response.status_code == 422
    assert "Mars/Olympus" in response.text
    assert 'value="Ana"' in response.text


def test_a_password_is_changed_and_other_sessions_end(signed_in, cast):
    cast.manager.set_password("the old password")
    cast.manager.save()
    mine, other = signed_in("manager"), signed_in("manager")
    wrong = mine.post("/me/password/", {"old_password": "guess", "new_password": "the new password"})
    assert wrong.status_code == 422
    assert "not your password now" in wrong.text
    assert (
        mine.post("/me/password/", {"old_password": "the old password", "new_password": "short"}).status_code
        == 422
    )
    done = mine.post(
        "/me/password/", {"old_password": "the old password", "new_password": "the new password"}
    )
    assert done.status_code == 302
    assert mine.get("/me/").status_code == 200
    assert other.get("/me/").status_code == 302
    event = AuditEvent.objects.get(verb="user.password_changed")
    assert "password" not in f"{event.before}{event.after}"


def test_people_who_are_not_signed_in_are_asked_to(client):
    assert client.get("/me/").headers["Location"] == "/sign-in/?next=/me/"
    assert client.post("/me/password/").status_code == 302
