"""Fault tolerance: a primary VM and the secondary that follows it, as the configurations of both say it.

Sources: ``FaultTolerancePrimaryConfigInfo`` and ``FaultToleranceSecondaryConfigInfo`` of the vSphere API
reference; "Fault Tolerance Interoperability" of the vSphere Availability guide (6.0 to 8.0): only snapshots of
disks are possible, as backups take them. What a secondary answers to a snapshot is in no source that was found.
"""

from typing import Final

from pyVmomi import vim

from app.simulator.vm.config import vmx_path_of
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import changed

PRIMARY: Final = 1
SECONDARY: Final = 2


def protect(primary: Machine, secondary: Machine) -> None:
    """Make a pair of two VMs."""
    pair = {
        "instanceUuids": [str(vm.config.instanceUuid) for vm in (primary, secondary)],
        "configPaths": [vmx_path_of(vm.config) for vm in (primary, secondary)],
    }
    first = vim.vm.FaultTolerancePrimaryConfigInfo(role=PRIMARY, secondaries=[secondary.ref], **pair)
    second = vim.vm.FaultToleranceSecondaryConfigInfo(role=SECONDARY, primaryVM=primary.ref, **pair)
    for vm, info in ((primary, first), (secondary, second)):
        vm.set_config(changed(vm.config, ftInfo=info))
        vm.refresh("runtime", "summary")


def role_of(vm: Machine) -> int:
    """Return a VM's role in its pair; 0 for one that has no pair."""
    info = vm.config.ftInfo
    return info.role if info is not None else 0


def check_snapshot(vm: Machine, *, memory: bool) -> None:
    """Refuse a snapshot that fault tolerance does not allow.

    Raises:
        vim.fault.SnapshotFault: it would hold the memory too.
        vim.fault.InvalidState: the VM is a secondary.
    """
    role = role_of(vm)
    if role == SECONDARY:
        raise vim.fault.InvalidState(msg="The operation is not supported on a secondary virtual machine.")
    if role == PRIMARY and memory:
        raise vim.fault.SnapshotFault(
            msg="An error occurred while saving the snapshot: fault tolerance is on for the virtual machine."
        )
