"""Of two who answer, open, or take over at once one wins; without its guard each of these fails."""

import threading
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection

from numbersadmin.attestation import answering, opening, services
from numbersadmin.attestation.models import Decision, Line, Round
from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import services as orders
from numbersadmin.orders.models import Order
from tests.attestation.conftest import answer, note, sheet_of, states
from tests.orders.test_races import at_once


def answer_twice(cast: Any, company: Any, now: datetime, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two tabs answer the same sheet: neither claims it before both have looked."""
    sheet, meeting = sheet_of(cast.manager), threading.Barrier(2)
    note(cast.manager, sheet, now, "give_back", company["a"], company["b"], company["c"], reason="Closed")
    monkeypatch.setattr(answering, "_check_may", lambda actor, sheet: meeting.wait(5))
    seen = sheet_of(cast.manager)
    return at_once(
        *[lambda: services.answer(actor=cast.manager, sheet=seen, version=seen.version, now=now)] * 2
    )


@pytest.mark.django_db(transaction=True)
def test_two_answers_at_once_make_one_order(
    begun: Round, cast: Any, company: Any, now: datetime, monkeypatch: Any
):
    results = answer_twice(cast, company, now, monkeypatch)
    [told] = [one for one in results if isinstance(one, Exception)]
    assert isinstance(told, services.Overtaken)
    assert "manager has answered this sheet already" in str(told)
    assert Order.objects.get().items.count() == 3
    assert Decision.objects.count() == 3
    assert AuditEvent.objects.filter(verb="attestation.answered").count() == 1


@pytest.mark.django_db
def test_without_the_claim_the_sheet_would_be_answered_twice(
    begun: Round, cast: Any, company: Any, now: datetime, monkeypatch: Any
):
    """The control: the second is neither told who was first nor kept from answering."""
    monkeypatch.setattr(answering, "_claim", lambda *facts: True)
    sheet = sheet_of(cast.manager)
    services.note_choice(actor=cast.manager, sheet=sheet, choice="keep", rest=True, now=now)
    answer(cast.manager, sheet, now)
    answer(cast.manager, sheet, now)
    assert AuditEvent.objects.filter(verb="attestation.answered").count() == 2


@pytest.mark.django_db
def test_a_number_is_answered_once_in_the_database_too(begun: Round, cast: Any, company: Any, now: datetime):
    services.note_choice(actor=cast.manager, sheet=sheet_of(cast.manager), choice="keep", rest=True, now=now)
    answer(cast.manager, sheet_of(cast.manager), now)
    line = company["a"].attestation_lines.get()
    with pytest.raises(IntegrityError):
        Decision.objects.create(line=line, verdict="give_back", by=cast.manager, at=now)


@pytest.mark.django_db(transaction=True)
def test_two_openers_open_one_round(company: Any, cast: Any, now: datetime):
    admin = cast.admin
    results = at_once(*[lambda: services.open_round(actor=admin, now=now)] * 2)
    assert sorted(type(one).__name__ for one in results) == ["Overtaken", "Round"]
    at_once(*[lambda: services.fill(round_id=Round.objects.get().pk, now=now)] * 2)
    assert Line.objects.count() == 5


@pytest.mark.django_db
def test_without_the_constraint_both_would_open(company: Any, cast: Any, now: datetime):
    """The control; the test's own transaction puts the index back."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX attestation_one_open_round")
    services.open_round(actor=cast.admin, now=now)
    services.open_round(actor=cast.admin, now=now)
    assert Round.objects.count() == 2


@pytest.mark.django_db
def test_without_the_cursor_a_batch_would_be_written_twice(company: Any, cast: Any, now: datetime):
    """The control of `_fill_batch`: what keeps the second out is where the round stands."""
    found = services.open_round(actor=cast.admin, now=now)
    rows = list(type(company["a"]).objects.values())
    for row in rows:
        row["pk"] = row["id"]
    opening._fill_batch(found, rows, now)
    opening._fill_batch(found, rows, now)
    assert Line.objects.count() == 5
    Round.objects.update(filled_to=0, ready_at=None)
    with pytest.raises(IntegrityError):
        opening._fill_batch(found, rows, now)


@pytest.mark.django_db
def test_an_order_made_between_look_and_answer_undoes_the_answer(
    begun: Round, cast: Any, company: Any, now: datetime, monkeypatch: Any
):
    """A cancellation of one of the numbers gets in while the answer is carried out: all of it is told, none done."""
    sheet = sheet_of(cast.manager)
    note(cast.manager, sheet, now, "give_back", company["a"], company["b"], reason="Closed")
    note(cast.manager, sheet, now, "keep", company["c"])
    submit = orders.submit_give_back

    def late(**facts: Any) -> Any:
        orders.submit_cancel(
            actor=cast.manager2,
            owned=company["b"],
            reason="x",
            form_token="f",
            timing="month_end",
            now=now,
        )
        return submit(**facts)

    monkeypatch.setattr(orders, "submit_give_back", late)
    with pytest.raises(services.Overtaken, match=r"to cancel .* is still going on"):
        answer(cast.manager, sheet, now)
    assert set(states(sheet).values()) == {"open"}
    assert sheet_of(cast.manager).state == "open"


@pytest.mark.django_db(transaction=True)
def test_a_number_is_taken_over_or_refused_but_not_both(begun: Round, cast: Any, company: Any, now: datetime):
    sheet = sheet_of(cast.finance)
    note(cast.finance, sheet, now, "hand_over", company["f"], to_person=cast.manager)
    answer(cast.finance, sheet, now)
    ids = [sheet.lines.get().pk]
    results = at_once(
        lambda: services.take_over(actor=cast.manager, line_ids=ids, now=now),
        lambda: services.refuse(actor=cast.manager, line_ids=ids, reason="No", now=now),
    )
    assert [isinstance(one, services.Overtaken) for one in results].count(True) == 1, results
    company["f"].refresh_from_db()
    [state] = states(sheet).values()
    assert (state, company["f"].owner) in [("handed", cast.manager), ("returned", cast.finance)]
    assert Decision.objects.filter(line__in=ids).count() == 2
