"""Notes on months: write one, change it, take it away."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from numbersadmin.costs import notes
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.models import MonthNote
from numbersadmin.costs.months import Month
from numbersadmin.costs.views import on_record
from numbersadmin.web import HtmxRequest, require

BOTH = ["GET", "POST"]


class NoteForm(forms.Form):
    """The text of a note, and of one that exists the version that the person saw."""

    text = forms.CharField(
        label="Note",
        help_text="Shown under the chart, in print and in files.",
        strip=True,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)


@require("costs.note")
@require_http_methods(BOTH)
@on_record
def add(request: HtmxRequest, known: Records, month: Month) -> HttpResponse:
    """Note something about a month."""
    form = NoteForm(request.POST or None)
    if form.is_valid():
        try:
            text = form.cleaned_data["text"]
            notes.add(month=month, text=text, actor=request.user, now=timezone.now())
        except notes.CannotNote as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, f"Noted on {month.label}.")
            return redirect(f"/costs/{month}/")
    context = {"form": form, "month": month}
    return render(request, "costs/note.html", context, status=422 if form.errors else 200)


@require("costs.note")
@require_http_methods(BOTH)
def change(request: HtmxRequest, note_id: int) -> HttpResponse:
    """Write another text for a note."""
    note = get_object_or_404(MonthNote.objects.select_related("by"), pk=note_id)
    form = NoteForm(request.POST or None, initial={"text": note.text, "version": note.version})
    if form.is_valid():
        note.version = form.cleaned_data["version"] or 0
        try:
            text = form.cleaned_data["text"]
            notes.change(note=note, text=text, actor=request.user, now=timezone.now())
        except notes.CannotNote as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, f"Changed the note on {note.label}.")
            return redirect(f"/costs/{note.month}/")
    context = {"form": form, "note": note, "month": Month.parse(note.month)}
    return render(request, "costs/note.html", context, status=422 if form.errors else 200)


@require("costs.note")
@require_http_methods(BOTH)
def remove(request: HtmxRequest, note_id: int) -> HttpResponse:
    """Take a note away."""
    note = get_object_or_404(MonthNote.objects.select_related("by"), pk=note_id)
    form = NoteForm(request.POST or None, initial={"version": note.version})
    if form.is_valid():
        note.version = form.cleaned_data["version"] or 0
        try:
            notes.remove(note=note, actor=request.user, now=timezone.now())
        except notes.CannotNote as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Removed the note on {note.label}.")
            return redirect(f"/costs/{note.month}/")
    context = {"form": form, "note": note}
    return render(request, "costs/note_remove.html", context, status=422 if form.errors else 200)
