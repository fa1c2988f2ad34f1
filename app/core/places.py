"""What a hypervisor session may offer for choosing where and how a VM is restored."""

from typing import Protocol, runtime_checkable

from app.domain.places import PlatformPlaces, SavedHardware
from app.domain.vms import SavedConfiguration


@runtime_checkable
class RestoreChoices(Protocol):
    """What a hypervisor session may offer beside :class:`app.core.hypervisor.Hypervisor`. Thread: any."""

    def list_places(self) -> PlatformPlaces:
        """Return the datacenters, hosts, datastores and networks that a new VM can use."""
        ...

    def saved_hardware(self, saved: SavedConfiguration) -> SavedHardware:
        """Return what a saved VM was made of; asks the platform nothing.

        Raises:
            OperationalError: the configuration cannot be read.
        """
        ...
