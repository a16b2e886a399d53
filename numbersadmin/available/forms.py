"""What people send to the search: filters, the page, and what they have ticked so far."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_countries import countries

from numbersadmin.available.selectors import CONTAINS, ENDS, SORTS, STARTS, Search
from numbersadmin.export import plain_value
from numbersadmin.formats import capability_label, country_name, type_name
from numbersadmin.orders.selectors import Offer
from numbersadmin.orders.services import MOST_BULK

MATCHES = [(CONTAINS, "contain"), (STARTS, "start with"), (ENDS, "end with")]
SORT_CHOICES = [
    ("", "As Infobip lists them"),
    ("price", "Monthly price, low first"),
    ("-price", "Monthly price, high first"),
    ("setup", "Set-up price, low first"),
    ("-setup", "Set-up price, high first"),
    ("first", "First month, low first"),
    ("-first", "First month, high first"),
    ("number", "Number, upwards"),
    ("-number", "Number, downwards"),
    ("country", "Country, A to Z"),
    ("-country", "Country, Z to A"),
]
USUAL_TYPES = ("VIRTUAL_LONG_NUMBER", "SHORT_CODE")
USUAL_CAPABILITIES = ("SMS", "VOICE")
MOST_CHECKED = 100_000
PUNCTUATION = re.compile(r"[\s+().\-/]")
assert {value.removeprefix("-") for value, _ in SORT_CHOICES if value} == set(SORTS)


class LongSelect(forms.Select):
    """A select of hundreds of options, drawn without a template for each."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attributes = flatatt(self.build_attrs(self.attrs, {"name": name} | (attrs or {})))
        options = format_html_join(
            "", "{}", ((self._drawn(key, label, value),) for key, label in self.choices)
        )
        return format_html("<select{}>{}</select>", attributes, options)

    def _drawn(self, key: str, label: Any, value: Any) -> SafeString:
        if isinstance(label, list):
            inner = format_html_join("", "{}", ((self._drawn(one[0], one[1], value),) for one in label))
            return format_html('<optgroup label="{}">{}</optgroup>', key, inner)
        chosen = SafeString(" selected") if key == (value or "") else ""
        return format_html('<option value="{}"{}>{}</option>', key, chosen, label)


class Word(forms.ChoiceField):
    """One of the provider's words. One that it has not used yet is no mistake: it may use it tomorrow."""

    def valid_value(self, value: str) -> bool:
        return _is_word(value)


class CountryCode(Word):
    """The code of a country, in either case."""

    widget = LongSelect

    def to_python(self, value: Any) -> str:
        return super().to_python(value).strip().upper()


class Words(forms.MultipleChoiceField):
    """Several of the provider's words, repeated or joined by commas."""

    widget = forms.CheckboxSelectMultiple

    def to_python(self, value: Any) -> list[str]:
        words = [word.strip().upper() for each in super().to_python(value) for word in each.split(",")]
        return list(dict.fromkeys(word for word in words if word))

    def valid_value(self, value: str) -> bool:
        return _is_word(value)


def _is_word(value: str) -> bool:
    return len(value) <= 40 and value.isascii() and value.replace("_", "").replace("-", "").isalnum()


