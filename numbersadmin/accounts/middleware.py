"""What every request of a person needs: a session that is not too old, and times in their zone."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone

SIGNED_IN_AT, SEEN_AT = "signed_in_at", "seen_at"
TOUCH_EVERY = timedelta(minutes=1)  # a request rarely has to write the session


def session_is_over(request: HttpRequest, now: float) -> bool:
    """Was the session idle for too long, or is it too old altogether? `now` in seconds of the epoch."""
    idle = now - request.session.get(SEEN_AT, now)
    age = now - request.session.get(SIGNED_IN_AT, now)
    return idle > settings.SESSION_IDLE.total_seconds() or age > settings.SESSION_ABSOLUTE.total_seconds()


class SessionAgeMiddleware:
    """Ends sessions 30 minutes after the last request or 12 hours after signing in (settings)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            now = timezone.now().timestamp()
            if session_is_over(request, now):
                logout(request)
            else:
                request.session.setdefault(SIGNED_IN_AT, now)
                if now - request.session.get(SEEN_AT, 0) > TOUCH_EVERY.total_seconds():
                    request.session[SEEN_AT] = now
        return whole_page_to_sign_in(request, self.get_response(request))


def whole_page_to_sign_in(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A fragment asked for after the session ended sends the whole page to the sign-in, and back to it after."""
    sign_in = resolve_url(settings.LOGIN_URL)
    if request.headers.get("HX-Request") != "true" or not response.headers.get("Location", "").startswith(
        sign_in
    ):
        return response
    shown = request.headers.get("HX-Current-URL", "").partition("://")[2].partition("/")[2]
    away = HttpResponse(status=204)
    away.headers["HX-Redirect"] = f"{sign_in}?{urlencode({'next': f'/{shown}'})}"
    return away


class TimeZoneMiddleware:
    """Times are shown in the person's own zone, else in the installation's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(ZoneInfo(getattr(request.user, "time_zone", "") or settings.TIME_ZONE)):
            return self.get_response(request)
