"""An invoice against our costs: each number in one status, what was never ours is raised, again changes nothing."""

import contextlib
import threading

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import selectors as costs
from numbersadmin.costs.services import Subject, post_correction
from numbersadmin.invoices import comparing, selectors, services, standing
from numbersadmin.invoices.comparing import InvoiceError
from numbersadmin.invoices.mapping import Mapping
from numbersadmin.invoices.models import Invoice, State
from numbersadmin.sync.models import Drift, DriftState
from numbersadmin.sync.selectors import outstanding
from tests.invoices.conftest import AGREES, BY, HEADINGS, NOW, OCTOBER, again, lines, upload
from tests.orders.test_races import at_once


def test_an_invoice_that_says_what_we_say_has_no_difference(compared):
    invoice = compared(AGREES)
    assert {status for status, _ in lines(invoice).values()} == {"matched"}
    assert standing.state_of(OCTOBER).reconciled
    assert standing.state_of(OCTOBER).reference("EUR") == "INV-7"
    assert standing.state_of(OCTOBER).reference("USD") == ""


def test_each_number_is_in_one_status_and_the_sums_tie_out(compared):
    invoice = compared(
        f"{HEADINGS}+44 7860 041117;2.90;GB\n79029555551;16;RU\n00491511111111;7;nobody knows\n;25.90;Total\n"
    )
    assert lines(invoice) == {
        "447860041117": ("matched", "-0.003226"),
        "79029555551": ("different", "1.000000"),
        "491511111111": ("only_invoice", "7.000000"),
        "4915112345678": ("only_ledger", "-8.000000"),
    }
    (tie,) = selectors.tie_outs(invoice)
    assert (str(tie.ours), str(tie.theirs), str(tie.remaining)) == ("25.903226", "25.900000", "-0.003226")
    assert tie.ours + tie.remaining == tie.theirs
    assert list(invoice.rows.exclude(ignored="").values_list("row", "ignored")) == [(5, "total")]
    assert standing.state_of(OCTOBER).words == "INV-7: 3 lines differ, 1 line differs by rounding only"


def test_a_number_that_was_never_ours_is_raised_once(compared, cast):
    invoice = compared(f"{AGREES}491511111111;7;nobody knows\n")
    again(cast, invoice)
    (drift,) = outstanding()
    assert (drift.kind, drift.number, drift.after["amount"]) == ("billed", "491511111111", "7.000000")
    (event,) = AuditEvent.objects.filter(verb="invoice.unknown_number")
    assert (event.number, event.subject_id) == ("491511111111", invoice.pk)
    invoice.refresh_from_db()
    Drift.objects.update(state=DriftState.DECIDED, decision="accepted", decided_at=NOW)
    again(cast, invoice)
    assert Drift.objects.count() == 1, "what somebody has decided is not raised again by the same invoice"


def test_the_next_invoice_raises_it_again(compared, cast):
    compared(f"{AGREES}491511111111;7;nobody knows\n")
    compared(f"{AGREES}491511111111;8;nobody knows\n", reference="INV-8")
    (drift,) = outstanding()
    assert (drift.times, drift.after["reference"]) == (2, "INV-8")


def test_what_has_become_ours_is_closed(compared, cast, story):
    invoice = compared(f"{AGREES}491511111111;7;nobody knows\n")
    story.found("491511111111", "2026-11-20 11:45", "7", after="2026-11-19", country="DE")
    again(cast, invoice)
    assert list(Drift.objects.values_list("state", "decision")) == [("decided", "over")]
    assert invoice.lines.get(number="491511111111").why == "not_charged"


def test_nobody_is_told_when_most_of_the_invoice_was_never_ours(compared):
    compared(HEADINGS + "".join(f"4915222222{at:03};1;wrong column\n" for at in range(30)))
    assert not Drift.objects.exists()
    assert not AuditEvent.objects.filter(verb="invoice.unknown_number").exists()


def test_comparing_again_changes_nothing(compared, cast):
    invoice = compared(f"{HEADINGS}79029555551;16;RU\n491511111111;7;x\n")
    before = lines(invoice)
    again(cast, invoice)
    assert lines(invoice) == before


