"""What people send about closing: the figures they were shown, reasons, corrections, and what a charge cost."""

import json
import uuid
from decimal import Decimal
from typing import Any

from django import forms

from numbersadmin.costs.digest import plain, totals_in
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject, held_with
from numbersadmin.numbers.models import OwnedNumber

CURRENCY = r"^[A-Za-z]{3}$"
LONGEST_REASON = 500


class CloseForm(forms.Form):
    """The figures on the page that was confirmed, as JSON."""

    shown = forms.CharField(widget=forms.HiddenInput)

    def clean_shown(self) -> dict[str, Any]:
        try:
            shown: dict[str, Any] = json.loads(self.cleaned_data["shown"])
            if plain(totals_in(shown["totals"])) != shown["totals"]:
                raise ValueError("no totals as the page has written them")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise forms.ValidationError(
                "The form was altered. Look at the figures and close again."
            ) from error
        return shown


class ReasonForm(forms.Form):
    """Why something is done; also the base of the other forms here."""

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why. It goes on record."},
    )


class AmountForm(ReasonForm):
    """An amount with its currency and why. The token makes one form one correction."""

    amount = forms.DecimalField(
        label="Amount",
        max_digits=15,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": "Enter the amount.", "invalid": "Write an amount like 12.50 or -3."},
    )
    currency = forms.RegexField(
        CURRENCY,
        label="Currency",
        error_messages={"required": "Say in which currency, as EUR.", "invalid": "Three letters, as EUR."},
    )
    form_token = forms.CharField(max_length=60, widget=forms.HiddenInput)

    field_order: tuple[str, ...] = ("amount", "currency", "reason", "form_token")

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial={"form_token": uuid.uuid4().hex, **(initial or {})})

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError("0 changes nothing. Enter the difference.")
        return amount


class CorrectionForm(AmountForm):
    """A correction of one number's cost, or of a month's without naming a number."""

    number = forms.CharField(
        label="Number",
        required=False,
        max_length=40,
        help_text="With country code. Empty when it is about no number.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "tel"}),
    )
    month = forms.ChoiceField(label="Month it is about")

    field_order = ("number", "month", "amount", "currency", "reason", "form_token")

    def __init__(self, data: Any = None, *, known: Records, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.known = known
        takes = known.to_close or known.current
        months = [month for month in known.months if month <= takes]
        self.fields["month"].choices = [(str(month), month.label) for month in months]  # type: ignore[attr-defined]
        self.fields["amount"].help_text = "The difference: with a minus when it was less."

    def clean_month(self) -> Month:
        return Month.parse(self.cleaned_data["month"])

    def clean_number(self) -> Subject:
        """What the correction is about: the newest possession of the number."""
        digits = "".join(letter for letter in self.cleaned_data["number"] if letter.isdigit())
        if not self.cleaned_data["number"].strip():
            return Subject(None)
        found = list(OwnedNumber.objects.filter(number=digits).order_by("-id").values_list("id", "country"))
        if not found:
            raise forms.ValidationError("No number of ours, now or before. Check the digits.")
        if len({country for _, country in found}) > 1:
            raise forms.ValidationError(
                "Several countries have this number. Open its page, and correct it there."
            )
        return next(held.subject for held in held_with([found[0][0]], self.known.listed))
