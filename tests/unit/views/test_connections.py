"""Signals are connected to methods or to partials: a lambda has no name in a traceback and keeps what it names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import app

ROOT = Path(app.__file__).parent


def connected_in_place(code: str) -> Iterator[int]:
    """Yield the lines on which a lambda or a function of the same function is connected or called later."""
    tree = ast.parse(code)
    for function in ast.walk(tree):
        local = {
            node.name
            for node in ast.walk(function)
            if isinstance(node, ast.FunctionDef) and isinstance(function, ast.FunctionDef) and node is not function
        }
        for node in ast.walk(function) if isinstance(function, ast.FunctionDef | ast.Module) else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_connection = node.func.attr in ("connect", "singleShot")
                for argument in node.args if is_connection else ():
                    is_local = isinstance(argument, ast.Name) and argument.id in local
                    if is_local or isinstance(argument, ast.Lambda):
                        yield argument.lineno


def test_signals_are_connected_to_methods() -> None:
    found = {
        f"{path.relative_to(ROOT).as_posix()}:{line}"
        for path in ROOT.rglob("*.py")
        for line in connected_in_place(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "button.clicked.connect(lambda: None)",
        "QTimer.singleShot(0, dialog, lambda: grow(dialog))",
        "def build(button):\n    def on_click(): pass\n    button.clicked.connect(on_click)",
    ],
)
def test_a_lambda_and_a_local_function_are_found(code: str) -> None:
    assert list(connected_in_place(code))


def test_a_method_and_a_partial_are_not() -> None:
    assert not list(connected_in_place("a.clicked.connect(self._on_click)\nb.clicked.connect(partial(f, 1))"))
