"""What people send about themselves."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from numbersadmin.accounts.models import Theme, User


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        "invalid_login": "That user name and password do not go together. Check both; capitals count.",
        "inactive": "That user name and password do not go together. Check both; capitals count.",
    }


class PreferencesForm(forms.Form):
    """Name, mail address, time zone, colours and shortcuts of the person."""

    full_name = forms.CharField(
        label="Name", max_length=150, required=False, help_text="Shown instead of the user name."
    )
    email = forms.EmailField(
        label="Mail address",
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text="What happens to orders that concern you is mailed here. Without it you get no mail.",
    )
    time_zone = forms.ChoiceField(label="Time zone", required=False)
    theme = forms.ChoiceField(label="Colours", choices=Theme.choices, widget=forms.RadioSelect)
    shortcuts = forms.BooleanField(label="Keyboard shortcuts", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(
            zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix"))
        )
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            ("", f"As the installation ({settings.TIME_ZONE})"),
            ("UTC", "UTC"),
            *((zone, zone.replace("_", " ")) for zone in zones),
        ]


class PasswordForm(forms.Form):
    """The old password and a new one."""

    old_password = forms.CharField(
        label="Password now",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
    )
    new_password = forms.CharField(
        label="New password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        help_text="At least 12 characters.",
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean_old_password(self) -> str:
        if not self.person.check_password(self.cleaned_data["old_password"]):
            raise ValidationError("That is not your password now.")
        return self.cleaned_data["old_password"]

    def clean_new_password(self) -> str:
        validate_password(self.cleaned_data["new_password"], self.person)
        return self.cleaned_data["new_password"]
