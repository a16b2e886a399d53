"""Screenshots of the real product with its demo data: `python -m tests.browser.shots docs/screenshots`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.pages import addresses
from tests.browser.product import Product, running
from tests.browser.watch import arrival, browser

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
MODES: dict[str, dict[str, Any]] = {
    "light": DESKTOP,
    "dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
EVERYWHERE = ("overview", "available", "order-of-three", "numbers", "costs")
SHOWN = {
    "approver": (*EVERYWHERE, "orders-open", "number", "audit", "sync"),
    "manager": ("order-new", "number-cancel"),
    "": ("sign-in",),
}


def settle(page: Page) -> None:
    """Until what the page loads by itself is there."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => true)")


def take(chromium: Browser, product: Product, folder: Path) -> None:
    """All pages light; the ones that people see first dark and on a phone too."""
    keys: dict[str, Any] = {}
    pages = {**addresses(arrival(chromium, product, keys, "manager").page), "sign-in": "/sign-in/"}
    for person, names in SHOWN.items():
        for mode, options in MODES.items():
            page = arrival(chromium, product, keys, person, **options).page
            for name in names if mode == "light" else [name for name in names if name in EVERYWHERE]:
                page.goto(pages[name])
                PREPARED.get(name, settle)(page)
                settle(page)
                page.screenshot(path=folder / f"{name}-{mode}.png")
            page.context.close()


def choose(page: Page) -> None:
    """Tick two, so that the bar with the sums shows."""
    for at in (1, 3):
        page.locator('input[name="offer"]:enabled').nth(at).check()
    page.evaluate("scrollTo(0, 0)")


def fill_in(page: Page) -> None:
    """Say why and for whom, as before sending."""
    page.get_by_label("Cost centre").fill("4120 Retail")
    page.get_by_label("Reason").fill("Order confirmations for the new shop")
    page.evaluate("document.activeElement.blur()")


PREPARED = {"available": choose, "order-new": fill_in}


def main(folder: Path) -> None:
    """Start the product, take the pictures, stop it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        running(Path(state) / "var") as product,
        browser() as chromium,
    ):
        take(chromium, product, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots"))
