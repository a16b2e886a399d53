"""What people send about orders: what they want and why, a decision, a cancellation."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from django import forms

from numbersadmin.accounts.models import User
from numbersadmin.formats import phone_intl
from numbersadmin.orders.errors import OrderError
from numbersadmin.orders.models import Timing
from numbersadmin.orders.services import LONGEST_COST_CENTRE, LONGEST_REASON

MOST_SENT = 1000  # items that a form may name
CHOOSE = "Choose one of the two buttons."
LISTS = {  # the `state` of an address -> the tab (orders/selectors.py)
    "open": "waiting",
    "mine": "mine",
    "approved": "approved",
    "bought": "done",
    "rejected": "rejected",
    "all": "all",
}


class OwnerField(forms.ModelChoiceField):
    """One of the active people, by user name."""

    viewer: User | None = None

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.display_name} (me)" if obj == self.viewer else obj.display_name


class RefusableForm(forms.Form):
    """A form that shows what a service refused, at the field concerned or on top."""

    def refuse(self, error: OrderError) -> None:
        """Add the error where it belongs."""
        self.add_error(error.field if error.field in self.fields else None, str(error))


class PurchaseForm(RefusableForm):
    """Why and for whom numbers are ordered. `shown` is sealed (orders/confirmation.py)."""

    owner = OwnerField(
        label="Owner",
        queryset=User.objects.none(),
        to_field_name="username",
        empty_label=None,
        required=False,
    )
    cost_centre = forms.CharField(label="Cost centre", required=False, max_length=LONGEST_COST_CENTRE)
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The approver reads this. One or two sentences are enough.",
        error_messages={"required": "Say why. The approver reads this."},
    )
    sender_id = forms.BooleanField(label="I need sender-ID use. Show this to the approver.", required=False)
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    shown = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, viewer: User, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial={"owner": viewer.username, **(initial or {})})
        self.viewer = viewer
        owner = self.fields["owner"]
        assert isinstance(owner, OwnerField)
        owner.viewer = viewer
        owner.queryset = User.objects.filter(is_active=True).order_by("username")
        self.fields["cost_centre"].widget.attrs |= {"list": "cost-centres", "autocomplete": "off"}

    def clean_owner(self) -> User:
        """Who was chosen; without a choice it is who orders."""
        return self.cleaned_data["owner"] or self.viewer

    def facts(self) -> dict[str, Any]:
        """What was entered, as services.submit_purchase takes it."""
        return {name: self.cleaned_data[name] for name in ("owner", "cost_centre", "reason", "sender_id")}

    def promise(self, form_token: str, shown: str) -> None:
        """Let the form carry what is offered now, also when it is shown again with what was entered."""
        given = {"form_token": form_token, "shown": shown}
        self.initial.update(given)
        if self.is_bound:
            self.data = self.data.dict() | given  # type: ignore[attr-defined]


class CancelForm(RefusableForm):
    """Why and when a number is given back; now, which leaves no way back, only with the number typed."""

    timing = forms.ChoiceField(
        label="When?", choices=Timing.choices, initial=Timing.MONTH_END, widget=forms.RadioSelect
    )

    reason = forms.CharField(
        label="Why is it cancelled?",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The approver reads this.",
        error_messages={"required": "Say why. The approver reads this."},
    )
    typed_number = forms.CharField(
        label="Type the number to confirm",
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"class": "confirm", "inputmode": "tel", "autocomplete": "off"}),
    )
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        number: str,
        initial: MutableMapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        self.fields["typed_number"].help_text = f"Only for now: {phone_intl(number)}. Spaces do not matter."


class ApproveForm(forms.Form):
    """What the approver was shown: the round of the order, and the fingerprint of its offers."""

    round = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=32767)
    fingerprint = forms.CharField(widget=forms.HiddenInput, max_length=64)
    comment = forms.CharField(required=False, max_length=LONGEST_REASON)
    item = forms.TypedMultipleChoiceField(required=False, coerce=int)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        sent = [one for one in data.getlist("item") if one.isascii() and one.isdigit()] if data else []
        self.fields["item"].choices = [(one, one) for one in sent[:MOST_SENT]]  # type: ignore[attr-defined]

    def facts(self) -> dict[str, Any]:
        """What services.approve takes."""
        facts = {name: self.cleaned_data[name] for name in ("round", "fingerprint", "comment")}
        return facts | {"item_ids": set(self.cleaned_data["item"]) or None}


class OutcomeForm(RefusableForm):
    """What an unknown outcome was, as somebody found out outside of the program."""

    done = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")], error_messages={"required": CHOOSE})
    evidence = forms.CharField(
        label="How do you know?",
        max_length=LONGEST_REASON,
        help_text="For example: the portal shows it under Numbers, ticket 88213.",
        error_messages={"required": "Say how you know. It goes on record with your name."},
    )
    number_key = forms.CharField(
        label="Key in the portal", required=False, max_length=255, help_text="If it was bought and shows one."
    )


class ConfirmOutcomeForm(RefusableForm):
    """Whether the second person agrees with what somebody found out."""

    agree = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")], error_messages={"required": CHOOSE})
    reason = forms.CharField(label="Why not?", required=False, max_length=LONGEST_REASON)


class RejectForm(RefusableForm):
    """Why an order is rejected."""

    comment = forms.CharField(
        label="Why reject it?",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The requester sees this.",
        error_messages={"required": "Say why you reject it. The requester sees this."},
    )
