"""Backing up templates: they cannot run, so that nobody writes their disks, and they have no snapshots.

Nothing holds a template still but that it is one. Its disks are read as they are, and whether it stayed as it was
is asked after the last byte: somebody may have made a VM of it meanwhile, run it, and made a template of it again.
"""

from app.core.hypervisor import Hypervisor
from app.domain.errors import VmNotFound
from app.domain.vms import QuietVm, VmDetails
from app.engine.errors import TemplateChanged


class TemplateScope:
    """Gives a template's disks inside a ``with`` block, as ``SnapshotScope`` gives frozen ones. Thread: one."""

    def __init__(self, details: VmDetails) -> None:
        self._details = details

    def __enter__(self) -> QuietVm:
        disks = tuple(disk for disk in self._details.disks if disk.unsupported_reason is None)
        return QuietVm(snapshot=None, disks=disks, crash_consistent=False)

    def __exit__(self, *exc: object) -> None:
        self.release()

    def release(self) -> bool:
        """Return that nothing is left on the template: nothing was put there."""
        return True


def check_unchanged(hypervisor: Hypervisor, before: VmDetails) -> None:
    """Make sure that a template stayed what it was while it was read.

    Raises:
        TemplateChanged: what was read may be of several moments.
        OperationalError: the platform cannot be asked.
    """
    name = before.summary.name
    try:
        now = hypervisor.vm_details(before.summary.id)
    except VmNotFound as gone:
        raise TemplateChanged(vm=name) from gone
    if not now.summary.is_template or _facts(now) != _facts(before):
        raise TemplateChanged(vm=name)


def _facts(template: VmDetails) -> object:
    """Return what stays the same for as long as a template is left alone; its files may be moved."""
    disks = {(disk.key, disk.uuid, disk.capacity_bytes) for disk in template.disks}
    return template.version, template.summary.instance_uuid, disks
