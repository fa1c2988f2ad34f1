"""The whole inventory in one paged query, and where each VM is in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyVmomi import VmomiSupport, vim, vmodl

from app.domain.ids import VmId
from app.domain.reach import HostConnection, SystemRole, VmConnection
from app.domain.vms import PowerState, VmSummary
from app.vsphere.disk_traits import disks_left_out, snapshot_doubt, vm_unsupported_reason
from app.vsphere.inventory_xml import DeviceFacts, LightRow, Ref, SnapshotCount, retrieve_light
from app.vsphere.names import unescaped
from app.vsphere.properties import container_view, objects_spec, property_specs, upwards, view_spec
from app.vsphere.session import Connection

VM_PATHS = (
    "name",
    "parent",
    "parentVApp",
    "datastore",
    "snapshot",
    "runtime.powerState",
    "runtime.host",
    "runtime.bootTime",
    "runtime.connectionState",
    "runtime.consolidationNeeded",
    "config.ftInfo.role",
    "config.instanceUuid",
    "config.uuid",
    "config.guestFullName",
    "config.template",
    "config.managedBy.extensionKey",
    "config.managedBy.type",
    "config.changeTrackingEnabled",
    "config.hardware.device",
    "capability.changeTrackingSupported",
    "guest.guestFullName",
    "guest.hostName",
)
_PLACE_PATHS: dict[type[Any], tuple[str, ...]] = {
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent"),
    vim.VirtualApp: ("name", "parentFolder", "parentVApp"),
    vim.HostSystem: ("name", "runtime.connectionState"),
    vim.Datastore: ("name",),
}
INVENTORY_PATHS: dict[type[Any], Sequence[str]] = {vim.VirtualMachine: VM_PATHS, **_PLACE_PATHS}
"""What is read of every object of the inventory."""
_POWER_STATES = {"poweredOn": PowerState.ON, "poweredOff": PowerState.OFF, "suspended": PowerState.SUSPENDED}
_VM_CONNECTIONS = {state.value: state for state in VmConnection}
_HOST_CONNECTIONS = {
    "notResponding": HostConnection.NOT_RESPONDING,
    "disconnected": HostConnection.DISCONNECTED,
}
_SYSTEM_ROLES = {
    ("com.vmware.vim.eam", "cluster-agent"): SystemRole.CLUSTER_SERVICES,
    ("VirtualCenter", "vcls-entity"): SystemRole.CLUSTER_SERVICES,
}
"""What the platform itself makes VMs for, by ``config.managedBy``: its extension and its type.

Source: ``ManagedByInfo`` of the vSphere Web Services reference, and the vendor's knowledge base article 370219,
with the values of vSphere Cluster Services before 8.0 U3 and since (embedded). A name proves nothing: anyone may
call a VM ``vCLS-…``.
"""
_MAX_DEPTH = 64
_PC = vmodl.query.PropertyCollector


def list_vms(connection: Connection) -> list[VmSummary]:
    """Return every VM of the platform, sorted by name.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    query = connection.query()
    vms: list[LightRow] = []
    places = Places()
    with container_view(query, list(INVENTORY_PATHS)) as view:
        for row in retrieve_light(query, [view_spec(view, INVENTORY_PATHS)]):
            if row.ref.kind == "VirtualMachine":
                vms.append(row)
            else:
                places.add(row)
    return by_name(summary_of(row, places) for row in vms)


def by_name(vms: Iterable[VmSummary]) -> list[VmSummary]:
    """Return VMs in the order in which an inventory shows them."""
    return sorted(vms, key=lambda vm: (vm.name.casefold(), vm.id))


def read_vm(connection: Connection, vm: VmId) -> VmSummary:
    """Return the inventory's row of one VM.

    Raises:
        vmodl.fault.ManagedObjectNotFound: it is gone.
    """
    reference = connection.vm(vm)
    rows = list(retrieve_light(connection.query(), [_vm_and_its_places(reference)]))
    found = next((row for row in rows if row.ref.moid == reference._moId), None)
    if found is None:
        raise vmodl.fault.ManagedObjectNotFound(obj=reference)
    places = Places()
    for row in rows:
        if row is not found:
            places.add(row)
    places.complete(connection, found)
    return summary_of(found, places)


