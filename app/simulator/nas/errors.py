"""What goes wrong with exports of NFS servers, besides what the server answers (an :class:`OSError`)."""

from enum import Enum

from app.simulator.storage import DatastoreLost

NasLost = DatastoreLost


class Refusal(Enum):
    """Why an export could not be mounted."""

    UNREACHABLE = "unreachable"
    DENIED = "denied"
    MISSING = "missing"
    NO_FOLDER = "no folder"


class MountRefused(Exception):
    """An export could not be mounted.

    Attributes:
        refusal: why.
    """

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal
