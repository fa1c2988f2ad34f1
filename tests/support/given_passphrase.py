"""Answers for the start of an engine, without an operator."""

from app.bootstrap.installation import Installation
from app.console.enginedoor import launch_of
from app.contract.launch import EngineLaunch
from app.domain.errors import OperationalError


class GivenPassphrase:
    """Gives a passphrase once and answers nothing else."""

    def __init__(self, installation: Installation, passphrase: str) -> None:
        self._installation = installation
        self._passphrase = passphrase

    def begin(self) -> EngineLaunch:
        """Return what the engine is started with."""
        return launch_of(self._installation.folders, self._passphrase)

    def answer(self, launch: EngineLaunch, problem: OperationalError) -> EngineLaunch:
        """Raise the problem."""
        del launch
        raise problem

    def write_down(self, launch: EngineLaunch) -> None:
        """Do nothing: nothing was chosen."""
