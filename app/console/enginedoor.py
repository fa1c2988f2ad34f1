"""The window's way to its engine: a child of this process, or one that runs already. Thread: any."""

from collections.abc import Callable

from app.bootstrap import DOOR_PATIENCE_S, Installation, OpenDoor, start_or_attach
from app.cli.headless.charge import Charge
from app.console.engineprocess import EngineProcess
from app.engine.remote.client import RemoteDoor


def open_engine(installation: Installation, find_passphrase: Callable[[], str | None]) -> OpenDoor:
    """Start the engine as a child when nobody holds the catalog, else connect to the one that does.

    Args:
        installation: whose engine.
        find_passphrase: returns what opens the password file, None for the keyring; called only for a child.

    Raises:
        EngineAway: somebody holds the catalog, but does not open the door.
        OperationalError: the engine cannot be started or used.
    """

    def start_child() -> OpenDoor:
        process = EngineProcess.start(Charge.of(installation.folders, find_passphrase()))
        remote = RemoteDoor(installation.folders.data)

        def close() -> None:
            remote.close()
            process.close()

        try:
            remote.wait_until_connected(DOOR_PATIENCE_S)
        except BaseException:
            close()
            raise
        return OpenDoor(remote, close, is_ours=True)

    return start_or_attach(installation, start_child)
