"""Walks all that the product says, in Chinese: every code, every word of an enum, every message in another."""

import importlib
import inspect
import pkgutil
import random
import re
import string
from collections.abc import Iterator
from enum import Enum
from functools import cache

import pytest

import app
from app.bootstrap.texts import log_texts
from app.domain.errors import OperationalError
from app.domain.messages import Message, MessageKind, Sayable, Word, sentence
from app.domain.states import BackupKind, TaskKind
from app.domain.units import filled_if_possible
from app.engine.doctor.kinds import FindingKind
from app.views.translation import Language, load_table
from tests.support.latin import scraps
from tests.support.screen_texts import screen_texts

CHINESE = load_table(Language.CHINESE)


@cache
def modules() -> tuple[object, ...]:
    """Import every module of the program that is not the simulator's or the command line's."""
    names = [module.name for module in pkgutil.walk_packages(app.__path__, "app.")]
    return tuple(importlib.import_module(name) for name in names if name.split(".")[1] not in ("simulator", "cli"))


def subclasses(base: type) -> Iterator[type]:
    known: list[type] = base.__subclasses__()
    for kind in known:
        yield kind
        yield from subclasses(kind)


@cache
def kinds() -> tuple[MessageKind, ...]:
    """Return every kind of message, wherever it is kept: in a constant, a table, a class."""
    found: dict[MessageKind, None] = {}

    def look(value: object, depth: int = 0) -> None:
        if isinstance(value, MessageKind):
            found[value] = None
        elif depth < 3 and isinstance(value, dict):
            for part in (*value.keys(), *value.values()):
                look(part, depth + 1)
        elif depth < 3 and isinstance(value, tuple | list | set | frozenset):
            for part in value:
                look(part, depth + 1)

    for module in modules():
        for value in vars(module).values():
            look(value)
            if inspect.isclass(value) and value.__module__.startswith("app."):
                for member in vars(value).values():
                    look(member)
    return tuple(found)


def words() -> list[Sayable]:
    modules()
    return [*BackupKind, *TaskKind, *(member for kind in subclasses(Word) for member in kind)]  # type: ignore[attr-defined]


def templates() -> dict[str, str]:
    """Return every English template with what it belongs to."""
    modules()
    found = {kind.template: kind.code for kind in kinds()}
    for error in subclasses(OperationalError):
        if error.__module__.startswith("app.") and not error.__module__.startswith(("app.cli", "app.simulator")):
            found[error.message_template] = error.code  # type: ignore[attr-defined]
            found[error.hint_template] = f"{error.code}.remedy"  # type: ignore[attr-defined]
    for finding in subclasses(FindingKind):
        found[finding.message_template] = finding.code  # type: ignore[attr-defined]
        if finding.hint_template:  # type: ignore[attr-defined]
            found[finding.hint_template] = f"{finding.code}.remedy"  # type: ignore[attr-defined]
    for word in words():
        found[word.said().kind.template] = word.said().kind.code
    return found


def chinese(template: str) -> str:
    return CHINESE.get(f"Messages|{template}") or CHINESE.get(template) or template


def without_names(template: str) -> str:
    """Return a template with its parameters gone."""
    return "".join(literal for literal, _, _, _ in string.Formatter().parse(template))


TEMPLATES = templates()


@pytest.mark.parametrize("template", sorted(TEMPLATES), ids=lambda template: TEMPLATES[template])
def test_a_chinese_sentence_has_no_english_in_it(template: str) -> None:
    told = without_names(chinese(template))
    if without_names(template).strip(" :;,.()"):
        assert template in {key.rpartition("|")[2] for key in CHINESE} or template in CHINESE, "it has no Chinese"
    assert scraps(told) == []


def test_every_kind_of_message_and_every_enum_is_found() -> None:
    codes = {kind.code for kind in kinds()}
    assert {"task.started", "system.absent", "tls.failed", "http.404", "fault.file_locked", "version.tpm"} <= codes
    assert {type(word).__name__ for word in words()} >= {
        "BackupKind",
        "TaskKind",
        "Operation",
        "Done",
        "MapSource",
    }
    assert len(codes) > 500


def test_every_kind_of_log_line_is_in_the_catalogue_of_the_engine() -> None:
    known = log_texts().templates
    for module in modules():
        name = str(vars(module)["__name__"])
        if name.endswith(".messages") and name != "app.domain.messages":
            for kind in vars(module).values():
                assert not isinstance(kind, MessageKind) or known.get(kind.code) == kind.template, kind


def test_every_kind_has_a_code_of_its_own() -> None:
    seen: dict[str, str] = {}
    for kind in kinds():
        assert seen.setdefault(kind.code, kind.template) == kind.template, kind.code


def nested(rng: random.Random, depth: int) -> Message:
    """Return a message of any kind, its parameters filled with names, numbers, words and other messages."""
    kind = rng.choice(kinds())
    names = {name for _, name, _, _ in string.Formatter().parse(kind.template) if name}
    params: dict[str, object] = {}
    for name in names:
        choice = rng.random()
        if depth and choice < 0.5:
            params[name] = nested(rng, depth - 1)
        elif choice < 0.7:
            params[name] = rng.choice(words())
        else:
            params[name] = rng.choice(("1", "2", "“虚机”"))
    return kind.fill(**params)


def test_messages_inside_of_messages_are_told_in_the_same_language() -> None:
    rng = random.Random(7)
    for _ in range(2_000):
        message = nested(rng, 3)
        told = sentence(message.kind.template, message.params, chinese)
        assert scraps(told) == [], (message.kind.code, told)
        assert "{" not in told
        assert "。。" not in told


COUNTS = {
    *("count", "n", "hours", "seconds", "minutes", "times", "tasks", "points", "days", "blocks", "chunks"),
    *("opened", "attempts", "vms", "bad", "of"),
}
"""Parameters that are numbers of things."""
_ADJECTIVES = "protected|restore|damaged|expired|recovery|open"
_VERBS = "is|was|has|stays|needs"
_MANY = re.compile(rf"\b1 (?:(?:{_ADJECTIVES}) )?(?!(?:{_VERBS})\b)[A-Za-z]+(?<!s)s\b")


@pytest.mark.parametrize("template", sorted({*TEMPLATES, *screen_texts()}))
def test_one_thing_is_told_in_the_singular(template: str) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    told = filled_if_possible(template, {name: "1" if name in COUNTS else "X" for name in names})
    assert not _MANY.search(told), told


def test_no_enum_without_words_is_a_parameter() -> None:
    class Wordless(Enum):
        ONE = "one"

    with pytest.raises(TypeError, match="no words"):
        MessageKind("test.kind", "{it}").fill(it=Wordless.ONE)
