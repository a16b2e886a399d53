"""HTTP glue: permissions on views, page or fragment, and the facts of a request that the audit log keeps."""

import contextlib
import functools
import sys
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django_htmx.middleware import HtmxDetails

View = Callable[..., HttpResponseBase]


class HtmxRequest(HttpRequest):
    """A request as our views see it: with `htmx` and a signed-in person."""

    htmx: HtmxDetails
    user: Any


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """Where a change came from: `source` is ui, celery or cli."""

    request_id: str = ""
    ip: str | None = None
    source: str = "cli"


NOWHERE = RequestFacts()
_facts: ContextVar[RequestFacts] = ContextVar("request_facts", default=NOWHERE)


def facts() -> RequestFacts:
    """The facts of the request, task or command that is running."""
    return _facts.get()


@contextlib.contextmanager
def acting(source: str, request_id: str = "", ip: str | None = None) -> Iterator[RequestFacts]:
    """Say where the changes made inside come from."""
    token = _facts.set(RequestFacts(request_id or uuid.uuid4().hex[:12], ip, source))
    try:
        yield _facts.get()
    finally:
        _facts.reset(token)


def client_ip(request: HttpRequest) -> str | None:
    """The address of the person's machine: in production the one our proxy appended, else the socket's."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.PRODUCTION else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR")


class RequestFactsMiddleware:
    """Give each request an id, and each answer the headers that all of ours carry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting("ui", ip=client_ip(request)) as known:
            response = self.get_response(request)
        response.headers.setdefault("X-Request-ID", known.request_id)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def require(permission: str) -> Callable[[View], View]:
    """Let only people with the permission (accounts/roles.py) into a view; everyone else gets the 403 page."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.can(permission):  # type: ignore[union-attr]
                raise PermissionDenied(permission)
            return view(request, *args, **kwargs)

        checked.permission = permission  # type: ignore[attr-defined]
        return checked

    return decorate


def wants_fragment(request: HtmxRequest) -> bool:
    """Does htmx ask for a part of the page? (A boosted request and a history restore want the whole.)"""
    return bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form that no longer belongs to the session, as after signing in in another tab."""
    return render(request, "403_csrf.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for our own failures; a database that is away or busy is said to be that, and answers 503.

    Rendered without a context: nothing that may have failed is needed to say so.
    """
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    context = {"database_away": away, "reference": facts().request_id}
    response = HttpResponse(render_to_string("500.html", context), status=503 if away else 500)
    if away:
        response.headers["Retry-After"] = "10"
    return response
