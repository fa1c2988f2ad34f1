"""Moving to another workstation: export, import, and taking over the rules of a console that is gone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.contract.base import Command, Query
from app.domain.ids import StandbyId
from app.domain.messages import Message
from app.domain.moving import ItemChoice, ItemKind, ItemState

LONGEST_FILE_BYTES: Final = 3_000_000
"""Of a configuration: it has to fit into one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedConfiguration:
    """A configuration as a file, for the caller to keep."""

    content: bytes
    platforms: int
    standbys: int
    rules: int
    secrets: int
    """How many passwords and keys are in it, sealed."""


class ExportConfiguration(Command[ExportedConfiguration], frozen=True, kw_only=True):
    """Return the whole configuration as a file; with a passphrase the passwords and keys too, sealed by it."""

    passphrase: str | None = None
    """Raises ``PassphraseWeak`` for one that can be guessed."""

    def __repr__(self) -> str:
        return "ExportConfiguration(passphrase=…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportItem:
    """A part of a configuration, compared with what is here."""

    kind: ItemKind
    key: str
    """Its id in the file; empty for settings, of which there are one."""
    name: str
    about: str
    """What it is known by: an address, a path, the names of VMs."""
    state: ItemState
    known_id: str = ""
    """Of what is here in its place."""
    known_name: str = ""
    differences: tuple[str, ...] = ()
    """Names of the fields that differ, as in the file."""
    choices: tuple[ItemChoice, ...] = ()
    """What can be done with it; empty when nothing has to be."""
    chosen: ItemChoice = ItemChoice.SKIP
    becomes: str = ""
    """Its name afterwards."""
    problem: Message | None = None
    """Why it cannot be taken in."""
    needs_password: bool = False
    """A platform that has to be told its password after the import."""
    commands: tuple[str, ...] = ()
    """Programs that it runs around backups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What an import would do."""

    made_at: datetime
    program: str
    host: str
    has_secrets: bool
    secrets_open: bool
    items: tuple[ImportItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDecision:
    """What the operator wants of a part of a configuration."""

    kind: ItemKind
    key: str
    choice: ItemChoice
    replaces: str = ""
    """Id of what is replaced, as the comparison showed it."""


class PlanImport(Query[ImportPlan], frozen=True, kw_only=True):
    """Compare a file with what is here; nothing is changed.

    Raises errors with the codes ``moving.…`` for a file that cannot be read.
    """

    content: bytes
    passphrase: str | None = None
    """None leaves the secrets closed: they are not imported."""
    decisions: tuple[ItemDecision, ...] = ()
    """What is new is added otherwise, and the rest is left alone."""

    def __repr__(self) -> str:
        return f"PlanImport({len(self.content)} bytes, passphrase=…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did."""

    added: int
    replaced: int
    skipped: int
    secrets: int
    without_password: tuple[str, ...]
    """Names of platforms that wait for their passwords."""


class ImportConfiguration(Command[ImportReport], frozen=True, kw_only=True):
    """Take a file in as it was decided, in one transaction: all of it or nothing.

    Raises errors with the codes ``moving.…``; nothing is imported then.
    """

    content: bytes
    passphrase: str | None = None
    decisions: tuple[ItemDecision, ...] = ()
    stopped: bool = False
    """True imports the rules stopped, so that two consoles never back the same VMs up."""

    def __repr__(self) -> str:
        return f"ImportConfiguration({len(self.content)} bytes, passphrase=…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRule:
    """A rule of another console at a standby machine."""

    name: str
    target_path: str
    vms: tuple[str, ...]
    platform_address: str
    platform_name: str | None
    """Name of the registered platform that it came from; None: that one has to be registered first."""
    points: int
    newest: datetime | None
    is_defined: bool
    """Whether its definition is there; otherwise it is known from its points only, and needs a schedule."""
    is_here: bool = False
    """Whether a rule of this name is here already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConsole:
    """A console that has rules or points at a standby machine."""

    console: str
    """Its mark; empty for points of which no console left its rules."""
    host: str
    seen_at: datetime | None
    """When it last wrote its rules there, by its clock."""
    is_at_work: bool
    """Whether it writes there right now."""
    taken_by: str
    """Machine of the console that took it over; empty while nobody did."""
    rules: tuple[FoundRule, ...]


class InspectTakeOver(Query[tuple[FoundConsole, ...]], frozen=True, kw_only=True):
    """Return which other consoles have rules at a registered standby machine, and what is known of these."""

    standby: StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOverReport:
    """What a take-over did."""

    repositories: int
    adopted: tuple[str, ...]
    left: tuple[str, ...]
    """Names of rules that are here already, or whose names are taken."""
    points: int
    """How many restore points of that console are listed here now."""


class TakeOver(Command[TakeOverReport], frozen=True, kw_only=True):
    """Make the rules of a console this one's: it stops writing to the standby machine, and the rules are here.

    Raises errors with the codes ``moving.…``.
    """

    standby: StandbyId
    console: str
    """As :class:`InspectTakeOver` names it; empty for points of which no console left its rules."""
    confirmation: str
    """The name of that console's machine, typed by the operator; of the standby where it is not known."""
    daily_at: str | None = None
    """HH:MM, local time: when rules run of which only points are known. Without it they are not adopted."""
    keep_days: int = 30
    stopped: bool = False
    """True adopts the rules stopped."""
