"""Trying ways to a disk that nobody writes to; HotAdd attaches it to the VM of this program for a moment."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from app.contract.errors import ErrorRow
from app.contract.transports import ProbedMode
from app.core.access import DescribesHost, DiskAccess, DiskAddress, DiskTransports
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.hypervisor import Hypervisor
from app.core.tasklog import SilentLog
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, SnapshotId, VmId
from app.domain.states import TransportMode
from app.domain.vms import PowerState, VirtualDisk, VmDetails, VmSummary
from app.engine.platforms.attachments import Attachments

MIB: Final = 1024 * 1024
READ_BYTES: Final = 16 * MIB
"""So much of the disk is read in each mode."""


@dataclass(frozen=True, slots=True)
class StillDisk:
    """A disk that nobody writes to."""

    vm: VmSummary
    disk: VirtualDisk
    snapshot: SnapshotId | None

    def address(self) -> DiskAddress:
        """Return how it is opened."""
        return DiskAddress.of(self.vm.id, self.vm.name, self.disk, self.snapshot)


class ModeTrial:
    """Opens a disk in one mode and reads its beginning. Thread: any."""

    def __init__(
        self, transports: DiskTransports, attachments: Attachments, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; ``now`` is a stopwatch."""
        self._transports = transports
        self._attachments = attachments
        self._now = now

    def on(self, platform: PlatformId) -> Callable[[Hypervisor, DiskAddress, TransportMode], ProbedMode]:
        """Return what tries disks of a platform, as :meth:`of` does."""
        return partial(self.of, platform)

    def of(
        self, platform: PlatformId, hypervisor: Hypervisor, address: DiskAddress, mode: TransportMode
    ) -> ProbedMode:
        """Return how fast it was read, or why it was not."""
        with self._attachments.for_probe(hypervisor, platform) as attached:
            return self._read(replace(hypervisor.disk_access, hotadd=attached), address, mode)

    def _read(self, access: DiskAccess, address: DiskAddress, mode: TransportMode) -> ProbedMode:
        try:
            reader = self._transports.open_reader(
                access, address, preferred=(mode,), log=SilentLog(), cancel=CancelToken()
            )
            with closing(reader):
                began_s = self._now()
                done = sum(len(request.buffer) for request in reader.read_many(_beginning(address.capacity_bytes)))
                took_s = self._now() - began_s
            host = reader.host_words if isinstance(reader, DescribesHost) else ""
        except OperationalError as error:
            return ProbedMode(mode=mode, error=ErrorRow.of(error))
        return ProbedMode(mode=mode, bytes_per_s=round(done / max(took_s, 1e-6)), host_words=host)


def find_still(hypervisor: Hypervisor, vm: VmId | None) -> StillDisk | None:
    """Return a disk that nobody writes to, of one VM or of the first that has one; None when there is none.

    Raises:
        VmNotFound: there is no such VM.
        OperationalError: the platform cannot be asked.
    """
    if vm is not None:
        return _still_of(hypervisor, hypervisor.vm_details(vm))
    return first_still(hypervisor, hypervisor.list_vms())


def first_still(hypervisor: Hypervisor, vms: Iterable[VmSummary]) -> StillDisk | None:
    """Return a disk that nobody writes to, of the first of some VMs that has one; None when there is none."""
    inventory = [one for one in vms if one.unreached is None and one.system_role is None]
    likely = [one for one in inventory if one.power_state is PowerState.OFF]
    likely += [one for one in inventory if one.power_state is not PowerState.OFF and one.snapshot_count]
    for summary in likely:
        try:
            found = _still_of(hypervisor, hypervisor.vm_details(summary.id))
        except OperationalError:
            continue  # gone or not reachable: another one will do
        if found is not None:
            return found
    return None


def _still_of(hypervisor: Hypervisor, details: VmDetails) -> StillDisk | None:
    snapshot: SnapshotId | None = None
    disks = details.disks
    if details.summary.power_state is not PowerState.OFF:
        if not details.snapshots:
            return None
        snapshot = details.snapshots[-1].id
        disks = hypervisor.frozen_disks(details.summary.id, snapshot)
    readable = [disk for disk in disks if disk.unsupported_reason is None and disk.capacity_bytes]
    plain = [disk for disk in readable if not disk.is_encrypted]
    chosen = next(iter([*plain, *readable]), None)
    return None if chosen is None else StillDisk(details.summary, chosen, snapshot)


def _beginning(capacity_bytes: int) -> Iterator[ReadRequest]:
    end = min(capacity_bytes, READ_BYTES)
    for start in range(0, end, MIB):
        yield ReadRequest(start, memoryview(bytearray(min(MIB, end - start))))
