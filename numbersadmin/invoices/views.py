"""The pages of invoices: the list, uploading a file, choosing its columns, the result as a page and as a file."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from numbersadmin import export
from numbersadmin.costs import selectors as costs
from numbersadmin.costs.selectors import Month
from numbersadmin.invoices import comparing, selectors, services
from numbersadmin.invoices.comparing import InvoiceError
from numbersadmin.invoices.forms import ColumnsForm, ReasonForm, UploadForm
from numbersadmin.invoices.mapping import KINDS, Mapping
from numbersadmin.invoices.models import Invoice, State
from numbersadmin.invoices.reading import Unreadable
from numbersadmin.invoices.services import AlreadyUploaded
from numbersadmin.web import HtmxRequest, require

BOTH = ["GET", "POST"]
SECTION = {"section": "costs"}  # the menu entry that invoices are reached from


@require("invoices.view")
@require_GET
def index(request: HtmxRequest) -> HttpResponse:
    """Every invoice that was uploaded."""
    page = selectors.invoices(request.GET.get("page"))
    may_edit = request.user.can("invoices.edit")
    return render(request, "invoices/list.html", {**SECTION, "page": page, "may_edit": may_edit})


@require("invoices.edit")
@require_http_methods(BOTH)
def upload(request: HtmxRequest) -> HttpResponse:
    """A file of the provider's becomes a draft."""
    known = costs.records(timezone.now())
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form, first = UploadForm(*sent, known=known), None
    if form.is_valid():
        facts = dict(form.cleaned_data)
        file = facts.pop("file")
        facts["month"] = Month.parse(facts["month"])
        try:
            invoice = services.upload(
                actor=request.user, file=file.file, file_name=file.name, now=timezone.now(), **facts
            )
        except Unreadable as problem:
            form.add_error("file", str(problem))
        except AlreadyUploaded as problem:
            form.add_error("file", str(problem))
            first = problem.first
        else:
            return redirect("invoice-columns", invoice.pk)
    status = 422 if form.errors else 200
    return render(request, "invoices/upload.html", {**SECTION, "form": form, "first": first}, status=status)


@require("invoices.view")
@require_GET
def invoice(request: HtmxRequest, invoice_id: int) -> HttpResponse:
    """How an invoice compares with our costs."""
    people = Invoice.objects.select_related("uploaded_by", "compared_by")
    found = get_object_or_404(people, pk=invoice_id)
    may_edit = request.user.can("invoices.edit")
    context = {**SECTION, "invoice": found, "may_edit": may_edit, "month": Month.parse(found.month)}
    if found.state == State.DRAFT:
        if may_edit:
            return redirect("invoice-columns", found.pk)
        return render(request, "invoices/draft.html", context)
    page = selectors.invoice_page(found, request.GET.get("show", ""), request.GET.get("page"))
    context |= {
        "page": page,
        "kinds": KINDS,
        "may_post": request.user.can("costs.correct"),
        "may_export": request.user.can("costs.export"),
    }
    return render(request, "invoices/invoice.html", context)


@require("invoices.edit")
@require_http_methods(BOTH)
def columns(request: HtmxRequest, invoice_id: int) -> HttpResponse:
    """Which column says what: looked at as often as wanted, then compared."""
    found = get_object_or_404(Invoice, pk=invoice_id)
    preset = selectors.preset_for(found)
    start = found.mapping or (preset.mapping if preset else None)
    by = Mapping(**start) if start else None
    form = ColumnsForm(request.POST if request.method == "POST" else None, invoice=found, by=by)
    if form.is_valid():
        by = form.by
        if "compare" in request.POST and _compared(request, found, form):
            return redirect("invoice", found.pk)
    context = {
        **SECTION,
        "invoice": found,
        "month": Month.parse(found.month),
        "form": form,
        "preset": None if found.mapping else preset,
        "preview": selectors.preview(found, by) if by and (form.is_valid() or not form.is_bound) else None,
        "kinds": KINDS,
    }
    return render(request, "invoices/columns.html", context, status=422 if form.errors else 200)


def _compared(request: HtmxRequest, found: Invoice, form: ColumnsForm) -> bool:
    who: dict[str, Any] = {"actor": request.user, "invoice": found, "by": form.by, "now": timezone.now()}
    try:
        if name := " ".join(form.cleaned_data["save_as"].split()):
            services.save_preset(name=name, **who)
        comparing.choose_columns(known=costs.records(who["now"]), **who)
    except InvoiceError as problem:
        form.add_error(None, str(problem))
        return False
    return True


@require("invoices.edit")
@require_POST
def compare(request: HtmxRequest, invoice_id: int) -> HttpResponse:
    """Compare again with our costs as they are now."""
    found, now = get_object_or_404(Invoice, pk=invoice_id), timezone.now()
    try:
        comparing.compare_again(actor=request.user, invoice=found, known=costs.records(now), now=now)
    except InvoiceError as problem:
        messages.warning(request, str(problem))
    else:
        messages.success(request, "Compared with our costs as they are now.")
    return redirect("invoice", found.pk)


@require("invoices.edit")
@require_http_methods(BOTH)
def discard(request: HtmxRequest, invoice_id: int) -> HttpResponse:
    """Take an invoice away, so that its file can be uploaded again."""
    found = get_object_or_404(Invoice.objects.select_related("uploaded_by"), pk=invoice_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.discard(actor=request.user, invoice=found, now=timezone.now(), **form.cleaned_data)
        except InvoiceError as problem:
            form.add_error(None, str(problem))
        else:
            messages.success(request, "The invoice was discarded.")
            return redirect("invoices")
    context = {**SECTION, "invoice": found, "month": Month.parse(found.month), "form": form}
    return render(request, "invoices/discard.html", context, status=422 if form.errors else 200)


@require("costs.export")
@require_GET
def result(request: HtmxRequest, invoice_id: int) -> HttpResponse | StreamingHttpResponse:
    """The comparison as a file."""
    found = get_object_or_404(Invoice, pk=invoice_id)
    rows = export.rows_csv(selectors.RESULT, selectors.result_rows(found))
    response = StreamingHttpResponse((row.encode() for row in rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="invoice-{found.pk}-{found.month}.csv"'
    return response