def test_a_correction_of_the_month_counts_wherever_it_is_posted(compared, cast, two_months):
    invoice = compared(f"{HEADINGS}79029555551;16;RU\n")
    ru = two_months["RU"]
    post_correction(
        known=costs.records(NOW),
        subject=Subject(ru.pk, ru.number_key, ru.number, ru.country),
        amount=1,
        currency="EUR",
        reason="x",
        actor=cast.finance,
        now=NOW,
        corrects=costs.Month.parse("2026-09"),
    )
    again(cast, invoice)
    assert lines(invoice)["79029555551"] == ("different", "1.000000"), "September's is not October's"


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        ("Number;Amount\n12025550123;1.5\n", "12025550123", "other_currency"),
        ("Number;Amount\n33612345678;13\n", "33612345678", "not_charged"),
    ],
)
def test_what_is_only_on_the_invoice_says_why(compared, text, number, why):
    invoice = compared(text)
    line = invoice.lines.get(number=number)
    assert (line.status, line.why) == ("only_invoice", why)


def test_a_column_names_the_currency_of_each_row(compared):
    text = "Number;Amount;Currency\n12025550123;1.5;USD\n447860041117;2.903226;eur\n447860041117;1;USD\n"
    invoice = compared(text, Mapping(0, 1, currency=2), currency="")
    found = {(one.number, one.currency): (one.status, one.why) for one in invoice.lines.all()}
    assert found["12025550123", "USD"] == ("matched", "")
    assert found["447860041117", "EUR"] == ("matched", "")
    assert found["447860041117", "USD"] == ("only_invoice", "other_currency")
    assert [tie.currency for tie in selectors.tie_outs(invoice)] == ["EUR", "USD"]


def test_kinds_are_compared_separately_where_they_are_named(compared, two_months):
    text = (
        "Number;Amount;Kind\n33612345678;5;Monthly fee\n33612345678;2;Setup fee\n447860041117;5;Monthly fee\n"
    )
    invoice = compared(text, Mapping(0, 1, kind=2), month=costs.Month.parse("2026-11"))
    found = {(one.number, one.kind): (one.status, f"{one.difference:f}") for one in invoice.lines.all()}
    assert found["33612345678", "monthly"] == ("matched", "0.000000")
    assert found["33612345678", "setup"] == ("different", "-1.000000")


def test_an_unreadable_amount_keeps_the_month_from_being_reconciled(compared, cast):
    invoice = compared(f"{AGREES}491511111111;7,5;x\n")
    assert not standing.state_of(OCTOBER).reconciled
    services.ignore_row(
        actor=cast.finance, invoice=invoice, row=5, reason="Not ours", known=costs.records(NOW), now=NOW
    )
    assert standing.state_of(OCTOBER).reconciled
    row = invoice.rows.get(row=5)
    assert (row.ignored, row.reason, row.ignored_by) == ("person", "Not ours", cast.finance)
    invoice.refresh_from_db()
    comparing.choose_columns(actor=cast.finance, invoice=invoice, by=BY, known=costs.records(NOW), now=NOW)
    assert invoice.rows.get(row=5).ignored == "person", "choosing columns again keeps what a person said"


def test_money_without_a_number_keeps_the_month_from_being_reconciled(compared, cast):
    """It is on the invoice and in no sum, so that nobody may say that we agree with the whole of it."""
    invoice = compared(f"{AGREES};7;Platform fee\n")
    assert not standing.state_of(OCTOBER).reconciled
    assert standing.state_of(OCTOBER).words == "INV-7: 1 row with money is in no sum"
    services.ignore_row(
        actor=cast.finance, invoice=invoice, row=5, reason="Not numbers", known=costs.records(NOW), now=NOW
    )
    assert standing.state_of(OCTOBER).reconciled
    assert standing.state_of(OCTOBER).reference("EUR") == "", "its total is another one all the same"


