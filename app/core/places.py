"""Ports for choosing where and how a VM is restored, which a hypervisor session may implement."""

from typing import Protocol, runtime_checkable

from app.domain.places import PlannedVm, PlatformPlaces, SavedHardware
from app.domain.vms import SavedConfiguration, VmPlacement


@runtime_checkable
class RestoreChoices(Protocol):
    """Lists where and how a VM can be restored; optional for a hypervisor session. Thread: any."""

    def list_places(self) -> PlatformPlaces:
        """Return the datacenters, hosts, datastores and networks that a new VM can use."""
        ...

    def saved_hardware(self, saved: SavedConfiguration) -> SavedHardware:
        """Return what a saved VM was made of; asks the platform nothing.

        Raises:
            OperationalError: the configuration cannot be read.
        """
        ...


@runtime_checkable
class PlannedCreation(Protocol):
    """Checks a restore before anything starts; optional for a hypervisor session. Thread: any."""

    def plan_vm(self, saved: SavedConfiguration, placement: VmPlacement) -> PlannedVm:
        """Decide where a VM would be created and what would not be as it was; changes nothing.

        Raises:
            VmCreationFailed: it cannot be created there; the message says what to do.
            OperationalError: the platform cannot be asked.
        """
        ...
