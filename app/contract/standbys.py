"""Standby machines and the file systems of their target paths."""

from dataclasses import dataclass

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import StandbyId, TaskId
from app.domain.standbys import EncryptionMode, Standby


class RegisterStandby(Command[Standby], frozen=True, kw_only=True):
    """Remember a standby machine; the points of repositories that are there already are listed at once."""

    name: str
    root_path: str
    """Absolute path on the engine's machine, local or mounted; made when its parent is there."""
    note: str = ""
    passphrase: str | None = None
    """Encrypts everything that is kept there, or opens the encrypted repositories that lie there already; refused
    where others do. Without it a standby with nothing but encrypted repositories is encrypted, and locked."""
    hide_names: bool = False
    """With a passphrase: hide the names of rules, VMs and platforms too."""
    new_identity: bool = False
    """True for a copy of a registered standby machine: it gets a mark of its own, and both stay in use."""
    group: str = ""
    """Name of a group of the engine's machine whose users may use what is kept there too; empty leaves the folder
    as it is, and makes a new one for the engine's user only. Refused where backup data is already."""

    def __repr__(self) -> str:
        return f"RegisterStandby(name={self.name!r}, root_path={self.root_path!r}, passphrase=…)"


class UpdateStandby(Command[Standby], frozen=True, kw_only=True):
    """Change a standby machine's name, note, or the path under which the same disk or share is seen."""

    standby: StandbyId
    name: str
    root_path: str
    note: str = ""


class RemoveStandby(Command[None], frozen=True, kw_only=True):
    """Forget a standby. Its data stays where it is."""

    standby: StandbyId


class StartGarbageCollection(Command[TaskId], frozen=True, kw_only=True, tag="StartSweep"):
    """Queue freeing what no restore point needs; deleted points go once their grace time is over."""

    standby: StandbyId
    target_path: str = ""
    priority: int = 0


class StartClosing(Command[TaskId], frozen=True, kw_only=True):
    """Queue taking the rights that other users of the machine have on the repositories of a standby.

    A repository whose folder is for a group (``chmod 2770``) stays open to that group.
    """

    standby: StandbyId
    priority: int = 0


class ListGroups(Query[tuple[str, ...]], frozen=True, kw_only=True):
    """Return the groups that a standby machine may be for: the engine's own, its main one first.

    Empty on Windows, where the access list of the folder decides.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyRow:
    """A standby machine in the list of standbys."""

    id: StandbyId
    name: str
    root_path: str
    note: str
    reachable: bool
    writable: bool
    error: ErrorRow | None
    total_bytes: int | None
    free_bytes: int | None
    repository_bytes: int | None
    """What our repositories there occupy."""
    point_count: int
    rule_count: int
    encryption: EncryptionMode = EncryptionMode.OFF
    locked: ErrorRow | None = None
    """Why encrypted repositories there cannot be opened on this machine."""
    encrypted_repositories: int = 0

    @property
    def is_encrypted(self) -> bool:
        """Return whether anything there is encrypted, or should be."""
        return self.encryption is not EncryptionMode.OFF or self.encrypted_repositories > 0


class ListStandbyRows(Query[tuple[StandbyRow, ...]], frozen=True, kw_only=True):
    """Return the standby machines with their space as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """A directory below a standby's root."""

    name: str
    path: str
    """Relative to the root, with forward slashes."""
    is_repository: bool
    has_children: bool


class BrowseStandby(Query[tuple[DirectoryEntry, ...]], frozen=True, kw_only=True):
    """Return the directories in a directory of a standby, by name."""

    standby: StandbyId
    path: str = ""


class BrowseLocal(Query[tuple[DirectoryEntry, ...]], frozen=True, kw_only=True):
    """Return the directories in a directory of the engine's machine; ``""`` lists the roots (drives)."""

    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntriesRow:
    """How much other users of the machine can use on a standby."""

    path: str
    """Its root on the engine's machine."""
    count: int
    """Files and folders that closing would change."""
    linked: int
    """Open files with further names (hard links), which closing leaves as they are."""
    is_complete: bool
    """False when there was not time enough to look at everything, or something refused: there may be more."""


class ListStandbys(Query[tuple[Standby, ...]], frozen=True, kw_only=True):
    """Return the registered standby machines, by name."""


class ReadOpenEntries(Query[OpenEntriesRow], frozen=True, kw_only=True):
    """Count what other users of the machine can use in the repositories of a standby; nothing is changed."""

    standby: StandbyId
