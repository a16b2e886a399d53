"""A month to take along: its report, its lines, its groups, FOCUS, and the pack of all of them."""

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from numbersadmin import export
from numbersadmin.costs import focus, groups_file, lines_file, pack
from numbersadmin.costs.ledger import Records, State, statement
from numbersadmin.costs.lines import LineFilter, value_words
from numbersadmin.costs.month_report import month_report
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import GROUPINGS
from numbersadmin.costs.views import GROUPED, on_record
from numbersadmin.web import HtmxRequest, require


@require("costs.view")
@require_GET
@on_record
def report(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """The report of a month, on a page that prints well."""
    context = {
        "report": month_report(known, month, to=request.GET.get("in", "")),
        "month_url": f"/costs/{month}/",
        "now": timezone.now(),
        "who": request.user.display_name,
    }
    return render(request, "costs/report.html", context)


@require("costs.export")
@require_GET
@on_record
def files(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """Every file of a month, with what it is for."""
    closed = known.state(month) is State.CLOSED
    context = {
        "month": month,
        "month_url": f"/costs/{month}/",
        "grouped": GROUPED,
        "unpriced": known.closes[month].unpriced
        if closed
        else sum(entry.charge.amount is None for entry in statement(known, month)),
        "state": lines_file.state_words(known, month),
        "closed": closed,
    }
    return render(request, "costs/files.html", context)


@require("costs.export")
@require_GET
@on_record
def lines_csv(request: HtmxRequest, known: Records, month: Month) -> StreamingHttpResponse:
    """The lines that the page with the same query shows, for programs."""
    return _csv(lines_file.csv_lines(known, month, LineFilter.of(request.GET.dict())), f"costs-{month}-lines")


@require("costs.export")
@require_GET
@on_record
def lines_xlsx(request: HtmxRequest, known: Records, month: Month) -> StreamingHttpResponse:
    """The same for people."""
    wanted = LineFilter.of(request.GET.dict())
    about = lines_file.about(
        known, month, filters=_in_words(wanted), who=str(request.user), now=timezone.now()
    )
    return _xlsx(lines_file.xlsx_chunks(known, month, wanted, about), f"costs-{month}-lines")


def _in_words(wanted: LineFilter) -> str:
    names = {name: words[0] for name, words in GROUPED.items()} | {"cur": "Currency", "label": "With label"}
    return "; ".join(f"{names[name]}: {value_words(name, value)}" for name, value in wanted.chosen.items())


@require("costs.export")
@require_GET
@on_record
def groups_csv(request: HtmxRequest, known: Records, month: Month) -> StreamingHttpResponse:
    """A month split by one thing, for programs."""
    by = _by(request)
    return _csv(groups_file.csv_lines(known, month, by), f"costs-{month}-by-{by}")


@require("costs.export")
@require_GET
@on_record
def groups_xlsx(request: HtmxRequest, known: Records, month: Month) -> StreamingHttpResponse:
    """The same for people."""
    by = _by(request)
    about = lines_file.about(known, month, filters="", who=str(request.user), now=timezone.now())
    chunks = groups_file.xlsx_chunks(known, month, by, GROUPED[by][0], about)
    return _xlsx(chunks, f"costs-{month}-by-{by}")


def _by(request: HttpRequest) -> str:
    """The grouping asked for; for an unknown one the usual."""
    by = request.GET.get("by", "")
    return by if by in GROUPINGS else "country"


@require("costs.export")
@require_GET
@on_record
def focus_csv(request: HtmxRequest, known: Records, month: Month) -> StreamingHttpResponse:
    """Every line with an amount, as FOCUS 1.2."""
    return _csv(focus.csv_lines(known, month), f"focus-1.2-{month}")


@require("costs.export")
@require_GET
@on_record
def pack_zip(request: HtmxRequest, known: Records, month: Month) -> HttpResponseBase:
    """Everything about a closed month in one file."""
    if known.state(month) is not State.CLOSED:
        messages.warning(request, f"{month.label} is not closed, so there is no pack of it yet.")
        return redirect("costs-files", str(month))
    chunks = pack.chunks(known, month, who=request.user.display_name, now=timezone.now())
    response = StreamingHttpResponse(chunks, content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="costs-{month}-pack.zip"'
    return response


def _csv(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(
        (line.encode() for line in lines), content_type="text/csv; charset=utf-8"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _xlsx(chunks: Iterator[bytes], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(chunks, content_type=export.XLSX)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return response
