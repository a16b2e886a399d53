"""From a round to its record: opening, choosing, answering, taking over, overdue, closing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from numbersadmin.attestation import notices, opening, record, selectors, services
from numbersadmin.attestation.models import Decision, Line, Round, Sheet
from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import EndBasis
from numbersadmin.numbers.services import assign, end_number
from numbersadmin.orders import services as orders
from numbersadmin.orders.models import Order
from tests.attestation.conftest import answer, note, sheet_of, states

pytestmark = pytest.mark.django_db
A, B, C, F, N = "447860041111", "447860041112", "79029555551", "447860041113", "447860041114"


def later(now: datetime, days: int) -> datetime:
    return now + timedelta(days=days)


# Opening ---------------------------------------------------------------------------------------------------------


def test_each_owner_gets_a_sheet_with_the_numbers_and_prices_of_that_day(
    begun: Round, cast: Any, company: Any
):
    assert [str(sheet.owner) for sheet in begun.sheets.order_by("pk")] == ["None", "manager", "finance"]
    line = company["b"].attestation_lines.get()
    assert (line.price_per_month, line.currency, line.cost_centre) == (Decimal("6.25"), "EUR", "4120 Retail")
    assert company["c"].attestation_lines.get().price_per_month is None
    assert begun.due_on == date(2026, 10, 27)
    groups = selectors.groups_of(sheet_of(cast.manager).lines.all())
    left = groups["not_chosen"]
    assert (left.count, left.unknown, dict(left.totals.items())) == (3, 1, {"EUR": Decimal("11.25")})


def test_an_interrupted_opening_goes_on_where_it_was(
    company: Any, cast: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(opening, "BATCH", 2)
    found, batch, calls = services.open_round(actor=cast.admin, now=now), opening._fill_batch, []

    def dying(*facts: Any) -> None:
        calls.append(facts)
        if len(calls) == 2:
            raise KeyboardInterrupt
        batch(*facts)

    monkeypatch.setattr(opening, "_fill_batch", dying)
    with pytest.raises(KeyboardInterrupt):
        services.fill(round_id=found.pk, now=now)
    assert Line.objects.count() == 2
    assert selectors.asks_of(cast.manager).count == 0  # nobody answers half a sheet
    batch(*calls[0])  # somebody else fills the first batch at the same time: it is there already
    services.fill(round_id=found.pk, now=now)
    assert Line.objects.count() == 5
    assert Sheet.objects.count() == 3
    assert AuditEvent.objects.get(verb="attestation.prepared").after == {"sheets": 3, "numbers": 5}


@pytest.mark.parametrize(
    ("months", "day", "due"),
    [
        (3, datetime(2026, 12, 31, tzinfo=UTC), None),
        (3, datetime(2027, 1, 1, tzinfo=UTC), date(2027, 1, 1)),
        (1, datetime(2026, 11, 2, tzinfo=UTC), date(2026, 11, 1)),
        (0, datetime(2027, 1, 1, tzinfo=UTC), None),
    ],
)
def test_the_schedule_opens_one_round_a_period(
    company: Any, settings: Any, months: int, day: datetime, due: date | None
):
    settings.ATTESTATION_EVERY_MONTHS = months
    for _ in range(2):
        services.tend(now=day)
    assert [found.period for found in Round.objects.all()] == ([due] if due else [])
    Round.objects.update(open_mark=None, closed_at=day)
    services.tend(now=later(day, 20) if due else day)
    assert Round.objects.count() == (1 if due else 0)


def test_only_one_round_is_open_and_only_an_administrator_starts_it(begun: Round, cast: Any, now: datetime):
    with pytest.raises(services.Overtaken, match="open already since 13 Oct 2026"):
        services.open_round(actor=cast.admin, now=now)
    with pytest.raises(services.Refused):
        services.open_round(actor=cast.finance, now=now)


# Answering -------------------------------------------------------------------------------------------------------


def test_an_answer_keeps_hands_over_and_gives_back(begun: Round, cast: Any, company: Any, now: datetime):
    sheet = sheet_of(cast.manager)
    note(cast.manager, sheet, now, "give_back", company["a"], company["c"], reason="Shop closed")
    note(cast.manager, sheet, now, "hand_over", company["b"], to_person=cast.manager2, reason="Your team")
    assert not Order.objects.exists()  # a draft does nothing
    [order] = answer(cast.manager, sheet, now)
    assert states(sheet) == {A: "given_back", B: "handing", C: "given_back"}
    assert order.kind == "cancel"
    assert order.timing == "month_end"
    assert order.cost_centre == "4120 Retail, 4300 Logistics"
    assert order.reason.endswith("Shop closed")
    assert sorted(order.items.values_list("number", "state")) == [(A, "pending"), (C, "pending")]
    assert set(Decision.objects.values_list("verdict", "by__username")) == {
        ("give_back", "manager"),
        ("hand_over", "manager"),
    }
    event = AuditEvent.objects.get(verb="attestation.answered")
    assert event.after == {
        "kept": 0,
        "handed_over": 1,
        "given_back": 2,
        "nothing_done": 0,
        "orders": [order.pk],
    }
    taken = services.take_over(
        actor=cast.manager2, line_ids=[company["b"].attestation_lines.get().pk], now=now
    )
    assert [str(owned) for owned in taken.numbers] == [B]
    company["b"].refresh_from_db()
    assert company["b"].owner == cast.manager2
    assert states(sheet)[B] == "handed"


def test_several_reasons_are_one_order_that_tells_them_all(
    begun: Round, cast: Any, company: Any, now: datetime
):
    sheet = sheet_of(cast.manager)
    note(cast.manager, sheet, now, "give_back", company["a"], company["b"], reason="Shop closed")
    note(cast.manager, sheet, now, "give_back", company["c"], reason="No traffic")
    [order] = answer(cast.manager, sheet, now)
    assert order.reason.splitlines()[1:] == ["Shop closed (2)", "No traffic (1)"]


def test_what_is_not_taken_over_stays(begun: Round, cast: Any, company: Any, now: datetime):
    sheet = sheet_of(cast.manager)
    note(
        cast.manager,
        sheet,
        now,
        "hand_over",
        company["a"],
        company["b"],
        company["c"],
        to_person=cast.finance,
    )
    answer(cast.manager, sheet, now)
    ids = list(sheet.lines.values_list("pk", flat=True))
    with pytest.raises(services.Overtaken, match="not handed to you"):
        services.take_over(actor=cast.manager2, line_ids=ids, now=now)
    services.refuse(actor=cast.finance, line_ids=ids[:1], reason="Not ours", now=now)
    with pytest.raises(services.Overtaken):
        services.take_over(actor=cast.finance, line_ids=ids[:1], now=now)
    company["a"].refresh_from_db()
    assert (company["a"].owner, states(sheet)[A]) == (cast.manager, "returned")


def test_a_number_that_ended_moved_or_is_being_cancelled_is_passed_over(
    begun: Round, cast: Any, company: Any, now: datetime
):
    sheet = sheet_of(cast.manager)
    note(cast.manager, sheet, now, "give_back", *company.values(), reason="All of it")
    end_number(
        owned=company["a"], ended_from=now, ended_to=now, basis=EndBasis.DISAPPEARED, actor=None, now=now
    )
    assign(actor=cast.finance, numbers=[company["b"]], owner=cast.approver, now=now)
    orders.submit_cancel(
        actor=cast.manager, owned=company["c"], reason="x", form_token="f", timing="month_end", now=now
    )
    seen = selectors.preview(sheet)
    assert {line.owned_number.number: why for line, why in seen.passed} == {
        A: "It is not ours any more.",
        B: "It belongs to approver now.",
        C: f"Order {Order.objects.get().pk} to cancel it is going on.",
    }
    assert answer(cast.manager, sheet, now) == []
    assert set(states(sheet).values()) == {"skipped"}
    assert Decision.objects.filter(verdict="skipped", reason__startswith="Order ").count() == 1
    assert Order.objects.count() == 1


def test_a_number_handed_over_that_ended_meanwhile_is_said(
    begun: Round, cast: Any, company: Any, now: datetime
):
    sheet = sheet_of(cast.finance)
    note(cast.finance, sheet, now, "hand_over", company["f"], to_person=cast.manager)
    answer(cast.finance, sheet, now)
    end_number(
        owned=company["f"], ended_from=now, ended_to=now, basis=EndBasis.DISAPPEARED, actor=None, now=now
    )
    taken = services.take_over(actor=cast.manager, line_ids=[sheet.lines.get().pk], now=now)
    assert (len(taken.numbers), len(taken.void)) == (0, 1)
    assert states(sheet) == {F: "skipped"}
    company["f"].refresh_from_db()
    assert company["f"].owner == cast.finance


def test_every_number_needs_an_answer_and_only_as_seen(begun: Round, cast: Any, company: Any, now: datetime):
    sheet = sheet_of(cast.manager)
    note(cast.manager, sheet, now, "keep", company["a"])
    with pytest.raises(services.AttestationError, match="no answer yet"):
        answer(cast.manager, sheet, now)
    assert set(states(sheet).values()) == {"open"}
    assert not Decision.objects.exists()
    seen = sheet_of(cast.manager)
    services.note_choice(actor=cast.manager, sheet=seen, choice="keep", rest=True, now=now)
    with pytest.raises(services.Overtaken, match="changed meanwhile"):
        services.answer(actor=cast.manager, sheet=seen, version=seen.version, now=now)
    answer(cast.manager, sheet, now)
    with pytest.raises(services.Overtaken, match="manager has answered this sheet already"):
        answer(cast.manager, sheet, now)


@pytest.mark.parametrize(
    ("choice", "more", "said"),
    [
        ("hand_over", {}, "Choose who"),
        ("give_back", {"reason": "  "}, "Say why"),
        ("sell", {}, "Choose keep"),
        ("keep", {}, "Tick at least one"),
    ],
)
def test_half_a_choice_is_refused(begun: Round, cast: Any, now: datetime, choice: str, more: Any, said: str):
    with pytest.raises(services.AttestationError, match=said):
        note(cast.manager, sheet_of(cast.manager), now, choice, **more)


def test_a_viewer_who_owns_numbers_hands_over_but_does_not_give_back(cast: Any, own: Any, now: datetime):
    owned = own("447860041119", cast.viewer)
    found = services.open_round(actor=cast.admin, now=now)
    services.fill(round_id=found.pk, now=now)
    sheet = sheet_of(cast.viewer)
    with pytest.raises(services.Refused):
        note(cast.viewer, sheet, now, "give_back", owned, reason="x")
    assert note(cast.viewer, sheet, now, "hand_over", owned, to_person=cast.manager) == 1


# No answer -------------------------------------------------------------------------------------------------------


def test_without_an_answer_the_sheet_goes_to_an_administrator(
    begun: Round, cast: Any, company: Any, now: datetime
):
    sheet = sheet_of(cast.manager)
    assert [str(one.owner) for one in selectors.asks_of(cast.admin).sheets] == ["None"]
    with pytest.raises(services.Refused):
        note(cast.admin, sheet, now, "keep", company["a"])
    assert services.tend(now=later(now, 14)) == []  # the last day is still theirs
    late = services.tend(now=later(now, 15))
    assert sorted(str(one.owner) for one in late) == ["None", "finance", "manager"]
    assert services.tend(now=later(now, 15)) == []
    assert selectors.asks_of(cast.admin).count == 3
    assert selectors.asks_of(cast.manager).count == 1
    services.extend(
        actor=cast.admin,
        sheet=sheet_of(cast.finance),
        due_on=date(2026, 11, 10),
        reason="Ill",
        now=later(now, 15),
    )
    assert services.tend(now=later(now, 16)) == []
    sheet = sheet_of(cast.manager)
    services.note_choice(actor=cast.admin, sheet=sheet, choice="give_back", reason="Ask", rest=True, now=now)
    [order] = answer(cast.admin, sheet, now)
    assert (order.requester, order.owner) == (cast.admin, cast.manager)
    with pytest.raises(orders.NotAllowed):
        orders.reject(actor=cast.admin, order=order, comment="x", now=now)


def test_who_is_written_to_and_when(begun: Round, cast: Any, now: datetime):
    for person in (cast.manager, cast.finance, cast.admin):
        person.email = f"{person.username}@example.com"
        person.save()

    def told(days: int) -> list[str]:
        found = [mail for mails in notices.reminders(later(now, days)) for mail in mails]
        return sorted(f"{mail.to[0].partition('@')[0]}: {mail.subject}" for mail in found)

    assert told(0) == [
        "admin: Say by 27 Oct 2026 which of nobody's 1 number to keep",
        "finance: Say by 27 Oct 2026 which of your 1 number to keep",
        "manager: Say by 27 Oct 2026 which of your 3 numbers to keep",
    ]
    assert told(10) == []
    answer_all(cast.finance, now)
    assert [line.partition(":")[0] for line in told(11)] == ["admin", "manager"]
    assert told(13) == []
    assert "manager: Today is the last day: which of your 3 numbers to keep?" in told(14)
    [mail] = notices.overdue(services.mark_overdue(now=later(now, 15)))
    assert mail.to == ["admin@example.com"]
    assert "  manager" in mail.body.splitlines()


def answer_all(person: Any, now: datetime) -> None:
    """Keep everything."""
    services.note_choice(actor=person, sheet=sheet_of(person), choice="keep", rest=True, now=now)
    answer(person, sheet_of(person), now)


# The end ---------------------------------------------------------------------------------------------------------


def test_a_round_closes_by_itself_when_all_is_answered(begun: Round, cast: Any, company: Any, now: datetime):
    answer_all(cast.manager, now)
    note(cast.finance, sheet_of(cast.finance), now, "hand_over", company["f"], to_person=cast.manager)
    answer(cast.finance, sheet_of(cast.finance), now)
    services.note_choice(actor=cast.admin, sheet=sheet_of(None), choice="keep", rest=True, now=now)
    answer(cast.admin, sheet_of(None), now)
    assert Round.objects.get().open_mark
    services.take_over(actor=cast.manager, line_ids=[company["f"].attestation_lines.get().pk], now=now)
    assert not Round.objects.get().open_mark
    rows = list(record.export_rows(begun))
    assert len(rows) == 5
    [handed] = [row for row in rows if row["number"] == F]
    assert (handed["choice"], handed["to_person"], handed["followed"], handed["followed_by"]) == (
        "hand_over",
        "manager",
        "accepted",
        "manager",
    )


def test_a_closed_round_is_a_record(begun: Round, cast: Any, company: Any, now: datetime):
    note(cast.finance, sheet_of(cast.finance), now, "hand_over", company["f"], to_person=cast.manager)
    answer(cast.finance, sheet_of(cast.finance), now)
    services.close(actor=cast.admin, found=begun, reason="Year end", now=now)
    with pytest.raises(services.Overtaken, match="closed already"):
        services.close(actor=cast.admin, found=begun, reason="Again", now=now)
    verdicts = dict(Decision.objects.values_list("line__owned_number__number", "verdict"))
    assert verdicts == {F: "lapsed", A: "unanswered", B: "unanswered", C: "unanswered", N: "unanswered"}
    with pytest.raises(services.Overtaken, match="was closed"):
        note(cast.manager, sheet_of(cast.manager), now, "keep", company["a"])
    with pytest.raises(services.Overtaken):
        services.take_over(actor=cast.manager, line_ids=[company["f"].attestation_lines.get().pk], now=now)
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE attestation_decision SET verdict = 'keep'")
