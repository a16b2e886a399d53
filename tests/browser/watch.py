"""A person in a browser, and what goes wrong there: console errors, blocked content, failed requests."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

from tests.browser.product import Product

FLAGS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]

LEFT_BEHIND = "net::ERR_ABORTED"  # a request of a page that was left: not a failure


@dataclass
class Watch:
    """Notes everything that a person would see in the developer tools as red."""

    page: Page
    problems: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)  # answers that the walk asks for, as 422 for a wrong form

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self._is_expected(message.text):
            self.problems.append(f"console {message.type}: {message.text} ({self.page.url})")

    def _is_expected(self, text: str) -> bool:
        return any(f"status of {status}" in text for status in self.expected)

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT_BEHIND:
            self.problems.append(f"request failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"{response.status}: {response.request.method} {response.url}")


@dataclass
class Visitor:
    """One person in a browser of their own."""

    page: Page
    watch: Watch

    def sign_in(self, name: str, password: str) -> None:
        """Through the form, as everybody does."""
        self.page.goto("/sign-in/")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        assert self.path == "/", self.page.url

    @property
    def path(self) -> str:
        """Where the person is, without the query."""
        return urlsplit(self.page.url).path

    def press(self, action: str) -> None:
        """Send the form with this data-action by its visible button."""
        self.page.locator(f'form[data-action="{action}"] [type=submit]:visible').first.click()


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium") or "/usr/bin/chromium"
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


def arrival(
    chromium: Browser, product: Product, keys: dict[str, Any], name: str = "", **options: Any
) -> Visitor:
    """A new browser at the product, signed in as the person; `keys` are kept for their next ones."""
    known = {"storage_state": keys[name]} if name in keys else {}
    context = chromium.new_context(base_url=product.url, **{"locale": "en-GB", **known, **options})
    page = context.new_page()
    visitor = Visitor(page, Watch(page))
    if name and not known:
        visitor.sign_in(name, product.password(name))
        keys[name] = context.storage_state()
    return visitor
