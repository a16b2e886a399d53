"""The sync pages: health and runs, one run, the button, progress, and who may do what."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from numbersadmin.sync import services, tasks
from numbersadmin.sync.models import RunStatus, SyncRun

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
