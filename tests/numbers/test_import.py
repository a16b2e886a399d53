"""Changes from a file: every notation is understood, every bad line is named, and all of it is done or nothing."""

import string

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import bulk_applying, export_list, importing, services
from numbersadmin.numbers.bulk import Left, outcome
from numbersadmin.numbers.models import BulkChange, BulkState, EndBasis, OwnedNumber, label_list
from numbersadmin.numbers.services import assign

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(own, cast):
    cast.finance  # noqa: B018  somebody to give numbers to
    return own("447860041117", owner=cast.manager, cost_centre="Retail", labels=["otp"]), own("4930226104")


def send(client, text="", file=None):
    data = {"text": text} if file is None else {"file": SimpleUploadedFile("numbers.csv", file), "text": ""}
    return client.post("/numbers/import/", data)


def done(client, text="", file=None):
    """Check it, confirm it; the change."""
    answer = send(client, text, file)
    assert answer.status_code == 302, answer.content.decode()
    client.post(f"{answer.url}confirm/")
    return BulkChange.objects.latest("pk")


def facts(owned):
    owned.refresh_from_db()
    return owned.owner and owned.owner.username, owned.cost_centre, owned.labels


def bad_lines(text, actor):
    found = importing.read(text)
    importing.resolve(found, actor)
    return [(bad.line, bad.why) for bad in found.bad]


def test_a_file_is_previewed_and_then_done(signed_in, cast, two):
    client = signed_in("manager")
    text = "Number;Owner;Cost centre;Labels;Note\n+44 7860 041117;finance;-;a, b;x\n004930226104;;4120  Travel;;y\n"
    answer = send(client, text)
    page = client.get(answer.url).content.decode()
    assert "Change 2 numbers?" in page
    assert "2 lines read" in page
    assert "Columns that are not read: Note" in page
    assert facts(two[0]) == ("manager", "Retail", ["otp"])
    client.post(f"{answer.url}confirm/", {"reason": "list of May"})
    assert facts(two[0]) == ("finance", "", ["a", "b"])
    assert facts(two[1]) == (None, "4120 Travel", [])
    event = AuditEvent.objects.get(verb="number.assigned", subject_id=two[0].pk)
    assert event.after == {"owner": "finance", "cost_centre": "", "labels": ["a", "b"]}
    assert (event.reason, event.related_type) == ("list of May", "bulkchange")


@pytest.mark.parametrize("letters", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_letters_and_delimiters_are_recognised(letters, delimiter):
    text = delimiter.join(["447860041117", "-", "Zürich", '"otp;uk"' if delimiter == ";" else "otp;uk"])
    found = importing.read(importing.decoded(text.encode(letters)))
    assert found.bad == []
    wanted = {"owner": None, "cost_centre": "Zürich", "labels": {"replace": ["otp", "uk"]}}
    assert [(line.number, line.wanted) for line in found.lines] == [("447860041117", wanted)]


def test_a_column_may_be_enough_and_an_empty_cell_leaves_what_is_there(signed_in, cast, two):
    done(signed_in("approver"), "labels,number\nnew,447860041117\n,4930226104\n")
    assert facts(two[0]) == ("manager", "Retail", ["new"])
    assert facts(two[1]) == (None, "", [])


def test_every_bad_line_is_named_and_nothing_is_done(signed_in, cast, two, own, now):
    ended = own("447860041118")
    services.end_number(
        owned=ended, basis=EndBasis.DISAPPEARED, ended_from=now, ended_to=now, actor=None, now=now
    )
    own("447860041119", owner=cast.finance)
    cast.manager2.is_active = False
    cast.manager2.save()
    text = (
        "number,owner,cost_centre,labels\n"
        "4.47E+11,,X,\n4499,,X,\n447860041118,,X,\n447860041117,ghost,,\n447860041117,manager2,,\n"
        "447860041119,,X,\n447860041117,,A,\n447860041117,,B,\n4930226104,,X,,too much\nabc,,X,\n"
        f'4930226104,,{"c" * 101},\n4930226104,,,{"l" * 41}\n,,X,\n4930226104,,"open,\n'
    )
    answer = send(signed_in("manager"), text)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "13 lines cannot be taken" in page
    assert "4930226104,,X,,too much" in page  # what was pasted stays
    said = dict(bad_lines(text, cast.manager))
    expected = {
        2: "shortened this number", 3: "not one of our numbers", 4: "no longer ours", 5: "No user name",
        6: "disabled", 7: "Belongs to somebody else", 9: "Twice with different values: also in line 8",
        10: "More than 4 columns", 11: "This is no number", 12: "at most 100", 13: "longer than 40",
        14: "There is no number", 15: "not closed",
    }  # fmt: skip
    assert {line: words in said[line] for line, words in expected.items()} == dict.fromkeys(expected, True)
    assert facts(two[0]) == ("manager", "Retail", ["otp"])
    assert not BulkChange.objects.exists()


def test_a_line_that_says_what_is_there_is_no_mistake_whoever_owns_the_number(signed_in, cast, two, own):
    own("447860041119", owner=cast.finance, cost_centre="Theirs")
    text = "447860041119,finance,Theirs\n4930226104,,Mine\n"
    page = signed_in("manager").get(send(signed_in("manager"), text).url).content.decode()
    assert "Change 1 number?" in page
    assert "Already so" in page


def test_bad_lines_are_summed_up_by_reason():
    bad = [importing.Bad(line, "", "wrong") for line in (2, 3, 4, 9)]
    assert importing.by_reason(bad) == [("wrong", 4, "2-4, 9")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Choose a file, or paste lines"),
        ("owner,labels\nx,y\n", "No column is called"),
        ("number,number\n1,2\n", "Two columns have the same heading"),
        ("number,note\n447860041117,x\n", "nothing would change"),
        ("number,owner\n", "no line below the headings"),
    ],
)
def test_what_is_no_list_is_said(signed_in, two, text, said):
    answer = send(signed_in("manager"), text)
    assert answer.status_code == 422
    assert said in answer.content.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04\x00\x00\x08\x00" * 40, "This is not a text file"),
        (b"4" * 10_000_001, "larger than 10 MB"),
        (b"1,x\n" * 4, "more than 3 lines"),
    ],
)
def test_a_file_that_is_none_or_too_large_is_refused(signed_in, two, data, said, monkeypatch):
    monkeypatch.setattr(importing, "most_lines", lambda: 3)
    answer = send(signed_in("manager"), file=data)
    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_numbers_written_alike_are_told_apart_by_country(cast, own):
    own("60444", country="GB", number_key="A")
    own("60444", country="DE", number_key="B")
    [(line, why)] = bad_lines("number,cost_centre\n60444,X\n", cast.approver)
    assert (line, "more than once" in why) == (2, True)
    found = importing.read("number,country,cost_centre\n60444,de,X\n60444,GB,Y\n")
    importing.resolve(found, cast.approver)
    assert (found.bad, len(found.changes)) == ([], 2)


