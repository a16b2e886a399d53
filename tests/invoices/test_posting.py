"""Posting differences: one correction each, only while the figures hold, and two at the same moment post once."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import selectors as costs
from numbersadmin.costs.models import LedgerLine, Origin
from numbersadmin.costs.services import Subject, post_correction
from numbersadmin.invoices import posting, selectors, services, standing
from numbersadmin.invoices.comparing import InvoiceError
from numbersadmin.invoices.mapping import Mapping
from numbersadmin.invoices.models import Invoice, InvoiceLine
from numbersadmin.invoices.posting import CannotPost
from tests.invoices.conftest import AGREES, HEADINGS, NOW, OCTOBER, again, close, lines

DIFFERS = AGREES.replace("79029555551;15", "79029555551;16")
RU = "79029555551"
DESCRIBED = Mapping(number=0, amount=1, description=2)


@pytest.fixture(params=["open", "closed"])
def october(request: pytest.FixtureRequest, cast: Any, two_months: Any, november: Any) -> str:
    """September is closed; October takes corrections itself, or November does."""
    close(cast, "2026-09")
    if request.param == "closed":
        close(cast, "2026-10")
    return request.param


def seen(invoice: Invoice, number: str, **more: Any) -> InvoiceLine:
    """A line as a page shows it."""
    return InvoiceLine.objects.select_related("invoice").get(invoice=invoice, number=number, **more)


def post(cast: Any, line: InvoiceLine) -> LedgerLine:
    (posted,) = posting.post(actor=cast.finance, lines=[line], known=costs.records(NOW), now=NOW)
    return posted


def by_hand(cast: Any, number: str, amount: str) -> LedgerLine:
    return post_correction(
        known=costs.records(NOW),
        subject=Subject(None, number=number),
        amount=Decimal(amount),
        currency="EUR",
        reason="By hand",
        actor=cast.finance,
        now=NOW,
        corrects=OCTOBER,
    )


def test_a_posted_difference_is_one_correction_and_settles_its_line(october, compared, cast, two_months):
    invoice = compared(DIFFERS)
    posted = post(cast, seen(invoice, RU))
    assert (posted.amount, posted.currency, posted.origin, posted.corrects) == (
        Decimal(1),
        "EUR",
        Origin.INVOICE,
        "2026-10",
    )
    assert posted.month == ("2026-10" if october == "open" else "2026-11")
    assert posted.note == "Invoice INV-7, row 3"
    assert posted.owned_number == two_months["RU"]
    assert lines(invoice)[RU] == ("settled", "0.000000")
    assert seen(invoice, RU).settled_by == posted
    (event,) = AuditEvent.objects.filter(verb="invoice.difference_posted")
    assert (event.number, event.reason) == (RU, posted.note)
    assert standing.state_of(OCTOBER).reconciled
    again(cast, Invoice.objects.get())
    assert lines(invoice)[RU] == ("settled", "0.000000"), "the ledger remembers it, not the comparison"
    assert seen(invoice, RU).settled_by == posted


def test_a_difference_is_posted_once(october, compared, cast):
    invoice = compared(DIFFERS)
    line = seen(invoice, RU)
    post(cast, line)
    with pytest.raises(CannotPost):
        post(cast, line)
    assert LedgerLine.objects.filter(origin=Origin.INVOICE).count() == 1


def test_another_file_of_the_same_invoice_posts_nothing_twice(october, compared, cast):
    first, second = compared(DIFFERS), compared(f"{DIFFERS};;\n", reference="INV-7 again")
    post(cast, seen(first, RU))
    with pytest.raises(CannotPost, match="changed since the comparison"):
        post(cast, seen(second, RU))
    again(cast, second)
    assert lines(second)[RU] == ("settled", "0.000000")


def test_what_was_corrected_by_hand_meanwhile_is_not_posted_again(october, compared, cast):
    invoice = compared(DIFFERS)
    by_hand(cast, RU, "1")
    with pytest.raises(CannotPost, match="compare again"):
        post(cast, seen(invoice, RU))
    again(cast, invoice)
    assert lines(invoice)[RU] == ("matched", "0.000000")


def test_a_price_learned_meanwhile_makes_it_another_difference(compared, cast, story, two_months):
    close(cast, "2026-09")
    invoice = compared(DIFFERS)
    story.bought(RU, "2026-10-22", "2", initial="1", country="RU", number_key="again")
    with pytest.raises(CannotPost, match="changed since the comparison"):
        post(cast, seen(invoice, RU))


@pytest.mark.parametrize(
    ("text", "number", "amount"),
    [
        (f"{AGREES}491511111111;7;nobody knows\n", "491511111111", "7"),
        (f"{AGREES}33612345678;13;not yet charged\n", "33612345678", "13"),
        (AGREES.replace(f"{RU};15;RU\n", ""), RU, "-15"),
    ],
    ids=["never ours", "not charged", "only with us"],
)
def test_what_one_side_does_not_mention_can_be_posted(october, compared, cast, text, number, amount):
    invoice = compared(text)
    posted = post(cast, seen(invoice, number))
    assert (posted.number, posted.amount) == (number, Decimal(amount))
    assert (posted.owned_number is None) == (number == "491511111111")
    again(cast, Invoice.objects.get())
    assert lines(invoice)[number] == ("settled", "0.000000")
    (tie,) = selectors.tie_outs(invoice)
    assert tie.ours == tie.theirs


def test_set_up_and_monthly_cost_of_a_number_are_posted_apart(cast, compared):
    close(cast, "2026-09")
    close(cast, "2026-10")
    text = "Number;Amount;Kind\n33612345678;6;Monthly fee\n33612345678;2;Setup fee\n"
    invoice = compared(text, Mapping(0, 1, kind=2), month=costs.Month.parse("2026-11"))
    post(cast, seen(invoice, "33612345678", kind="setup"))
    post(cast, seen(invoice, "33612345678", kind="monthly"))
    again(cast, Invoice.objects.get())
    found = {line.kind: line.status for line in invoice.lines.filter(number="33612345678")}
    assert found == {"setup": "settled", "monthly": "settled"}


def test_the_note_names_the_rows(october, compared, cast):
    rows = "".join(f"{RU};{at};part {at}\n" for at in range(1, 8))
    invoice = compared(
        f"{HEADINGS}447860041117;3;Monthly fee\n{rows}4915112345678;4;a\n4915112345678;5;b\n", DESCRIBED
    )
    noted = {number: post(cast, seen(invoice, number)).note for number in lines(invoice)}
    assert noted == {
        "447860041117": "Invoice INV-7, row 2: Monthly fee",
        RU: "Invoice INV-7, rows 3, 4, 5, 6, 7 and 2 more",
        "4915112345678": "Invoice INV-7, rows 10 and 11",
    }


def test_all_are_posted_and_roundings_only_when_asked(october, compared, cast):
    invoice = compared(f"{HEADINGS}447860041117;2.90;GB\n{RU};16;RU\n491511111111;7;x\n")
    facts = {"actor": cast.finance, "known": costs.records(NOW), "now": NOW}
    assert posting.post_all(invoice=invoice, roundings=False, **facts) == (3, 0)
    (tie,) = selectors.tie_outs(invoice)
    assert (str(tie.posted), tie.rounded) == ("0.000000", True), "+1 +7 -8"
    assert standing.state_of(OCTOBER).remaining["EUR"] == Decimal("-0.003226")
    assert posting.post_all(invoice=invoice, roundings=True, **facts) == (1, 0)
    assert standing.state_of(OCTOBER).reconciled
    with pytest.raises(CannotPost, match="no difference"):
        posting.post_all(invoice=invoice, roundings=True, **facts)


def test_many_are_posted_in_goes(october, compared, cast, monkeypatch):
    monkeypatch.setattr(posting, "AT_ONCE", 2)
    invoice = compared(f"{HEADINGS}1;1;x\n2;1;x\n3;1;x\n{AGREES.removeprefix(HEADINGS)}")
    facts = {"actor": cast.finance, "known": costs.records(NOW), "now": NOW, "roundings": False}
    assert posting.post_all(invoice=invoice, **facts) == (2, 1)
    assert posting.post_all(invoice=invoice, **facts) == (1, 0)


def test_all_or_none_is_posted(october, compared, cast):
    invoice = compared(f"{HEADINGS}{RU};16;RU\n491511111111;7;x\n")
    by_hand(cast, RU, "1")
    facts = {"actor": cast.finance, "known": costs.records(NOW), "now": NOW, "roundings": False}
    with pytest.raises(CannotPost):
        posting.post_all(invoice=invoice, **facts)
    assert not LedgerLine.objects.filter(origin=Origin.INVOICE).exists()


def test_an_ambiguous_number_is_not_posted(compared, cast, story):
    story.found("12345", "2026-09-01 12:00", "3", country="DE")
    story.found("12345", "2026-09-01 12:00", "4", country="FR", number_key="FR12345")
    close(cast, "2026-09")
    invoice = compared(f"{AGREES}12345;8;which\n")
    assert lines(invoice)["12345"] == ("ambiguous", "1.000000")
    with pytest.raises(CannotPost, match="not clear"):
        post(cast, seen(invoice, "12345"))


def test_a_month_that_is_not_over_in_the_ledger_says_what_to_close_first(compared, cast):
    invoice = compared(DIFFERS)
    with pytest.raises(CannotPost, match="October 2026 comes after September 2026"):
        post(cast, seen(invoice, RU))


def test_an_invoice_with_a_posted_difference_is_not_discarded(october, compared, cast):
    invoice = compared(DIFFERS)
    post(cast, seen(invoice, RU))
    with pytest.raises(InvoiceError, match="stays on record"):
        services.discard(actor=cast.finance, invoice=Invoice.objects.get(), reason="x", now=NOW)


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Both begin at the same moment, each in a thread; what each of them said."""
    start, said = threading.Barrier(len(acts)), []

    def run(act: Callable[[], Any]) -> None:
        start.wait(10)
        try:
            act()
            said.append("")
        except CannotPost as problem:
            said.append(str(problem))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(said)


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_post_once(compared, cast):
    close(cast, "2026-09")
    invoice = compared(DIFFERS)
    first, second = seen(invoice, RU), seen(invoice, RU)
    done = at_once(lambda: post(cast, first), lambda: post(cast, second))
    assert done[0] == ""
    assert done[1], "one of them is told"
    assert LedgerLine.objects.filter(origin=Origin.INVOICE).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_files_at_the_same_moment_post_once(compared, cast):
    close(cast, "2026-09")
    one = seen(compared(DIFFERS), RU)
    other = seen(compared(f"{DIFFERS};;\n", reference="INV-7 again"), RU)
    at_once(lambda: post(cast, one), lambda: post(cast, other))
    assert LedgerLine.objects.filter(origin=Origin.INVOICE).count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_guard_both_would_have_posted(compared, cast):
    close(cast, "2026-09")
    compared(DIFFERS)
    assert at_once(lambda: by_hand(cast, RU, "1"), lambda: by_hand(cast, RU, "1")) == ["", ""]
    assert LedgerLine.objects.filter(origin=Origin.MANUAL).count() == 2
