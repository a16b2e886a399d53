"""Runs axe-core in a page. It is put there by the browser itself, so the pages' policy stays as strict as it is."""

from pathlib import Path

from playwright.sync_api import Page

from tests.browser.watch import Visitor

SOURCE = (Path(__file__).parent / "axe.min.js").read_text()
RUN = "rules => axe.run(document, {resultTypes: ['violations'], ...(rules ? {runOnly: rules} : {})})"
COLOURS = ["color-contrast", "link-in-text-block"]


def with_axe(visitor: Visitor) -> Visitor:
    """The same visitor; every page they open from now on has axe."""
    visitor.page.add_init_script(SOURCE)
    return visitor


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe has to say about the page as it is, by these rules or all, one line for each element."""
    found = page.evaluate(RUN, rules)["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]
