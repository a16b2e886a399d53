"""The audit log page and its export."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from numbersadmin import export
from numbersadmin.audit import selectors
from numbersadmin.audit.forms import FilterForm
from numbersadmin.web import HtmxRequest, require, wants_fragment


def own_only(request: HtmxRequest) -> str:
    """The name that the log is restricted to: people without the right to see all see what they did."""
    return "" if request.user.can("audit.view_all") else request.user.username


@require("audit.view")
@require_safe
def log(request: HtmxRequest) -> HttpResponse:
    form = filter_form(request)
    filters = form.filters() if form.is_valid() else selectors.Filters()
    page = selectors.page(filters, only=own_only(request), before=request.GET.get("before", ""))
    query = request.GET.copy()
    query.pop("before", None)
    context = {"form": form, "page": page, "own_only": own_only(request), "query": query.urlencode()}
    context["sealed"] = selectors.sealed()
    template = "audit/_events.html" if wants_fragment(request) else "audit/log.html"
    response = render(request, template, context, status=200 if form.is_valid() else 422)
    response.headers["Vary"] = "HX-Request"
    return response


def filter_form(request: HtmxRequest) -> FilterForm:
    """The filters as sent; people restricted to their own events choose no other person."""
    names = [own_only(request)] if own_only(request) else FilterForm.everyone()
    return FilterForm(request.GET, names=names)


@require("audit.export")
@require_safe
def export_csv(request: HtmxRequest) -> HttpResponseBase:
    form = filter_form(request)
    if not form.is_valid():
        return log(request)
    rows = selectors.export_rows(selectors.events(form.filters(), only=own_only(request)))
    response = StreamingHttpResponse(
        (line.encode() for line in export.rows_csv(selectors.EXPORTED, rows)),
        content_type="text/csv; charset=utf-8",
    )
    response.headers["Content-Disposition"] = 'attachment; filename="audit-log.csv"'
    return response
