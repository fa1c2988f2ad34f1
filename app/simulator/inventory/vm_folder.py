"""Folders of VMs: creating and registering VMs."""

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.inventory.folder import Folder
from app.simulator.vm.create import create_vm
from app.simulator.vm.register import register_vm


class VmFolder(Folder):
    """A folder of VMs, or of folders of VMs."""

    def CreateVM_Task(
        self,
        call: Call,
        *,
        config: vim.vm.ConfigSpec,
        pool: vim.ResourcePool,
        host: vim.HostSystem | None = None,
    ) -> vim.Task:
        """Create a VM in here."""
        self.world.inventory.parts_of(self).take_in(config)
        return create_vm(self, call, config, pool, host)

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
        """Add a VM whose files exist to the inventory."""
        path = self.world.inventory.parts_of(self).key_of(path)
        return register_vm(self, call, path, name, pool=pool, host=host, as_template=asTemplate)
