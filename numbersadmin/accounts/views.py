"""Signing in and out, and the page about me."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from numbersadmin.accounts import services
from numbersadmin.accounts.forms import PasswordForm, PreferencesForm, SignInForm
from numbersadmin.accounts.models import User
from numbersadmin.web import HtmxRequest, require

LONGEST_NEXT = 2000  # Django refuses to redirect to much longer addresses


def page_after(request: HttpRequest, wanted: str) -> str:
    """The page to go to after signing in: one of ours, else the front page."""
    safe = wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe and len(iri_to_uri(wanted)) <= LONGEST_NEXT else settings.LOGIN_REDIRECT_URL


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    if request.method != "POST" and request.user.is_authenticated:
        return redirect(page_after(request, wanted))
    form = SignInForm(request, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        person = form.get_user()
        assert isinstance(person, User)
        services.sign_in(request=request, person=person, now=timezone.now())
        return redirect(page_after(request, wanted))
    status = 422 if form.is_bound else 200
    return render(request, "accounts/sign_in.html", {"form": form, "next": wanted}, status=status)


@require("me.view")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.sign_out(request=request, now=timezone.now())
    return redirect("sign-in")


@require("me.view")
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HtmxRequest) -> HttpResponse:
    person = request.user
    form = PreferencesForm(request.POST or None, initial=chosen_by(person))
    if form.is_bound and form.is_valid():
        services.set_preferences(actor=person, now=timezone.now(), **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("me")
    return show_me(request, form, PasswordForm(person=person))


@require("me.view")
@sensitive_post_parameters()
@require_POST
def change_password(request: HtmxRequest) -> HttpResponse:
    person = request.user
    form = PasswordForm(request.POST, person=person)
    if form.is_valid():
        services.change_password(
            request=request, password=form.cleaned_data["new_password"], now=timezone.now()
        )
        messages.success(request, "Password changed. Your other sessions were ended.")
        return redirect("me")
    return show_me(request, PreferencesForm(initial=chosen_by(person)), form)


def chosen_by(person: User) -> dict[str, Any]:
    """What the person has chosen so far."""
    return {name: getattr(person, name) for name in PreferencesForm.base_fields}


def show_me(request: HtmxRequest, preferences: PreferencesForm, password: PasswordForm) -> HttpResponse:
    """The page about me with both its forms."""
    status = 422 if preferences.errors or password.errors else 200
    return render(
        request, "accounts/me.html", {"form": preferences, "password_form": password}, status=status
    )
