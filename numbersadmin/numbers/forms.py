"""What people send about owned numbers: the filters of the list, and who a number belongs to."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from numbersadmin.accounts.models import User
from numbersadmin.accounts.roles import Role
from numbersadmin.formats import capability_label, country_name
from numbersadmin.numbers.models import OwnedNumber, Status, label_list
from numbersadmin.numbers.selectors import ACTIVE, EVERY, NOBODY, ORDERS, NumberFilter
from numbersadmin.numbers.tally import Choices

STATES = [
    (ACTIVE, "Ours now"),
    (Status.OWNED.value, "Active"),
    (Status.MISSING.value, "Missing at provider"),
    (Status.ENDED.value, "Ended"),
    (EVERY, "Any state"),
]
SORT_VALUES = [(value, value) for key in ORDERS for value in (key, f"-{key}")]


class FacetSelect(forms.Select):
    """A select without groups, as Django writes it but not by its templates: they cost 60 µs an option."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = self.format_value(value)
        options = (
            (each, SafeString(" selected" if str(each) in chosen else ""), text)
            for each, text in self.choices
        )
        return format_html(
            '<select name="{}"{}>{}\n</select>',
            name,
            flatatt(self.build_attrs(self.attrs, attrs)),
            format_html_join("", '\n  <option value="{}"{}>{}</option>\n', options),
        )


class OpenChoice(forms.ChoiceField):
    """A choice among the values in use; one that is not in use is no mistake, it just finds nothing."""

    widget = FacetSelect

    def valid_value(self, value: str) -> bool:
        return len(value) <= 150 and "\0" not in value


class JoinedSelect(FacetSelect):
    """One select for several words: what is sent repeated is shown as the option that joins them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return data.getlist(name)

    def format_value(self, value: Any) -> Any:
        return [",".join(sorted(word for each in value or [] for word in each.upper().split(",") if word))]


class OpenChoices(forms.MultipleChoiceField):
    """Several of the provider's words, repeated or joined by commas; unknown ones are allowed."""

    widget = JoinedSelect

    def to_python(self, value: Any) -> list[str]:
        words = [word.strip().upper() for each in super().to_python(value) for word in each.split(",")]
        return list(dict.fromkeys(word for word in words if word))

    def valid_value(self, value: str) -> bool:
        return len(value) <= 40 and "\0" not in value


class NumberFilterForm(forms.Form):
    """The filters of the list. What is not understood is left out and said."""

    q = forms.CharField(
        label="Number or label",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"autocomplete": "off", "data-search": True}),
    )
    country = OpenChoice(label="Country", required=False)
    capabilities = OpenChoices(label="Can do", required=False)
    owner = OpenChoice(label="Owner", required=False)
    cost_centre = OpenChoice(label="Cost centre", required=False)
    state = forms.ChoiceField(label="State", required=False, choices=STATES, widget=FacetSelect)
    sort = forms.ChoiceField(label="Sort", required=False, choices=SORT_VALUES, widget=forms.HiddenInput)

    def offer(self, choices: Choices) -> None:
        """Set what each filter offers, with how many numbers each choice would find."""
        countries = sorted([(code, country_name(code)) for code in choices.countries], key=lambda one: one[1])
        self._offer("country", f"Any ({len(countries)})", countries, choices.countries, country_name)
        self._offer("owner", "Anyone", [(NOBODY, "No owner"), *choices.names], choices.owners, str)
        centres = [(NOBODY, "None"), *((one, one) for one in sorted(choices.cost_centres) if one != NOBODY)]
        self._offer("cost_centre", "Any", centres, choices.cost_centres, str)
        self.fields["state"].choices = [  # type: ignore[attr-defined]
            (value, _counted(text, choices.states.get(value))) for value, text in STATES
        ]
        given = JoinedSelect().format_value(self.data.getlist("capabilities"))  # type: ignore[attr-defined]
        words = dict.fromkeys([*choices.capabilities, *filter(None, given)])
        self.fields["capabilities"].choices = [  # type: ignore[attr-defined]
            ("", "Any"),
            *((one, _counted(_able(one), choices.capabilities.get(one))) for one in words),
        ]

    def _offer(
        self,
        name: str,
        every: str,
        known: list[tuple[str, str]],
        counts: Mapping[str, int | None],
        say: Callable[[str], str],
    ) -> None:
        """A value that was sent stays to be seen, though it finds nothing."""
        given = self.data.get(name, "")
        given = given.strip().upper() if name == "country" else given
        known = [*known, *([(given, say(given))] if given and given not in dict(known) else [])]
        found = [(value, _counted(text, counts.get(value))) for value, text in known]
        self.fields[name].choices = [("", every), *found]  # type: ignore[attr-defined]

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).strip().upper()

    def wanted(self) -> NumberFilter:
        """The filter; whatever was not understood is as if it had not been sent."""
        self.full_clean()
        found = self.cleaned_data
        return NumberFilter(
            q=found.get("q", ""),
            country=found.get("country", ""),
            capabilities=tuple(found.get("capabilities", ())),
            owner=found.get("owner", ""),
            cost_centre=found.get("cost_centre", ""),
            state=found.get("state") or ACTIVE,
            sort=found.get("sort") or "number",
        )


