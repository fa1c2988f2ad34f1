"""What a hypervisor session offers to the transports: tickets and datastore addresses.

The vSphere adapter fulfils these, the transports use them; neither knows the other.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, Self, runtime_checkable

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, DiskWriter
from app.core.patience import Patience
from app.core.tasklog import TaskLog
from app.domain.ids import SnapshotId, VmId
from app.domain.messages import Message
from app.domain.states import TransportMode
from app.domain.vddk import VddkLibrary
from app.domain.vms import VirtualDisk


class AccessMode(Enum):
    """What a ticket allows."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class NfcTicket:
    """Permission to open one disk once over NFC (protocols page *NFC*, section 1)."""

    host: str
    port: int
    service: str
    session_id: str = field(repr=False)
    thumbprint_sha1: str | None
    """Thumbprint of the ESXi host's certificate, upper-case hex pairs joined by colons."""
    library_version: int = 11
    """What the host says of its NFC: 11 on ESXi 8, less on older ones."""
    known_as: str = ""
    """The host's name in the inventory, where it is another one than ``host``: a network for backups."""
    management_addresses: tuple[str, ...] = ()
    """Where the host answers too, for a ``host`` that is a name which cannot be resolved from here."""
    note: Message | None = None
    """What the log should say of how the ticket was got."""


class NfcTickets(Protocol):
    """Gives out NFC tickets. Thread: any."""

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Ask the platform for a one-time ticket.

        Raises:
            OperationalError: the platform refused or cannot be reached.
        """
        ...


@runtime_checkable
class HostsInMaintenance(Protocol):
    """What ``NfcTickets`` may offer too, where VMs move between hosts. Thread: any."""

    def host_in_maintenance(self, vm: VmId) -> str | None:
        """Return the name of a VM's host when it is in maintenance mode or entering it.

        Raises:
            OperationalError: the platform cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsFile:
    """A datastore file over HTTPS (protocols page *vSphere facts*, "Reading without VDDK over HTTPS")."""

    host: str
    port: int
    target: str
    """Path and query of the request, already escaped."""
    cookie: str = field(repr=False)
    """Value of the ``Cookie`` header."""
    thumbprint_sha256: str | None
    """The pinned certificate; None verifies by CA."""


class DatastoreFiles(Protocol):
    """Addresses datastore files over HTTPS. Thread: any."""

    def https_file(self, datastore_path: str) -> HttpsFile:
        """Return where ``[ds1] web-01/web-01-flat.vmdk`` can be fetched, with a live session's cookie.

        Raises:
            OperationalError: the platform cannot be reached.
        """
        ...


@runtime_checkable
class FilesOfVms(Protocol):
    """What ``DatastoreFiles`` may offer too, where datastores can have one name. Thread: any."""

    def files_of(self, vm: VmId) -> DatastoreFiles:
        """Return what addresses the files of one VM, on the datastores that it sees."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsFile:
    """A datastore file as the NFS server of its datastore has it."""

    servers: tuple[str, ...]
    """Names or addresses of the server, the one that the hosts use first."""
    export: str
    """What the hosts mount of it."""
    path: str
    """From the root of the export, such as ``web-01/web-01.vmdk``."""
    volumes: frozenset[str] = frozenset()
    """What the datastore is called below ``/vmfs/volumes`` on the hosts."""


class NfsDatastores(Protocol):
    """Knows which datastores are on NFS servers. Thread: any."""

    def nfs_file(self, vm: VmId, datastore_path: str) -> NfsFile | None:
        """Return where a VM's file is on an NFS server; None when its datastore is on none.

        Raises:
            OperationalError: the platform cannot be asked, or does not know the datastore.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VddkLogin:
    """How VMware's own library (VDDK) logs in to the platform to open the disks of one VM."""

    server: str
    port: int
    user: str
    password: str = field(repr=False)
    thumbprint_sha1: str
    """Of the certificate that was verified, upper-case hex pairs joined by colons."""
    vm: str
    """The VM's reference, such as ``moref=vm-12``."""
    holds_vms: bool
    """Whether the platform can keep a VM on its datastore meanwhile, which a single host cannot."""


