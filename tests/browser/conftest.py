"""What the walks share: the real product with its demo data, Chromium, and a watch on everything that goes wrong."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.product import Product, running
from tests.browser.watch import Visitor, arrival, browser


@dataclass(frozen=True)
class Beginning:
    """A state directory whose first start was interrupted in the demo data, and what both starts said."""

    folder: Path
    interrupted: str
    completed: str


@pytest.fixture(scope="session")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    """A product that was started, stopped by Ctrl-C amid its demo data, started again, and stopped."""
    folder = tmp_path_factory.mktemp("first") / "var"
    with running(folder, ready=False) as first:
        first.wait_for(" numbers\n")
        assert first.stop() == 0, first.said
    with running(folder) as second:
        assert second.stop() == 0, second.said
    return Beginning(folder, first.said, second.said)


@pytest.fixture
def demo_copy(beginning: Beginning, tmp_path: Path) -> Path:
    """A copy of it for a test that starts and ends the product itself."""
    shutil.copytree(beginning.folder, tmp_path / "var", dirs_exist_ok=True)
    return tmp_path / "var"


@pytest.fixture(scope="session")
def product(beginning: Beginning) -> Iterator[Product]:
    """The product started again on the same data, for all walks; it has to end clean."""
    with running(beginning.folder) as product:
        yield product
        assert product.stop() == 0, product.said
    assert "Traceback" not in product.said, product.said


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def keys() -> dict[str, Any]:
    """What the browsers of people who have signed in keep: by name, so that each signs in once."""
    return {}


@pytest.fixture
def visit(chromium: Browser, product: Product, keys: dict[str, Any]) -> Iterator[Callable[..., Visitor]]:
    """`visit("manager")` is a browser of its own in which that person has signed in; options go to the context.

    At the end nothing may have gone wrong in any of them.
    """
    visitors: list[Visitor] = []

    def arrive(name: str = "", **options: Any) -> Visitor:
        visitors.append(arrival(chromium, product, keys, name, **options))
        return visitors[-1]

    yield arrive
    for visitor in visitors:
        problems = visitor.watch.problems
        visitor.page.context.close()
        assert problems == []
