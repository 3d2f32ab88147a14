"""The packages follow the way of the data: nothing imports upward, and no two modules import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = [
    "types", "settings", "errors", "bounds", "replies", "documents", "models", "index", "quantities", "answer", "langchain_adapter", "chatbot", "server",
    "page", "__main__", "__init__",
]  # fmt: skip
"""The packages and modules of `rag`; each imports only from those before it, the first four from each other."""
CARRIERS = 4
MODULES = sorted(path.relative_to(ROOT).with_suffix("") for path in (ROOT / "rag").rglob("*.py"))


def imported(module: Path) -> Iterator[Path]:
    """The modules of `rag` that a module imports, also inside its functions."""
    for node in ast.walk(ast.parse((ROOT / module).with_suffix(".py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            place = Path(*node.module.split("."))
            names = [place / alias.name for alias in node.names]
            yield from (name if name in MODULES else place for name in names if place.parts[0] == "rag")
        elif isinstance(node, ast.Import):
            yield from (Path(*one.name.split(".")) for one in node.names if one.name.split(".")[0] == "rag")


def room(module: Path) -> int:
    return ORDER.index(module.parts[1]) if len(module.parts) > 1 else len(ORDER)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_nothing_imports_upward(module: Path) -> None:
    own = room(module)
    upward = {str(other) for other in imported(module) if room(other) > max(own, CARRIERS - 1)}
    assert not upward


def test_no_modules_import_each_other() -> None:
    arrows = {module: set(imported(module)) & set(MODULES) - {module} for module in MODULES}
    left = dict(arrows)
    while free := [module for module, others in left.items() if not others & left.keys()]:
        for module in free:
            del left[module]
    assert not left, f"these import each other in a circle: {sorted(map(str, left))}"


def test_the_product_imports_nothing_that_measures_it() -> None:
    for module in MODULES:
        text = (ROOT / module).with_suffix(".py").read_text(encoding="utf-8")
        names = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any(str(getattr(node, "module", "") or "").split(".")[0] in {"eval", "tests"} for node in names)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_first_line_of_a_docstring_is_short(module: Path) -> None:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = ast.walk(ast.parse((ROOT / module).with_suffix(".py").read_text(encoding="utf-8")))
    first = [(ast.get_docstring(node) or "").partition("\n")[0] for node in nodes if isinstance(node, kinds)]
    assert [line for line in first if len(line.split()) > 15] == []
