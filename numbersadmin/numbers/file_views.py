"""Owned numbers as files: the list as CSV and as Excel, and changes from a CSV file."""

from collections.abc import Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from numbersadmin import export
from numbersadmin.numbers import bulk_planning, export_list, importing, saved_views
from numbersadmin.numbers.bulk import Left
from numbersadmin.numbers.bulk_forms import ImportForm, Selection, in_words
from numbersadmin.numbers.importing import Unreadable
from numbersadmin.numbers.models import BulkChange, BulkKind
from numbersadmin.web import HtmxRequest, require

BAD_SHOWN = 500


@require("numbers.view")
@require_safe
def export_csv(request: HtmxRequest) -> HttpResponseBase:
    """The numbers that the list shows, or the ticked ones, for programs."""
    selection = Selection.of(request.GET, all_without_ticks=True)
    found = export_list.in_order(selection.found, selection.wanted.sort)
    lines = export_list.csv_lines(found, _columns(request), zone=timezone.get_current_timezone())
    return _csv(lines, "owned-numbers.csv")


def _csv(lines: Iterator[str], name: str) -> HttpResponseBase:
    response = StreamingHttpResponse(
        (line.encode() for line in lines), content_type="text/csv; charset=utf-8"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _columns(request: HtmxRequest) -> list[str]:
    """Those asked for, repeated or joined by commas; else the columns that this person has on the screen."""
    asked = [name for one in request.GET.getlist("columns") for name in one.split(",")]
    hidden = saved_views.wishes(request.user).hidden
    return asked or [name for name in export_list.STANDARD if name not in hidden]


@require("numbers.view")
@require_safe
def export_xlsx(request: HtmxRequest) -> HttpResponseBase:
    """The same for people."""
    now = timezone.now()
    selection = Selection.of(request.GET, all_without_ticks=True)
    filters = "The ticked numbers" if selection.ids else in_words(selection.wanted)
    if problem := export_list.too_many(selection.found):
        context = {"problem": problem, "query": selection.query}
        return render(request, "numbers/too_many.html", context, status=422)
    count = f"{selection.found.order_by().count():,}"
    chunks = export_list.xlsx_chunks(
        export_list.in_order(selection.found, selection.wanted.sort),
        _columns(request),
        about=export_list.about_list(filters=filters, count=count, who=str(request.user), now=now),
        zone=timezone.get_current_timezone(),
    )
    response = StreamingHttpResponse(chunks, content_type=export.XLSX)
    response.headers["Content-Disposition"] = 'attachment; filename="owned-numbers.xlsx"'
    return response


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def import_numbers(request: HtmxRequest) -> HttpResponse:
    """Owner, cost centre and labels from a file: previewed when each line is right, else each bad one is named."""
    form = ImportForm(request.POST or None, request.FILES or None)
    bad: list[importing.Bad] = []
    if form.is_valid():
        try:
            draft, bad = _planned(request, form.cleaned_data["content"])
        except Unreadable as problem:
            form.add_error("file" if form.cleaned_data.get("file") else "text", str(problem))
        else:
            if draft:
                return redirect("bulk-change", draft.pk)
    context = {
        "form": form,
        "bad": bad[:BAD_SHOWN],
        "count": len(bad),
        "reasons": importing.by_reason(bad),
        "most_lines": f"{importing.most_lines():,}",
        "most_mb": importing.MOST_BYTES // 1_000_000,
    }
    return render(request, "numbers/import.html", context, status=422 if bad or form.errors else 200)


def _planned(request: HtmxRequest, content: str) -> tuple[BulkChange | None, list[importing.Bad]]:
    """The draft of a file without a mistake, or its mistakes."""
    found = importing.read(content)
    importing.resolve(found, request.user)
    if found.bad:
        return None, found.bad
    now = timezone.now()
    change = BulkChange(kind=BulkKind.IMPORT, actor=request.user, created_at=now)
    change.preview = {"lines": len(found.lines), "ignored": found.ignored[:20]}
    rows = (
        (row, found.changes[row.pk], Left.SAME if row.pk in found.same else None)
        for row in bulk_planning.each_id(sorted(found.changes))
    )
    return bulk_planning.plan(change=change, rows=rows, now=now), []


@require("numbers.edit_own")
@require_safe
def import_template(request: HtmxRequest) -> HttpResponseBase:
    """An empty file with the headings that an import reads."""
    return _csv(export.rows_csv(importing.COLUMNS, []), "numbers-to-change.csv")
