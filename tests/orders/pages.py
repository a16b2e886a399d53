"""Reading our own pages as a browser does: forms with their fields, elements with their hooks, fragments."""

import re
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client

VOID = {"input", "img", "meta", "link", "br", "hr", "use"}


class _Reader(HTMLParser):
    """Collects every element with its attributes, and the fields of each form under its data-action."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[dict[str, str]] = []
        self.forms: dict[str, dict[str, Any]] = {}
        self._form: dict[str, Any] | None = None
        self._area, self._select = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs} | {"": tag}
        self.elements.append(facts)
        if tag == "form" and "data-action" in facts:
            self._form = self.forms[facts["data-action"]] = {"": facts}
        elif self._form is None:
            return
        elif tag == "input" and facts.get("type") == "hidden":
            self._form.setdefault(facts["name"], []).append(facts.get("value", ""))
        elif tag == "input" and (facts.get("type") not in ("checkbox", "radio") or "checked" in facts):
            self._form[facts["name"]] = [facts.get("value", "on" if facts["type"] == "checkbox" else "")]
        elif tag == "textarea":
            self._area = facts["name"]
            self._form[self._area] = [""]
        elif tag == "select":
            self._select = facts["name"]
        elif tag == "option" and "selected" in facts:
            self._form[self._select] = [facts["value"]]

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._area:
            self._form[self._area] = [data.removeprefix("\n")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = ""


class Page:
    """An answer, read."""

    def __init__(self, response: HttpResponse) -> None:
        self.response, self.status = response, response.status_code
        self.html = response.content.decode()
        reader = _Reader()
        reader.feed(self.html)
        self.forms, self._elements = reader.forms, reader.elements
        posted = {name: form for name, form in self.forms.items() if form[""].get("method") == "post"}
        assert not [name for name, form in posted.items() if "csrfmiddlewaretoken" not in form]

    def all(self, *names: str, **values: str) -> list[dict[str, str]]:
        """The elements that have these attributes; `data_item="3"` means data-item with this value."""
        wanted = {name.replace("_", "-"): value for name, value in values.items()}
        return [
            found
            for found in self._elements
            if all(name in found for name in names) and wanted.items() <= found.items()
        ]

    @property
    def text(self) -> str:
        """What a person reads, in one line with plain spaces."""
        bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", self.html, flags=re.S)
        return re.sub(r"\s+", " ", bare.replace("&#x27;", "'").replace("&amp;", "&"))

    def fields(self, action: str) -> dict[str, list[str]]:
        """The fields of the form with this data-action, as the browser would send them untouched."""
        return {name: list(value) for name, value in self.forms[action].items() if name}

    def send(self, client: Client, action: str, **entered: Any) -> HttpResponse:
        """Send that form with what a person entered; None takes a field out."""
        sent = {**self.fields(action), **entered}
        form = self.forms[action][""]
        assert form["method"] == "post"
        address = form.get("action") or self.response.wsgi_request.path  # type: ignore[attr-defined]
        return client.post(address, {name: value for name, value in sent.items() if value is not None})


def get(client: Client, address: str, **headers: str) -> Page:
    """Open a page."""
    return Page(client.get(address, headers=headers))


def bare(html: str) -> str:
    """Markup without what differs at each render: white space and the token against forged requests."""
    html = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", html)
    return re.sub(r"\s+", " ", html).strip()


def fragment_stands_in_page(client: Client, address: str) -> str:
    """What htmx gets is a part of what a browser gets; returns it."""
    page = client.get(address)
    fragment = client.get(address, headers={"HX-Request": "true"})
    assert "<html" in page.content.decode()
    assert "<html" not in fragment.content.decode()
    assert bare(fragment.content.decode()) in bare(page.content.decode())
    assert "HX-Request" in page.headers["Vary"]
    assert "HX-Request" in fragment.headers["Vary"]
    return fragment.content.decode()
