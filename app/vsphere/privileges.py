"""The privileges that the adapter needs; docs/vsphere.md explains them, and a test holds both together."""

from collections.abc import Sequence
from typing import Any

from app.domain.ids import VmId
from app.domain.platforms import PrivilegeCheck, WithoutPrivilege
from app.vsphere.names import unescaped
from app.vsphere.properties import read
from app.vsphere.session import Connection, own_session

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
    "VirtualMachine.Config.AddExistingDisk",
    "VirtualMachine.Config.RemoveDisk",
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
    "VirtualMachine.Config.AddExistingDisk",
    "VirtualMachine.Config.RemoveDisk",
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
    "VApp.ApplicationConfig",
    "Network.Assign",
)
INSTANT_RECOVERY = (
    *RESTORE,
    "Host.Config.Storage",
    "VirtualMachine.Inventory.Register",
    "VirtualMachine.Inventory.Unregister",
    "VirtualMachine.Interact.AnswerQuestion",
    "VirtualMachine.Interact.CreateScreenshot",
    "Resource.ColdMigrate",
    "Resource.HotMigrate",
)
"""What running VMs from restore points needs. :func:`check_privileges` does not ask for it: an account that only
backs up and restores is complete without."""

_INSTEAD = {"VirtualMachine.Provisioning.GetVmFiles": "VirtualMachine.Provisioning.DiskRandomRead"}
"""What does as well: disks are read with the ticket for all files of a VM, or else with one for each disk."""
_VM = "vm"
_PLACES = (
    ("Datastore.", "datastore"),
    ("Network.", "network"),
    ("Resource.", "resourcePool"),
    ("VApp.", "resourcePool"),
    ("VirtualMachine.Inventory.", "parent"),
)
"""By the beginnings of their ids, the privileges that are needed on what a VM uses; a role on a folder of VMs does
not reach it."""
_WITHOUT = {
    "VirtualMachine.Config.AddExistingDisk": WithoutPrivilege.NO_HOTADD,
    "VirtualMachine.Config.RemoveDisk": WithoutPrivilege.NO_HOTADD,
    "VirtualMachine.Config.ChangeTracking": WithoutPrivilege.WHOLE_DISKS,
    "VApp.AssignVM": WithoutPrivilege.NOT_INTO_VAPPS,
    "VApp.ApplicationConfig": WithoutPrivilege.OTHER_VAPP_ORDER,
    "VirtualMachine.Provisioning.MarkAsTemplate": WithoutPrivilege.TEMPLATES_AS_VMS,
    "Datastore.Browse": WithoutPrivilege.FEWER_FILES,
    "Datastore.FileManagement": WithoutPrivilege.FEWER_FILES,
}


def check_privileges(connection: Connection, vm: VmId | None) -> Sequence[PrivilegeCheck]:
    """Return every privilege that is needed, and whether the session's account has it.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    surroundings = _Surroundings(connection, _session_key(connection), vm)
    checks = []
    for name in dict.fromkeys((*BACKUP, *RESTORE)):
        lacking = surroundings.lacking(name)
        if lacking is not None and name in _INSTEAD:
            lacking = surroundings.lacking(_INSTEAD[name])
        checks.append(
            PrivilegeCheck(
                privilege=name,
                for_backup=name in BACKUP,
                for_restore=name in RESTORE,
                is_granted=lacking is None,
                without_it=_WITHOUT.get(name, WithoutPrivilege.NOTHING_WORKS),
                missing_at=lacking or "",
            )
        )
    return tuple(checks)


def has_privileges(connection: Connection, entity: Any, names: Sequence[str]) -> frozenset[str]:
    """Return those of some privileges that the session's account has on an object.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    return _granted_on(connection, _session_key(connection), entity, names)


def _session_key(connection: Connection) -> str:
    return str(own_session(connection).key)


def _granted_on(connection: Connection, session_key: str, entity: Any, names: Sequence[str]) -> frozenset[str]:
    answer = connection.content.authorizationManager.HasPrivilegeOnEntity(entity, session_key, list(names))
    return frozenset(name for name, has in zip(names, answer, strict=True) if has)


class _Surroundings:
    """The objects around a VM that privileges are needed on, and what an account may do with each. Thread: one."""

    def __init__(self, connection: Connection, session_key: str, vm: VmId | None) -> None:
        self._connection = connection
        self._session_key = session_key
        self._places = self._of_top() if vm is None else self._of_vm(vm)
        self._granted: dict[str, frozenset[str]] = {}

    def lacking(self, privilege: str) -> str | None:
        """Return the name of an object that a privilege is missing on; None when it is on all that need it."""
        for place in self._places.get(_place_of(privilege), self._places[_VM]):
            if privilege not in self._granted_at(place):
                row = read(self._connection.query(), place, "name")
                return unescaped(row.get("name") or "")
        return None

    def _of_top(self) -> dict[str, tuple[Any, ...]]:
        return {_VM: (self._connection.content.rootFolder,)}

    def _of_vm(self, vm: VmId) -> dict[str, tuple[Any, ...]]:
        reference = self._connection.vm(vm)
        row = read(self._connection.query(), reference, "parent", "datastore", "network", "resourcePool")
        lists = {kind: tuple(row.get(kind) or ()) for kind in ("datastore", "network")}
        single = {kind: (row.get(kind),) for kind in ("parent", "resourcePool") if row.get(kind) is not None}
        return {_VM: (reference,), **{kind: found for kind, found in lists.items() if found}, **single}

    def _granted_at(self, place: Any) -> frozenset[str]:
        known = self._granted.get(place._moId)
        if known is None:
            asked = tuple(dict.fromkeys((*BACKUP, *RESTORE, *_INSTEAD.values())))
            known = _granted_on(self._connection, self._session_key, place, asked)
            self._granted[place._moId] = known
        return known


def _place_of(privilege: str) -> str:
    """Return which of a VM's surroundings a privilege is needed on; the VM itself for most."""
    return next((kind for prefix, kind in _PLACES if privilege.startswith(prefix)), _VM)
