"""Queries and rows of the platform and standby pages: certificates, reachability, directories, findings."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.domain.ids import PlatformId, RuleId, StandbyId
from app.domain.platforms import Platform, PlatformFacts
from app.domain.standbys import EncryptionMode
from app.engine.commands.rules import RuleDraft
from app.engine.queries.base import Query
from app.engine.queries.tasks import ErrorRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate a server shows, for trust on first use."""

    thumbprint_sha256: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    trusted_by_ca: bool


class InspectServer(Query[Certificate], frozen=True, kw_only=True):
    """Return the certificate of a server, before any password is sent to it."""

    address: str
    port: int = 443


class ListGroups(Query[tuple[str, ...]], frozen=True, kw_only=True):
    """Return the groups that a standby machine may be for: the engine's own, its main one first.

    Empty on Windows, where the access list of the folder decides.
    """


class TryPlatform(Query[PlatformFacts], frozen=True, kw_only=True):
    """Log in with details that are not registered yet; return what the platform tells of itself."""

    address: str
    port: int = 443
    user: str
    password: str
    thumbprint_sha256: str | None = None

    def __repr__(self) -> str:
        return f"TryPlatform(address={self.address!r}, user={self.user!r}, password=…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRow:
    """A platform in the list of platforms."""

    platform: Platform
    facts: PlatformFacts | None
    """None until it was reached once."""
    reachable: bool | None
    """None before the first try."""
    checked_at: datetime | None
    error: ErrorRow | None
    vm_count: int | None
    rule_count: int
    license_name: str


class ListPlatformRows(Query[tuple[PlatformRow, ...]], frozen=True, kw_only=True):
    """Return the platforms with what was last seen of them; asks no platform."""


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
        """Tell whether anything there is encrypted, or shall be."""
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


class Severity(Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing the doctor looked at: what, how it is, and what to do.

    ``message`` and ``hint`` are English templates: translate them, then fill in ``params``.
    """

    severity: Severity
    subject: str
    """The platform, VM, disk or standby it is about."""
    code: str
    params: tuple[tuple[str, str], ...]
    message: str
    hint: str


class ExaminePlatform(Query[tuple[Finding, ...]], frozen=True, kw_only=True):
    """The doctor for a platform: address, login, version, licence, privileges, ports."""

    platform: PlatformId


class ExamineRule(Query[tuple[Finding, ...]], frozen=True, kw_only=True):
    """The doctor for a rule or a draft: its VMs, disks, CBT, snapshots, datastores, and the standby's space."""

    draft: RuleDraft | None = None
    rule: RuleId | None = None
