"""What people send about exchange rates."""

from decimal import Decimal
from typing import Any

from django import forms

from numbersadmin.costs.ledger import Records, State
from numbersadmin.costs.months import Month

_CURRENCY = r"^\s*[A-Za-z]{3}\s*$"


def _currency(label: str) -> forms.RegexField:
    return forms.RegexField(
        _CURRENCY,
        label=label,
        error_messages={"required": "Say which currency, as EUR.", "invalid": "Three letters, as EUR."},
        max_length=10,
    )


class RateForm(forms.Form):
    """One rate of one month."""

    month = forms.ChoiceField(label="Month")
    from_currency = _currency("From currency")
    to_currency = _currency("To currency")
    rate = forms.DecimalField(
        label="Rate",
        help_text="What one unit of the first currency is in the second, as 0.0871 for SEK to EUR.",
        min_value=Decimal(0),
        max_digits=18,
        decimal_places=12,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={
            "required": "Enter the rate.",
            "invalid": "Write a rate with a decimal point, as 0.0871.",
        },
    )
    source_note = forms.CharField(
        label="Where the rate is from",
        max_length=200,
        help_text="As: central bank, average of the month.",
        error_messages={"required": "Say where the rate is from."},
    )

    def __init__(self, data: Any = None, *, known: Records, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.fields["month"].choices = [  # type: ignore[attr-defined]
            (str(month), f"{month.label}{', closed' * (known.state(month) is State.CLOSED)}")
            for month in known.months or [known.current]
        ]

    def facts(self) -> dict[str, Any]:
        """What the service takes."""
        given = dict(self.cleaned_data)
        codes = {name: given[name].strip().upper() for name in ("from_currency", "to_currency")}
        return given | codes | {"month": Month.parse(given["month"])}