def _counted(text: str, count: int | None) -> str:
    return text if count is None else f"{text} ({count:,})"


def _able(joined: str) -> str:
    return " and ".join(capability_label(word) for word in joined.split(","))


def query_of(wanted: NumberFilter, **changes: Any) -> str:
    """The shortest query string that means this filter, changed so."""
    parts = {name: getattr(wanted, name) for name in NumberFilter.__dataclass_fields__} | changes
    standard = {"state": ACTIVE, "sort": "number"}
    kept = {name: value for name, value in parts.items() if value and standard.get(name) != value}
    return urlencode(kept, doseq=True)


class ProtectForm(forms.Form):
    """Why a number is protected, or needs it no more."""

    reason = forms.CharField(
        label="Reason", max_length=300, error_messages={"required": "Say why. It goes on record."}
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


class EditForm(forms.Form):
    """Whose a number is: owner, cost centre, labels."""

    owner = forms.ModelChoiceField(
        label="Owner", queryset=User.objects.none(), required=False, empty_label="Nobody"
    )
    cost_centre = forms.CharField(label="Cost centre", required=False, max_length=100)
    labels = forms.CharField(
        label="Labels", required=False, max_length=900, help_text="Words separated by commas."
    )
    reason = forms.CharField(label="Reason", required=False, max_length=500)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self, data: Mapping[str, Any] | None, *, owned: OwnedNumber, cost_centres: list[str]
    ) -> None:
        start = {
            "owner": owned.owner_id,
            "cost_centre": owned.cost_centre,
            "labels": ", ".join(owned.labels),
            "version": owned.version,
        }
        super().__init__(data, initial=start)
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ModelChoiceField)
        owner.queryset = User.objects.filter(Q(is_active=True) | Q(pk=owned.owner_id or 0)).order_by(
            "username"
        )
        self.fields["cost_centre"].widget.attrs["list"] = "cost-centres"
        self.cost_centres = cost_centres

    def clean_labels(self) -> list[str]:
        """The labels, each once, in the order given."""
        return label_list(self.cleaned_data["labels"].split(","))

    def clean_cost_centre(self) -> str:
        return " ".join(self.cleaned_data["cost_centre"].split())


class AcquiredForm(forms.Form):
    """Since when a number is ours and how that is known, or that what was entered is taken back."""

    TAKE_BACK = "take_back"

    day = forms.DateField(
        label="Day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Write the day as 2026-10-14."},
    )
    note = forms.CharField(
        label="How you know it",
        max_length=120,
        error_messages={"required": "Say how you know it, for example the invoice."},
    )
    act = forms.ChoiceField(
        required=False, choices=[("", ""), (TAKE_BACK, "")], widget=forms.HiddenInput
    )  # the button
    version = forms.IntegerField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("act") != self.TAKE_BACK and not found.get("day") and "day" not in self.errors:
            self.add_error("day", "Enter the day.")
        return found


COLUMNS = {
    "country": "Country",
    "capabilities": "Can do",
    "labels": "Labels",
    "owner": "Owner",
    "cost_centre": "Cost centre",
    "since": "Since",
    "state": "State",
    "price": "Per month",
}


class ColumnsForm(forms.Form):
    """Which columns of the list a person wants; the number is always there."""

    columns = forms.MultipleChoiceField(
        label="Columns", choices=list(COLUMNS.items()), required=False, widget=forms.CheckboxSelectMultiple
    )


class SavedViewForm(forms.Form):
    """A view's name, who sees it, and whether the list opens with it."""

    name = forms.CharField(label="Name", max_length=40)
    role = forms.ChoiceField(label="Seen by", required=False, choices=[("", "Only me"), *Role.choices])
    opens = forms.BooleanField(label="Open the list with this view", required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())
