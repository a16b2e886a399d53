"""Notes on months: who may write them, that nobody overwrites another, and where they are shown."""

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import notes, selectors
from numbersadmin.costs.models import MonthNote
from numbersadmin.costs.months import Month
from tests.costs.conftest import at
from tests.costs.test_files import sheets

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
OCTOBER = Month.parse("2026-10")


@pytest.fixture
def note(two_months, cast):
    return notes.add(month=OCTOBER, text="Hotline moved", actor=cast.finance, now=NOW)


def test_finance_writes_changes_and_removes_a_note_and_each_is_on_record(two_months, signed_in):
    client = signed_in("finance")
    assert client.post("/costs/2026-10/notes/add/", {"text": " Hotline  moved "}).status_code == 302
    note = MonthNote.objects.get()
    assert (note.month, note.text) == ("2026-10", "Hotline moved")
    client.post(f"/costs/notes/{note.pk}/", {"text": "Hotline moved to DE", "version": 1})
    client.post(f"/costs/notes/{note.pk}/remove/", {"version": 2})
    assert not MonthNote.objects.exists()
    events = AuditEvent.objects.filter(subject_type="monthnote").order_by("id")
    assert [(one.verb, one.before, one.after) for one in events] == [
        ("cost.note_added", None, {"text": "Hotline moved"}),
        ("cost.note_changed", {"text": "Hotline moved"}, {"text": "Hotline moved to DE"}),
        ("cost.note_removed", {"text": "Hotline moved to DE"}, None),
    ]


def test_it_stands_under_the_chart_of_every_month_that_shows_it(note, signed_in):
    for month in ("2026-10", "2026-11"):
        page = signed_in("viewer").get(f"/costs/{month}/").text
        assert "Hotline moved" in page
        assert "<circle" in page
        assert "/costs/notes/" not in page, "a viewer may not change it"
    assert "Hotline moved" not in signed_in("viewer").get("/costs/2026-09/").text
    assert selectors.notes_between(OCTOBER, OCTOBER) == [note]
    assert selectors.notes_between(OCTOBER.next, OCTOBER.next) == []


def test_it_goes_along_in_the_report_and_the_excel_files(note, signed_in):
    client = signed_in("finance")
    assert "Hotline moved" in client.get("/costs/2026-10/report/").text
    assert "Hotline moved" not in client.get("/costs/2026-11/report/").text
    for path in ("lines.xlsx", "groups.xlsx"):
        about = sheets(client.get(f"/costs/2026-10/{path}"))[-1]
        assert [row[1] for row in about if row[0] == "Note"] == [
            "Hotline moved (finance, 20 Nov 2026, 12:00 UTC)"
        ]


@pytest.mark.parametrize(("text", "told"), [("  ", "Write what is to be remembered"), ("x" * 201, "has 201")])
def test_what_is_no_note_is_said_and_nothing_is_lost(two_months, signed_in, text, told):
    page = signed_in("finance").post("/costs/2026-10/notes/add/", {"text": text})
    assert page.status_code == 422
    assert told in page.text
    assert text.strip() in page.text
    assert not MonthNote.objects.exists()


@pytest.mark.parametrize("what", ["", "remove/"])
def test_who_saw_an_older_text_overwrites_nothing(note, cast, signed_in, what):
    stale = MonthNote.objects.get()
    notes.change(note=note, text="Changed meanwhile", actor=cast.finance, now=NOW)
    page = signed_in("finance").post(f"/costs/notes/{stale.pk}/{what}", {"text": "Mine", "version": 1})
    assert page.status_code == 422
    assert "Somebody has just changed this note" in page.text
    assert MonthNote.objects.get().text == "Changed meanwhile"
