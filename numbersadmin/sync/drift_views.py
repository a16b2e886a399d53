"""The drift inbox, and the pages on which differences are decided, one or several of a kind at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from numbersadmin.numbers.selectors import cost_centres_in_use
from numbersadmin.numbers.services import NumberHasMoved
from numbersadmin.sync import deciding, inbox
from numbersadmin.sync.forms import AdoptForm, GoneForm, NoteForm
from numbersadmin.sync.models import Drift, DriftKind
from numbersadmin.web import HtmxRequest, require

LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Act:
    """One decision: the kinds it is for, what its page asks, and the write."""

    name: str  # of its address
    kinds: frozenset[DriftKind]
    form: Callable[[Any], forms.Form]
    write: Callable[..., None]
    title: str
    text: str
    submit: str
    done: str
    danger: bool = False


@require("sync.view")
@require_GET
def drift(request: HtmxRequest) -> HttpResponse:
    """What is different from what we did or knew, waiting for a person."""
    found = inbox.inbox(request.user, request.GET.get("kind", ""), request.GET.get("page"))
    return render(request, "sync/drift.html", {"found": found, "page": found.page, "now": timezone.now()})


@require("sync.decide")
@require_http_methods(["GET", "POST"])
def accept(request: HtmxRequest) -> HttpResponse:
    """Take note of differences; our records follow the list already."""
    return _decide(request, ACCEPT)


@require("sync.decide")
@require_http_methods(["GET", "POST"])
def watch(request: HtmxRequest) -> HttpResponse:
    """Leave differences undecided, with a note, and out of the count."""
    return _decide(request, WATCH)


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def adopt(request: HtmxRequest) -> HttpResponse:
    """Give numbers that appeared outside an owner."""
    return _decide(request, ADOPT)


@require("sync.release")
@require_http_methods(["GET", "POST"])
def gone(request: HtmxRequest) -> HttpResponse:
    """End missing numbers, because a person knows that they are cancelled."""
    return _decide(request, CONFIRM_GONE)


def _decide(request: HtmxRequest, act: Act) -> HttpResponse:
    """The page of a decision: what was chosen, the form, and the write when it was sent."""
    tokens = _tokens(request.POST.getlist("id") if request.method == "POST" else request.GET.getlist("id"))
    form = act.form(request.POST if request.method == "POST" else None)
    kind = request.GET.get("kind", "")
    back = f"/sync/drift/?kind={kind}" if kind in DriftKind.values else "/sync/drift/"
    if tokens and form.is_valid() and _done(request, act, tokens, form):
        return redirect(back)
    rows = [row for row in inbox.chosen(tokens, request.user) if row.drift.kind in act.kinds]
    if not rows:
        said = " ".join(str(one) for one in form.non_field_errors())
        messages.warning(request, said or "Nothing that can be decided there was chosen.")
        return redirect(back)
    context = {
        "act": act,
        "rows": rows,
        "form": form,
        "back": back,
        "totals": inbox.total_of(rows),
        "evidence": inbox.evidence(rows) if act is CONFIRM_GONE else [],
        "cost_centres": cost_centres_in_use() if act is ADOPT else [],
    }
    return render(request, "sync/decide.html", context, status=422 if form.errors else 200)


def _tokens(sent: Sequence[str]) -> dict[int, int]:
    """`12-3`: the difference 12 as it was shown, told three times."""
    found = {}
    for each in sent[: inbox.ROWS]:
        pk, _, times = each.partition("-")
        if all(part.isascii() and part.isdigit() and int(part) <= LARGEST for part in (pk, times)):
            found[int(pk)] = int(times)
    return found


def _done(request: HtmxRequest, act: Act, tokens: dict[int, int], form: forms.Form) -> bool:
    drifts = list(Drift.objects.select_related("owned_number").filter(pk__in=tokens).order_by("id"))
    if not drifts:
        return False
    for each in drifts:
        each.times = tokens[each.pk]  # as this person saw it
    try:
        act.write(actor=request.user, drifts=drifts, now=timezone.now(), **form.cleaned_data)
    except (deciding.CannotDecide, NumberHasMoved) as problem:
        form.add_error(None, str(problem))
        return False
    count = "1 difference" if len(drifts) == 1 else f"{len(drifts)} differences"
    messages.success(request, f"{count}: {act.done}")
    return True


ACCEPT = Act(
    "sync-accept",
    deciding.ACCEPTABLE,
    NoteForm,
    deciding.accept,
    "Accept",
    "Our records follow the provider's list already. Accepting says that somebody has seen it.",
    "Accept",
    "accepted",
)
WATCH = Act(
    "sync-watch",
    frozenset(DriftKind),
    NoteForm,
    deciding.watch,
    "Keep watching",
    "It stays undecided and is no longer counted in the menu. If it happens again, it asks again.",
    "Keep watching",
    "being watched",
)
ADOPT = Act(
    "sync-adopt",
    frozenset({DriftKind.APPEARED}),
    AdoptForm,
    deciding.adopt,
    "Give an owner",
    "Nobody ordered these here. The owner is asked about them from now on.",
    "Give owner",
    "given an owner",
)
CONFIRM_GONE = Act(
    "sync-gone",
    frozenset({DriftKind.MISSING}),
    GoneForm,
    deciding.confirm_gone,
    "Mark as cancelled outside",
    "Nothing is sent to the provider. The cost ends with the last month in which it was seen.",
    "Mark as cancelled outside",
    "marked as cancelled outside",
    danger=True,
)
