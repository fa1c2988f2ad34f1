"""The window's way to its engine: a child of this process, or one that runs already."""

from typing import Protocol, Self

from app.bootstrap.door import start_or_attach
from app.bootstrap.installation import Installation
from app.console.engineprocess import EngineProcess
from app.contract.client import RemoteDoor
from app.contract.errors import EngineBusy
from app.contract.launch import EngineLaunch
from app.domain.errors import OperationalError
from app.paths import Folders


class Questions(Protocol):
    """What may have to be asked before an engine starts; asked only for a child of this process."""

    def begin(self) -> EngineLaunch:
        """Return what the engine is started with first."""
        ...

    def answer(self, launch: EngineLaunch, problem: OperationalError) -> EngineLaunch:
        """Return what to start it with after it could not be started; raises what cannot be answered."""
        ...

    def write_down(self, launch: EngineLaunch) -> None:
        """Keep what was chosen, once the engine has started with it."""
        ...


class OpenEngine:
    """An engine whose door is open; a context manager.

    Attributes:
        is_ours: whether it was started for this process, and ends with it.
    """

    def __init__(self, process: EngineProcess | None) -> None:
        """Remember how to end it; None for an engine that others started, which goes on."""
        self.is_ours = process is not None
        self._process = process

    def close(self) -> None:
        """End the engine when it is ours; any other goes on."""
        if self._process is not None:
            self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def launch_of(folders: Folders, passphrase: str | None) -> EngineLaunch:
    """Return what the engine of an installation is started with.

    Args:
        folders: of the installation.
        passphrase: opens the password file; None for the keyring.
    """
    return EngineLaunch(
        program=str(folders.program),
        config=str(folders.config),
        data=str(folders.data),
        local=str(folders.local),
        logs=str(folders.logs),
        passphrase=passphrase,
    )


def open_engine(installation: Installation, questions: Questions) -> OpenEngine:
    """Start the engine as a child when no process holds the catalog, else find the one that does.

    Whoever wants something of it connects to its door.

    Args:
        installation: whose engine.
        questions: asks the operator what the engine needs to start.

    Raises:
        EngineAway: another process holds the catalog, but does not open the door.
        OperationalError: the engine cannot be started or used.
    """

    def start_child() -> OpenEngine:
        return OpenEngine(_started(questions))

    def found(remote: RemoteDoor) -> OpenEngine:
        remote.close()
        return OpenEngine(None)

    return start_or_attach(installation, start_child, found)


def _started(questions: Questions) -> EngineProcess:
    launch = questions.begin()
    while True:
        try:
            process = EngineProcess.start(launch)
        except EngineBusy:
            raise
        except OperationalError as problem:
            launch = questions.answer(launch, problem)
            continue
        try:
            questions.write_down(launch)
        except BaseException:
            process.close()
            raise
        return process