class SearchForm(forms.Form):
    """The filters. One that is not understood is left out and named, the others count."""

    country = CountryCode(label="Country", required=False)
    capabilities = Words(label="Can do", required=False)
    match = forms.ChoiceField(label="Digits", required=False, choices=MATCHES)
    digits = forms.CharField(label="Digits", required=False, max_length=40)
    type = Word(label="Type", required=False)
    max_price = forms.DecimalField(
        label="Up to, per month", required=False, min_value=0, max_digits=15, decimal_places=6
    )
    sort = forms.ChoiceField(label="Sort", required=False, choices=SORT_CHOICES)
    page = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)
    checked = forms.IntegerField(required=False, min_value=0, max_value=MOST_CHECKED)

    def __init__(self, data: Mapping[str, Any], *, seen: Mapping[str, Iterable[str]]) -> None:
        super().__init__(data)
        self.fields["country"].choices = _country_choices(seen["country"], data.get("country", ""))  # type: ignore[attr-defined]
        self._offer("capabilities", USUAL_CAPABILITIES, seen["capability"], capability_label)
        self._offer("type", USUAL_TYPES, seen["type"], type_name)
        self.fields["type"].choices = [("", "Any type"), *self.fields["type"].choices]  # type: ignore[attr-defined]
        self.fields["match"].widget.attrs["aria-label"] = "Where the digits are"
        self.fields["digits"].widget.attrs |= {
            "inputmode": "tel", "autocomplete": "off", "data-search": True,
        }  # fmt: skip
        self.fields["max_price"].widget = forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off"}
        )
        self.fields["sort"].widget.attrs |= {"class": "sort", "form": "filters", "data-submit": True}

    def _offer(self, name: str, usual: Iterable[str], seen: Iterable[str], label: Any) -> None:
        given = [one for one in self.data.getlist(name) if _is_word(one)]  # type: ignore[attr-defined]
        words = dict.fromkeys([*usual, *seen, *given])
        self.fields[name].choices = [(word, label(word)) for word in words if word]  # type: ignore[attr-defined]

    def clean_digits(self) -> str:
        """Digits in any notation, without `+`, spaces and punctuation."""
        bare = PUNCTUATION.sub("", self.cleaned_data["digits"])
        if bare and not (bare.isascii() and bare.isdigit()):
            raise forms.ValidationError("Only digits can be searched for, as in 555 or +44 20.")
        return bare

    def clean(self) -> dict[str, Any]:
        """A leading 00 stands for `+`, but not in the last digits, and not where there is nothing else."""
        found = self.cleaned_data
        if found.get("match") != ENDS and (digits := found.get("digits", "").removeprefix("00")):
            found["digits"] = digits
        return found

    def wanted(self) -> Search:
        """The search; whatever was not understood is as if it had not been sent."""
        self.full_clean()
        found = {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}
        if "capabilities" in found:
            found["capabilities"] = tuple(found["capabilities"])
        return Search(**found)


class CountForm(forms.Form):
    """How many of what fits are to be ordered."""

    count = forms.IntegerField(
        label="Numbers",
        min_value=1,
        max_value=MOST_BULK,
        error_messages={
            "required": "Say how many.",
            "invalid": "Write a whole number.",
            "min_value": "At least one.",
            "max_value": f"An order holds {MOST_BULK} numbers at most.",
        },
    )


def _country_choices(seen: Iterable[str], given: str) -> list[Any]:
    """Every country of the world, those met here already first."""
    known = dict(_every_country())
    met = {code: known.pop(code, "") or country_name(code) for code in dict.fromkeys(seen)}
    if given and _is_word(given) and given.upper() not in {*known, *met}:
        met[given.upper()] = given.upper()
    groups: list[Any] = [("", "Any country")]
    if met:
        groups.append(("Met before", _labelled(met)))
    return [*groups, ("All others" if met else "All", _labelled(known))]


@cache
def _every_country() -> tuple[tuple[str, str], ...]:
    return tuple((code, country_name(code)) for code in countries.countries)


def _labelled(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(code, f"{name} ({code})") for code, name in sorted(names.items(), key=lambda one: one[1])]


def chosen_refs(sent: QueryDict) -> list[str]:
    """What is ticked: the boxes sent, and what links kept; with `live`, the boxes sent are all there is.

    `drop` takes one out. What does not name a number is left out.
    """
    refs = sent.getlist("offer") + ([] if sent.get("live") else sent.getlist("kept"))
    found = []
    for ref in refs:
        try:
            found.append(Offer.parse(ref).ref)
        except ValueError:
            continue
    return [ref for ref in dict.fromkeys(found) if ref not in sent.getlist("drop")]


def query_of(wanted: Search, kept: Iterable[str] = (), **changes: Any) -> str:
    """The shortest query string that means this search and selection, changed so."""
    parts = {column.name: getattr(wanted, column.name) for column in fields(Search)} | changes
    standard = {"match": CONTAINS, "page": 1, "checked": 0}
    if not parts["digits"]:
        parts["match"] = CONTAINS
    sent = {
        name: plain_value(value)
        for name, value in parts.items()
        if value not in (None, "", ()) and standard.get(name) != value
    }
    return urlencode(sent | {"kept": list(kept)}, doseq=True)


class AskForm(forms.Form):
    """What a spare number is needed for."""

    reason = forms.CharField(
        label="What you need it for", max_length=300, error_messages={"required": "Say what you need it for."}
    )


class AnswerForm(forms.Form):
    """What becomes of an ask, by the button, and why."""

    answer = forms.CharField(label="Why", required=False, max_length=300)
    act = forms.ChoiceField(choices=[(one, one) for one in ("give", "refuse", "withdraw")])
