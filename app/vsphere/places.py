"""What a restore can choose among: the platform's places, and what a saved VM was made of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyVmomi import vim

from app.domain.places import (
    DatacenterPlace,
    DatastorePlace,
    HostPlace,
    NetworkPlace,
    PlatformPlaces,
    SavedAdapter,
    SavedHardware,
)
from app.domain.vms import SavedConfiguration
from app.vsphere import saved_vm
from app.vsphere.adapter_networks import saved_network
from app.vsphere.names import unescaped
from app.vsphere.offer import Network
from app.vsphere.offer_reader import read_offer
from app.vsphere.properties import Query, Row, read_all

_PATHS: dict[type[Any], Sequence[str]] = {
    vim.HostSystem: ("datastore",),
    vim.Datastore: (
        *("name", "summary.type", "summary.capacity", "summary.freeSpace"),
        "summary.accessible",
    ),
}


def list_places(query: Query) -> PlatformPlaces:
    """Return what a platform offers to a new VM.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    offer = read_offer(query, with_versions=False)
    rows = {row.moid: row for row in read_all(query, _PATHS)}
    hosts = tuple(
        HostPlace(
            id=host.moid,
            name=host.name,
            datacenter=offer.datacenter(host.datacenter).name,
            datacenter_id=host.datacenter,
            datastores=_datastores(rows, rows[host.moid].get("datastore") or () if host.moid in rows else ()),
            networks=tuple(sorted({network.name for network in host.networks.values()}, key=str.casefold)),
            network_places=_networks(host.networks.values()),
        )
        for host in offer.hosts
    )
    datacenters = sorted(
        (offer.datacenter(moid) for moid in offer.folders),
        key=lambda datacenter: (datacenter.path.casefold(), datacenter.moid),
    )
    return PlatformPlaces(
        datacenters=tuple(dict.fromkeys(datacenter.name for datacenter in datacenters)),
        datacenter_places=tuple(
            DatacenterPlace(id=datacenter.moid, name=datacenter.name, path=datacenter.path)
            for datacenter in datacenters
        ),
        hosts=hosts,
    )


def _networks(networks: Iterable[Network]) -> tuple[NetworkPlace, ...]:
    places = [NetworkPlace(id=network.moid, name=network.name, path=network.path) for network in networks]
    paths = Counter(place.path for place in places)
    distinguished = [
        replace(place, path=f"{place.path} ({place.id})") if paths[place.path] > 1 else place for place in places
    ]
    return tuple(sorted(distinguished, key=lambda place: (place.name.casefold(), place.path)))


def _datastores(rows: Mapping[str, Row], refs: Iterable[Any]) -> tuple[DatastorePlace, ...]:
    found = (rows[ref._moId] for ref in refs if ref._moId in rows)
    usable = (row for row in found if row.get("summary.accessible") is not False)
    places = (
        DatastorePlace(
            id=row.moid,
            name=unescaped(row.get("name") or ""),
            kind=str(row.get("summary.type") or ""),
            total_bytes=row.get("summary.capacity"),
            free_bytes=row.get("summary.freeSpace"),
        )
        for row in usable
    )
    return tuple(sorted(places, key=lambda place: place.name.casefold()))


def hardware_of(saved: SavedConfiguration) -> SavedHardware:
    """Return what a saved VM was made of.

    Raises:
        ConfigurationUnreadable: it cannot be determined.
    """
    vm = saved_vm.read(saved.files.get(saved_vm.CONFIG_FILE, b""))
    hardware = vm.config.hardware
    return SavedHardware(
        cpus=hardware.numCPU,
        cores_per_socket=hardware.numCoresPerSocket or 1,
        memory_mib=hardware.memoryMB,
        adapters=tuple(
            SavedAdapter(
                key=card.key,
                label=str(card.deviceInfo.label) if card.deviceInfo is not None else str(card.key),
                network=saved_network(card, vm.networks),
                mac_address=card.macAddress or "",
            )
            for card in hardware.device
            if isinstance(card, vim.vm.device.VirtualEthernetCard)
        ),
    )
