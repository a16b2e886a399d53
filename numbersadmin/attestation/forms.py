"""What people send about attestations: a choice for some numbers, a reason, another day."""

from typing import Any

from django import forms

from numbersadmin.accounts.models import User
from numbersadmin.attestation.closing import LONGEST_REASON as LONGEST_LONG_REASON
from numbersadmin.attestation.errors import AttestationError
from numbersadmin.attestation.models import Choice
from numbersadmin.attestation.services import LONGEST_REASON

KEEP_REST = "keep_rest"  # the button that keeps everything not answered yet


def chosen_ids(values: list[str]) -> list[int]:
    """The ids among what was ticked; anything else is left out."""
    return [int(one) for one in values if one.isascii() and one.isdigit() and len(one) < 19]


class RefusableForm(forms.Form):
    """A form that shows what a service refused, at the field concerned or on top."""

    def refuse(self, error: AttestationError) -> None:
        """Add the error where it belongs."""
        self.add_error(error.field if error.field in self.fields else None, str(error))


class PersonField(forms.ModelChoiceField):
    """One of the active people."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.display_name)


class ChoiceForm(RefusableForm):
    """What to do with the ticked numbers, or with all that have no choice yet."""

    choice = forms.ChoiceField(
        label="With the ticked numbers",
        choices=Choice.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose keep, hand over or give back."},
    )
    to_person = PersonField(
        label="To whom",
        queryset=User.objects.none(),
        to_field_name="username",
        required=False,
        empty_label="Choose a person",
        error_messages={"invalid_choice": "Choose one of the people listed."},
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed to give numbers back: the approver reads it.",
    )
    rest = forms.BooleanField(label="All that are not answered, not only the ticked", required=False)

    def __init__(self, *args: Any, owner_id: int | None, may_give_back: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True).order_by("full_name", "username")
        self.fields["to_person"].queryset = people.exclude(pk=owner_id or 0)  # type: ignore[attr-defined]
        if not may_give_back:
            self.fields["choice"].choices = [  # type: ignore[attr-defined]
                pair for pair in Choice.choices if pair[0] != Choice.GIVE_BACK
            ]


class AnswerForm(forms.Form):
    """The answer, to a sheet as it was seen."""

    version = forms.IntegerField(widget=forms.HiddenInput)


class ReasonForm(RefusableForm):
    """Why something is done."""

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_LONG_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why. It goes on record."},
    )


class ExtendForm(ReasonForm):
    """Another last day, and why."""

    due_on = forms.DateField(
        label="Last day to answer",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Write the day as 2026-12-31."},
    )
    field_order = ("due_on", "reason")
