"""What is done to one owned number: whose it is, and its protection; costs/number_views.py has its page."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from numbersadmin.numbers import protection, selectors, since
from numbersadmin.numbers.forms import EditForm, ProtectForm
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.services import NumberHasMoved, assign
from numbersadmin.web import HtmxRequest, require


@require("numbers.view")
@require_GET
def by_number(request: HttpRequest, digits: str) -> HttpResponse:
    """The newest record of a phone number."""
    owned = selectors.newest(selectors.digits_of(digits))
    if owned is None:
        raise Http404
    return redirect("number", number_id=owned.pk)


@require("numbers.edit_own")
@require_http_methods(["GET", "POST"])
def edit(request: HtmxRequest, number_id: int) -> HttpResponse:
    """Owner, cost centre and labels of one number."""
    owned = get_object_or_404(OwnedNumber.objects.select_related("owner"), pk=number_id)
    if not selectors.may_edit(request.user, owned):
        raise PermissionDenied(_why_not(owned))
    form = EditForm(request.POST or None, owned=owned, cost_centres=selectors.cost_centres_in_use())
    if form.is_valid() and _assigned(request, owned, form):
        return redirect("number", number_id=owned.pk)
    context = {"owned": owned, "form": form, "acquired_sentence": since.acquired_sentence(owned)}
    return render(request, "numbers/edit.html", context, status=422 if form.errors else 200)


def _assigned(request: HtmxRequest, owned: OwnedNumber, form: EditForm) -> bool:
    """Save what the form says; what somebody else did since it was opened goes before."""
    wanted = form.cleaned_data
    owned.version = wanted["version"]
    try:
        changed = assign(
            actor=request.user,
            numbers=[owned],
            owner=wanted["owner"],
            cost_centre=wanted["cost_centre"],
            labels=wanted["labels"],
            reason=wanted["reason"],
            now=timezone.now(),
        )
    except NumberHasMoved as moved:
        form.add_error(None, str(moved))
        return False
    messages.success(request, "Saved" if changed else "Nothing was changed")
    return True


def _why_not(owned: OwnedNumber) -> str:
    if owned.status == Status.ENDED:
        return "This number is no longer ours, so its record stays as it is."
    return f"This number belongs to {owned.owner}. They, an approver or finance can change it."


@require("numbers.protect")
@require_http_methods(["GET", "POST"])
def protect(request: HtmxRequest, number_id: int) -> HttpResponse:
    """Protect a number, or take its protection off; the version keeps one from undoing what one did not see."""
    owned = get_object_or_404(OwnedNumber.objects.select_related("protected_by"), pk=number_id)
    form = ProtectForm(request.POST or None)
    if form.is_valid():
        owned.version = form.cleaned_data["version"]
        change = protection.unprotect if owned.protected_at else protection.protect
        try:
            change(actor=request.user, owned=owned, reason=form.cleaned_data["reason"], now=timezone.now())
        except (protection.NotProtected, NumberHasMoved) as problem:
            form.add_error(None, str(problem))
        else:
            return redirect("number", number_id=owned.pk)
    context = {"owned": owned, "form": form, "may_unprotect": owned.protected_by_id != request.user.pk}
    return render(request, "numbers/protect.html", context, status=422 if form.errors else 200)
