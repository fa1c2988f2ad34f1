"""Which datacenter a datastore path is meant in: that of the VM it belongs to.

Two datacenters may have datastores of one name: ``datastore1`` is the local one of every ESXi host. Inside a
datacenter each name is there once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from app.domain.ids import VmId
from app.vsphere.names import unescaped
from app.vsphere.properties import Query, Row, read, read_all
from app.vsphere.session import Connection
from app.vsphere.sites import path_of

_MAX_DEPTH = 64
_PATHS: dict[type[Any], tuple[str, ...]] = {
    vim.Folder: ("name", "parent"),
    vim.ComputeResource: ("name", "parent"),
    vim.Datacenter: ("name", "parent", "datastore"),
    vim.Datastore: ("name",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatacenterFiles:
    """A datacenter and the datastores that it has."""

    moid: str
    path: str
    """Inventory path as the wire writes it, for ``dcPath``."""
    datastores: frozenset[str]


def read_datacenters(connection: Connection) -> Mapping[str, DatacenterFiles]:
    """Return every datacenter by its id.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    rows = {row.moid: row for row in read_all(connection.query(), _PATHS)}
    found: dict[str, DatacenterFiles] = {}
    for row in rows.values():
        if isinstance(row.ref, vim.Datacenter):
            stores = [rows[ref._moId] for ref in row.get("datastore") or () if ref._moId in rows]
            found[row.moid] = DatacenterFiles(
                moid=row.moid,
                path="/".join(path_of(row, rows)),
                datastores=frozenset(unescaped(store.get("name") or "") for store in stores),
            )
    return found


def datacenter_of(connection: Connection, vm: VmId) -> str:
    """Return the id of the datacenter that a VM is in; empty when it may not be seen.

    The way up goes by folders, for a VM of a vApp by the vApp's, and where neither is seen by its host.

    Raises:
        vmodl.fault.ManagedObjectNotFound: the VM is gone.
    """
    query = connection.query()
    row = read(query, connection.vm(vm), "parent", "parentVApp", "runtime.host")
    for path in ("parent", "parentVApp", "runtime.host"):
        found = _datacenter_above(query, row.get(path))
        if found:
            return found
    return ""


def _datacenter_above(query: Query, ref: Any) -> str:
    for _ in range(_MAX_DEPTH):
        if ref is None:
            return ""
        if isinstance(ref, vim.Datacenter):
            return str(ref._moId)
        ref = _parent(query, ref)
    return ""


def _parent(query: Query, ref: Any) -> Any:
    names = ("parentFolder", "parentVApp") if isinstance(ref, vim.VirtualApp) else ("parent",)
    row: Row = read(query, ref, *names)
    return next((row.get(name) for name in names if row.get(name) is not None), None)
