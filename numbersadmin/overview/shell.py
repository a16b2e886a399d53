"""The facts around every page: navigation counts, provider health, banners."""

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context `shell`."""
    return {"shell": {}}
