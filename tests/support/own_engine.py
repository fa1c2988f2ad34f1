"""An engine in this process behind a door that others may use too."""

from collections.abc import Callable
from typing import Self

from app.bootstrap.door import DOOR_TIMEOUT_S, start_or_attach
from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.contract.client import RemoteDoor
from app.contract.door import Door
from app.core.clock import Clock
from app.core.secrets import SecretStore
from app.engine.ports import TaskRunner


class OpenDoor:
    """The door to an installation's engine, in this process or in another; a context manager.

    Attributes:
        door: what the engine is used through.
        is_ours: whether the engine was started for this door, and ends with it.
    """

    def __init__(self, door: Door, close: Callable[[], None], *, is_ours: bool) -> None:
        self.door = door
        self.is_ours = is_ours
        self._close = close

    def close(self) -> None:
        """End the engine when it is ours, else the connection to it."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_door(
    installation: Installation,
    *,
    open_secrets: Callable[[], SecretStore],
    runner: TaskRunner | None = None,
    clock: Clock | None = None,
    patience_s: float = DOOR_TIMEOUT_S,
) -> OpenDoor:
    """Start the engine in this process when no one holds the catalog, else connect to the one that does.

    Args:
        installation: whose engine.
        open_secrets: opens the place for passwords; called only for an engine in this process.
        runner: gives the tasks of an engine in this process their threads.
        clock: tells the time.
        patience_s: how long one that is just starting or ending is waited for.

    Raises:
        EngineAway: someone holds the catalog, but does not open the door.
        OperationalError: the engine cannot be started or used.
    """

    def start_here() -> OpenDoor:
        host = EngineHost.open(installation, secrets=open_secrets(), runner=runner, clock=clock)
        try:
            host.let_others_in()
        except BaseException:
            host.close()
            raise
        return OpenDoor(host.engine, host.close, is_ours=True)

    def attached(remote: RemoteDoor) -> OpenDoor:
        return OpenDoor(remote, remote.close, is_ours=False)

    return start_or_attach(installation, start_here, attached, patience_s=patience_s)
