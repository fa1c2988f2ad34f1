"""What a comparison of a configuration with what is here collects, part by part."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from app.contract.moving import ImportItem, ItemDecision
from app.domain.hooks import AllHooks
from app.domain.messages import Message
from app.domain.moving import Intake, ItemChoice, ItemKind, ItemState, StandbyWithRepositories
from app.domain.notifications import NotificationSettings
from app.domain.platforms import Platform
from app.domain.rules import BackupRule

_ID = re.compile(r"[0-9A-Za-z-]{1,36}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is here."""

    platforms: tuple[Platform, ...] = ()
    standbys: tuple[StandbyWithRepositories, ...] = ()
    rules: tuple[BackupRule, ...] = ()
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    hooks: AllHooks = field(default_factory=AllHooks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What an import would do."""

    items: tuple[ImportItem, ...]
    intake: Intake
    secrets: tuple[tuple[str, str], ...]
    """Which secrets of the file belong to what is added: the name in the file, and the one here."""
    late_secrets: tuple[tuple[str, str], ...]
    """Likewise of what is replaced: what is here goes on with its own until the import is done."""
    missing_secrets: tuple[tuple[str, str], ...]
    """Likewise of what is here and equal: they are taken where there is none."""
    impossible: tuple[ItemDecision, ...]
    """What was decided and cannot be done."""
    outdated: tuple[ItemDecision, ...]
    """What was decided about something that is not there any more."""
    unknown: tuple[ItemDecision, ...] = ()
    """What was decided about something that is not in the file."""


@dataclass(slots=True)
class Collected:
    """What the comparison has found so far."""

    decisions: Mapping[tuple[ItemKind, str], ItemDecision]
    items: list[ImportItem] = field(default_factory=list)
    impossible: list[ItemDecision] = field(default_factory=list)
    outdated: list[ItemDecision] = field(default_factory=list)
    secrets: list[tuple[str, str]] = field(default_factory=list)
    late_secrets: list[tuple[str, str]] = field(default_factory=list)
    missing_secrets: list[tuple[str, str]] = field(default_factory=list)

    def choose(
        self, kind: ItemKind, key: str, choices: tuple[ItemChoice, ...], otherwise: ItemChoice, known_id: str = ""
    ) -> ItemChoice:
        """Return what was decided about a part, where that is possible."""
        decision = self.decisions.get((kind, key))
        if decision is None:
            return otherwise
        if decision.choice not in (*choices, ItemChoice.SKIP):
            self.impossible.append(decision)
            return otherwise
        if decision.choice is ItemChoice.REPLACE and decision.replaces != known_id:
            self.outdated.append(decision)
            return otherwise
        return decision.choice

    def note_secrets(self, choice: ItemChoice, state: ItemState, names: Iterable[tuple[str, str]]) -> None:
        """Note to what the secrets of a part go."""
        if state is ItemState.SAME:
            self.missing_secrets += names
        elif choice in (ItemChoice.ADD, ItemChoice.RENAME):
            self.secrets += names
        elif choice is ItemChoice.REPLACE:
            self.late_secrets += names

    def refuse(self, kind: ItemKind, key: str, name: str, about: str, problem: Message) -> None:
        """Note a part that cannot be taken in."""
        self.choose(kind, key, (), ItemChoice.SKIP)
        self.items.append(
            ImportItem(kind=kind, key=key, name=name, about=about, state=ItemState.REFUSED, problem=problem)
        )


def differing_fields(one: object, other: object) -> tuple[str, ...]:
    """Return the names of the fields in which two values of one type differ."""
    mine, its = msgspec.to_builtins(one), msgspec.to_builtins(other)
    return tuple(name for name in mine if mine[name] != its[name])


def free_name(name: str, taken: Iterable[str], longest: int | None = None) -> str:
    """Return a name that is not taken: with a number in parentheses."""
    folded = {other.strip().casefold() for other in taken}
    number = 2
    while True:
        suffix = f" ({number})"
        made = f"{name[: longest - len(suffix)] if longest else name}{suffix}"
        if made.casefold() not in folded:
            return made
        number += 1


def is_id(text: str) -> bool:
    """Return whether a text has the form of an id that this program gives."""
    return _ID.fullmatch(text) is not None
