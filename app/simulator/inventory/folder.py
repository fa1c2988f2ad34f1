"""Folders: creating, filling, moving and deleting them."""

from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.entity import (
    Entity,
    adopt,
    check_entity_name,
    child_named,
    children_of,
    duplicate_name,
    release,
    stored_name,
)
from app.simulator.objects import SimObject
from app.simulator.progress import TaskProgress
from app.simulator.world import World


class Folder(Entity):
    """A folder of VMs, hosts, datastores, networks or datacenters."""

    vim_type = vim.Folder

    def __init__(
        self, world: World, moid: str, name: str, parent: SimObject | None, child_types: tuple[type[Any], ...]
    ) -> None:
        super().__init__(world, moid, name, parent, childType=list(child_types), childEntity=[])

    def holds(self, kind: type[Any]) -> bool:
        """Return whether entities of a type may be in here."""
        return any(issubclass(kind, allowed) for allowed in self.properties["childType"])

    def subfolder(self, name: str) -> "Folder":
        """Return the folder of that name in here, creating it when it is missing.

        Raises:
            vim.fault.DuplicateName: something else has that name.
        """
        existing = child_named(self, name)
        if isinstance(existing, Folder):
            return existing
        return self._new_folder(name)

    def _new_folder(self, name: str) -> "Folder":
        name = stored_name(name)
        with self.world.lock:
            check_entity_name(name)
            twin = child_named(self, name)
            if twin is not None:
                raise duplicate_name(name, twin)
            kinds = tuple(self.properties["childType"])
            folder = self.world.add(type(self)(self.world, self.world.new_moid("group"), name, self, kinds))
            adopt(self, folder)
        return folder

    def CreateFolder(self, call: Call, *, name: str) -> vim.Folder:
        """Create a folder in here."""
        ref: vim.Folder = self._new_folder(name).ref
        return ref

    def CreateVM_Task(
        self,
        call: Call,
        *,
        config: vim.vm.ConfigSpec,
        pool: vim.ResourcePool,
        host: vim.HostSystem | None = None,
    ) -> vim.Task:
        """Refuse: only folders of VMs take new ones."""
        raise _holds_no_vms()

    def RegisterVM_Task(
        self,
        call: Call,
        *,
        path: str,
        name: str | None = None,
        asTemplate: bool = False,
        pool: vim.ResourcePool | None = None,
        host: vim.HostSystem | None = None,
    ) -> vim.Task:
        """Refuse: only folders of VMs take new ones."""
        raise _holds_no_vms()

    def MoveIntoFolder_Task(self, call: Call, *, list: list[vim.ManagedEntity]) -> vim.Task:
        """Move entities into this folder."""
        entities = [self.world.get(ref) for ref in list]

        def move(_: TaskProgress) -> None:
            with self.world.lock:
                for entity in entities:
                    self._take_in(entity)

        return call.start_task(self, "MoveIntoFolder_Task", move)

    def _take_in(self, entity: SimObject) -> None:
        if not isinstance(entity, Entity) or not self.holds(entity.vim_type):
            raise vmodl.fault.NotSupported(msg="The entity cannot be in this folder.")
        ancestor: SimObject | None = self
        while isinstance(ancestor, Entity):
            if ancestor is entity:
                raise vim.fault.InvalidFolder(msg="A folder cannot be in itself.", target=self.ref)
            ancestor = ancestor.parent_object()
        parent = entity.parent_object()
        if parent is self:
            return
        twin = child_named(self, entity.name)
        if twin is not None:
            raise duplicate_name(entity.name, twin)
        if parent is not None:
            release(parent, entity)
        adopt(self, entity)

    def Destroy_Task(self, call: Call) -> vim.Task:
        """Delete the folder, which must be empty."""
        call.require("Folder.Delete", self)

        def destroy(_: TaskProgress) -> None:
            with self.world.lock:
                parent = self.parent_object()
                if not isinstance(parent, Folder) or children_of(self):
                    raise vim.fault.InvalidState(msg="The folder is not empty, or belongs to the datacenter.")
                release(parent, self)
                self.world.remove(self)

        return call.start_task(self, "Destroy_Task", destroy)


def _holds_no_vms() -> vmodl.fault.NotSupported:
    return vmodl.fault.NotSupported(msg="VMs cannot be created in this folder.")
