"""What the window asks of the program around it: settings, folders, the demo platform."""

from dataclasses import dataclass
from typing import Protocol

from app.domain.limits import TaskLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFacts:
    """Facts that do not change while the window is open."""

    version: str
    data_folder: str
    log_folder: str
    config_file: str
    uses_keyring: bool
    """Passwords are in the system's keyring; else in the encrypted file."""
    engine_is_elsewhere: bool
    """The engine was there before this window and goes on after it; else it starts and ends with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSettings:
    """Settings that the settings page changes."""

    limits: TaskLimits
    starts_with_system: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccess:
    """How to reach the demo platform, and where its backups go."""

    address: str
    port: int
    user: str
    password: str
    thumbprint_sha256: str
    standby_root: str

    def __repr__(self) -> str:
        return f"DemoAccess(address={self.address!r}, port={self.port}, user={self.user!r}, password=…)"


class Program(Protocol):
    """The program around the window. Thread: any; everything but :meth:`facts` may wait for a disk."""

    def facts(self) -> ProgramFacts:
        """Return what does not change; at once."""
        ...

    def settings(self) -> ProgramSettings:
        """Read the settings.

        Raises:
            OperationalError: they cannot be read.
        """
        ...

    def save_limits(self, limits: TaskLimits) -> bool:
        """Write the limits into the operator's file; return whether they are in force without a restart.

        Raises:
            OperationalError: they do not fit, or the file cannot be written.
        """
        ...

    def start_with_system(self, *, wanted: bool) -> None:
        """Begin or end to start with the operator's session.

        Raises:
            OperationalError: the system does not let it.
        """
        ...

    def start_demo(self) -> DemoAccess:
        """Start the demo platform, unless it runs already, and return how to reach it.

        Raises:
            OperationalError: it does not start.
        """
        ...
