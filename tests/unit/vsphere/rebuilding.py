"""Saved VMs that are rebuilt on a host with networks of every kind."""

from typing import Any

from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.offer import Network, NetworkKind
from app.vsphere.placement import Place
from app.vsphere.rebuild import Identity, Rebuilt, rebuild
from app.vsphere.saved_vm import SavedVm
from tests.unit.vsphere.test_placement import host

device = vim.vm.device
NETWORKS = {
    "VM Network": Network(name="VM Network", moid="network-9"),
    "Prod": Network(
        name="Prod", moid="dvportgroup-5", kind=NetworkKind.DISTRIBUTED, key="dvportgroup-5", switch="50 1a"
    ),
    "Overlay": Network(
        name="Overlay", moid="network-o1", kind=NetworkKind.OPAQUE, key="ls-1", switch="nsx.LogicalSwitch"
    ),
}
WHOLE = Identity(uuid="uuid", instance_uuid="instance", taken_mac_addresses=frozenset())


def rebuilt(
    saved: SavedVm,
    *,
    identity: Identity = WHOLE,
    networks: tuple[tuple[str, str], ...] = (),
    wanted: VmPlacement | None = None,
) -> Rebuilt:
    disks = {item.key: "ds9" for item in saved.config.hardware.device if isinstance(item, device.VirtualDisk)}
    esx = host("esx01", "ds1", "ds9")
    place = Place(
        folder="folder",
        pool="pool",
        host=type(esx)(
            moid=esx.moid,
            name=esx.name,
            datacenter=esx.datacenter,
            root_pool=esx.root_pool,
            pools=esx.pools,
            datastores=esx.datastores,
            networks=NETWORKS,
        ),
        datastore="ds1",
        disk_datastores=disks,
    )
    return rebuild(saved, place, wanted or VmPlacement(name="web/02", networks=networks), identity, "the-mark")


def added(result: Rebuilt, kind: type[Any]) -> list[Any]:
    return [change.device for change in result.spec.deviceChange if isinstance(change.device, kind)]