def test_a_number_that_moves_before_it_is_done_stops_the_whole_file(signed_in, cast, two, now):
    client = signed_in("approver")
    answer = send(client, "447860041117,,New\n4930226104,,New\n")
    assign(actor=cast.manager, numbers=[two[0]], cost_centre="Mine", now=now)
    client.post(f"{answer.url}confirm/")
    change = BulkChange.objects.get()
    assert (change.state, change.changed, facts(two[0])[1], facts(two[1])[1]) == (
        BulkState.REFUSED,
        0,
        "Mine",
        "",
    )
    page = client.get(answer.url).content.decode()
    assert "Nothing was changed" in page
    assert "Changed by somebody else since the preview" in page
    assert not AuditEvent.objects.filter(related_type="bulkchange", verb="number.assigned").exists()


def test_a_file_that_was_done_can_be_undone(signed_in, two):
    client = signed_in("approver")
    change = done(client, "447860041117,-,New,x\n4930226104,finance,New,-\n")
    undo = client.post(f"/numbers/change/{change.pk}/undo/")
    client.post(f"{undo.url}confirm/")
    assert facts(two[0]) == ("manager", "Retail", ["otp"])
    assert facts(two[1]) == (None, "", [])


def test_who_may(signed_in, client, two):
    assert client.get("/numbers/import/").status_code == 302
    assert signed_in("viewer").get("/numbers/import/").status_code == 403
    template = signed_in("manager").get("/numbers/import/template.csv")
    assert b"".join(template.streaming_content).decode() == "\ufeffnumber,owner,cost_centre,labels\r\n"


WORDS = st.text(st.sampled_from(string.ascii_letters + string.digits + "=+-@',;\"\t ü"), max_size=12)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=3), st.booleans()), min_size=1, max_size=4))
@example(rows=[("'=1+1", ["'-", '"', "a;b"], True), ("-", ["=x"], False), ("-5", [], True)])
def test_an_export_that_is_imported_changes_nothing(cast, own_many, rows):
    BulkChange.objects.all().delete()
    start = OwnedNumber.objects.count()
    made = own_many([{"number": f"4930{start + place}"} for place in range(len(rows))])
    for owned, (cost_centre, labels, owned_by) in zip(made, rows, strict=True):
        owned.cost_centre = " ".join(cost_centre.split())  # as the forms write it
        owned.labels = label_list(labels)
        owned.owner = cast.manager if owned_by else None
        owned.save()
    found = OwnedNumber.objects.filter(pk__in=[one.pk for one in made])
    zone = timezone.get_current_timezone()
    text = "".join(export_list.csv_lines(found.order_by("pk"), zone=zone))
    read = importing.read(importing.decoded(text.encode()))
    importing.resolve(read, cast.approver)
    assert read.bad == []
    change = BulkChange(actor=cast.approver)
    for owned in made:
        after = outcome(owned, read.changes[owned.pk], change=change, now=timezone.now())
        assert after == Left.SAME, (owned.cost_centre, owned.labels, text)


def test_a_file_is_done_by_the_sweep_when_the_worker_died(signed_in, cast, two, now, monkeypatch):
    monkeypatch.setattr(bulk_applying, "AT_ONCE", 1)
    monkeypatch.setattr("numbersadmin.numbers.tasks.change_numbers.apply_async", lambda **one: None)
    change = done(signed_in("approver"), "447860041117,,New\n4930226104,,New\n")
    assert (change.state, facts(two[0])[1]) == (BulkState.WAITING, "Retail")
    bulk_applying.sweep(clock=timezone.now)
    assert (facts(two[0])[1], facts(two[1])[1]) == ("New", "New")
