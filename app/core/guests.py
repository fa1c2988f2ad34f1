"""Ports for the systems inside VMs, which a hypervisor session may implement."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.domain.ids import VmId


@runtime_checkable
class ShutsGuestsDown(Protocol):
    """Asks the systems in VMs to shut down; optional for a hypervisor session. Thread: any."""

    def shut_down_guest(self, vm: VmId) -> bool:
        """Ask the system in a running VM to shut down, and return at once.

        Returns:
            False when there is nothing in the VM that could be asked.

        Raises:
            OperationalError: the platform refused.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSigns:
    """What a started VM shows of its guest system."""

    tools_run: bool
    """Whether its tools say that the system runs."""
    has_tools: bool
    """Whether there were ever tools in it that could say so."""
    hostname: str
    """As the tools report it; empty where they do not."""


@runtime_checkable
class ShowsGuests(Protocol):
    """Shows what has become of a started VM's guest; optional for a hypervisor session. Thread: any."""

    def guest_signs(self, vm: VmId) -> GuestSigns:
        """Return what the VM's tools say now.

        Raises:
            VmNotFound: it is gone.
        """
        ...

    def screenshot(self, vm: VmId) -> bytes:
        """Return a picture of the VM's console as a PNG file; nothing of it stays on the platform.

        Raises:
            OperationalError: the platform makes none.
        """
        ...
