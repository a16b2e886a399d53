"""The pages of one line of an invoice: its rows, posting its difference, leaving a row out; and posting all."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from numbersadmin.costs import selectors as costs
from numbersadmin.costs.selectors import Month
from numbersadmin.invoices import posting, selectors, services
from numbersadmin.invoices.comparing import InvoiceError
from numbersadmin.invoices.forms import PostAllForm, ReasonForm
from numbersadmin.invoices.mapping import KINDS
from numbersadmin.invoices.models import Invoice, InvoiceLine, InvoiceRow, Status
from numbersadmin.invoices.views import BOTH, SECTION
from numbersadmin.money import Totals
from numbersadmin.web import HtmxRequest, require


def _line(invoice_id: int, line_id: int) -> InvoiceLine:
    lines = InvoiceLine.objects.select_related("invoice", "owned_number__owner", "settled_by")
    return get_object_or_404(lines, pk=line_id, invoice=invoice_id)


@require("invoices.view")
@require_GET
def line(request: HtmxRequest, invoice_id: int, line_id: int) -> HttpResponse:
    """One number: both sides, and the rows of the file that count for it."""
    found = _line(invoice_id, line_id)
    context = {
        **SECTION,
        "line": found,
        "invoice": found.invoice,
        "month": Month.parse(found.invoice.month),
        "kind": KINDS.get(found.kind, ""),
        "rows": selectors.rows_of(found),
        "may_edit": request.user.can("invoices.edit"),
        "may_post": request.user.can("costs.correct")
        and found.difference
        and found.status != Status.AMBIGUOUS,
    }
    return render(request, "invoices/line.html", context)


@require("costs.correct")
@require_http_methods(BOTH)
def post(request: HtmxRequest, invoice_id: int, line_id: int) -> HttpResponse:
    """Post the difference of one line."""
    found, known = _line(invoice_id, line_id), costs.records(timezone.now())
    problem = ""
    if request.method == "POST":
        try:
            (posted,) = posting.post(actor=request.user, lines=[found], known=known, now=timezone.now())
        except InvoiceError as error:
            problem = str(error)
        else:
            messages.success(request, f"Posted in {Month.parse(posted.month).label}.")
            return redirect("invoice", invoice_id)
    context = {
        **SECTION,
        "line": found,
        "invoice": found.invoice,
        "month": Month.parse(found.invoice.month),
        "kind": KINDS.get(found.kind, ""),
        "into": known.to_close,
        "problem": problem,
    }
    return render(request, "invoices/post.html", context, status=422 if problem else 200)


@require("costs.correct")
@require_http_methods(BOTH)
def post_all(request: HtmxRequest, invoice_id: int) -> HttpResponse:
    """Post every difference of an invoice, so many at a time."""
    found, known = get_object_or_404(Invoice, pk=invoice_id), costs.records(timezone.now())
    form = PostAllForm(request.POST if request.method == "POST" else None, initial={"seen": found.comparison})
    if form.is_valid() and _posted_all(request, found, form):
        return redirect("invoice", found.pk)
    sums = {
        roundings: Totals.of(
            (line.currency, line.difference) for line in posting.postable(found, roundings=roundings)
        )
        for roundings in (False, True)
    }
    context = {
        **SECTION,
        "invoice": found,
        "month": Month.parse(found.month),
        "into": known.to_close,
        "form": form,
        "count": posting.postable(found, roundings=False).count(),
        "totals": sums[False],
        "roundings": posting.postable(found, roundings=True).count(),
        "all_totals": sums[True],
        "at_once": posting.AT_ONCE,
    }
    return render(request, "invoices/post_all.html", context, status=422 if form.errors else 200)


def _posted_all(request: HtmxRequest, found: Invoice, form: PostAllForm) -> bool:
    now = timezone.now()
    found.comparison = form.cleaned_data["seen"]  # as this person saw it
    try:
        posted, left = posting.post_all(
            actor=request.user,
            invoice=found,
            roundings=form.cleaned_data["roundings"],
            known=costs.records(now),
            now=now,
        )
    except InvoiceError as problem:
        form.add_error(None, str(problem))
        return False
    rest = f" {left:,} more wait: post again." if left else ""
    messages.success(request, f"{posted:,} difference{'' if posted == 1 else 's'} posted.{rest}")
    return True


@require("invoices.edit")
@require_http_methods(BOTH)
def ignore(request: HtmxRequest, invoice_id: int, row: int) -> HttpResponse:
    """Leave a row of the file out of all sums."""
    found = get_object_or_404(InvoiceRow.objects.select_related("invoice"), invoice=invoice_id, row=row)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        now = timezone.now()
        try:
            services.ignore_row(
                actor=request.user,
                invoice=found.invoice,
                row=found.row,
                known=costs.records(now),
                now=now,
                **form.cleaned_data,
            )
        except InvoiceError as problem:
            form.add_error(None, str(problem))
        else:
            messages.success(request, f"Row {found.row} is ignored.")
            return redirect("invoice", invoice_id)
    cells = list(zip(found.invoice.columns, found.raw, strict=True))
    context = {**SECTION, "row": found, "invoice": found.invoice, "cells": cells, "form": form}
    return render(request, "invoices/ignore.html", context, status=422 if form.errors else 200)