class VddkLogins(Protocol):
    """Gives out logins for VMware's library. Thread: any."""

    def vddk_login(self, vm: VmId) -> VddkLogin:
        """Return how to log in for one VM, after the platform's certificate was verified once more.

        Raises:
            OperationalError: the platform cannot be reached, or is another one.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskAddress:
    """Which disk to open."""

    vm: VmId
    vm_name: str
    disk_key: int
    path: str
    """Datastore path of the disk's descriptor: for a read, the one frozen by the snapshot."""
    capacity_bytes: int
    snapshot: SnapshotId | None = None
    is_delta: bool = False
    """True when the frozen disk itself has parents (snapshots of others below it)."""
    is_encrypted: bool = False
    """True when the file holds encrypted data: what the host itself reads is plain, the file is not."""
    has_moved: Callable[[], bool] = field(default=lambda: False, repr=False, compare=False)
    """Asked when a host does not open the disk any more: True when trying again here is in vain.

    Raises what the platform says instead, for example that the disk is frozen no more.
    """

    @classmethod
    def of(cls, vm: VmId, vm_name: str, disk: VirtualDisk, snapshot: SnapshotId | None = None) -> Self:
        """Return where a disk of a VM is; ``snapshot`` is the one that holds it still."""
        return cls(
            vm=vm,
            vm_name=vm_name,
            disk_key=disk.key,
            path=disk.path,
            capacity_bytes=disk.capacity_bytes,
            snapshot=snapshot,
            is_delta=disk.is_delta,
            is_encrypted=disk.is_encrypted,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A disk at its place on the VM that this program runs in ("HotAdd"); all that finds it there again."""

    machine: VmId
    """The VM that this program runs in."""
    machine_uuid: str
    """Its instance UUID, by which it is known wherever it is registered."""
    machine_name: str
    path: str
    """Datastore path of the disk that is attached."""
    disk_uuid: str
    """What the guest sees as its serial number, with dashes."""
    bus: int
    """Bus number of the SCSI controller."""
    unit: int
    owns_controller: bool = False
    """True when the controller was added for this attachment, or for another one of ours."""
    is_writable: bool = False
    """True when what the guest writes goes to the disk's file; else it never does."""
    capacity_bytes: int = 0


class DiskAttacher(Protocol):
    """Attaches disks to a VM of the platform, and detaches them. Thread: any."""

    def plan(self, bios_uuids: Sequence[str], disk: DiskAddress, access: AccessMode) -> Attachment:
        """Decide where a disk would be attached; changes nothing.

        Args:
            bios_uuids: what the UUID of the machine that this program runs on may be.
            disk: frozen, or of a VM that is off; to be written, of a VM that is off and has no snapshot of it.
            access: whether what the guest writes is to reach the disk.

        Raises:
            OperationalError: it cannot be attached; the message says why.
        """
        ...

    def attach(self, attachment: Attachment) -> None:
        """Attach a disk as planned: unless it is writable, nothing is ever written to its files.

        Raises:
            OperationalError: it is not certain to be attached; :meth:`detach` clears up.
        """
        ...

    def detach(self, attachment: Attachment) -> bool:
        """Detach a disk, never deleting a file; return False when there was nothing to detach.

        Whatever is at the place and is not exactly what was attached there stays.

        Raises:
            OperationalError: it may still be attached.
        """
        ...


class AttachedDisks(Protocol):
    """Attaches disks for a transport, each noted durably before. Thread: any."""

    def attach(
        self,
        bios_uuids: Sequence[str],
        disk: DiskAddress,
        access: AccessMode,
        check: Callable[[Attachment], None],
    ) -> Attachment:
        """Attach a disk to the VM that this program runs in.

        Args:
            bios_uuids: what the UUID of the machine that this program runs on may be.
            disk: frozen, or of a VM that is off.
            access: whether what the guest writes is to reach the disk.
            check: called with what is about to be attached, before anything is noted or done; may refuse.

        Raises:
            OperationalError: it could not be attached; nothing is left, or it is noted for later.
            TaskCancelled: cancelled; nothing is left.
        """
        ...

    def detach(self, attachment: Attachment) -> None:
        """Detach a disk that the guest has let go of; what fails is logged and noted for later."""
        ...


@runtime_checkable
class LetsGoOfDisks(Protocol):
    """What ``DiskTransports`` may offer too, where they use attached disks. Thread: any."""

    def let_go(self, attachment: Attachment, log: TaskLog) -> None:
        """Let the operating system forget a disk that is about to be detached; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskAccess:
    """The ways a session offers to reach disks; None where it does not have one."""

    nfc: NfcTickets | None = None
    https: DatastoreFiles | None = None
    nfs: NfsDatastores | None = None
    vddk: VddkLogins | None = None
    hotadd: AttachedDisks | None = None
    """Given by the engine, which notes what is attached before it is."""
    patience: Patience | None = None
    """How to wait for the platform where it serves the data itself; None: not at all."""
    allows_plain: bool = False
    """True where disks may travel unencrypted, which only the operator decides."""


@runtime_checkable
class DescribesHost(Protocol):
    """An open disk that may tell what its host said of itself."""

    @property
    def host_words(self) -> str:
        """Technical facts in one line, without anything secret."""
        ...


class DiskTransports(Protocol):
    """Opens disks over the best transport mode there is, and logs why the better ones were not taken."""

    def open_reader(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> DiskReader:
        """Open a disk for reading, trying ``preferred`` in order.

        Raises:
            NoTransportAvailable: none works; the reasons are in the message.
            PlatformUnreachable, LoginRefused: the platform itself cannot be asked, whatever the mode.
            TaskCancelled: cancelled meanwhile.
        """
        ...

    def open_writer(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> DiskWriter:
        """Open a disk of a powered-off VM for writing, trying ``preferred`` in order.

        Raises:
            NoTransportAvailable: none works; the reasons are in the message.
            PlatformUnreachable, LoginRefused: the platform itself cannot be asked, whatever the mode.
            TaskCancelled: cancelled meanwhile.
        """
        ...


@runtime_checkable
class HoldsVms(Protocol):
    """What ``DiskTransports`` may offer too, where a mode prepares a VM before its snapshot. Thread: any."""

    def holding(
        self,
        access: DiskAccess,
        vm: VmId,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> AbstractContextManager[None]:
        """Keep a VM on its datastore inside the block, where a preferred mode needs it; a failure is only logged.

        To be entered before the snapshot is made, and left after it is removed.

        Raises:
            TaskCancelled: cancelled on the way in.
        """
        ...


@runtime_checkable
class ExaminesVddk(Protocol):
    """What ``DiskTransports`` may offer too: a look at VMware's library in a folder. Thread: any."""

    def examine_vddk(self, folder: str) -> VddkLibrary:
        """Return the library in a folder, after it was loaded in a process of its own.

        Raises:
            OperationalError: there is none that can be used; the reason is in the message.
        """
        ...
