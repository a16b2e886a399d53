"""The page on which finance enters since when a number is ours, or takes that back."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from numbersadmin.numbers import since, stating
from numbersadmin.numbers.forms import AcquiredForm
from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved
from numbersadmin.web import HtmxRequest, require


@require("numbers.state_date")
@require_http_methods(["GET", "POST"])
def acquired(request: HtmxRequest, number_id: int) -> HttpResponse:
    """Enter the day, correct it, or take it back; the version keeps one from undoing what one did not see."""
    owned = get_object_or_404(OwnedNumber, pk=number_id)
    form = AcquiredForm(request.POST or None, initial={"version": owned.version})
    fixed = stating.why_fixed(owned)
    if form.is_valid() and not fixed and _written(request, owned, form):
        return redirect("number", number_id=owned.pk)
    context = {
        "owned": owned,
        "form": form,
        "fixed": fixed,
        "acquired": since.acquired(owned),
        "stated": owned.acquired_basis == AcquiredBasis.STATED,
        "after": stating.earliest(owned),
    }
    refused = form.errors or (fixed and request.method == "POST")
    return render(request, "numbers/acquired.html", context, status=422 if refused else 200)


def _written(request: HtmxRequest, owned: OwnedNumber, form: AcquiredForm) -> bool:
    """Do what the form says; why it could not be done is put on the form."""
    sent: dict[str, Any] = form.cleaned_data
    owned.version = sent["version"]
    now = timezone.now()
    try:
        if sent["act"] == AcquiredForm.TAKE_BACK:
            stating.take_back(actor=request.user, owned=owned, reason=sent["note"], now=now)
        else:
            stating.state_acquired(
                actor=request.user, owned=owned, day=sent["day"], note=sent["note"], now=now
            )
    except (stating.NotPossible, NumberHasMoved) as problem:
        form.add_error(None, str(problem))
        return False
    messages.success(request, "Saved")
    return True
