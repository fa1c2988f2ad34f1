"""Ports for running a VM from what this machine serves over NFS, which a hypervisor session may implement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.core.cancel import CancelToken
from app.domain.ids import VmId
from app.domain.places import PlannedVm
from app.domain.vms import SavedConfiguration, VmPlacement


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsHost:
    """A host that is to mount what this machine serves."""

    id: str
    name: str
    addresses: tuple[str, ...]
    """Those from which it may mount: of its own network adapters, not of its VMs'. The first is that of its
    management."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsMount:
    """What is mounted as a datastore; the path is a secret and is not shown."""

    server: str
    """Address of this machine, spelled the same for every host: to a platform it is part of what identifies it."""
    path: str
    name: str
    """Of the datastore."""

    def __repr__(self) -> str:
        return f"NfsMount(server={self.server!r}, path=…, name={self.name!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedDatastore:
    """What became of a mount on a host."""

    id: str
    name: str
    """As the platform calls it, which may have made the wanted name unique; paths of files begin with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskToServe:
    """A disk of a restore point."""

    key: int
    """Device key in the saved configuration."""
    capacity_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFiles:
    """The names of a disk's files in the folder of its VM."""

    key: int
    attached: str
    """The one that a VM has as its disk; what it holds is among the folder's small files."""
    data: str
    """The one with the disk's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFile:
    """A file that is made once and is the host's from then on."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFolder:
    """What a VM finds in its folder before it is created."""

    name: str
    """Of the folder: as the VM's, but one that a folder may have."""
    disks: tuple[DiskFiles, ...]
    """In the order in which they were asked for."""
    files: tuple[SmallFile, ...]


@runtime_checkable
class RunsFromNfs(Protocol):
    """Runs VMs from a datastore that this machine serves; optional for a hypervisor session. Thread: any.

    Every method may raise the platform errors of ``app.domain.errors``.
    """

    def nfs_host(self, saved: SavedConfiguration, placement: VmPlacement) -> NfsHost:
        """Return the host on which a VM would be created; changes nothing.

        Datastores of the placement do not count: the one that it will be on is not there yet.

        Raises:
            VmCreationFailed: no host can be chosen; the message says what to do.
        """
        ...

    def plan_here(self, saved: SavedConfiguration, placement: VmPlacement) -> PlannedVm:
        """Decide where a VM would be created that runs from here, and what it would become; changes nothing.

        Datastores of the placement do not count, and that of the plan is empty.

        Raises:
            VmCreationFailed: it cannot be created there; the message says what to do.
        """
        ...

    def folder_files(
        self, saved: SavedConfiguration, disks: Sequence[DiskToServe], name: str, *, keep_identity: bool = False
    ) -> ServedFolder:
        """Return what has to be in the folder of a VM so that it can be created on the disks that are there.

        Args:
            saved: the saved VM.
            disks: those of it that are served.
            name: display name of the new VM.
            keep_identity: whether the disks keep their UUIDs; else each has a new one.

        Raises:
            ConfigurationUnreadable: there is no saved VM.
            ValueError: a disk does not consist of sectors.
        """
        ...

    def mount_nfs(self, host: str, mount: NfsMount) -> MountedDatastore:
        """Mount a datastore on a host and return it; one that is mounted there already is fine.

        Raises:
            NfsMountFailed: the host refuses or cannot reach this machine; the message says what to do.
        """
        ...

    def unmount_nfs(self, host: str, mount: NfsMount) -> None:
        """Unmount a datastore from a host; one that is gone, or a host that is, is fine.

        Only what has both the server and the path of ``mount`` is touched, whatever its name.

        Raises:
            NfsMountInUse: a VM is on it still.
        """
        ...

    def hosts_mounting(self, mount: NfsMount) -> tuple[str, ...]:
        """Return the ids of the hosts that mount it, also where the operator did that."""
        ...

    def register_vm(self, path: str, placement: VmPlacement) -> VmId:
        """Add a VM to the inventory by its ``.vmx``; ``path`` is ``[datastore] folder/name.vmx``.

        Raises:
            VmCreationFailed: the platform refuses; nothing was added.
        """
        ...

    def unregister_vm(self, vm: VmId) -> None:
        """Remove a powered-off VM from the inventory and leave its files; one that is gone already is fine."""
        ...

    def start_moved(self, vm: VmId, *, was_copied: bool) -> None:
        """Start a VM as ``power_on`` does, and answer where the platform asks whether it was moved or copied.

        Raises:
            PowerOperationFailed: it does not start, or asks something else.
        """
        ...

    def move_storage(
        self,
        vm: VmId,
        placement: VmPlacement,
        *,
        on_progress: Callable[[int], None],
        cancel: CancelToken,
    ) -> None:
        """Move the files of a VM to the datastore of a placement, while it runs where the license has that.

        Args:
            vm: the VM; it goes on running.
            placement: ``datastore`` and ``disk_datastores`` (by the VM's own device keys) are used.
            on_progress: called with the percentage, from this thread, when it changes.
            cancel: asks the platform to stop.

        Raises:
            LicenseRefused, OperationUnsupported: the platform cannot do that with a VM that runs.
            OperationalError: it failed; the VM runs from where it ran before.
            TaskCancelled: cancelled; likewise.
        """
        ...
