"""What people send to the sandbox's page."""

from django import forms
from django.core.exceptions import ValidationError

from numbersadmin.overview.sandbox_control import ENDPOINTS, MISBEHAVIOUR
from numbersadmin.provider.schema import digits as bare_digits


class MisbehaveForm(forms.Form):
    """What goes wrong, with which call, how often."""

    endpoint = forms.ChoiceField(label="On the call", choices=list(ENDPOINTS.items()))
    behaviour = forms.ChoiceField(
        label="Infobip", choices=[(key, words) for key, (words, _) in MISBEHAVIOUR.items()]
    )
    times = forms.TypedChoiceField(
        label="How often", choices=[("1", "Once"), ("3", "3 times"), ("-1", "Until cleared")], coerce=int
    )


class OutsideForm(forms.Form):
    """A number bought, cancelled or repriced behind our back."""

    number = forms.CharField(label="Number", max_length=30)
    act = forms.ChoiceField(
        label="Happens in the portal",
        choices=[
            ("purchase", "Bought there"),
            ("cancel", "Cancelled there"),
            ("price", "Gets another price"),
        ],
    )
    price = forms.DecimalField(
        label="Its new price", min_value=0, max_value=1_000_000, decimal_places=6, required=False
    )

    def clean_number(self) -> str:
        digits = bare_digits(self.cleaned_data["number"])
        if not digits.isascii() or not digits.isdigit():
            raise ValidationError("Type the digits of a number.")
        return digits

    def clean(self) -> dict[str, object]:
        given = super().clean() or {}
        if given.get("act") == "price" and given.get("price") is None:
            self.add_error("price", "Type the new price.")
        return given
