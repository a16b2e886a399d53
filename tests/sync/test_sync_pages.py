"""The sync pages: health and runs, one run, the button, progress, and who may do what."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from numbersadmin.sync import services, tasks
from numbersadmin.sync.models import Drift, RunStatus, SyncRun

ONE, TWO, THREE = "447700900001", "447700900002", "447700900003"
ROLES = ("viewer", "manager", "approver", "finance", "admin")
MAY_START = ("manager", "approver", "finance", "admin")


@pytest.fixture
def synced(mirror):
    """Three numbers recorded, then one bought, one cancelled and one dearer."""
    mirror.now = timezone.now()
    mirror.later(minutes=-30)
    mirror.stock(ONE, TWO, THREE)
    mirror.sync()
    mirror.outside("cancel", ONE)
    mirror.outside("change", TWO, set={"pricePerMonth": "5.5"})
    mirror.buy_outside("447700900009")
    mirror.next_sync()
    return mirror


@pytest.mark.parametrize("role", ROLES)
def test_everyone_sees_the_runs(synced, signed_in, role):
    page = signed_in(role).get("/sync/")
    assert page.status_code == 200
    html = page.content.decode()
    assert ("Sync now" in html) == ('data-action="sync"' in html) == (role in MAY_START)
    for run in SyncRun.objects.all():
        assert f'data-run="{run.pk}" data-state="complete"' in html
    assert 'data-freshness="fresh"' in html
    assert "2 of 2" in html


def test_signing_in_comes_first(client, db):
    for path in ("/sync/", "/sync/1/"):
        assert client.get(path).status_code == 302
    assert client.post("/sync/start/").status_code == 302


def test_a_page_before_the_first_run(db, signed_in, sandbox):
    html = signed_in("viewer").get("/sync/").content.decode()
    assert "Nothing has been read yet" in html
    assert 'data-freshness="never"' in html


def test_a_run_shows_what_it_found(synced, signed_in):
    run = SyncRun.objects.latest("id")
    html = signed_in("viewer").get(f"/sync/{run.pk}/").content.decode()
    assert "Completed with changes" in html
    assert "1 changed, 1 new, 1 ended" in html
    for number in (ONE, TWO, "447700900009"):
        owned = synced.owned(number)
        assert f'data-number="{number}" data-id="{owned.pk}"' in html
    assert f'data-number="{THREE}"' not in html
    assert "5.00\xa0EUR per month" in html
    assert "+0.50" in html
    assert "Not ordered here" in html


def test_the_first_run_says_that_records_began(synced, signed_in):
    html = signed_in("viewer").get(f"/sync/{SyncRun.objects.earliest('id').pk}/").content.decode()
    assert html.count("Already ours when records began.") == 3


def test_a_long_run_shows_some_and_says_how_many_more(mirror, signed_in, settings, django_assert_num_queries):
    settings.LIST_PAGE_SIZE = 100
    mirror.stock(ONE, TWO, THREE)
    few = mirror.sync()
    mirror.stock(*[f"447700920{n:03}" for n in range(120)])
    many = mirror.next_sync()
    client = signed_in("viewer")
    client.get(f"/sync/{few.pk}/")
    with CaptureQueriesContext(connection) as seen:
        client.get(f"/sync/{few.pk}/")
    with django_assert_num_queries(len(seen)):
        html = client.get(f"/sync/{many.pk}/").content.decode()
    assert html.count("data-number=") == 100
    assert "20 more" in html


def test_a_held_run_lists_what_it_would_have_ended(synced, signed_in):
    synced.sandbox.switch(owned_empty=True)
    run = synced.next_sync()
    client = signed_in("finance")
    assert "The last sync is held back" in client.get("/sync/").content.decode()
    html = client.get(f"/sync/{run.pk}/").content.decode()
    for number in (TWO, THREE, "447700900009"):
        assert f'data-number="{number}"' in html
    assert "Nothing was ended" in html


def test_a_missing_number_is_an_open_difference(synced, signed_in, no_pauses):
    synced.outside("cancel", THREE)
    synced.sandbox.fault("get", "status", status=500, times=-1)
    run = synced.next_sync()
    client = signed_in("viewer")
    assert "Missing at Infobip" in client.get(f"/sync/{run.pk}/").content.decode()
    assert '<a href="/numbers/?state=missing">' in client.get("/sync/").content.decode()
    again = synced.next_sync()
    assert "1 was missing before already" in client.get(f"/sync/{again.pk}/").content.decode()


def test_trouble_that_passes_asks_to_try_again(synced, signed_in, no_pauses):
    synced.sandbox.fault("list_owned", "status", status=500, times=-1)
    run = synced.next_sync()
    client = signed_in("viewer")
    for path in ("/sync/", f"/sync/{run.pk}/"):
        html = client.get(path).content.decode()
        assert 'data-retry-after="60"' in html
        assert "did not answer" in html
    synced.sandbox.api("faults", method="DELETE")
    synced.sandbox.fault("*", "status", status=401, times=-1)
    run = synced.next_sync()
    html = client.get(f"/sync/{run.pk}/").content.decode()
    assert "sign-in was refused" in html
    assert "data-retry-after" not in html.partition('id="main"')[2]


@pytest.mark.parametrize("role", ROLES)
def test_who_may_start_a_run(mirror, signed_in, role, told):
    answer = signed_in(role).post("/sync/start/")
    assert answer.status_code == (302 if role in MAY_START else 403)
    assert SyncRun.objects.count() == len(told) == (role in MAY_START)


def test_starting_leads_to_the_run_and_the_worker_carries_it_out(mirror, signed_in, cast, told):
    mirror.stock(ONE)
    client = signed_in("manager")
    answer = client.post("/sync/start/")
    run = SyncRun.objects.get()
    assert (answer.url, run.started_by, told) == (f"/sync/{run.pk}/", cast.manager, [run.pk])
    html = client.get(answer.url).content.decode()
    assert "Waiting for the worker" in html
    assert 'hx-trigger="every 2s"' in html
    assert '<meta http-equiv="refresh" content="5">' in html
    tasks.sync_now(run_id=run.pk)
    html = client.get(answer.url).content.decode()
    assert "every 2s" not in html
    assert "http-equiv" not in html
    assert "Started by manager" in html


def test_starting_while_one_runs_shows_that_one(mirror, signed_in, told):
    run = services.start(actor=None, now=timezone.now())
    answer = signed_in("admin").post("/sync/start/", follow=True)
    assert answer.redirect_chain[-1][0] == f"/sync/{run.pk}/"
    assert "A sync has been running for" in answer.content.decode()
    assert (SyncRun.objects.count(), told) == (1, [])


def test_without_a_broker_the_run_says_so(mirror, signed_in, monkeypatch):
    def refuse(**message):
        raise OSError("no broker")

    monkeypatch.setattr(tasks.sync_now, "apply_async", refuse)
    html = signed_in("manager").post("/sync/start/", follow=True).content.decode()
    assert "background worker cannot be reached" in html
    assert SyncRun.objects.get().status == RunStatus.FAILED


def test_progress_while_it_runs(mirror, signed_in):
    mirror.stock(ONE, TWO, THREE)
    client, seen = signed_in("viewer"), []

    def look(pages):
        run = SyncRun.objects.get()
        seen.append(
            [
                client.get(path, headers={"HX-Request": "true"}).content.decode()
                for path in ("/sync/", f"/sync/{run.pk}/")
            ]
        )

    mirror.now = timezone.now()
    mirror.sync(on_page=look)
    for fragment in seen[0]:
        assert "2 of 3 numbers" in fragment
        assert 'hx-trigger="every 2s"' in fragment
        assert "<html" not in fragment


def test_a_dead_run_is_not_shown_as_running(mirror, signed_in):
    run = services.start(actor=None, now=timezone.now() - services.LEASE)
    html = signed_in("viewer").get("/sync/").content.decode()
    assert "every 2s" not in html
    assert "Abandoned" in html
    assert "No sign of life" in signed_in("viewer").get(f"/sync/{run.pk}/").content.decode()


@pytest.mark.parametrize("path", ["/sync/", "/sync/{}/"])
def test_the_fragment_stands_in_the_page(synced, signed_in, path):
    path, client = path.format(SyncRun.objects.latest("id").pk), signed_in("manager")
    fragment = client.get(path, headers={"HX-Request": "true"})
    assert fragment.content.decode().strip() in client.get(path).content.decode()
    assert "HX-Request" in fragment.headers.get("Vary", "")


def test_wrong_methods_and_unknown_runs(synced, signed_in):
    client = signed_in("manager")
    assert client.post("/sync/").status_code == 405
    assert client.get("/sync/start/").status_code == 405
    assert client.post("/sync/1/").status_code == 405
    assert client.get("/sync/999999/").status_code == 404
    for number in ("0", "-1", "x", "99999", ""):
        assert client.get("/sync/", {"page": number}).status_code == 200


def test_runs_are_paged(mirror, signed_in):
    now = timezone.now()
    SyncRun.objects.bulk_create(
        SyncRun(started_at=now, heartbeat_at=now, finished_at=now, status="complete") for _ in range(30)
    )
    client = signed_in("viewer")
    html = client.get("/sync/").content.decode()
    assert html.count("data-run=") == 25
    assert 'rel="next" href="?page=2"' in html
    assert client.get("/sync/", {"page": 2}).content.decode().count("data-run=") == 5


@pytest.fixture
def told(monkeypatch):
    """Ids of the runs that the worker was told of."""
    ids = []
    monkeypatch.setattr(tasks.sync_now, "apply_async", lambda kwargs, retry: ids.append(kwargs["run_id"]))
    return ids


# Health in one line -----------------------------------------------------------------------------------------------


def health_of(client) -> str:
    return client.get("/sync/").content.decode().partition("data-health>")[2].partition("</p>")[0]


def test_health_says_no_more_than_is_known(synced, signed_in, no_pauses):
    client = signed_in("viewer")
    assert health_of(client) == "3 of 3 numbers, complete, 15 min ago."
    synced.sandbox.fault("list_owned", "status", status=500, times=-1)
    synced.next_sync()
    last = "Last complete: 3 of 3 numbers, complete, 15 min ago."
    assert health_of(client) == f"Nothing read, failed just now. {last}"
    synced.sandbox.api("faults", method="DELETE")
    synced.sandbox.switch(wrong_count=5)
    synced.sync()
    assert health_of(client) == f"3 of 5 numbers, incomplete, just now. {last}"
    synced.sandbox.switch(wrong_count=None, owned_empty=True)
    run = synced.sync()
    assert health_of(client) == f"0 of 0 numbers, held for a person, just now. {last}"
    SyncRun.objects.filter(pk=run.pk).update(status=RunStatus.ABANDONED, pages=0)
    assert health_of(client) == f"Nothing read, given up just now. {last}"
    hour = timezone.now() - timedelta(hours=3)
    SyncRun.objects.filter(status=RunStatus.COMPLETE).update(finished_at=hour)
    assert health_of(client).endswith("complete, 3 h ago. No complete sync for 3 h.")


# Differences ------------------------------------------------------------------------------------------------------


def links(html: str, page: str) -> list[str]:
    """Where the links to a page of a decision lead."""
    return [part.partition('"')[0] for part in html.split(f'href="/sync/drift/{page}/')[1:]]


def test_the_inbox_shows_what_waits_and_who_may_say_what(synced, signed_in):
    owned = {kind: synced.owned(number).pk for kind, number in (("gone", ONE), ("price", TWO))}
    for role in ROLES:
        html = signed_in(role).get("/sync/drift/").content.decode()
        assert html.count("data-kind=") == 3
        assert f'data-id="{owned["gone"]}" data-kind="gone"' in html
        assert f'data-id="{owned["price"]}" data-kind="price"' in html
        decides = role in ("approver", "finance", "admin")
        assert bool(links(html, "accept")) == bool(links(html, "watch")) == decides
        assert bool(links(html, "adopt")) == (role in ("manager", "approver", "finance"))
        assert ('3<span class="vh"> waiting for you' in html) == decides
    html = signed_in("finance").get("/sync/drift/?kind=price").content.decode()
    assert html.count("data-kind=") == 1
    assert "data-abar" in html
    assert "Nothing waits here" in signed_in("finance").get("/sync/drift/?kind=twice").content.decode()


def test_a_run_offers_its_decisions_and_then_tells_them(synced, signed_in):
    client, run = signed_in("finance"), SyncRun.objects.latest("id")
    html = client.get(f"/sync/{run.pk}/").content.decode()
    assert [len(links(html, page)) for page in ("accept", "adopt", "watch")] == [2, 1, 3]
    for where in links(html, "accept"):
        token = where.removeprefix("?id=")
        client.post(f"/sync/drift/accept/{where}", {"id": token, "note": ""})
    html = client.get(f"/sync/{run.pk}/").content.decode()
    assert (html.count("Accepted by finance"), links(html, "accept")) == (2, [])


def test_several_are_decided_at_once_after_a_page_that_confirms(synced, signed_in):
    synced.outside("change", THREE, set={"pricePerMonth": "7"})
    synced.next_sync()
    client = signed_in("approver")
    tokens = [f"{pk}-1" for pk in Drift.objects.filter(kind="price").values_list("pk", flat=True)]
    page = client.get("/sync/drift/accept/", {"kind": "price", "id": tokens})
    html = page.content.decode()
    assert "Accept: 2 numbers" in html
    assert "+2.50" in html  # together
    assert Drift.objects.filter(state="decided").count() == 0
    answer = client.post("/sync/drift/accept/?kind=price", {"id": tokens, "note": "announced"})
    assert (answer.status_code, answer.url) == (302, "/sync/drift/?kind=price")
    assert set(Drift.objects.filter(kind="price").values_list("decision", "note")) == {
        ("accepted", "announced")
    }
    again = client.post("/sync/drift/accept/?kind=price", {"id": tokens, "note": ""}, follow=True)
    assert "approver was first at" in again.content.decode()


def test_an_owner_is_given_on_a_form_that_wants_one(synced, signed_in, cast):
    client, found = signed_in("manager"), Drift.objects.get(kind="appeared")
    path, token = "/sync/drift/adopt/", f"{found.pk}-1"
    assert client.get(path, {"id": token}).status_code == 200
    refused = client.post(path, {"id": token, "owner": "", "cost_centre": "", "labels": "", "note": ""})
    assert (refused.status_code, "Choose an owner." in refused.content.decode()) == (422, True)
    sent = {"id": token, "owner": cast.manager.pk, "cost_centre": " 4210  A", "labels": "a, b,a", "note": ""}
    assert client.post(path, sent).status_code == 302
    owned = synced.owned("447700900009")
    assert (owned.owner, owned.cost_centre, owned.labels) == (cast.manager, "4210 A", ["a", "b"])


def test_a_missing_number_is_marked_with_evidence_and_a_reason(synced, signed_in, no_pauses):
    synced.outside("cancel", THREE)
    synced.sandbox.fault("get", "status", status=500, times=-1)
    run = synced.next_sync()
    client = signed_in("finance")
    (where,) = links(client.get(f"/sync/{run.pk}/").content.decode(), "gone")
    page = client.get(f"/sync/drift/gone/{where}").content.decode()
    assert "Missed by 1 complete sync since" in page
    assert "counted until it is confirmed gone" in page
    token = where.removeprefix("?id=")
    assert client.post("/sync/drift/gone/", {"id": token, "note": ""}).status_code == 422
    assert client.post("/sync/drift/gone/", {"id": token, "note": "Ana did"}).status_code == 302
    html = client.get(f"/numbers/{synced.owned(THREE).pk}/").content.decode()
    assert "confirmed gone by a person, between" in html
    assert "Ana did" in html


@pytest.mark.parametrize("sent", [[], ["x"], ["-"], ["9-9"], [f"{2**70}-1"], ["1-1"] * 60])
def test_what_cannot_be_decided_leads_back(synced, signed_in, sent):
    Drift.objects.all().delete()
    client = signed_in("finance")
    assert client.get("/sync/drift/accept/", {"id": sent}).url == "/sync/drift/"
    assert client.post("/sync/drift/gone/", {"id": sent, "note": "x"}).url == "/sync/drift/"


# Held numbers -----------------------------------------------------------------------------------------------------


def test_held_numbers_are_released_on_their_page(synced, signed_in, monkeypatch):
    synced.sandbox.switch(owned_empty=True)
    run = synced.next_sync()
    told = []
    monkeypatch.setattr(tasks.carry_out_releases, "apply_async", lambda retry: told.append(1))
    for role in ROLES:
        html = signed_in(role).get(f"/sync/{run.pk}/held/").content.decode()
        assert html.count("data-number=") == 3
        assert ("Release 3 numbers" in html) == (role in ("finance", "admin"))
        assert "15.50" in html  # still counted, together
    client, path = signed_in("finance"), f"/sync/{run.pk}/held/decide/"
    for sent in ({"decision": "release", "reason": ""}, {"reason": "x"}, {"decision": "x", "reason": "x"}):
        assert client.post(path, sent).status_code == 422
    assert client.post(path, {"decision": "release", "reason": "we left"}).url == f"/sync/{run.pk}/held/"
    assert told == [1]
    refused = signed_in("admin").post(path, {"decision": "reject", "reason": "no"})
    assert refused.status_code == 422
    assert "finance released it already. Nothing was changed." in refused.content.decode()
    html = client.get(f"/sync/{run.pk}/held/").content.decode()
    assert "Released by finance" in html
    assert "as soon as no sync runs" in html
    tasks.carry_out_releases()
    html = client.get(f"/sync/{run.pk}/held/").content.decode()
    assert "0 gone, 3 found alive, 0 without a clear answer" in html
    release = SyncRun.objects.latest("id")
    assert "3 found alive" in client.get(f"/sync/{release.pk}/").content.decode()
    assert f"Release of sync {run.pk}" in client.get("/sync/").content.decode()
    assert client.get(f"/sync/{release.pk}/held/").status_code == 404
