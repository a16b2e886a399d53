"""The house holds: imports run one way, names and sizes are kept. Each rule is shown to be able to fail."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = [
    "overview",
    "invoices",
    "costs",
    "sync",
    "attestation",
    "available",
    "orders",
    "policies",
    "numbers",
    "accounts",
    "audit",
]  # each may import those after
ALONE = {"provider", "sandbox", "web", "money", "formats", "export", "rows"}
FREE_FOR_ALL = {"web", "money", "formats", "export", "rows"}
PROVIDER_USERS = {"overview", "sync", "available", "orders", "numbers"}
WIRING = {"settings", "urls", "celery", "wsgi"}
OPEN_FILES = {"models", "selectors", "services"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "lib", "misc", "managers", "signals"}
LAYERS = {"urls": 5, "views": 4, "forms": 3, "tasks": 3, "services": 2, "selectors": 1, "models": 0}
MAX_FILE, MAX_FUNCTION, MAX_VIEW, MAX_TEMPLATE = 400, 50, 30, 150


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Modules of ours that a file imports, as `orders.models`, with the line."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "numbersadmin" or node.module.count(".") == 1:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("numbersadmin."):
                yield name.removeprefix("numbersadmin."), node.lineno


def import_faults(path: Path, text: str) -> Iterator[str]:
    """Imports of a file under numbersadmin/ that run against the arrows."""
    parts = path.with_suffix("").parts
    home, module = parts[0], parts[-1]
    for name, line in imported(ast.parse(text)):
        target, _, inner = name.partition(".")
        layer = inner.partition(".")[0]
        if home in WIRING or (target in FREE_FOR_ALL and home not in ALONE - {"export", "formats"}):
            continue
        if target == home:
            if LAYERS.get(module, 9) < LAYERS.get(layer, -1):
                yield f"{path}:{line} {module} imports {layer} of its own app"
        elif home in ALONE:
            if not (target in FREE_FOR_ALL and home in {"formats", "export"}):
                yield f"{path}:{line} {home} imports {target}"
        elif target == "provider":
            if home not in PROVIDER_USERS:
                yield f"{path}:{line} {home} imports the provider"
        elif target in ORDER and home in ORDER:
            if ORDER.index(target) < ORDER.index(home):
                yield f"{path}:{line} {home} imports {target}, against the arrows"
            elif layer not in OPEN_FILES | {"roles", "append_only"}:
                yield f"{path}:{line} {home} imports {target}.{layer}; only models, selectors and services are open"
        elif not (home == "overview" and target == "celery"):
            yield f"{path}:{line} {home} imports {target}"


def name_faults(path: Path) -> Iterator[str]:
    """Dumping grounds."""
    for part in path.with_suffix("").parts:
        if part in FORBIDDEN_NAMES:
            yield f"{path} is named {part}"


def size_faults(path: Path, text: str) -> Iterator[str]:
    """A missing docstring, and files and functions that are too long."""
    tree = ast.parse(text)
    if text.count("\n") > MAX_FILE:
        yield f"{path} has {text.count(chr(10))} lines"
    docstring = ast.get_docstring(tree) or ""
    if text.strip() and not docstring.partition("\n")[0].endswith((".", ";", ":", ",")):
        yield f"{path} does not open with one line saying what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > (MAX_VIEW if path.name.endswith("views.py") else MAX_FUNCTION):
                yield f"{path}:{node.lineno} {node.name} has {lines} lines"


def sources(folder: str) -> list[Path]:
    """Python files below a folder of the project, without migrations."""
    return [p for p in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in p.parts]


def test_imports_run_one_way():
    package = ROOT / "numbersadmin"
    found = [f for p in sources("numbersadmin") for f in import_faults(p.relative_to(package), p.read_text())]
    assert found == []


def test_names_say_what_is_inside():
    found = [
        f
        for folder in ("numbersadmin", "tests")
        for p in sources(folder)
        for f in name_faults(p.relative_to(ROOT))
    ]
    assert found == []


def test_sizes_are_kept():
    folders = ("numbersadmin", "tests", "bench", "scripts")
    found = [
        f
        for folder in folders
        for p in sources(folder)
        for f in size_faults(p.relative_to(ROOT), p.read_text())
    ]
    assert found == []


def test_templates_are_short():
    templates = (ROOT / "templates").rglob("*.html")
    assert [str(p) for p in templates if p.read_text().count("\n") > MAX_TEMPLATE] == []


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("numbers/views.py", "from numbersadmin.orders.models import Order", "against the arrows"),
        ("numbers/views.py", "from numbersadmin.orders import models", "against the arrows"),
        (
            "orders/views.py",
            "from numbersadmin.numbers.views import detail",
            "only models, selectors and services",
        ),
        ("orders/selectors.py", "from numbersadmin.orders.views import detail", "of its own app"),
        (
            "provider/client.py",
            "from numbersadmin.numbers.models import OwnedNumber",
            "provider imports numbers",
        ),
        ("sandbox/server.py", "from numbersadmin import settings", "sandbox imports settings"),
        ("money.py", "from numbersadmin.web import require", "money imports web"),
        (
            "costs/selectors.py",
            "from numbersadmin.provider.client import get_provider",
            "costs imports the provider",
        ),
    ],
)
def test_a_wrong_import_is_found(path, text, fault):
    found = list(import_faults(Path(path), text))
    assert found
    assert fault in found[0]


def test_a_dumping_ground_is_found():
    assert list(name_faults(Path("numbersadmin/orders/utils.py")))


def test_what_is_too_long_is_found():
    long_function = '"""A file."""\ndef f():\n' + "    x = 1\n" * 51
    assert [
        "f has 52 lines" in fault for fault in size_faults(Path("orders/services.py"), long_function)
    ] == [True]
    assert len(list(size_faults(Path("a.py"), "x = 1\n" * 401))) == 2  # too long, and no docstring
    long_view = '"""A file."""\ndef f():\n' + "    x = 1\n" * 31
    assert list(size_faults(Path("orders/views.py"), long_view))
