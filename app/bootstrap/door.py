"""The way to the engine of an installation: one that runs already, or one that is started for it."""

import time
from collections.abc import Callable
from typing import Self

from app.bootstrap.installation import Installation, take_engine_lock
from app.contract.client import RemoteDoor
from app.contract.door import Door
from app.contract.errors import EngineAway, EngineBusy

DOOR_TIMEOUT_S = 15.0
"""How long an engine that is starting or ending may take before it counts as away."""
_LOOK_AGAIN_S = 0.25


class OpenDoor:
    """The door to this installation's engine, in this process or in another; a context manager.

    Attributes:
        door: what the engine is used through.
        is_ours: whether the engine was started for this door, and ends with it.
    """

    def __init__(
        self,
        door: Door,
        close: Callable[[], None],
        *,
        is_ours: bool = False,
        hang_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.door = door
        self.is_ours = is_ours
        self._close = close
        self._hang_up = hang_up

    def hang_up(self) -> None:
        """End the connection to an engine in another process, for those who have another; the engine goes on."""
        self._hang_up()

    def close(self) -> None:
        """End the engine when it is ours, else the connection to it."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


StartOwn = Callable[[], OpenDoor]
"""Starts an engine for oneself and opens its door; raises EngineBusy when another process holds the catalog."""


def start_or_attach(
    installation: Installation,
    start_own: StartOwn,
    *,
    patience_s: float = DOOR_TIMEOUT_S,
) -> OpenDoor:
    """Start an engine when no one holds the catalog, else connect to the one that does.

    Args:
        installation: whose engine.
        start_own: called only when no one holds the catalog, so that no one is asked for a passphrase that another
            engine has already.
        patience_s: how long one that is just starting or ending is waited for.

    Raises:
        EngineAway: someone holds the catalog, but does not open the door.
        OperationalError: the engine cannot be started or used.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            take_engine_lock(installation.folders.data).release()
            return start_own()
        except EngineBusy:
            pass  # the usual case of an engine without a window
        remote = RemoteDoor(installation.folders.data)
        try:
            remote.wait_until_connected(_LOOK_AGAIN_S)
        except EngineAway:
            remote.close()
            if time.monotonic() > deadline:
                raise
        except BaseException:
            remote.close()
            raise
        else:
            return OpenDoor(remote, remote.close, hang_up=remote.close)
