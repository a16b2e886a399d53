"""No float anywhere money passes: read from the syntax tree, so that it holds for lines that no test runs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "numbersadmin"
MONEY_PATHS = [
    ROOT / "money.py",
    ROOT / "export.py",
    ROOT / "provider/schema.py",
    ROOT / "numbers/models.py",
    ROOT / "numbers/services.py",
    ROOT / "numbers/tally.py",
    ROOT / "numbers/rows.py",
    ROOT / "orders/quotes.py",
    ROOT / "sync/acquired.py",
    *sorted((ROOT / "costs").rglob("*.py")),
    *sorted((ROOT / "invoices").rglob("*.py")),
]
IN_FORMATS = {"money", "signed_money", "bare_money", "bare_signed_money", "money_text", "micro"}
IN_FORMATS |= {"figure_text", "_money_cell", "_known"}
FLOATING = {"math", "statistics", "numpy", "cmath", "random"}


def floats_in(tree: ast.AST) -> Iterator[str]:
    """Float literals, calls of float(), and modules that compute in floats."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: {node.value}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"{node.lineno}: float()"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"total_seconds", "timestamp", "from_float", "__float__"}:
                yield f"{node.lineno}: {node.func.attr}()"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            for name in {name.partition(".")[0] for name in names} & FLOATING:
                yield f"{node.lineno}: import {name}"


@pytest.mark.parametrize("path", MONEY_PATHS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_float_where_money_passes(path):
    assert list(floats_in(ast.parse(path.read_text()))) == []


def test_no_float_where_money_is_written_for_people():
    tree = ast.parse((ROOT / "formats.py").read_text())
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in IN_FORMATS
    ]
    assert {function.name for function in functions} == IN_FORMATS
    assert [found for function in functions for found in floats_in(function)] == []


@pytest.mark.parametrize(
    "line",
    [
        "share = 0.5",
        "share = price * 1e-6",
        "amount = float(price)",
        "import math",
        "from statistics import mean",
        "days = (end - start).total_seconds()",
        "amount = Decimal.from_float(price)",
    ],
)
def test_the_search_finds_what_it_looks_for(line):
    assert list(floats_in(ast.parse(f"def charge():\n    {line}"))) != []


def test_exact_code_is_left_alone():
    exact = "def share(price: Decimal) -> Decimal:\n    return (price * 19 // 31) + Decimal('0.000001') - 1"
    assert list(floats_in(ast.parse(exact))) == []
