"""What VMs need that run from what this machine serves: the hypervisor's ports for it, over one session."""

from collections.abc import Callable, Sequence

from app.core.cancel import CancelToken
from app.core.guests import GuestSigns
from app.core.nfshosting import DiskToServe, MountedDatastore, NfsHost, NfsMount, ServedFolder
from app.domain.ids import VmId
from app.domain.vms import SavedConfiguration, VmPlacement
from app.vsphere import served_folder, storage_motion
from app.vsphere.faults import translated
from app.vsphere.files import SmallFiles
from app.vsphere.guests import Guests
from app.vsphere.nfs_mounts import NfsMounts
from app.vsphere.power import VmControl
from app.vsphere.registration import Registration
from app.vsphere.session import VSphereSession
from app.vsphere.words import Operation


class NfsHosting:
    """Implements ``RunsFromNfs`` and ``ShowsGuests`` of the core, as a part of ``VSphereHypervisor``.

    Attributes:
        session: the login.

    Thread: any.
    """

    def __init__(self, session: VSphereSession, files: SmallFiles, platform_instance: str = "") -> None:
        self.session = session
        self._mounts = NfsMounts(session)
        self._registration = Registration(session, platform_instance)
        self._starts = VmControl(session)
        self._guests = Guests(session, files)

    def nfs_host(self, saved: SavedConfiguration, placement: VmPlacement) -> NfsHost:
        """Return the host on which a VM would be created, and from where it mounts; changes nothing.

        Raises:
            VmCreationFailed: no host can be chosen; the message says what to do.
        """
        with translated(self.session.attempt(Operation.PLAN_VM, placement.name)):
            return self._registration.nfs_host(saved, placement)

    def folder_files(
        self, saved: SavedConfiguration, disks: Sequence[DiskToServe], name: str, *, keep_identity: bool = False
    ) -> ServedFolder:
        """Return what has to be in the folder of a VM; see ``RunsFromNfs.folder_files``.

        Raises:
            ConfigurationUnreadable: there is no saved VM.
            ValueError: a disk does not consist of sectors.
        """
        return served_folder.folder_files(saved, disks, name, keep_identity=keep_identity)

    def mount_nfs(self, host: str, mount: NfsMount) -> MountedDatastore:
        """Mount a datastore on a host and return it; one that is mounted there already is fine.

        Raises:
            NfsMountFailed: the host refuses or cannot reach this machine; the message says what to do.
        """
        with translated(self.session.attempt(Operation.MOUNT_NFS, mount.name)):
            return self._mounts.mount(host, mount)

    def unmount_nfs(self, host: str, mount: NfsMount) -> None:
        """Unmount a datastore from a host; one that is gone, or a host that is, is fine.

        Raises:
            NfsMountInUse: a VM is on it still.
        """
        with translated(self.session.attempt(Operation.UNMOUNT_NFS, mount.name)):
            self._mounts.unmount(host, mount)

    def hosts_mounting(self, mount: NfsMount) -> tuple[str, ...]:
        """Return the ids of the hosts that mount it, also where the operator did that."""
        with translated(self.session.attempt(Operation.LIST_MOUNTS, mount.name)):
            return self._mounts.hosts_mounting(mount)

    def register_vm(self, path: str, placement: VmPlacement) -> VmId:
        """Add a VM to the inventory by its ``.vmx``; one that is there already is returned.

        Raises:
            VmCreationFailed: the platform refuses; nothing was added.
        """
        with translated(self.session.attempt(Operation.REGISTER_VM, placement.name)):
            return self._registration.register(path, placement)

    def unregister_vm(self, vm: VmId) -> None:
        """Remove a powered-off VM from the inventory and leave its files; one that is gone already is fine."""
        with translated(self.session.attempt(Operation.UNREGISTER_VM, str(vm))):
            self._registration.unregister(vm)

    def start_moved(self, vm: VmId, *, was_copied: bool) -> None:
        """Start a VM, and answer where the platform asks whether it was moved or copied.

        Raises:
            PowerOperationFailed: it does not start, or asks something else.
        """
        with translated(self.session.attempt(Operation.POWER_ON, str(vm))):
            self._starts.start_moved(vm, was_copied=was_copied)

    def move_storage(
        self,
        vm: VmId,
        placement: VmPlacement,
        *,
        on_progress: Callable[[int], None],
        cancel: CancelToken,
    ) -> None:
        """Move the files of a VM to the datastore of a placement; see ``RunsFromNfs.move_storage``.

        Raises:
            LicenseRefused, OperationUnsupported: the platform cannot do that with a VM that runs.
            OperationalError: it failed; the VM runs from where it ran before.
            TaskCancelled: cancelled; likewise.
        """
        with translated(self.session.attempt(Operation.MOVE_STORAGE, str(vm))):
            storage_motion.move_storage(self.session, vm, placement, on_progress=on_progress, cancel=cancel)

    def guest_signs(self, vm: VmId) -> GuestSigns:
        """Return what the VM's tools say now.

        Raises:
            VmNotFound: it is gone.
        """
        with translated(self.session.attempt(Operation.SHOW_GUEST, str(vm))):
            return self._guests.signs(vm)

    def screenshot(self, vm: VmId) -> bytes:
        """Return a picture of the VM's console as a PNG file; nothing of it stays on the platform.

        Raises:
            OperationalError: the platform makes none.
        """
        with translated(self.session.attempt(Operation.TAKE_SCREENSHOT, str(vm))):
            return self._guests.screenshot(vm)
