"""Saved views and columns: kept per person, shared with a role, changed only by whoever made them."""

import re

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import saved_views
from numbersadmin.numbers.models import SavedView
from numbersadmin.numbers.saved_views import NotSaved

pytestmark = pytest.mark.django_db


def save(client, query="?country=GB&sort=-price", **sent):
    return client.post(f"/numbers/views/new/{query}", {"name": "British", "role": "", **sent})


def chips(client):
    page = client.get("/numbers/?state=active").content.decode()
    return re.sub(r"<[^>]+>|\s+", " ", page.partition('aria-label="Views"')[2].partition("</nav>")[0])


def test_a_view_is_kept_with_its_count_and_is_ones_own(signed_in, own, cast):
    own("447860041117")
    own("4930221", country="DE")
    manager = signed_in("manager")
    answer = save(manager)
    assert (answer.status_code, answer.url) == (302, "/numbers/?country=GB&sort=-price")
    assert re.search(r"British\s+1\b", chips(manager))
    assert "British" not in chips(signed_in("viewer"))
    view = SavedView.objects.get()
    for path in (f"/numbers/views/{view.pk}/", f"/numbers/views/{view.pk}/delete/"):
        assert manager.get(path).status_code == 200
        assert signed_in("viewer").get(path).status_code == 404
        assert signed_in("viewer").post(path, {"name": "Mine now"}).status_code == 404
    assert SavedView.objects.get().name == "British"


def test_a_shared_view_is_seen_by_its_role_alone(signed_in, own):
    save(signed_in("manager"), role="finance")
    assert "British" in chips(signed_in("finance"))
    assert "British" not in chips(signed_in("approver"))
    finance = signed_in("finance").get("/numbers/?country=GB&sort=-price").content.decode()
    assert "Edit this view" not in finance


def test_a_name_is_ones_own_only_once(signed_in):
    assert save(signed_in("manager")).status_code == 302
    again = save(signed_in("manager"))
    assert again.status_code == 422
    assert "You have a view named “British” already." in again.content.decode()
    assert save(signed_in("manager2")).status_code == 302


def test_the_list_opens_with_ones_view_and_all_can_still_be_shown(signed_in, own):
    own("447860041117")
    manager = signed_in("manager")
    save(manager, opens="on")
    assert manager.get("/numbers/").url == "/numbers/?country=GB&sort=-price"
    assert manager.get("/numbers/?state=active").status_code == 200
    assert 'href="/numbers/?state=active"' in manager.get("/numbers/?country=GB").content.decode()
    view = SavedView.objects.get()
    manager.post(f"/numbers/views/{view.pk}/delete/")
    assert manager.get("/numbers/").status_code == 200
    verbs = list(
        AuditEvent.objects.filter(verb__startswith="view.").order_by("id").values_list("verb", flat=True)
    )
    assert verbs == ["view.saved", "view.list_changed", "view.deleted"]


def test_renaming_and_sharing_are_on_record_and_what_one_did_not_see_is_kept(signed_in, cast, now):
    manager = signed_in("manager")
    save(manager)
    view = SavedView.objects.get()
    path = f"/numbers/views/{view.pk}/"
    assert manager.post(path, {"name": "UK", "role": "viewer", "version": view.version}).status_code == 302
    late = manager.post(path, {"name": "Britain", "role": "", "version": view.version})
    assert late.status_code == 422
    assert "was changed meanwhile" in late.content.decode()
    event = AuditEvent.objects.get(verb="view.changed")
    assert (event.before, event.after) == ({"name": "British", "role": ""}, {"name": "UK", "role": "viewer"})
    with pytest.raises(NotSaved):
        saved_views.delete_view(actor=cast.manager, view=view, now=now)
    with pytest.raises(NotSaved):
        saved_views.change_view(actor=cast.viewer, view=SavedView.objects.get(), name="x", role="", now=now)


def test_columns_are_ones_own(signed_in, own):
    own("447860041117", cost_centre="Retail")
    manager = signed_in("manager")
    assert "sort=cost_centre" in manager.get("/numbers/").content.decode()
    manager.post("/numbers/columns/", {"columns": ["country", "price"]})
    page = manager.get("/numbers/").content.decode()
    assert "sort=cost_centre" not in page
    assert "sort=price" in page
    assert "sort=cost_centre" in signed_in("viewer").get("/numbers/").content.decode()
    assert manager.post("/numbers/columns/", {"columns": ["secret"]}).status_code == 422
    manager.post("/numbers/columns/", {})
    assert manager.get("/numbers/").status_code == 200


def test_filters_tell_what_each_choice_would_find(signed_in, own, cast):
    own("447860041117", owner=cast.manager)
    own("447860041118", cost_centre="Retail")
    own("4930221", country="DE", capabilities=("SMS", "VOICE"))
    page = signed_in("viewer").get("/numbers/?country=GB").content.decode()
    options = [re.sub(r"\s+", " ", one) for one in re.findall(r"<option[^>]*>([^<]*)", page)]
    assert {
        "Any (2)",
        "United Kingdom (2)",
        "Germany (1)",
        "No owner (1)",
        "manager (1)",
        "Retail (1)",
    } <= set(options)
    assert "SMS and Voice (1)" not in options  # none in this country
    assert "Ours now (2)" in options
