"""An engine in this process behind a door that others may use too."""

from collections.abc import Callable

from app.bootstrap.door import DOOR_TIMEOUT_S, OpenDoor, start_or_attach
from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.core.clock import Clock
from app.core.secrets import SecretStore
from app.engine.ports import TaskRunner


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

    return start_or_attach(installation, start_here, patience_s=patience_s)