def _vm_and_its_places(vm: Any) -> Any:
    """Describe a query for a VM, its host, its datastores and the way up to the root folder, in one question."""
    along = [
        _PC.TraversalSpec(name="host", type=vim.VirtualMachine, path="runtime.host", skip=False),
        _PC.TraversalSpec(name="stores", type=vim.VirtualMachine, path="datastore", skip=False),
        *upwards(),
    ]
    return _PC.FilterSpec(
        objectSet=[_PC.ObjectSpec(obj=vm, skip=False, selectSet=along)],
        propSet=property_specs(INVENTORY_PATHS),
        reportMissingObjectsInResults=True,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    kind: str
    parent: Ref | None
    connection: HostConnection = HostConnection.CONNECTED


@dataclass(slots=True)
class Places:
    """Names of hosts, datastores, folders and datacenters, and which contains which."""

    _known: dict[str, _Place] = field(default_factory=dict)

    def add(self, row: LightRow) -> None:
        """Remember an object that is not a VM."""
        parent = row.reference("parent") or row.reference("parentFolder") or row.reference("parentVApp")
        connection = _HOST_CONNECTIONS.get(row.text("runtime.connectionState") or "", HostConnection.CONNECTED)
        self._known[row.ref.moid] = _Place(
            unescaped(row.text("name") or ""), row.ref.kind, parent, connection=connection
        )

    def remove(self, moid: str) -> None:
        """Forget an object that is gone."""
        self._known.pop(moid, None)

    def complete(self, connection: Connection, vm: LightRow) -> None:
        """Read what is needed to place one VM: its host, its datastores, and the way up to its datacenter."""
        wanted: list[Ref | None] = [vm.reference("runtime.host"), *vm.references("datastore"), _parent_of(vm)]
        for _ in range(_MAX_DEPTH):
            unknown = {ref.moid: ref for ref in wanted if ref is not None and ref.moid not in self._known}
            if not unknown:
                return
            for row in _read_places(connection, unknown.values()):
                self.add(row)
            wanted = [self._known[moid].parent for moid in unknown if moid in self._known]

    def name(self, ref: Ref | None) -> str:
        """Return an object's name, empty when it may not be seen."""
        place = self._known.get(ref.moid) if ref is not None else None
        return place.name if place is not None else ""

    def connection(self, ref: Ref | None) -> HostConnection:
        """Return whether the platform reaches a host; one that may not be seen counts as reached."""
        place = self._known.get(ref.moid) if ref is not None else None
        return place.connection if place is not None else HostConnection.CONNECTED

    def location(self, ref: Ref | None) -> "Location":
        """Return how to come down to a folder or a vApp."""
        names: list[str] = []
        found: Ref | None = None
        below = 0
        for _ in range(_MAX_DEPTH):
            place = self._known.get(ref.moid) if ref is not None else None
            if place is None or (place.parent is None and found is not None):
                break  # the root folder's name is no part of a path
            if place.kind == "Datacenter":
                found, below = ref, len(names)
            names.append(place.name)
            ref = place.parent
        if found is None:
            return Location(datacenter="", path="", moid="", folder=tuple(reversed(names)))
        return Location(
            datacenter=names[below],
            path="/".join(reversed(names[below:])),
            moid=found.moid,
            folder=tuple(reversed(names[: max(0, below - 1)])),  # the highest is the datacenter's hidden "vm"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The place of an object below the root folder."""

    datacenter: str
    path: str
    """Of the datacenter, its folders and itself."""
    moid: str
    """Of the datacenter."""
    folder: tuple[str, ...]


def _read_places(connection: Connection, refs: Iterable[Ref]) -> Iterable[LightRow]:
    specs = []
    for ref in refs:
        kind = VmomiSupport.GetWsdlType("urn:vim25", ref.kind)
        paths = next(
            (names for known, names in _PLACE_PATHS.items() if issubclass(kind, known)), ("name", "parent")
        )
        specs.append(objects_spec([connection.object(kind, ref.moid)], paths))
    return retrieve_light(connection.query(), specs)


def _parent_of(vm: LightRow) -> Ref | None:
    return vm.reference("parent") or vm.reference("parentVApp")


def summary_of(vm: LightRow, places: Places) -> VmSummary:
    """Make the inventory's row of a VM; what an unreachable VM does not report stays empty."""
    location = places.location(_parent_of(vm))
    parent, vapp, host = vm.reference("parent"), vm.reference("parentVApp"), vm.reference("runtime.host")
    state = power_state(vm.text("runtime.powerState"))
    found = vm.values.get("config.hardware.device")
    devices = found if isinstance(found, DeviceFacts) else DeviceFacts()
    snapshots = vm.values.get("snapshot")
    return VmSummary(
        id=VmId(vm.ref.moid),
        name=unescaped(vm.text("name") or ""),
        power_state=state,
        instance_uuid=vm.text("config.instanceUuid"),
        bios_uuid=vm.text("config.uuid"),
        guest=vm.text("guest.guestFullName") or vm.text("config.guestFullName") or "",
        hostname=vm.text("guest.hostName") or None,
        host=places.name(host),
        host_id=host.moid if host is not None else "",
        datacenter=location.datacenter,
        datacenter_id=location.moid,
        datacenter_path=location.path,
        folder=location.folder,
        folder_id=parent.moid if parent is not None else "",
        vapp_id=vapp.moid if vapp is not None else "",
        datastores=tuple(sorted(filter(None, (places.name(ref) for ref in vm.references("datastore"))))),
        disk_bytes=devices.disk_bytes,
        change_tracking_supported=vm.flag("capability.changeTrackingSupported"),
        change_tracking_enabled=vm.flag("config.changeTrackingEnabled"),
        snapshot_count=snapshots.count if isinstance(snapshots, SnapshotCount) else 0,
        is_template=vm.flag("config.template"),
        booted_at=_moment(vm.text("runtime.bootTime")),
        connection=_VM_CONNECTIONS.get(vm.text("runtime.connectionState") or "", VmConnection.CONNECTED),
        host_connection=places.connection(host),
        system_role=_SYSTEM_ROLES.get(
            (vm.text("config.managedBy.extensionKey") or "", vm.text("config.managedBy.type") or "")
        ),
        disk_count=devices.disk_count,
        disks_left_out=disks_left_out(devices.odd_disks),
        unsupported_reason=vm_unsupported_reason(vm.text("config.ftInfo.role")),
        snapshot_doubt=snapshot_doubt(devices.odd_disks, state),
        needs_consolidation=vm.flag("runtime.consolidationNeeded"),
    )


def _moment(text: str | None) -> datetime | None:
    """Read a moment of the wire; None where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def power_state(value: object) -> PowerState:
    """Translate a power state of the wire."""
    return _POWER_STATES.get(str(value), PowerState.OFF)
