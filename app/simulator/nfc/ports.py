"""What the NFC server asks of the rest of the simulator."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.simulator.nfc.answers import NfcAnswers
from app.simulator.storage import SimDisk


class DiskResolver(Protocol):
    """Knows which disks belong to a VM. Thread: any."""

    def resolve_disk(self, vm_moid: str, disk_key: int | None, path: str, *, writable: bool) -> SimDisk:
        """Return the disk at a datastore path, when this VM's ticket may open it.

        Args:
            vm_moid: the ticket's VM.
            disk_key: the ticket's disk: the path must be in the chain of that device; None: any of the VM's.
            path: of a descriptor, ``[ds] dir/x.vmdk``: the leaf or one of its parents.
            writable: whether it is opened for writing.

        Raises:
            DiskNotFound: there is no such disk.
            DiskForbidden: it is another VM's.
            DiskInUse: it is the leaf of a running VM, or is to be written while the VM runs.
            StorageError: its files cannot be opened.
        """
        ...


class Interruption(Protocol):
    """What a fault script does to a connection."""

    @property
    def stall_s(self) -> float | None:
        """Seconds to hold still; None cuts the connection."""
        ...

    @property
    def meanwhile(self) -> Callable[[], None] | None:
        """What is done while it stalls, or after it was cut and before its client can notice."""
        ...


class NfcFaults(Protocol):
    """The part of the fault script that concerns NFC. Thread: any."""

    @property
    def nfc(self) -> NfcAnswers:
        """What single requests are answered with."""
        ...

    def nfc_sent(self, n_bytes: int) -> Interruption | None:
        """Count bytes that travel; return what is to happen to this connection now."""
        ...


class NoFaults:
    """Lets everything go well."""

    def __init__(self) -> None:
        self.nfc = NfcAnswers()

    def nfc_sent(self, n_bytes: int) -> Interruption | None:
        """Return None."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NfcTls:
    """The host's certificate, as the server needs it."""

    context: ssl.SSLContext
    """For the server's side, certificate and key loaded."""
    thumbprint_sha256: str
    """Upper-case hex pairs joined by colons."""
