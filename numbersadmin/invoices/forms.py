"""What people send about invoices: the file, which column says what, and reasons."""

import re
from typing import Any

from django import forms

from numbersadmin.costs.selectors import Records
from numbersadmin.invoices.mapping import SETUP_WORDS, Mapping
from numbersadmin.invoices.models import Encoding, Invoice

SAY_WHY = {"required": "Say why. It goes on record."}
SIGNS = [(".", "Point, 1234.50"), (",", "Comma, 1234,50")]
THOUSANDS = [("", "None"), (",", "Comma"), (".", "Point"), (" ", "Space"), ("'", "Apostrophe")]
DATES = [
    ("", "Choose an order"),
    ("dmy", "Day, month, year"),
    ("mdy", "Month, day, year"),
    ("ymd", "Year, month, day"),
]
GUESSES = {
    "number": r"number|msisdn|phone|resource",
    "amount": r"amount|total|price|charge|cost|net",
    "description": r"descri|service|product|text",
    "currency": r"currency|curr|ccy",
}
_COLUMNS = ("number", "amount", "description", "currency", "kind", "date")


class UploadForm(forms.Form):
    """The provider's file, and what it is."""

    file = forms.FileField(
        label="CSV file",
        allow_empty_file=True,
        error_messages={"required": "Choose the file that the provider sent."},
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
    )
    reference = forms.CharField(
        label="Invoice number",
        max_length=100,
        error_messages={"required": "Enter the number that stands on the invoice."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    month = forms.ChoiceField(label="Month that it bills")
    currency = forms.CharField(
        label="Currency",
        required=False,
        max_length=3,
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 6}),
        help_text="As EUR. Leave it empty where a column names the currency of each row.",
    )
    encoding = forms.ChoiceField(
        label="Encoding",
        choices=Encoding.choices,
        initial=Encoding.AUTO,
        help_text="Choose another only for a file that is refused because of its letters.",
    )

    def __init__(self, *sent: Any, known: Records) -> None:
        super().__init__(*sent)
        month = self.fields["month"]
        assert isinstance(month, forms.ChoiceField)
        month.choices = [(str(one), one.label) for one in known.months]
        self.initial["month"] = str(known.current.previous)

    def clean_currency(self) -> str:
        code = self.cleaned_data["currency"].strip().upper()
        if code and not re.fullmatch("[A-Z]{3}", code):
            raise forms.ValidationError("A currency is three letters, as EUR.")
        return code

    def clean_reference(self) -> str:
        return " ".join(self.cleaned_data["reference"].split())


class ColumnsForm(forms.Form):
    """Which column says what, and how figures and dates are written. Nothing is guessed about signs."""

    number = forms.ChoiceField(label="Phone number")
    amount = forms.ChoiceField(label="Amount")
    decimal = forms.ChoiceField(
        label="Decimal sign",
        choices=SIGNS,
        widget=forms.RadioSelect,
        error_messages={"required": "Say how amounts are written in this file."},
    )
    thousands = forms.ChoiceField(label="Sign between thousands", choices=THOUSANDS, required=False)
    currency = forms.ChoiceField(label="Currency", required=False)
    description = forms.ChoiceField(label="Description", required=False)
    kind = forms.ChoiceField(
        label="Kind of charge",
        required=False,
        help_text="Choose it to compare set-up and monthly cost separately.",
    )
    setup_words = forms.CharField(
        label="Words for set-up",
        required=False,
        max_length=200,
        initial=SETUP_WORDS,
        help_text="Separated by commas. Every other kind is monthly cost.",
    )
    date = forms.ChoiceField(
        label="Date",
        required=False,
        help_text="Choose it to leave out rows of another month.",
    )
    order = forms.ChoiceField(label="Order of a date", required=False, choices=DATES)
    save_as = forms.CharField(
        label="Save this choice as",
        required=False,
        max_length=60,
        help_text="It is offered again for files with the same headings.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, invoice: Invoice, by: Mapping | None = None) -> None:
        start = (
            {name: "" if one is None else one for name, one in by.stored().items()} if by else guess(invoice)
        )
        super().__init__(data, initial=start)
        self.invoice = invoice
        columns = [(str(at), one or f"Column {at + 1}") for at, one in enumerate(invoice.columns)]
        for name in _COLUMNS:
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", "Choose a column" if field.required else "Not in this file"), *columns]
            field.error_messages["required"] = "Choose the column that holds it."

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if found.get("number") and found.get("number") == found.get("amount"):
            self.add_error("amount", "The number and the amount cannot be in the same column.")
        if found.get("decimal") and found.get("decimal") == found.get("thousands"):
            self.add_error("thousands", "This is the decimal sign. Choose another sign, or none.")
        if not found.get("currency") and not self.invoice.currency:
            self.add_error("currency", "No currency was given for the file, so a column has to name it.")
        if found.get("date") and not found.get("order"):
            self.add_error("order", "Say in which order dates are written in this file.")
        return found

    @property
    def by(self) -> Mapping:
        """The choice that was sent, once it is valid."""
        sent = self.cleaned_data
        places: dict[str, Any] = {name: int(sent[name]) if sent[name] else None for name in _COLUMNS}
        signs = {name: sent[name] for name in ("decimal", "thousands", "order", "setup_words")}
        return Mapping(**places, **signs)


def guess(invoice: Invoice) -> dict[str, str]:
    """Columns whose headings sound like it; a person sees them before anything is compared."""
    found: dict[str, str] = {}
    for name, words in GUESSES.items():
        free = (at for at in range(len(invoice.columns)) if str(at) not in found.values())
        fits = next((at for at in free if re.search(words, invoice.columns[at], re.IGNORECASE)), None)
        if fits is not None:
            found[name] = str(fits)
    return found


class ReasonForm(forms.Form):
    """Why something is left out or taken away."""

    reason = forms.CharField(label="Reason", max_length=300, error_messages=SAY_WHY)

    def clean_reason(self) -> str:
        return " ".join(self.cleaned_data["reason"].split())


class PostAllForm(forms.Form):
    """Which differences are posted; `seen` is the comparison that the page showed."""

    seen = forms.IntegerField(widget=forms.HiddenInput)
    roundings = forms.BooleanField(label="Also what matched lines differ by through rounding", required=False)
