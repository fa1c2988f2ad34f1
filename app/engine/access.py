"""Sessions on platforms and open repositories, for whoever works with them for a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.core.hypervisor import Hypervisor, HypervisorFactory
from app.core.secrets import SecretStore
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, StandbyId
from app.domain.platforms import Platform
from app.domain.standbys import RepositoryPlace
from app.engine.errors import PasswordMissing, PlatformUnknown, StandbyUnknown, WrongRepository
from app.engine.ports import PlatformStore, RepositoryOpener, StandbyStore
from app.engine.sightings import Sightings
from app.engine.standbys import prepare_target
from app.repository import Repository


@dataclass(frozen=True, slots=True)
class Sessions:
    """Logs in to registered platforms; each caller gets a session of its own. Thread: any."""

    factory: HypervisorFactory
    platforms: PlatformStore
    secrets: SecretStore
    sightings: Sightings
    """What was seen of the platforms, each time one was connected to."""

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
        try:
            hypervisor = self.factory.connect(known, password)
        except OperationalError as error:
            self.sightings.failed(platform, error)
            raise
        self.sightings.reached(platform, hypervisor.facts)
        return hypervisor


@dataclass(slots=True)
class _Open:
    repository: Repository
    users: int


_Key = tuple[StandbyId, str]


class Repositories:
    """Opens each repository once for all who use it at the same time, and closes it behind the last.

    One is created only at a place where none was ever opened, on a standby machine that is really there.

    Thread: any. One lock per place: a share that takes long to answer holds nobody else up.
    """

    def __init__(self, opener: RepositoryOpener, standbys: StandbyStore) -> None:
        self._opener = opener
        self._standbys = standbys
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
        repository_id = self._standbys.repositories(standby).get(target_path)
        return RepositoryPlace(standby=known, target_path=target_path, repository_id=repository_id)

    @contextmanager
    def lease(self, standby: StandbyId, target_path: str = "") -> Iterator[Repository]:
        """Give the repository at a target path of a registered standby.

        Raises:
            StandbyUnknown: there is no standby of that id.
            WrongRepository: another repository lies there now.
            OperationalError: it cannot be opened.
        """
        place = self.place(standby, target_path)
        key = (standby, target_path)
        repository = self._take(key, place)
        try:
            yield repository
        finally:
            self._give_back(key)

    def _take(self, key: _Key, place: RepositoryPlace) -> Repository:
        with self._lock(key):
            entry = self._open.get(key)
            if entry is None:
                entry = self._open[key] = _Open(self._opened(place), 0)
            entry.users += 1
            return entry.repository

    def _opened(self, place: RepositoryPlace) -> Repository:
        if place.repository_id is None:
            prepare_target(place)
        repository = self._opener(place)
        try:
            if place.repository_id is None:
                self._standbys.note_repository(place.standby.id, place.target_path, repository.id)
            elif place.repository_id != repository.id:
                raise WrongRepository(path=place.path, found=repository.id, expected=place.repository_id)
        except BaseException:
            repository.close()
            raise
        return repository

    def _lock(self, key: _Key) -> threading.Lock:
        return self._locks.setdefault(key, threading.Lock())

    def _give_back(self, key: _Key) -> None:
        with self._lock(key):
            entry = self._open[key]
            entry.users -= 1
            if not entry.users:
                del self._open[key]
                entry.repository.close()
