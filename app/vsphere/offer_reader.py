"""Reading what a platform offers to a new VM: datacenters, folders, hosts, pools, datastores and networks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.vsphere.hardware_versions import offered_versions
from app.vsphere.names import unescaped
from app.vsphere.offer import Datacenter, Host, Network, NetworkKind, PlatformOffer, VApp
from app.vsphere.properties import Query, Row, read_all, read_many

_MAX_DEPTH = 64
_distributed = vim.dvs.DistributedVirtualPortgroup

_PATHS: dict[type[Any], Sequence[str]] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent"),
    vim.ComputeResource: ("name", "parent", "resourcePool", "environmentBrowser"),
    vim.ResourcePool: ("name", "parent", "owner"),
    vim.HostSystem: (
        *("name", "parent", "datastore", "network", "summary.config.product.version"),
        *("runtime.connectionState", "runtime.inMaintenanceMode"),
    ),
    vim.Datastore: ("name", "summary.accessible"),
}


def read_offer(query: Query, *, with_versions: bool = True) -> PlatformOffer:
    """Read what a platform offers to a new VM.

    Args:
        query: the connection's.
        with_versions: False leaves out the hosts' virtual hardware versions, which are asked for one by one.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    return _OfferReader(query).offer(with_versions=with_versions)


def path_of(row: Row, rows: Mapping[str, Row]) -> tuple[str, ...]:
    """Return the names, as the wire writes them, from below the root folder down to an object."""
    names: list[str] = []
    while len(names) < _MAX_DEPTH:
        names.append(row.get("name") or "")
        parent = row.get("parent")
        if parent is None or parent._moId not in rows:
            break
        row = rows[parent._moId]
        if row.get("parent") is None:
            break  # the root folder's name is no part of a path
    return tuple(reversed(names))


@dataclass(slots=True)
class _OfferReader:
    query: Query
    rows: dict[str, Row] = field(default_factory=dict)

    def offer(self, *, with_versions: bool) -> PlatformOffer:
        self.rows = {row.moid: row for row in read_all(self.query, _PATHS)}
        usable = [row for row in self._of(vim.HostSystem) if _is_usable(row)]
        networks = self._networks({ref._moId: ref for row in usable for ref in row.get("network") or ()}.values())
        resources = self._of(vim.ComputeResource) if with_versions else []
        versions = offered_versions(self.query, [row.get("environmentBrowser") for row in resources])
        hosts = sorted(
            (self._host(row, networks, versions) for row in usable), key=lambda host: (host.name, host.moid)
        )
        datacenters = self._of(vim.Datacenter)
        return PlatformOffer(
            hosts=tuple(hosts),
            folders={row.moid: self._folders(row.get("vmFolder")) for row in datacenters},
            datacenters={row.moid: self._datacenter(row) for row in datacenters},
            networks=networks,
        )

    def _of(self, kind: type[Any]) -> list[Row]:
        return [row for row in self.rows.values() if isinstance(row.ref, kind)]

    def _datacenter(self, row: Row) -> Datacenter:
        path = "/".join(unescaped(name) for name in path_of(row, self.rows))
        return Datacenter(moid=row.moid, name=_name(row), path=path)

    def _host(self, row: Row, networks: Mapping[str, Network], versions: Mapping[str, frozenset[str]]) -> Host:
        resource = self.rows[row.get("parent")._moId]
        stores = [self.rows[ref._moId] for ref in row.get("datastore") or () if ref._moId in self.rows]
        usable = {store.moid: _name(store) for store in stores if store.get("summary.accessible") is not False}
        offered = [networks[ref._moId] for ref in row.get("network") or () if ref._moId in networks]
        root_pool = resource.get("resourcePool")._moId
        pools = [pool for pool in self._of(vim.ResourcePool) if pool.get("owner") == resource.ref]
        return Host(
            moid=row.moid,
            name=_name(row),
            datacenter=self._datacenter_above(resource),
            root_pool=root_pool,
            # The root pool first: one below it may have its name.
            pools={
                pool_path(pool, self.rows): pool.moid
                for pool in sorted(pools, key=lambda pool: pool.moid != root_pool)
            },
            vapps={pool.moid: vapp for pool in pools if (vapp := self._vapp_of(pool)) is not None},
            datastores=frozenset(usable.values()),
            datastore_ids=usable,
            networks={network.moid: network for network in offered},
            hardware_versions=versions.get(row.moid, frozenset()),
            version=row.get("summary.config.product.version") or "",
            environment=_id_of(resource.get("environmentBrowser")),
        )

    def _vapp_of(self, pool: Row) -> VApp | None:
        """Return the nearest vApp that a pool is or lies in."""
        for _ in range(_MAX_DEPTH):
            if isinstance(pool.ref, vim.VirtualApp):
                return VApp(moid=pool.moid, name=_name(pool))
            parent = pool.get("parent")
            if parent is None or parent._moId not in self.rows:
                break
            pool = self.rows[parent._moId]
        return None

    def _datacenter_above(self, row: Row) -> str:
        for _ in range(_MAX_DEPTH):
            if isinstance(row.ref, vim.Datacenter):
                return row.moid
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
        groups = [ref for ref in known if isinstance(ref, _distributed)]
        rows = read_many(self.query, groups, "key", "config.distributedVirtualSwitch")
        switches = self._switches(rows)
        for row in rows:
            switch = switches.get(_id_of(row.get("config.distributedVirtualSwitch")))
            networks[row.moid] = Network(
                name=networks[row.moid].name,
                moid=row.moid,
                kind=NetworkKind.DISTRIBUTED,
                key=row.get("key") or row.moid,
                switch=str(switch.get("uuid") or "") if switch is not None else "",
                switch_name=_name(switch) if switch is not None else "",
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

    def _switches(self, groups: Iterable[Row]) -> dict[str, Row]:
        """Return the switches of port groups by id, with one question for all of them."""
        refs = [row.get("config.distributedVirtualSwitch") for row in groups]
        unique = {ref._moId: ref for ref in refs if ref is not None}
        return {row.moid: row for row in read_many(self.query, list(unique.values()), "uuid", "name")}


def pool_path(pool: Row, rows: Mapping[str, Row]) -> str:
    """Return the wire's names of the pools from below the root pool down to one; the root pool's is its own."""
    names: list[str] = [pool.get("name") or ""]
    for _ in range(_MAX_DEPTH):
        parent = pool.get("parent")
        above = rows.get(parent._moId) if parent is not None else None
        if above is None or not isinstance(above.ref, vim.ResourcePool):
            break
        pool = above
        names.append(pool.get("name") or "")
    return "/".join(reversed(names[:-1])) or names[0]


def _id_of(ref: Any) -> str:
    return str(ref._moId) if ref is not None else ""


def _is_usable(row: Row) -> bool:
    connected = row.get("runtime.connectionState") in {None, vim.HostSystem.ConnectionState.connected}
    return connected and not row.get("runtime.inMaintenanceMode")


def _name(row: Row) -> str:
    return unescaped(row.get("name") or "")
