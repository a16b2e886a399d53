"""The filters of the audit log."""

from datetime import datetime, time, timedelta

from django import forms
from django.contrib.auth import get_user_model
from django.utils import timezone

from numbersadmin.audit.models import ActorType
from numbersadmin.audit.selectors import Filters
from numbersadmin.audit.words import KINDS


class DateInput(forms.DateInput):
    """The browser's own date field."""

    input_type = "date"


class FilterForm(forms.Form):
    """Number or order, kind, person, days; a GET form, so that each state of the page is a link."""

    q = forms.CharField(label="Number or order", max_length=60, required=False)
    what = forms.ChoiceField(label="What", choices=[("", "Everything"), *KINDS.items()], required=False)
    who = forms.ChoiceField(label="Who", required=False)
    since = forms.DateField(label="From", widget=DateInput, required=False)
    until = forms.DateField(label="To", widget=DateInput, required=False)
    hide_syncs = forms.BooleanField(label="Hide syncs", required=False)

    def __init__(self, *args: object, names: list[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        program = [ActorType.SYSTEM.label, ActorType.PROVIDER.label]
        self.fields["who"].choices = [("", "Anyone"), *((n, n) for n in [*names, *program])]  # type: ignore[attr-defined]

    @classmethod
    def everyone(cls) -> list[str]:
        """The user names to choose from."""
        return list(get_user_model().objects.order_by("username").values_list("username", flat=True))

    def clean(self) -> dict[str, object]:
        given = super().clean() or {}
        if given.get("since") and given.get("until") and given["since"] > given["until"]:
            self.add_error("until", "The last day lies before the first.")
        return given

    def filters(self) -> Filters:
        """What was asked for; days are those of the person's time zone."""
        given = self.cleaned_data
        zone = timezone.get_current_timezone()

        def start(day: object) -> datetime | None:
            return datetime.combine(day, time.min, zone) if day else None  # type: ignore[arg-type]

        until = given.get("until")
        return Filters(
            q=given.get("q", ""),
            what=given.get("what", ""),
            who=given.get("who", ""),
            since=start(given.get("since")),
            until=start(until + timedelta(days=1)) if until else None,
            hide_syncs=given.get("hide_syncs", False),
        )
