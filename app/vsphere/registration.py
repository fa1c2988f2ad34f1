"""Choosing the host that VMs run on from served disks, and adding VMs to the inventory by their files.

Source: ``Folder.RegisterVM_Task``, ``ResourcePool.RegisterChildVM_Task`` and ``VirtualMachine.UnregisterVM`` of
the vSphere Web Services reference.
"""

from typing import Any, Final

from pyVmomi import vim

from app.core.nfshosting import NfsHost
from app.domain.errors import VmCreationFailed
from app.domain.ids import VmId
from app.domain.vms import SavedConfiguration, VmPlacement
from app.vsphere import saved_vm, tasks
from app.vsphere.creation_failures import creation_failure
from app.vsphere.faults import CONNECTION_FAILURES, FAILURES
from app.vsphere.hardware_versions import VersionTooOld
from app.vsphere.host_addresses import kernel_addresses
from app.vsphere.marked_vms import parent_at
from app.vsphere.names import escaped
from app.vsphere.offer_reader import read_offer
from app.vsphere.placement import NoPlace, Origin, Place, choose_host
from app.vsphere.power import unregister_vm
from app.vsphere.properties import read, read_all
from app.vsphere.reasons import NO_HOST_ADDRESS
from app.vsphere.rebuild import origin_of, version_for
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_REGISTER_S: Final = 300.0
_NOWHERE: Final = Origin(datacenter="", folder=(), host="", resource_pool="", datastore="", disk_datastores={})
_NETWORK = "config.network.vnic"
_USES = "config.virtualNicManagerInfo.netConfig"


class Registration:
    """Registers VMs and chooses their hosts over one session. Thread: any."""

    def __init__(self, session: VSphereSession, platform_instance: str = "") -> None:
        self._session = session
        self._platform_instance = platform_instance

    def nfs_host(self, saved: SavedConfiguration, wanted: VmPlacement) -> NfsHost:
        """Return the host on which a VM would be created; see ``RunsFromNfs.nfs_host``.

        Raises:
            VmCreationFailed: no host can be chosen, or none that can be served.
            OperationalError: the platform cannot be asked.
        """
        try:
            vm = saved_vm.read(saved.files.get(saved_vm.CONFIG_FILE, b""))
            place = self._place(origin_of(vm, self._platform_instance), wanted)
            version_for(vm, place, wanted)
            addresses = self._session.run(lambda connection: _addresses(connection, place.host.moid))
        except (NoPlace, VersionTooOld) as error:
            raise VmCreationFailed(vm=wanted.name, detail=error) from error
        except FAILURES as error:
            raise creation_failure(self._session, error, wanted.name) from error
        if not addresses:
            raise VmCreationFailed(vm=wanted.name, detail=NO_HOST_ADDRESS.fill(host=place.host.name))
        return NfsHost(id=place.host.moid, name=place.host.name, addresses=addresses)

    def register(self, path: str, wanted: VmPlacement) -> VmId:
        """Add a VM to the inventory by its ``.vmx``; see ``RunsFromNfs.register_vm``.

        Raises:
            VmCreationFailed: the platform refuses; nothing was added.
            OperationalError: the platform cannot be reached; the VM may be there.
        """
        deadline = Deadline.after(self._session.clock, _REGISTER_S)
        try:
            place = self._place(_NOWHERE, wanted)
            return tasks.through_outage(
                self._session, lambda: self._registered(path, place, wanted.name, deadline), deadline
            )
        except NoPlace as error:
            raise VmCreationFailed(vm=wanted.name, detail=error) from error
        except FAILURES as error:
            raise creation_failure(self._session, error, wanted.name, Operation.REGISTER_VM) from error

    def unregister(self, vm: VmId) -> None:
        """Remove a powered-off VM from the inventory; see ``RunsFromNfs.unregister_vm``.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        deadline = Deadline.after(self._session.clock, _REGISTER_S)
        tasks.through_outage(self._session, lambda: unregister_vm(self._session, vm), deadline)

    def _place(self, origin: Origin, wanted: VmPlacement) -> Place:
        offer = self._session.run(lambda connection: read_offer(connection.query()))
        return choose_host(offer, origin, wanted)

    def _registered(self, path: str, place: Place, name: str, deadline: Deadline) -> VmId:
        waiting = Waiting(
            operation=Operation.REGISTER_VM,
            deadline=deadline,
            instead=lambda connection: _registered_at(connection, path, place),
        )
        try:
            made = tasks.run_task(self._session, lambda connection: _start(connection, path, place, name), waiting)
        except vim.fault.AlreadyExists:
            made = self._session.run(lambda connection: _registered_at(connection, path, place))
            if made is None:
                raise
        except CONNECTION_FAILURES:
            # It may have begun, and only one can be asked for at a time.
            tasks.wait_for_unknown(
                self._session, lambda connection: parent_at(connection, place), "register", deadline
            )
            raise
        return VmId(made._moId)


def _start(connection: Connection, path: str, place: Place, name: str) -> Any:
    """Begin to register a VM; one of a vApp is in no folder, so that the vApp's own method does it."""
    parent, host = parent_at(connection, place), connection.object(vim.HostSystem, place.host.moid)
    if place.vapp is not None:
        return parent.RegisterChildVM_Task(path=path, name=escaped(name), host=host)
    pool = connection.object(vim.ResourcePool, place.pool)
    return parent.RegisterVM_Task(path=path, name=escaped(name), asTemplate=False, pool=pool, host=host)


def _registered_at(connection: Connection, path: str, place: Place) -> Any:
    """Return the VM whose ``.vmx`` is at a path; None without one.

    Datacenters may have datastores of one name: the one on the place's host counts first.
    """
    rows = read_all(connection.query(), {vim.VirtualMachine: ("config.files.vmPathName", "runtime.host")})
    found = [row for row in rows if row.get("config.files.vmPathName") == path]
    here = [row for row in found if getattr(row.get("runtime.host"), "_moId", "") == place.host.moid]
    if here:
        return here[0].ref
    return found[0].ref if len(found) == 1 else None


def _addresses(connection: Connection, host: str) -> tuple[str, ...]:
    row = read(connection.query(), connection.object(vim.HostSystem, host), _NETWORK, _USES)
    return kernel_addresses(row.get(_USES) or (), row.get(_NETWORK) or ())
