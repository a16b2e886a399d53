"""The report of a month, and the pack of everything about a closed one: complete, checked by its own sums, mailed."""

import hashlib
import io
import json
import re
import zipfile
from decimal import Decimal

import pytest
from django.core import mail

from numbersadmin.audit.models import Seal
from numbersadmin.audit.services import seal
from numbersadmin.costs import pack, reopening, selectors, tasks
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.models import MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.services import post_correction
from tests.costs.closed import digest_of, freeze
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
OCTOBER = Month.parse("2026-10")


@pytest.fixture
def closed(two_months, cast):
    """September and October are closed, September with a correction."""
    cast.finance.email = "finance@example.com"
    cast.finance.save()
    post_correction(
        known=selectors.records(NOW), subject=Subject(None), amount=Decimal("-1.5"), currency="EUR",
        reason="Credit note 7", actor=cast.finance, now=NOW,
    )  # fmt: skip
    freeze("2026-09", cast.finance, NOW)
    return freeze("2026-10", cast.finance, NOW)


def packed(signed_in, month="2026-10"):
    return zipfile.ZipFile(io.BytesIO(signed_in("finance").get(f"/costs/{month}/pack.zip").getvalue()))


def test_the_pack_is_complete_and_its_sums_hold(closed, signed_in):
    with packed(signed_in) as found:
        names = found.namelist()
        sums = dict(line.split("  ")[::-1] for line in found.read("SHA256SUMS").decode().splitlines())
        assert set(names) == set(pack.PARTS) | {"README.txt", "SHA256SUMS"}
        assert sums == {
            name: hashlib.sha256(found.read(name)).hexdigest() for name in names if name != "SHA256SUMS"
        }
        readme = found.read("README.txt").decode()
        assert all(f"{name}: " in readme for name in [*pack.PARTS, "SHA256SUMS"])
        assert closed.sha256 in readme


SAME = {"lines.csv": "lines.csv", "focus-1.2.csv": "focus.csv", "by-owner.csv": "groups.csv?by=owner"}


@pytest.mark.parametrize(("name", "path"), SAME.items())
def test_its_files_are_those_of_the_pages(closed, signed_in, name, path):
    with packed(signed_in) as found:
        assert found.read(name) == signed_in("finance").get(f"/costs/2026-10/{path}").getvalue()


def test_it_says_what_the_audit_log_has(closed, signed_in):
    seal(NOW, "close", note="2026-10")
    with packed(signed_in) as found:
        audit = json.loads(found.read("audit.json"))
    assert audit["seal"]["sha256"] == Seal.objects.get().sha256
    assert (audit["lines_sha256"], audit["revision"]) == (closed.sha256, 1)
    assert audit["events_of_its_numbers"] == 3  # GB bought, RU cancelled, DE dearer


def test_its_report_needs_no_other_file(closed, signed_in):
    with packed(signed_in, "2026-09") as found:
        report = found.read("report.html").decode()
    assert "<style>" in report
    assert not re.findall(r'<(?:link|script|img|use)\b|src="', report)
    assert "Credit note 7" in report
    assert MonthClose.objects.get(month="2026-09").sha256 in report


def test_there_is_no_pack_of_an_open_month(two_months, signed_in):
    answer = signed_in("finance").get("/costs/2026-11/pack.zip", follow=True)
    assert answer.redirect_chain == [("/costs/2026-11/files/", 302)]
    assert "November 2026 is not closed" in answer.text


def test_finance_gets_the_pack_and_the_digests_that_prove_it(closed):
    tasks.follow_close(row_id=closed.pk)
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == ("October 2026 is closed", ["finance@example.com"])
    assert "/costs/2026-10/pack.zip" in sent.body
    assert "25.90 EUR" in sent.body
    assert closed.sha256 in sent.body
    one = Seal.objects.get()
    assert (one.kind, one.note) == ("close", "2026-10")
    assert one.sha256 in sent.body
    ((name, content, _),) = sent.attachments
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert name == "costs-2026-10-pack.zip"
        assert found.testzip() is None


