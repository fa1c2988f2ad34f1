"""Where a VM is to be created: what the platform has, and the choice among it as a pure function."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.names import unescaped
from app.vsphere.properties import Query, Row, read_all, read_many

_MAX_DEPTH = 64
_distributed = vim.dvs.DistributedVirtualPortgroup


class NetworkKind(Enum):
    """How a network adapter is connected to a network."""

    STANDARD = "standard"
    DISTRIBUTED = "distributed"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that a host offers."""

    name: str
    moid: str
    kind: NetworkKind = NetworkKind.STANDARD
    key: str = ""
    """Port group key, or opaque network id."""
    switch: str = ""
    """UUID of the distributed switch, or type of the opaque network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host that can run VMs."""

    moid: str
    name: str
    datacenter: str
    root_pool: str
    pools: Mapping[str, str]
    """Managed object ids of its resource pools, by name."""
    datastores: frozenset[str]
    """Names of the datastores it can use."""
    networks: Mapping[str, Network]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a platform offers to a new VM."""

    hosts: tuple[Host, ...]
    """Connected hosts that are not in maintenance, by name."""
    folders: Mapping[str, Mapping[tuple[str, ...], str]]
    """For each datacenter, the ids of its VM folders by their path below it; ``()`` is the datacenter's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a saved VM came from."""

    datacenter: str
    folder: tuple[str, ...]
    host: str
    resource_pool: str
    datastore: str
    disk_datastores: Mapping[int, str]
    """Datastore of each disk, by device key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The choice that was made."""

    folder: str
    pool: str
    host: Host
    datastore: str
    disk_datastores: Mapping[int, str]
    warnings: tuple[str, ...] = ()


class NoPlace(Exception):
    """The VM cannot be created as it was asked. Never leaves this package."""


def choose_place(site: Site, origin: Origin, wanted: VmPlacement) -> Place:
    """Choose where a VM is created: what was asked for, else what it came from, else the only one there is.

    Raises:
        NoPlace: something that was asked for is not there, or nothing was asked for and the choice is not clear.
    """
    warnings: list[str] = []
    datacenter = _datacenter(site, origin, wanted)
    hosts = [host for host in site.hosts if host.datacenter == datacenter]
    if wanted.host is not None:
        hosts = [host for host in hosts if host.name == wanted.host]
        if not hosts:
            raise NoPlace(f"the host {wanted.host} is not connected in {datacenter}")
    asked = [one for one in (wanted.datastore, *(name for _, name in wanted.disk_datastores)) if one is not None]
    for name in asked:
        hosts = [host for host in hosts if name in host.datastores]
        if not hosts:
            raise NoPlace(f"no suitable host in {datacenter} has the datastore {name}")
    if not hosts:
        raise NoPlace(f"no host of {datacenter} is connected")
    host = max(hosts, key=lambda one: _suitability(one, origin))
    datastore = _datastore(host, origin, wanted)
    return Place(
        folder=_folder(site.folders[datacenter], wanted.folder, warnings),
        pool=_pool(host, origin, warnings),
        host=host,
        datastore=datastore,
        disk_datastores=_disk_datastores(host, origin, wanted, datastore, warnings),
        warnings=tuple(warnings),
    )


def _datacenter(site: Site, origin: Origin, wanted: VmPlacement) -> str:
    if wanted.datacenter is not None:
        if wanted.datacenter not in site.folders:
            raise NoPlace(f"there is no datacenter {wanted.datacenter}")
        return wanted.datacenter
    if wanted.host is not None:
        found = {host.datacenter for host in site.hosts if host.name == wanted.host}
        if not found:
            raise NoPlace(f"the host {wanted.host} is not connected")
        return found.pop()
    if origin.datacenter in site.folders:
        return origin.datacenter
    if len(site.folders) == 1:
        return next(iter(site.folders))
    raise NoPlace(f"choose a datacenter, for the platform has no {origin.datacenter}")


def _suitability(host: Host, origin: Origin) -> tuple[bool, int, bool]:
    stores = {origin.datastore, *origin.disk_datastores.values()}
    return origin.datastore in host.datastores, len(stores & host.datastores), host.name == origin.host


def _datastore(host: Host, origin: Origin, wanted: VmPlacement) -> str:
    if wanted.datastore is not None:
        return wanted.datastore
    if origin.datastore in host.datastores:
        return origin.datastore
    if len(host.datastores) == 1:
        return next(iter(host.datastores))
    raise NoPlace(f"choose a datastore, for {host.name} has no {origin.datastore}")


def _folder(folders: Mapping[tuple[str, ...], str], path: tuple[str, ...], warnings: list[str]) -> str:
    for length in range(len(path), -1, -1):
        moid = folders.get(path[:length])
        if moid is not None:
            if length < len(path):
                where = "/".join(path[:length]) or "the datacenter's own folder"
                warnings.append(f"The folder {'/'.join(path)} does not exist; the VM is in {where}.")
            return moid
    raise NoPlace("the datacenter has no folder for VMs")


def _pool(host: Host, origin: Origin, warnings: list[str]) -> str:
    if not origin.resource_pool:
        return host.root_pool
    pool = host.pools.get(origin.resource_pool)
    if pool is None:
        warnings.append(
            f"The resource pool {origin.resource_pool} does not exist on {host.name}; its root is used."
        )
    return pool or host.root_pool