def test_an_ignored_row_counts_no_more(compared, cast):
    invoice = compared(f"{AGREES}79029555551;4;twice\n")
    assert lines(invoice)["79029555551"] == ("different", "4.000000")
    ignore = {"actor": cast.finance, "reason": "Twice", "known": costs.records(NOW), "now": NOW, "row": 5}
    services.ignore_row(invoice=invoice, **ignore)
    assert lines(invoice)["79029555551"] == ("matched", "0.000000")
    with pytest.raises(InvoiceError, match="ignored already"):
        services.ignore_row(invoice=invoice, **ignore)


def test_no_row_that_can_be_used_compares_nothing(two_months, november, cast):
    invoice = upload(cast, "Number;Amount\nx;y\n")
    with pytest.raises(InvoiceError, match="No row holds"):
        comparing.choose_columns(
            actor=cast.finance, invoice=invoice, by=BY, known=costs.records(NOW), now=NOW
        )
    assert Invoice.objects.get().state == State.DRAFT


def test_whoever_compares_from_older_figures_is_told(compared, cast):
    invoice = compared(AGREES)
    older = Invoice.objects.get()
    again(cast, invoice)
    with pytest.raises(InvoiceError, match="meanwhile"):
        again(cast, older)


def test_a_discarded_file_can_be_uploaded_again(compared, cast):
    invoice = compared(AGREES)
    services.discard(actor=cast.finance, invoice=invoice, reason="Wrong month", now=NOW)
    assert upload(cast, AGREES).state == State.DRAFT


def test_a_preset_is_offered_for_the_same_headings_only(compared, cast):
    invoice = compared(AGREES)
    save = {"actor": cast.finance, "by": BY, "now": NOW}
    services.save_preset(name="Monthly", invoice=invoice, **save)
    assert selectors.preset_for(upload(cast, "number ;AMOUNT;Description\n1;2;3\n")).name == "Monthly"
    other = upload(cast, "Number;Net\n1;2\n")
    assert selectors.preset_for(other) is None
    with pytest.raises(InvoiceError, match="other headings"):
        services.save_preset(name="Monthly", invoice=other, **save)


@pytest.mark.django_db(transaction=True)
def test_a_row_is_ignored_while_the_columns_are_chosen_again(compared, cast, monkeypatch):
    """Each waits for the other's rows where they are not taken in the same order; then the database ends one."""
    compared(AGREES)
    meeting = threading.Barrier(2)
    read, compare = comparing._read_rows, services.compare_again

    def met(act):
        def meet_first(*args, **facts):
            with contextlib.suppress(threading.BrokenBarrierError):
                meeting.wait(0.5)
            return act(*args, **facts)

        return meet_first

    monkeypatch.setattr(comparing, "_read_rows", met(read))
    monkeypatch.setattr(services, "compare_again", met(compare))
    facts = {"actor": cast.finance, "known": costs.records(NOW), "now": NOW}
    done = at_once(
        lambda: services.ignore_row(invoice=Invoice.objects.get(), row=2, reason="Not ours", **facts),
        lambda: comparing.choose_columns(invoice=Invoice.objects.get(), by=BY, **facts),
    )
    assert all(one is None or isinstance(one, InvoiceError) for one in done), done


def test_rows_that_cannot_be_read_are_counted_once_however_many_currencies(compared):
    text = "Number;Amount;Currency\n447860041117;2.90;EUR\n79029555551;1;USD\n79029555551;x;EUR\n"
    compared(text, Mapping(0, 1, currency=2), currency="")
    assert standing.state_of(OCTOBER).words.endswith(", 1 row with money is in no sum")


def test_what_an_invoice_does_not_name_is_not_compared(compared, cast, two_months):
    """Its rows are in euros: our dollars are no difference, and posting all leaves them as they are."""
    text = "Number;Amount;Currency\n447860041117;2.903226;EUR\n"
    invoice = compared(text, Mapping(0, 1, currency=2), currency="")
    assert {one.currency for one in invoice.lines.all()} == {"EUR"}
    assert standing.state_of(OCTOBER).remaining.keys() == {"EUR"}