def test_a_large_pack_is_a_link_only(closed, monkeypatch):
    monkeypatch.setattr(pack, "MOST_ATTACHED", 100)
    (made,) = pack.mails_for(closed, NOW)
    assert not made.attachments
    assert "/costs/2026-10/pack.zip" in made.body


def test_nobody_is_written_to_about_a_month_that_is_open_again(closed, cast):
    reopen(cast)
    assert pack.mails_for(closed, NOW) == []


def test_a_close_is_followed_up_once_it_is_committed(closed, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as waiting:
        tasks.after(closed)
    assert len(waiting) == 1


# ── the report ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_adds_up_for_each_split(closed, signed_in):
    page = signed_in("viewer").get("/costs/2026-10/report/").text
    for heading in ("country", "cost centre", "owner"):
        table = page[page.index(f"October 2026 by {heading}") :].partition("</table>")[0]
        body, foot = table.split("<tfoot")
        money = r'<span class="money[^>]*>([\d.,]+) <span class="cur">EUR'
        assert (
            sum(map(Decimal, re.findall(money, body)))
            == Decimal(re.search(money, foot)[1])
            == Decimal("25.90")
        )


def test_the_report_says_whether_figures_can_change(closed, signed_in):
    client = signed_in("viewer")
    october = client.get("/costs/2026-10/report/").text
    assert closed.sha256 in october
    assert "Closed" in october
    november = client.get("/costs/2026-11/report/").text
    assert "the figures can still change" in november
    assert closed.sha256 not in november
    assert "Credit note 7" in client.get("/costs/2026-09/report/").text


def test_the_report_counts_what_has_no_amount(two_months, story, signed_in):
    story.found("60444", "2026-09-01 12:00", None)
    page = signed_in("viewer").get("/costs/2026-11/report/").text
    assert "1 of them without an amount" in page
    assert "leave it out" in page


def test_a_report_names_the_dearest_groups_and_adds_up_the_rest(story, cast, signed_in):
    story.listed("2026-09-01 12:00", "2026-11-20 11:45")
    for at_ in range(42):
        story.found(f"44786{at_:07}", "2026-09-01 12:00", f"{at_ + 1}.005", cost_centre=f"CC-{at_}")
    page = signed_in("viewer").get("/costs/2026-11/report/").text
    table = page[page.index("November 2026 by cost centre") :].partition("</table>")[0]
    assert "2 more" in table
    amounts = re.findall(r'<span class="money[^>]*>([\d.,]+) <span class="cur">EUR', table)
    assert len(amounts) == 42
    assert sum(Decimal(one) for one in amounts[:-1]) == Decimal(amounts[-1]) == Decimal("903.21")


# ── what happens meanwhile ───────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_names_only_a_seal_that_has_the_close(closed, cast):
    seal(NOW)
    later = freeze_again(cast)
    (made,) = pack.mails_for(later, NOW)
    assert Seal.objects.get().sha256 not in made.body
    assert "not sealed with this close yet" in made.body
    seal(NOW)
    (made,) = pack.mails_for(later, NOW)
    assert Seal.objects.latest("number").sha256 in made.body


def test_a_close_that_was_opened_and_closed_again_is_told_once_each(closed, cast):
    later = freeze_again(cast)
    assert pack.mails_for(closed, NOW) == []
    assert len(pack.mails_for(later, NOW)) == 1


def freeze_again(cast):
    """October was reopened, corrected and closed again."""
    reopen(cast)
    return freeze("2026-10", cast.finance, NOW)


def reopen(cast):
    """October is open again, with a correction that no close has."""
    asked = reopening.ask(month=OCTOBER, reason="Late", actor=cast.finance, now=NOW)
    reopening.confirm(asked=asked, actor=cast.admin, now=NOW)
    post_correction(
        known=selectors.records(NOW), subject=Subject(None), amount=Decimal(1), currency="EUR",
        reason="Late", actor=cast.finance, now=NOW,
    )  # fmt: skip


def test_files_of_a_close_are_its_own_though_the_month_is_reopened_meanwhile(closed, cast):
    known = selectors.records(NOW)
    reopen(cast)
    assert digest_of(statement(known, OCTOBER)) == closed.sha256
    assert digest_of(statement(selectors.records(NOW), OCTOBER)) != closed.sha256
