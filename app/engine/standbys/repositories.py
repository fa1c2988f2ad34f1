"""Open repositories, shared by everything that works with them at the same time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from app.core.cancel import CancelToken
from app.core.secrets import SecretStoreUnavailable
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.domain.standbys import RepositoryPlace, Standby, target_directory
from app.engine.encryption.keystore import KeyStore, check_encryption
from app.engine.errors import (
    PassphraseChanged,
    PassphraseNeeded,
    StandbyUnknown,
    WrongRepository,
)
from app.engine.ports import RepositoryOpener, StandbyStore
from app.engine.standbys.filesystems import check_root, prepare_target
from app.repository import (
    Protection,
    Repository,
    RepositoryFacts,
    Seal,
    Seals,
    inspect_repository,
    unlock_repository,
)
from app.repository.errors import KeyWrong, RepositoryMissing

_LOOK_S = 0.2
"""How often a task that waits for its turn looks whether it was stopped."""


@dataclass(slots=True)
class _Open:
    repository: Repository
    users: int


_Key = tuple[StandbyId, str]


class Repositories:
    """Opens each repository once for all who use it at the same time, and closes it behind the last.

    One is created only at a place where none was ever opened, on a standby machine that is really there; on an
    encrypted standby machine it is encrypted, and one that is not is refused.

    Thread: any. One lock per place: a share that takes long to answer delays nothing else.
    """

    def __init__(self, opener: RepositoryOpener, standbys: StandbyStore, keystore: KeyStore) -> None:
        self._opener = opener
        self._standbys = standbys
        self.keystore = keystore
        """The keys of encrypted ones."""
        self._locks: dict[_Key, threading.Lock] = {}
        self._open: dict[_Key, _Open] = {}

    def place(self, standby: StandbyId, target_path: str = "") -> RepositoryPlace:
        """Return a place on a registered standby.

        Raises:
            StandbyUnknown: there is no standby of that id.
        """
        known = self._standbys.get(standby)
        if known is None:
            raise StandbyUnknown(standby=standby)
        return RepositoryPlace(
            standby=known,
            target_path=target_path,
            repository_id=self._standbys.repositories(standby).get(target_path),
            is_encrypted=target_path in self._standbys.encrypted_repositories(standby),
        )

    @contextmanager
    def lease(
        self, standby: StandbyId, target_path: str = "", cancel: CancelToken | None = None
    ) -> Iterator[Repository]:
        """Give the repository at a target path of a registered standby.

        Args:
            standby: which one.
            target_path: where on it.
            cancel: of a task, which waits for the key no longer than until it is stopped.

        Raises:
            TaskCancelled: the task was stopped.
            StandbyUnknown: there is no standby of that id.
            WrongRepository, EncryptionMissing: another repository is there now.
            KeyNeeded: it is encrypted, and this machine does not know its key.
            OperationalError: it cannot be opened.
        """
        place = self.place(standby, target_path)
        key = (standby, target_path)
        repository = self._take(key, place, cancel)
        try:
            yield repository
        finally:
            self._give_back(key)

    def _take(self, key: _Key, place: RepositoryPlace, cancel: CancelToken | None) -> Repository:
        with _held(self._lock(key), cancel):
            entry = self._open.get(key)
            if entry is None:
                entry = self._open[key] = _Open(self._opened(place, self.keystore.until(cancel)), 0)
            entry.users += 1
            return entry.repository

    def _opened(self, place: RepositoryPlace, keystore: KeyStore) -> Repository:
        if place.repository_id is None:
            prepare_target(place)
        facts = self._facts(place)
        if facts is None:
            repository = self._opener(place, None, self._protection(place, keystore))
        else:
            _check_identity(place, facts.id)
            check_root(place.standby)
            check_encryption(place, facts)
            key = keystore.key_for(place, facts) if facts.is_encrypted else None
            repository = self._opener(place, key, None)
        try:
            self._welcome(place, repository, keystore)
        except BaseException:
            repository.close()
            raise
        return repository

    def _facts(self, place: RepositoryPlace) -> RepositoryFacts | None:
        """Return what a repository says of itself; None where a new one is to be made."""
        try:
            return inspect_repository(place.path)
        except RepositoryMissing:
            if place.repository_id is not None:
                raise
            return None

    def _protection(self, place: RepositoryPlace, keystore: KeyStore) -> Protection | None:
        """Return how a new repository is encrypted: so that it opens like its siblings."""
        standby = place.standby
        if not standby.is_encrypted:
            return None
        seals = keystore.seals(standby)
        if seals.passphrase is None:
            raise PassphraseNeeded(name=standby.name)
        self._refuse_outdated(standby, seals.passphrase)
        return Protection(seals, hide_names=standby.hides_names)

    def _refuse_outdated(self, standby: Standby, passphrase: Seal) -> None:
        """Refuse a passphrase that opens none of the repositories there any more."""
        for target_path in self._standbys.encrypted_repositories(standby.id):
            path = target_directory(standby, target_path)
            with suppress(KeyWrong, RepositoryMissing):
                unlock_repository(path, Seals(passphrase))
                return
        if self._standbys.encrypted_repositories(standby.id):
            raise PassphraseChanged(name=standby.name)

    def _welcome(self, place: RepositoryPlace, repository: Repository, keystore: KeyStore) -> None:
        check_encryption(place, repository)  # again: what was looked at before may have been exchanged since
        master = repository.access.master_key()
        if master is not None:
            keystore.keep_master(repository.id, master)
        if place.repository_id is None:
            self._standbys.note_repository(
                place.standby.id, place.target_path, repository.id, is_encrypted=repository.is_encrypted
            )
        _check_identity(place, repository.id)
        with suppress(OperationalError):  # whoever has to write there says what is wrong
            repository.pins.end_abandoned()

    def encryption_problem(self, standby: Standby) -> OperationalError | None:
        """Return what keeps the encrypted repositories of a standby machine from being opened here, or None.

        Reads a few small files there. Never raises.
        """
        try:
            places = [self.place(standby.id, path) for path in self._standbys.encrypted_repositories(standby.id)]
            if standby.is_encrypted and not places and self.keystore.seals(standby).passphrase is None:
                return PassphraseNeeded(name=standby.name)
        except OperationalError as error:
            return error
        for place in places:
            try:
                problem = self.keystore.problem(place)
            except SecretStoreUnavailable as error:
                return error
            except OperationalError:  # gone or unreadable: that is not for want of a key
                continue
            if problem is not None:
                return problem
        return None

    def _lock(self, key: _Key) -> threading.Lock:
        return self._locks.setdefault(key, threading.Lock())

    def _give_back(self, key: _Key) -> None:
        with self._lock(key):
            entry = self._open[key]
            entry.users -= 1
            if not entry.users:
                del self._open[key]
                entry.repository.close()


@contextmanager
def _held(lock: threading.Lock, cancel: CancelToken | None) -> Iterator[None]:
    """Hold a lock; a task waits for it no longer than until it is stopped."""
    while not lock.acquire(timeout=_LOOK_S if cancel is not None else -1):
        if cancel is not None:
            cancel.check()
    try:
        yield
    finally:
        lock.release()


def _check_identity(place: RepositoryPlace, repository_id: str) -> None:
    if place.repository_id not in (None, repository_id):
        raise WrongRepository(path=place.path, found=repository_id, expected=place.repository_id)
