"""The way to the engine of an installation: one that runs already, or one that is started for it."""

import time
from collections.abc import Callable
from typing import TypeVar

from app.bootstrap.installation import Installation, take_engine_lock
from app.contract.client import RemoteDoor
from app.contract.errors import EngineAway, EngineBusy

DOOR_TIMEOUT_S = 15.0
"""How long an engine that is starting or ending may take before it counts as away."""
_LOOK_AGAIN_S = 0.25

R = TypeVar("R")


def start_or_attach(
    installation: Installation,
    start_own: Callable[[], R],
    attached: Callable[[RemoteDoor], R],
    *,
    patience_s: float = DOOR_TIMEOUT_S,
) -> R:
    """Start an engine when no one holds the catalog, else connect to the one that does; return what either gives.

    Args:
        installation: whose engine.
        start_own: starts an engine for oneself; raises EngineBusy when another process holds the catalog. Called
            only when no one does, so that no one is asked for a passphrase that another engine has already.
        attached: takes the connection to an engine that runs already, and closes it in the end.
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
            return attached(remote)
