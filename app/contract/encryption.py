"""The encryption of backup data. No passphrase and no key shows in a representation."""

from dataclasses import dataclass, field
from datetime import datetime

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import StandbyId
from app.domain.standbys import EncryptionMode


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockReport:
    """What a passphrase or recovery key opened."""

    opened: tuple[str, ...]
    """Target paths of the repositories that it opened."""
    locked: tuple[str, ...]
    """Target paths of those that have another one, and are still locked."""
    point_count: int
    """Restore points that were read from those that are open now."""
    needs_passphrase: bool
    """True when new repositories cannot be made before a passphrase is set: a recovery key opened it."""


class UnlockStandby(Command[UnlockReport], frozen=True, kw_only=True):
    """Try a passphrase or recovery key on the encrypted repositories of a standby, and keep the keys it opens."""

    standby: StandbyId
    key: str
    """The passphrase or a recovery key, as it was typed."""

    def __repr__(self) -> str:
        return f"UnlockStandby(standby={self.standby!r}, key=…)"


class EncryptStandby(Command[None], frozen=True, kw_only=True):
    """Make all repositories that are made on a standby from now on encrypted; refused where others lie already."""

    standby: StandbyId
    passphrase: str
    hide_names: bool = False

    def __repr__(self) -> str:
        return f"EncryptStandby(standby={self.standby!r}, hide_names={self.hide_names!r}, passphrase=…)"


class ChangePassphrase(Command[None], frozen=True, kw_only=True):
    """Give all encrypted repositories of a standby another passphrase; the old one opens none of them any more."""

    standby: StandbyId
    passphrase: str

    def __repr__(self) -> str:
        return f"ChangePassphrase(standby={self.standby!r}, passphrase=…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySheet:
    """A recovery key with what has to be on the paper next to it. It is shown once and kept nowhere."""

    key: str = field(repr=False)
    standby_name: str
    root_path: str
    made_at: datetime


class AddRecoveryKey(Command[RecoverySheet], frozen=True, kw_only=True):
    """Make a recovery key that opens all encrypted repositories of a standby, also those made later."""

    standby: StandbyId


class RevokeRecoveryKeys(Command[None], frozen=True, kw_only=True):
    """Make all recovery keys of a standby worthless."""

    standby: StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryKeysRow:
    """An encrypted repository, and what opens it."""

    target_path: str
    is_open: bool
    """Whether this machine knows its key."""
    recovery_keys: int | None
    """None when it cannot be looked at."""
    error: ErrorRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRow:
    """How the backup data at a standby machine is encrypted."""

    mode: EncryptionMode
    passphrase_known: bool
    """Whether this machine can make new encrypted repositories there."""
    recovery_keys: int
    """How many this machine gives to new repositories."""
    repositories: tuple[RepositoryKeysRow, ...]


class DescribeEncryption(Query[EncryptionRow], frozen=True, kw_only=True):
    """Return how the backup data at a standby machine is encrypted; reads small files there."""

    standby: StandbyId
