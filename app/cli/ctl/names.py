"""Finds what the operator means by a name, a key, or the beginning of a key."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from app.contract.door import Door
from app.contract.instant import InstantRow, ListInstantRecoveries
from app.contract.platforms import ListPlatforms
from app.contract.points import ListPoints
from app.contract.rules import ListRules, RuleRow
from app.contract.standbys import ListStandbys
from app.contract.tasks import ListTasks, TaskRow
from app.domain.errors import OperationalError
from app.domain.platforms import Platform
from app.domain.standbys import Standby
from app.domain.tasks import KnownPoint

T = TypeVar("T")
_SHORTEST_BEGINNING = 4


class NothingOfThatName(OperationalError):
    """What was named is not there."""

    code = "ctl.nothing_of_that_name"
    message_template = "There is no {what} named {name}."
    hint_template = "List them to see their names."


class NameAmbiguous(OperationalError):
    """More than one thing fits."""

    code = "ctl.name_ambiguous"
    message_template = "More than one {what} fits {name}."
    hint_template = "Give the whole key."


def find(what: str, name: str, among: Iterable[T], keys: Callable[[T], tuple[str, ...]]) -> T:
    """Return the one thing that has a key or name, or whose first key begins so.

    Raises:
        NothingOfThatName: there is none.
        NameAmbiguous: there are several.
    """
    candidates = list(among)
    exact = [candidate for candidate in candidates if name in keys(candidate)]
    found = exact or [
        candidate
        for candidate in candidates
        if len(name) >= _SHORTEST_BEGINNING and keys(candidate)[0].startswith(name)
    ]
    if not found:
        raise NothingOfThatName(what=what, name=name)
    if len(found) > 1:
        raise NameAmbiguous(what=what, name=name)
    return found[0]


def find_task(door: Door, name: str) -> TaskRow:
    """Return a task by its key, or the beginning of it."""
    tasks = door.ask(ListTasks(limit=100_000))
    return find("task", name, tasks, lambda task: (task.id,))


def find_rule(door: Door, name: str) -> RuleRow:
    """Return a rule."""
    rules = door.ask(ListRules())
    return find("rule", name, rules, lambda rule: (rule.id, rule.name))


def find_platform(door: Door, name: str) -> Platform:
    """Return a platform."""
    platforms = door.ask(ListPlatforms())
    return find(
        "virtual platform", name, platforms, lambda platform: (platform.id, platform.name, platform.address)
    )


def find_standby(door: Door, name: str) -> Standby:
    """Return a standby machine."""
    standbys = door.ask(ListStandbys())
    return find("standby machine", name, standbys, lambda standby: (standby.id, standby.name, standby.root_path))


def find_recovery(door: Door, name: str) -> InstantRow:
    """Return an instant recovery by its key, or the name of the VM that runs from the point."""
    rows = door.ask(ListInstantRecoveries())
    return find("instant recovery", name, rows, lambda row: (row.id, row.name))


def find_point(door: Door, name: str, standby: str | None) -> KnownPoint:
    """Return a restore point by its key, on one standby machine or on whichever has it."""
    among = door.ask(ListPoints(standby=None if standby is None else find_standby(door, standby).id))
    return find("restore point", name, among, lambda known: (known.point.id,))
