"""Finding VMs by where they are, their names and the mark of their creation, and removing what a failure left.

Only a VM that carries the mark is ever removed: another of the same name is somebody's.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim, vmodl

from app.domain.ids import VmId
from app.vsphere import tasks
from app.vsphere.names import escaped
from app.vsphere.placement import Place
from app.vsphere.power import destroy_vm, unregister_vm
from app.vsphere.properties import Row, read, read_all, read_many
from app.vsphere.rebuild import MARK
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline

_UNDO_S = 600.0


def parent_at(connection: Connection, place: Place) -> Any:
    """Return what a VM is created in: a folder, or a vApp or one of its pools."""
    if place.vapp is None:
        return connection.object(vim.Folder, place.folder)
    return connection.object(vim.VirtualApp if place.pool == place.vapp.moid else vim.ResourcePool, place.pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A VM that is being created."""

    place: Place
    name: str
    mark: str
    owns_disks: bool = True
    """Whether its disks were made for it, so that they go with it."""


class MarkedVms:
    """Finds and removes VMs of ours over one session. Thread: any."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session

    def named_at(self, place: Place, name: str) -> list[Row]:
        """Return what has a name already where a VM is to be: in its folder, or in its vApp.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated; so in the other methods.
        """
        inside = "childEntity" if place.vapp is None else "vm"

        def look(connection: Connection) -> list[Row]:
            children = read(connection.query(), parent_at(connection, place), inside)
            rows = read_many(connection.query(), children.get(inside) or (), "name")
            return [row for row in rows if (row.get("name") or "").casefold() == escaped(name).casefold()]

        return self._session.run(look)

    def at(self, marked: Marked) -> list[Any]:
        """Return references of the VMs at a place that have the name and the mark."""
        return [
            row.ref
            for row in self.named_at(marked.place, marked.name)
            if isinstance(row.ref, vim.VirtualMachine) and self._carries(row.moid, marked.mark)
        ]

    def find(self, name: str, mark: str) -> VmId | None:
        """Return the VM of a name that carries a creation's mark; see ``MarkedVms.find_marked`` of the core."""

        def look(connection: Connection) -> list[str]:
            rows = read_all(connection.query(), {vim.VirtualMachine: ("name",)})
            return [row.moid for row in rows if (row.get("name") or "") == escaped(name)]

        for moid in self._session.run(look):
            with contextlib.suppress(vmodl.fault.ManagedObjectNotFound):
                if self._carries(moid, mark):
                    return VmId(moid)
        return None

    def remove(self, marked: Marked, task: str | None) -> None:
        """Remove what a failed creation made, whose task may still run.

        Raises:
            OperationalError: it may still be there.
        """
        deadline = Deadline.after(self._session.clock, _UNDO_S)
        tasks.through_outage(self._session, lambda: self._remove(marked, task, deadline), deadline)

    def _remove(self, marked: Marked, task: str | None, deadline: Deadline) -> None:
        if task is not None:
            tasks.wait_for_end(self._session, task, deadline)
        else:
            tasks.wait_for_unknown(
                self._session, lambda connection: parent_at(connection, marked.place), "createVm", deadline
            )
        for ref in self.at(marked):
            if marked.owns_disks:
                destroy_vm(self._session, VmId(ref._moId), deadline)
            else:
                unregister_vm(self._session, VmId(ref._moId))

    def _carries(self, vm: str, mark: str) -> bool:
        row = self._session.run(
            lambda connection: read(connection.query(), connection.vm(vm), "config.extraConfig")
        )
        return any(option.key == MARK and option.value == mark for option in row.get("config.extraConfig") or ())
