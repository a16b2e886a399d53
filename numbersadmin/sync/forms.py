"""What people send to decide about differences and held numbers."""

from collections.abc import Mapping
from typing import Any

from django import forms

from numbersadmin.accounts.models import User
from numbersadmin.numbers.models import label_list
from numbersadmin.sync.models import HeldDecision

SAY_WHY = {"required": "Say why. It goes on record."}


class NoteForm(forms.Form):
    """A word on a difference that needs none."""

    note = forms.CharField(label="Note", required=False, max_length=300)


class GoneForm(forms.Form):
    """Why a person is sure that a number is gone."""

    note = forms.CharField(
        label="How do you know?",
        max_length=300,
        error_messages=SAY_WHY,
        help_text="For example who cancelled it in the portal, and when.",
    )


class AdoptForm(forms.Form):
    """Whose numbers are that appeared outside."""

    owner = forms.ModelChoiceField(
        label="Owner",
        queryset=User.objects.none(),
        empty_label="Choose an owner",
        error_messages={"required": "Choose an owner."},
    )
    cost_centre = forms.CharField(label="Cost centre", required=False, max_length=100)
    labels = forms.CharField(
        label="Labels", required=False, max_length=900, help_text="Words separated by commas."
    )
    note = forms.CharField(label="Why", required=False, max_length=300)

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ModelChoiceField)
        owner.queryset = User.objects.filter(is_active=True).order_by("username")
        self.fields["cost_centre"].widget.attrs["list"] = "cost-centres"

    def clean_cost_centre(self) -> str:
        return " ".join(self.cleaned_data["cost_centre"].split())

    def clean_labels(self) -> list[str]:
        """The labels, each once, in the order given."""
        return label_list(self.cleaned_data["labels"].split(","))


class HeldForm(forms.Form):
    """Release or reject what a run holds, and why."""

    reason = forms.CharField(label="Reason", max_length=300, error_messages=SAY_WHY)
    decision = forms.ChoiceField(
        choices=HeldDecision.choices, error_messages={"required": "Choose to release or to reject."}
    )
