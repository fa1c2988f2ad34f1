"""What crosses from one installation to another: whole configurations, and rules whose workstation is gone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from app.domain.platforms import Platform
from app.domain.rules import BackupRule
from app.domain.standbys import Standby


class ItemKind(Enum):
    """What a part of a configuration is."""

    PLATFORM = "platform"
    STANDBY = "standby"
    RULE = "rule"
    NOTIFICATIONS = "notifications"
    HOOKS = "hooks"


class ItemState(Enum):
    """How a part of a configuration compares with what is there."""

    NEW = "new"
    SAME = "same"
    DIFFERS = "differs"
    """Something of its name or identity is there, and is not equal."""
    REFUSED = "refused"
    """It cannot be taken in as it is."""


class ItemChoice(Enum):
    """What becomes of a part of a configuration."""

    ADD = "add"
    SKIP = "skip"
    REPLACE = "replace"
    RENAME = "rename"
    """Both stay: the one that comes gets another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyWithRepositories:
    """A standby machine, and which repositories were opened there."""

    standby: Standby
    repositories: tuple[tuple[str, str, bool], ...] = ()
    """Target path, id, and whether it is encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What the catalog takes in, all of it or nothing."""

    platforms: tuple[Platform, ...] = ()
    """Added, or put in the place of those of their ids."""
    standbys: tuple[StandbyWithRepositories, ...] = ()
    """Likewise."""
    rules: tuple[BackupRule, ...] = ()
    """Likewise. What is remembered of a rule that is replaced stays."""
    documents: Mapping[str, str] = field(default_factory=dict)
    """Settings by their names, each in the place of the one of its name."""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing would change."""
        return not (self.platforms or self.standbys or self.rules or self.documents)
