"""Sessions on platforms and open repositories, for whoever works with them for a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.core.hypervisor import Hypervisor, HypervisorFactory
from app.core.secrets import SecretStore
from app.domain.ids import PlatformId, StandbyId
from app.domain.platforms import Platform
from app.domain.standbys import Standby
from app.engine.errors import PasswordMissing, PlatformUnknown, StandbyUnknown, WrongRepository
from app.engine.ports import PlatformStore, RepositoryOpener, StandbyStore
from app.repository import Repository


@dataclass(frozen=True, slots=True)
class Sessions:
    """Logs in to registered platforms; each caller gets a session of its own. Thread: any."""

    factory: HypervisorFactory
    platforms: PlatformStore
    secrets: SecretStore

    def platform(self, platform: PlatformId) -> Platform:
        """Return a registered platform.

        Raises:
            PlatformUnknown: there is none of that id.
        """
        found = self.platforms.get(platform)
        if found is None:
            raise PlatformUnknown(platform=platform)
        return found

    def connect(self, platform: PlatformId) -> Hypervisor:
        """Log in; the caller closes the session.

        Raises:
            PlatformUnknown: there is no platform of that id.
            PasswordMissing: the secret store does not know its password.
            OperationalError: the platform refused or cannot be reached.
        """
        known = self.platform(platform)
        password = self.secrets.get(known.secret_name)
        if password is None:
            raise PasswordMissing(name=known.name)
        return self.factory.connect(known, password)


@dataclass(slots=True)
class _Open:
    repository: Repository
    users: int


class Repositories:
    """Opens each standby's repository once for all who use it at the same time, and closes it behind the last.

    Thread: any. One lock per standby: a share that takes long to answer holds nobody else up.
    """

    def __init__(self, opener: RepositoryOpener, standbys: StandbyStore) -> None:
        self._opener = opener
        self._standbys = standbys
        self._locks: dict[StandbyId, threading.Lock] = {}
        self._open: dict[StandbyId, _Open] = {}

    @contextmanager
    def lease(self, standby: StandbyId) -> Iterator[Repository]:
        """Give the repository of a registered standby.

        Raises:
            StandbyUnknown: there is no standby of that id.
            WrongRepository: another repository lies there now.
            OperationalError: it cannot be opened.
        """
        known = self._standbys.get(standby)
        if known is None:
            raise StandbyUnknown(standby=standby)
        with self.opened(known) as repository:
            yield repository

    @contextmanager
    def opened(self, standby: Standby) -> Iterator[Repository]:
        """Give the repository of a standby that may not be registered yet.

        Raises:
            WrongRepository: another repository lies there now.
            OperationalError: it cannot be opened.
        """
        repository = self._take(standby)
        try:
            yield repository
        finally:
            self._give_back(standby.id)

    def _take(self, standby: Standby) -> Repository:
        with self._lock(standby.id):
            entry = self._open.get(standby.id)
            if entry is None:
                entry = self._open[standby.id] = _Open(self._opened(standby), 0)
            entry.users += 1
            return entry.repository

    def _opened(self, standby: Standby) -> Repository:
        repository = self._opener(standby)
        if standby.repository_id is not None and standby.repository_id != repository.id:
            found = repository.id
            repository.close()
            raise WrongRepository(path=standby.target_path, found=found, expected=standby.repository_id)
        return repository

    def _lock(self, standby: StandbyId) -> threading.Lock:
        return self._locks.setdefault(standby, threading.Lock())

    def _give_back(self, standby: StandbyId) -> None:
        with self._lock(standby):
            entry = self._open[standby]
            entry.users -= 1
            if not entry.users:
                del self._open[standby]
                entry.repository.close()
