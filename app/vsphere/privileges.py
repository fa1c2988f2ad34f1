"""The privileges that the adapter needs; docs/vsphere.md explains them, and a test holds both together."""

from collections.abc import Sequence
from typing import Any

from app.domain.ids import VmId
from app.domain.platforms import PrivilegeCheck, WithoutPrivilege
from app.vsphere.properties import read
from app.vsphere.session import Connection

BACKUP = (
    "System.View",
    "System.Read",
    "VirtualMachine.State.CreateSnapshot",
    "VirtualMachine.State.RemoveSnapshot",
    "VirtualMachine.Config.ChangeTracking",
    "VirtualMachine.Provisioning.GetVmFiles",
    "VirtualMachine.Provisioning.DiskRandomRead",
    "Datastore.Browse",
    "Datastore.FileManagement",
)
RESTORE = (
    "System.View",
    "System.Read",
    "VirtualMachine.Provisioning.GetVmFiles",
    "VirtualMachine.Provisioning.DiskRandomRead",
    "Datastore.Browse",
    "Datastore.FileManagement",
    "VirtualMachine.Provisioning.DiskRandomAccess",
    "VirtualMachine.Inventory.Create",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.Config.AddNewDisk",
    "VirtualMachine.Config.AddRemoveDevice",
    "VirtualMachine.Config.EditDevice",
    "VirtualMachine.Config.AdvancedConfig",
    "VirtualMachine.Config.CPUCount",
    "VirtualMachine.Config.Memory",
    "VirtualMachine.Config.Settings",
    "VirtualMachine.Config.Rename",
    "VirtualMachine.Provisioning.MarkAsTemplate",
    "VirtualMachine.Interact.PowerOn",
    "VirtualMachine.Interact.PowerOff",
    "Datastore.AllocateSpace",
    "Resource.AssignVMToPool",
    "VApp.AssignVM",
    "Network.Assign",
)

_INSTEAD = {"VirtualMachine.Provisioning.GetVmFiles": "VirtualMachine.Provisioning.DiskRandomRead"}
"""What does as well: disks are read with the ticket for all files of a VM, or else with one for each disk."""
_WITHOUT = {
    "VirtualMachine.Config.ChangeTracking": WithoutPrivilege.WHOLE_DISKS,
    "VApp.AssignVM": WithoutPrivilege.NOT_INTO_VAPPS,
    "VirtualMachine.Provisioning.MarkAsTemplate": WithoutPrivilege.TEMPLATES_AS_VMS,
    "Datastore.Browse": WithoutPrivilege.FEWER_FILES,
    "Datastore.FileManagement": WithoutPrivilege.FEWER_FILES,
}


def check_privileges(connection: Connection, vm: VmId | None) -> Sequence[PrivilegeCheck]:
    """Return every privilege that is needed, and whether the session's account has it.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    names = tuple(dict.fromkeys((*BACKUP, *RESTORE)))
    entity = connection.content.rootFolder if vm is None else connection.vm(vm)
    row = read(connection.query(), connection.content.sessionManager, "currentSession")
    session: Any = row.get("currentSession")
    asked = (*names, *_INSTEAD.values())
    answer = connection.content.authorizationManager.HasPrivilegeOnEntity(entity, session.key, list(asked))
    granted = {name for name, has in zip(asked, answer, strict=True) if has}
    return tuple(
        PrivilegeCheck(
            privilege=name,
            for_backup=name in BACKUP,
            for_restore=name in RESTORE,
            is_granted=name in granted or _INSTEAD.get(name) in granted,
            without_it=_WITHOUT.get(name, WithoutPrivilege.NOTHING_WORKS),
        )
        for name in names
    )
