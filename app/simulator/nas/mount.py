"""A mounted export: its connection, and whether its server is there."""

import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from app.simulator.nas.connection import Connection, Take
from app.simulator.nas.errors import MountRefused, NasLost, Refusal
from app.simulator.nas.settings import NasSettings
from app.simulator.storage.places import is_in_a_hurry

_HURRY_S: Final = 1.0
_GIVEN_UP_S: Final = 1.0


class Presence(Enum):
    """Whether a server is there; the values are those of ``HostMountInfo.inaccessibleReason``."""

    THERE = ""
    AWAY = "AllPathsDown_Start"
    LOST = "AllPathsDown_Timeout"


class NasMount:
    """A mounted export of a server.

    While the server is away, what guests read and write waits for as long as that takes; what the host does itself
    waits until the timeout, and is refused at once from then on.

    Thread: any; it runs one of its own, which watches the server, until it is closed.

    Attributes:
        name: of the datastore, for errors.
        presence: whether the server is there.
        announce: called on the mount's own thread when that has changed.
    """

    def __init__(
        self,
        name: str,
        remote: tuple[str, str],
        settings: NasSettings,
    ) -> None:
        """Mount it.

        Args:
            name: of the datastore.
            remote: server and path.
            settings: how hosts deal with servers.

        Raises:
            MountRefused: it cannot be mounted.
            OSError: libnfs is not installed.
        """
        self.name = name
        self.presence = Presence.THERE
        self._settings = settings
        self.announce: Callable[[], None] = _nothing
        self._is_given_up = False
        self._closed = threading.Event()
        self._connection = Connection()
        try:
            self._connection.mount(*remote, settings.port, self._while_mounting)
        except (OSError, NasLost) as error:
            self._connection.close()
            raise _refused(error) from error
        self._watcher = threading.Thread(target=self._watch, name=f"nas-{name}")
        self._watcher.start()

    def close(self) -> None:
        """Unmount it, whether the server is there or not; who waits for it hears of that. Twice is fine."""
        self._closed.set()
        self._connection.close()
        if self._watcher is not threading.current_thread():
            self._watcher.join()

    def give_up(self) -> None:
        """Let nobody wait any longer for a server that is away: the simulator ends."""
        self._is_given_up = True

    def ask(self, function: str, *arguments: Any, take: Take | None = None, buffer: object = None) -> Any:
        """Send a request of the host's own work; see :meth:`Connection.call`.

        Raises:
            OSError: the server refused.
            StorageError: the server has been away for too long.
        """
        patience = self._hurried if is_in_a_hurry() else self._of_host
        return self._connection.call(function, *arguments, patience=patience, take=take, buffer=buffer)

    def move_data(self, function: str, *arguments: Any, take: Take | None = None, buffer: object = None) -> Any:
        """Send a request of a guest; see :meth:`Connection.call`.

        Raises:
            OSError: the server refused.
            StorageError: the export was unmounted.
        """
        return self._connection.call(function, *arguments, patience=self._of_guest, take=take, buffer=buffer)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder.

        Raises:
            OSError: the server refused.
            StorageError: the server has been away for too long.
        """
        found: list[str] = self.ask(
            "nfs_opendir_async", folder.encode(), take=lambda _, data: self._connection.readdir(data)
        )
        return found

    # ---- patience ---------------------------------------------------------------------------------------

    def _while_mounting(self, waited_s: float) -> None:
        if waited_s > self._settings.mount_timeout_s:
            raise NasLost("the server does not answer")

    def _of_guest(self, waited_s: float) -> None:
        if self._is_given_up and waited_s > _GIVEN_UP_S:
            raise NasLost(f"the server of [{self.name}] does not answer")

    def _of_host(self, waited_s: float) -> None:
        self._of_guest(waited_s)
        if self.presence is Presence.LOST:
            raise NasLost(f"the server of [{self.name}] has been away for too long")

    def _hurried(self, waited_s: float) -> None:
        if self.presence is not Presence.THERE or waited_s > _HURRY_S:
            raise NasLost(f"the server of [{self.name}] does not answer at once")

    # ---- watching ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closed.wait(self._settings.heartbeat_s):
            try:
                self._connection.call("nfs_stat64_async", b"/", patience=self._note_silence)
            except NasLost:
                return
            except OSError:  # an answer is an answer
                pass
            self._note(Presence.THERE)

    def _note_silence(self, waited_s: float) -> None:
        settings = self._settings
        if waited_s > settings.silence_s + settings.apd_timeout_s:
            self._note(Presence.LOST)
        elif waited_s > settings.silence_s:
            self._note(Presence.AWAY)

    def _note(self, presence: Presence) -> None:
        if self.presence is not presence:
            self.presence = presence
            self.announce()


def _nothing() -> None:
    """Announce nothing."""


_REFUSALS: Final = (
    ("MNT3ERR_ACCES", Refusal.DENIED),
    ("MNT3ERR_PERM", Refusal.DENIED),
    ("MNT3ERR_NOENT", Refusal.MISSING),
    ("MNT3ERR_NOTDIR", Refusal.NO_FOLDER),
)


def _refused(error: OSError) -> MountRefused:
    refusal = next((refusal for word, refusal in _REFUSALS if word in str(error)), Refusal.UNREACHABLE)
    return MountRefused(refusal, str(error))
