"""An engine whose names try to be markup: every text from outside in every answer carries some."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from tests.support.scripted_door import ScriptedDoor

OUTSIDE: Final = frozenset(
    {
        "name",
        "vm_name",
        "rule_name",
        "original_name",
        "subject",
        "detail",
        "message",
        "hint",
        "text",
        "title",
        "host",
        "host_name",
        "datastore",
        "adapter",
        "purpose",
        "guest",
        "full_name",
        "datacenter",
        "folder",
        "network",
        "networks",
        "label",
        "params",
        "issuer",
        "user",
        "root_path",
        "standby_name",
        "platform_name",
        "target_name",
        "source_kept_as",
        "hostname",
    }
)


def make_hostile(door: ScriptedDoor, markup: str) -> None:
    """Let every answer of a door carry markup in its texts."""
    door.change_answers(lambda answer: spoiled(answer, markup))


def spoiled(value: Any, markup: str) -> Any:
    """Return a value in which the texts from outside carry markup."""
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(spoiled(item, markup) for item in value)
    if isinstance(value, dict):
        return {key: spoiled(item, markup) for key, item in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for field in fields(value):
        if not field.init:
            continue
        old = getattr(value, field.name)
        new = _marked(old, markup) if field.name in OUTSIDE else spoiled(old, markup)
        if new is not old:
            changed[field.name] = new
    return replace(value, **changed)


def _marked(value: Any, markup: str) -> Any:
    if isinstance(value, str):
        return f"{markup}{value}" if value else value
    if isinstance(value, tuple):
        if len(value) == 2 and all(isinstance(item, str) for item in value):
            return (value[0], _marked(value[1], markup))
        return tuple(_marked(item, markup) for item in value)
    return spoiled(value, markup)
