"""Queries about the encryption of backup data."""

from dataclasses import dataclass

from app.domain.ids import StandbyId
from app.domain.standbys import EncryptionMode
from app.engine.queries.base import Query
from app.engine.queries.tasks import ErrorRow


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