def _disk_datastores(
    host: Host, origin: Origin, wanted: VmPlacement, datastore: str, warnings: list[str]
) -> Mapping[int, str]:
    overrides = dict(wanted.disk_datastores)
    chosen: dict[int, str] = {}
    for key, own in origin.disk_datastores.items():
        if key in overrides:
            chosen[key] = overrides[key]
        elif wanted.datastore is not None:
            chosen[key] = wanted.datastore
        elif own in host.datastores:
            chosen[key] = own
        else:
            chosen[key] = datastore
            warnings.append(f"The datastore {own} is not there; disk {key} is on {datastore}.")
    return chosen


# ---- reading ---------------------------------------------------------------------------------------------------

_PATHS: dict[type[Any], Sequence[str]] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent"),
    vim.ComputeResource: ("name", "parent", "resourcePool"),
    vim.ResourcePool: ("name", "owner"),
    vim.HostSystem: (
        *("name", "parent", "datastore", "network"),
        *("runtime.connectionState", "runtime.inMaintenanceMode"),
    ),
    vim.Datastore: ("name", "summary.accessible"),
}


def read_site(query: Query) -> Site:
    """Read what a platform offers to a new VM.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    return _SiteReader(query).site()


@dataclass(slots=True)
class _SiteReader:
    query: Query
    rows: dict[str, Row] = field(default_factory=dict)

    def site(self) -> Site:
        self.rows = {row.moid: row for row in read_all(self.query, _PATHS)}
        usable = [row for row in self._of(vim.HostSystem) if _is_usable(row)]
        networks = self._networks({ref._moId: ref for row in usable for ref in row.get("network") or ()}.values())
        hosts = sorted((self._host(row, networks) for row in usable), key=lambda host: host.name)
        return Site(
            hosts=tuple(hosts),
            folders={_name(row): self._folders(row.get("vmFolder")) for row in self._of(vim.Datacenter)},
        )

    def _of(self, kind: type[Any]) -> list[Row]:
        return [row for row in self.rows.values() if isinstance(row.ref, kind)]

    def _host(self, row: Row, networks: Mapping[str, Network]) -> Host:
        resource = self.rows[row.get("parent")._moId]
        stores = [self.rows[ref._moId] for ref in row.get("datastore") or () if ref._moId in self.rows]
        offered = [networks[ref._moId] for ref in row.get("network") or () if ref._moId in networks]
        return Host(
            moid=row.moid,
            name=_name(row),
            datacenter=self._datacenter_above(resource),
            root_pool=resource.get("resourcePool")._moId,
            pools={
                _name(pool): pool.moid for pool in self._of(vim.ResourcePool) if pool.get("owner") == resource.ref
            },
            datastores=frozenset(_name(store) for store in stores if store.get("summary.accessible") is not False),
            networks={network.name: network for network in offered},
        )

    def _datacenter_above(self, row: Row) -> str:
        for _ in range(_MAX_DEPTH):
            if isinstance(row.ref, vim.Datacenter):
                return _name(row)
            parent = row.get("parent")
            if parent is None or parent._moId not in self.rows:
                break
            row = self.rows[parent._moId]
        return ""

    def _folders(self, root: Any) -> Mapping[tuple[str, ...], str]:
        found: dict[tuple[str, ...], str] = {(): root._moId}
        children: dict[str, list[Row]] = {}
        for row in self._of(vim.Folder):
            if row.get("parent") is not None:
                children.setdefault(row.get("parent")._moId, []).append(row)
        waiting: list[tuple[tuple[str, ...], str]] = [((), root._moId)]
        while waiting:
            path, moid = waiting.pop()
            for row in children.get(moid, ()):
                below = (*path, _name(row))
                found[below] = row.moid
                waiting.append((below, row.moid))
        return found

    def _networks(self, refs: Iterable[Any]) -> dict[str, Network]:
        known = list(refs)
        networks = {
            row.moid: Network(name=_name(row), moid=row.moid) for row in read_many(self.query, known, "name")
        }
        for row in read_many(
            self.query,
            [ref for ref in known if isinstance(ref, _distributed)],
            "key",
            "config.distributedVirtualSwitch",
        ):
            switch = row.get("config.distributedVirtualSwitch")
            uuids = read_many(self.query, [switch], "uuid") if switch is not None else []
            networks[row.moid] = Network(
                name=networks[row.moid].name,
                moid=row.moid,
                kind=NetworkKind.DISTRIBUTED,
                key=row.get("key") or row.moid,
                switch=str(uuids[0].get("uuid") or "") if uuids else "",
            )
        for row in read_many(self.query, [ref for ref in known if isinstance(ref, vim.OpaqueNetwork)], "summary"):
            summary = row.get("summary")
            networks[row.moid] = Network(
                name=networks[row.moid].name,
                moid=row.moid,
                kind=NetworkKind.OPAQUE,
                key=getattr(summary, "opaqueNetworkId", "") or "",
                switch=getattr(summary, "opaqueNetworkType", "") or "",
            )
        return networks


def _is_usable(row: Row) -> bool:
    connected = row.get("runtime.connectionState") in {None, vim.HostSystem.ConnectionState.connected}
    return connected and not row.get("runtime.inMaintenanceMode")


def _name(row: Row) -> str:
    return unescaped(row.get("name") or "")
