"""What people send about policies, budgets and the stop."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django_countries import countries

from numbersadmin.policies.models import ApprovalPolicy, PolicyMode
from numbersadmin.policies.services import LONGEST_REASON, TERMS, PolicyError

CURRENCY = r"^[A-Za-z]{3}$"
KINDS = [("purchase", "Purchases"), ("cancel", "Cancellations")]


class ReasonForm(forms.Form):
    """Why something is done; also the base of the other forms here."""

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why. It goes on record."},
    )

    def refuse(self, error: PolicyError) -> None:
        """Show what a service refused, at the field concerned or on top."""
        self.add_error(error.field if error.field in self.fields else None, str(error))


def amount_field(label: str, help_text: str) -> forms.DecimalField:
    """An amount of money with a decimal point, exact to a millionth; empty where that has a meaning."""
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=Decimal(0),
        max_digits=15,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"invalid": "Write an amount like 100 or 12.50."},
    )


class PolicyForm(ReasonForm):
    """What a rule covers and who decides then."""

    kind = forms.ChoiceField(label="For", choices=KINDS)
    country = forms.ChoiceField(label="Country", required=False)
    currency = forms.RegexField(
        CURRENCY,
        label="Currency",
        required=False,
        help_text="Three letters, as EUR. Empty for any, without limits.",
        error_messages={"invalid": "A currency has three letters, as EUR."},
    )
    max_monthly = amount_field(
        "Up to, per month", "Full monthly prices of the whole order. Empty for no limit."
    )
    max_setup = amount_field("Up to, set-up", "Set-up of the whole order. Empty for no limit.")
    mode = forms.ChoiceField(label="Who decides", choices=PolicyMode.choices)

    field_order = ("kind", "country", "currency", "max_monthly", "max_setup", "mode", "reason")

    def __init__(self, data: Any = None, *, policy: ApprovalPolicy | None = None) -> None:
        start = {name: getattr(policy, name) for name in TERMS} if policy else {"mode": PolicyMode.ONE}
        for name in ("max_monthly", "max_setup"):
            if start.get(name) is not None:
                start[name] = f"{start[name].normalize():f}"
        super().__init__(data, initial=start)
        self.fields["country"].choices = [("", "Any"), *countries]  # type: ignore[attr-defined]

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def terms(self) -> dict[str, Any]:
        """What the services take."""
        return {name: self.cleaned_data[name] for name in TERMS}


class ConfirmForm(forms.Form):
    """What the person who confirms has seen."""

    fingerprint = forms.CharField(max_length=64, widget=forms.HiddenInput)


class BudgetForm(ReasonForm):
    """What a cost centre may commit per month, from a month on."""

    cost_centre = forms.CharField(
        label="Cost centre",
        required=False,
        max_length=100,
        help_text="As it is written on orders. Empty: orders without a cost centre.",
        widget=forms.TextInput(attrs={"list": "cost-centres", "autocomplete": "off"}),
    )
    currency = forms.RegexField(
        CURRENCY,
        label="Currency",
        error_messages={"required": "Say in which currency, as EUR.", "invalid": "Three letters, as EUR."},
    )
    month = forms.CharField(label="From month", help_text="As 2026-11.")
    amount = amount_field("Per month", "Full monthly prices of owned and ordered numbers. Empty: no budget.")

    field_order = ("cost_centre", "currency", "month", "amount", "reason")

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean_month(self) -> date:
        try:
            return date.fromisoformat(f"{self.cleaned_data['month'].strip()}-01")
        except ValueError as error:
            raise forms.ValidationError("Write the month as 2026-11.") from error

    def facts(self) -> dict[str, Any]:
        """What the services take."""
        return dict(self.cleaned_data)
