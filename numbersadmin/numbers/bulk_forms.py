"""What people send about many numbers: which ones, what is to become of them, and files of changes."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from numbersadmin.accounts.models import User
from numbersadmin.formats import country_name
from numbersadmin.numbers import selectors
from numbersadmin.numbers.forms import STATES, NumberFilterForm, query_of
from numbersadmin.numbers.importing import MOST_BYTES, Unreadable, decoded
from numbersadmin.numbers.models import OwnedNumber, OwnedNumberQuerySet, label_list
from numbersadmin.numbers.selectors import NOBODY, NumberFilter

WHAT = {"owner": "Owner", "cost_centre": "Cost centre", "labels": "Labels", "protection": "Protection"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Numbers chosen on the list: the ticked ones, or all that match its filter."""

    ids: tuple[int, ...]
    wanted: NumberFilter

    @classmethod
    def of(cls, data: QueryDict, *, all_without_ticks: bool = False) -> "Selection":
        """Ticked rows are `id`, the list's filter is `filter` (its query), `all` goes before any tick."""
        query = QueryDict(data.get("filter", "")) if "filter" in data else data
        wanted = NumberFilterForm(query).wanted()
        sent = [] if "all" in data else data.getlist("id")
        ids = tuple(int(one) for one in sent if one.isascii() and one.isdigit() and len(one) < 19)
        if not ids and "all" not in data and not all_without_ticks:
            ids = (0,)  # nothing was ticked, which is not everything
        return cls(ids, wanted)

    @property
    def query(self) -> str:
        """The list's filter."""
        return query_of(self.wanted)

    @property
    def found(self) -> OwnedNumberQuerySet:
        """The numbers, unordered."""
        return OwnedNumber.objects.filter(pk__in=self.ids) if self.ids else selectors.matching(self.wanted)

    @property
    def fields(self) -> list[tuple[str, Any]]:
        """The hidden fields that carry it on to the next page."""
        chosen: list[tuple[str, Any]] = [("id", pk) for pk in self.ids if pk] if self.ids else [("all", "1")]
        return [*chosen, ("filter", self.query)]


def in_words(wanted: NumberFilter) -> str:
    """A filter for people: `Country: United Kingdom; State: Ours now`."""
    names = {"q": "Number or label", "capabilities": "Can do"}
    states = dict(STATES)
    parts = []
    for name in NumberFilter.__dataclass_fields__:
        value = getattr(wanted, name)
        if name == "country":
            value = country_name(value)
        if name == "sort" or not value:
            continue
        values = [value] if isinstance(value, str) else value
        words = ["none" if one == NOBODY else states.get(one, one) for one in values]
        parts.append(f"{names.get(name, name.replace('_', ' ').capitalize())}: {', '.join(words)}")
    return "; ".join(parts)


class BulkForm(forms.Form):
    """One thing that is to become of many numbers; `what` is a key of WHAT."""

    def __init__(self, data: QueryDict | None, *, what: str) -> None:
        super().__init__(data)
        self.what = what
        self.fields.update(_fields(what))

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if self.what == "labels" and "labels" in found:
            try:
                found["labels"] = label_list(found["labels"].split(","))
            except forms.ValidationError as problem:
                self.add_error("labels", problem)
                return found
            if not found["labels"] and found.get("how") != "replace":
                self.add_error("labels", "Enter at least one label.")
        return found

    def wanted(self) -> dict[str, Any]:
        """As numbers.bulk knows it."""
        found = self.cleaned_data
        if self.what == "owner":
            chosen = found["owner"]
            owner = (
                None if chosen == NOBODY else User.objects.values_list("pk", flat=True).get(username=chosen)
            )
            return {"owner": owner}
        if self.what == "cost_centre":
            return {"cost_centre": " ".join(found["cost_centre"].split())}
        if self.what == "labels":
            return {"labels": {found["how"]: found["labels"]}}
        return {"protection": found["protection"] == "on"}


def _fields(what: str) -> dict[str, forms.Field]:
    """The fields for one thing; nothing is chosen beforehand."""
    if what == "owner":
        people = User.objects.filter(is_active=True).order_by("username")
        named = [(one.username, one.display_name) for one in people]
        choices = [("", "Choose a person"), (NOBODY, "Nobody"), *named]
        return {"owner": forms.ChoiceField(label="New owner", choices=choices)}
    if what == "cost_centre":
        shown = forms.TextInput(attrs={"list": "cost-centres", "autocomplete": "off"})
        help_text = "Leave it empty to take the cost centre away."
        return {
            "cost_centre": forms.CharField(
                label="New cost centre", required=False, max_length=100, widget=shown, help_text=help_text
            )
        }
    if what == "labels":
        how = [("add", "Add"), ("remove", "Remove"), ("replace", "Replace all")]
        help_text = "Words separated by commas. To replace by nothing takes all labels away."
        return {
            "how": forms.ChoiceField(label="Do what", choices=how, initial="add", widget=forms.RadioSelect),
            "labels": forms.CharField(label="Labels", required=False, max_length=900, help_text=help_text),
        }
    choices = [("on", "Protect"), ("off", "Take protection off")]
    return {"protection": forms.ChoiceField(label="Protection", choices=choices, widget=forms.RadioSelect)}


class ImportForm(forms.Form):
    """A file of changes, or the same pasted."""

    file = forms.FileField(
        label="CSV file",
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
    )
    text = forms.CharField(
        label="Or paste lines",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        file, text = found.get("file"), found.get("text", "")
        if bool(file) == bool(text.strip()):
            raise forms.ValidationError(
                "Choose a file or paste lines, not both." if file else "Choose a file, or paste lines."
            )
        try:
            if file and file.size > MOST_BYTES:
                raise Unreadable(f"The file is larger than {MOST_BYTES // 1_000_000} MB. Split it.")
            found["content"] = decoded(file.read()) if file else text
        except Unreadable as problem:
            self.add_error("file", str(problem))
        return found
