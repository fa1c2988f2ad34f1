"""Who may open a repository: what it shows without a key, trying a key, and changing which keys open it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from app.core.clock import Clock
from app.repository.configuration import RepositoryFile, read_repository_file
from app.repository.errors import KeyNeeded, KeyWrong
from app.repository.keys import KeyRing, MasterKey, RepositoryKey, Unlocked, encode_master
from app.repository.layout import Layout
from app.repository.leases import Lease
from app.repository.seals import PASSPHRASE, RECOVERY, Seal
from app.repository.values import RepositoryFacts


def inspect_repository(root: Path) -> RepositoryFacts:
    """Return what a repository says of itself without a key; nothing of it can be relied on.

    Raises:
        RepositoryMissing: there is none.
        RepositoryTooNew, RepositoryDamaged: it cannot be understood.
        StandbyUnavailable: the standby cannot be read.
    """
    file = read_repository_file(root)
    hides = file.encryption is not None and file.encryption.hidden_names
    return RepositoryFacts(id=file.id, is_encrypted=file.encryption is not None, hides_names=hides)


def unlock_repository(root: Path, key: RepositoryKey) -> Unlocked:
    """Try a key, reading nothing but the settings and the key files, and writing nothing.

    Raises:
        KeyWrong: it does not open this repository, or the repository is not encrypted.
        RepositoryMissing: there is none.
        RepositoryTooNew, RepositoryDamaged: it cannot be understood.
        StandbyUnavailable: the standby cannot be read.
    """
    file = read_repository_file(root)
    if file.encryption is None:
        raise KeyWrong(path=root)
    opened = KeyRing(root, Layout(root).keys, file.id).unlock(key, file.encryption.key_check)
    return Unlocked(file.id, encode_master(opened.master), opened.seal)


def master_of(root: Path, file: RepositoryFile, key: RepositoryKey | None) -> bytes | None:
    """Return the master key of a repository; None when it is not encrypted.

    Raises:
        KeyNeeded, KeyWrong: it is, and the key is missing or does not open it.
        StandbyUnavailable: the standby cannot be read.
    """
    if file.encryption is None:
        return None
    if key is None:
        raise KeyNeeded(path=root)
    return KeyRing(root, Layout(root).keys, file.id).unlock(key, file.encryption.key_check).master


class RepositoryAccess:
    """Manages the keys that open one repository, once it is open. Thread: any."""

    def __init__(
        self,
        ring: KeyRing,
        master: bytes | None,
        clock: Clock,
        sharing: Callable[[], AbstractContextManager[Lease]],
    ) -> None:
        self._ring = ring
        self._master = master
        self._clock = clock
        self._sharing = sharing

    def master_key(self) -> MasterKey | None:
        """Return what the operating system's keyring may keep so that no one has to type the passphrase."""
        return None if self._master is None else encode_master(self._master)

    def change_passphrase(self, passphrase: str) -> None:
        """Let another passphrase open the repository; the old one does not any more.

        Raises:
            ValueError: the repository is not encrypted.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses; the old one still opens it.
        """
        with self._sharing():
            self._ring.set_passphrase(self._need_master(), passphrase, self._now())

    def add_recovery_key(self) -> str:
        """Make a recovery key and return it, to be printed and locked away.

        Raises:
            ValueError: the repository is not encrypted.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            return self._ring.add_recovery_key(self._need_master(), self._now())

    def revoke_recovery_keys(self) -> None:
        """Make all recovery keys worthless.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            self._ring.drop(RECOVERY)

    def add_seal(self, seal: Seal) -> None:
        """Let the passphrase or recovery key behind a seal open the repository too.

        Raises:
            ValueError: the repository is not encrypted.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            self._ring.add(self._need_master(), seal, self._now())

    def remove_seal(self, seal: Seal) -> None:
        """Make the passphrase or recovery key behind a seal worthless.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            self._ring.remove(seal)

    def keep_only_passphrase(self, seal: Seal) -> None:
        """Make every passphrase worthless but the one behind a seal.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            self._ring.drop(PASSPHRASE, but=seal)

    def bears(self, seal: Seal) -> bool:
        """Return whether the passphrase or recovery key behind a seal opens the repository.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._ring.bears(seal)

    def recovery_key_count(self) -> int:
        """Return how many recovery keys open the repository.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._ring.count(RECOVERY)

    def _need_master(self) -> bytes:
        if self._master is None:
            raise ValueError("the repository is not encrypted")
        return self._master

    def _now(self) -> str:
        return self._clock.now().isoformat()
