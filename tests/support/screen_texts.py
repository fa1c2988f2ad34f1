"""Finds every text that can appear on the screen, in the source itself."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
_CALLS = {"tr": 0, "translate": 1, "QT_TRANSLATE_NOOP": 1}
_TEMPLATES = {"message_template", "hint_template"}


def screen_texts() -> dict[str, str]:
    """Return each English text with the file that has it."""
    found: dict[str, str] = {}
    for file in sorted(APP.rglob("*.py")):
        part = file.relative_to(APP)
        if part.parts[0] in ("simulator", "cli"):
            continue
        for text in _texts_in(ast.parse(file.read_text(encoding="utf-8"))):
            found.setdefault(text, str(part))
    return found


def _texts_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _call_texts(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if {target.id for target in targets if isinstance(target, ast.Name)} & _TEMPLATES:
                yield from _literal(node.value)
        elif isinstance(node, ast.ClassDef) and "Word" in {
            base.id for base in node.bases if isinstance(base, ast.Name)
        }:
            for member in node.body:
                if isinstance(member, ast.Assign):
                    yield from _literal(member.value)


def _call_texts(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "MessageKind" and len(node.args) == 2:
        yield from _literal(node.args[1])
    place = _CALLS.get(name)
    if place is not None and len(node.args) > place:
        yield from _literal(node.args[place])


def _literal(node: ast.expr) -> Iterator[str]:
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(character.isalpha() for character in node.value)
    ):
        yield node.value


def placeholders(text: str) -> set[str]:
    """Return the names in braces; those that only choose between singular and plural are no more than grammar."""
    return {name for _, name, spec, _ in string.Formatter().parse(text) if name and "/" not in (spec or "")}
