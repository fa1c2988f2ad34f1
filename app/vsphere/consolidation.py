"""Consolidating the disks of a VM when an operator asks for it.

Source: ``ConsolidateVMDisks_Task`` and ``VirtualMachineRuntimeInfo`` (``consolidationNeeded``) of the vSphere API
reference.
"""

from collections.abc import Callable
from typing import Final

from app.core.cancel import CancelToken
from app.domain.ids import VmId
from app.vsphere import tasks
from app.vsphere.errors import DisksStillUnconsolidated
from app.vsphere.names import unescaped
from app.vsphere.properties import read
from app.vsphere.session import VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_LONGEST_S: Final = 7 * 86400.0
"""No source says how long it may take; large disks need hours, and the operator can stop it."""


def consolidate_disks(
    session: VSphereSession, vm: VmId, *, on_progress: Callable[[int], None], cancel: CancelToken
) -> None:
    """Merge what removed snapshots have left; see ``ConsolidatesDisks.consolidate_disks``."""
    waiting = Waiting(
        operation=Operation.CONSOLIDATE_DISKS,
        deadline=Deadline.after(session.clock, _LONGEST_S),
        cancel=cancel,
        on_progress=on_progress,
    )
    cancel.check()
    tasks.run_task(session, lambda connection: connection.vm(vm).ConsolidateVMDisks_Task(), waiting)
    row = session.run(
        lambda connection: read(connection.query(), connection.vm(vm), "name", "runtime.consolidationNeeded")
    )
    if row.get("runtime.consolidationNeeded"):
        raise DisksStillUnconsolidated(vm=unescaped(row.get("name") or vm))
