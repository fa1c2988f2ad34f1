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
from app.vsphere.offer_reader import path_of
from app.vsphere.properties import Query, read, read_all, read_along, upwards
from app.vsphere.session import Connection

_PATHS: dict[type[Any], tuple[str, ...]] = {
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent", "datastore"),
    vim.Datastore: ("name",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatacenterFiles:
    """A datacenter and the datastores that it has."""

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
    query, machine = connection.query(), connection.vm(vm)
    found = _datacenter_above(query, machine)
    if not found:
        host = read(query, machine, "runtime.host").get("runtime.host")
        found = _datacenter_above(query, host) if host is not None else ""
    return found


def _datacenter_above(query: Query, ref: Any) -> str:
    """Return the id of the datacenter above an object, with one question for the whole way; empty without one."""
    rows = read_along(query, ref, upwards(), {vim.Datacenter: ("name",)})
    return rows[0].moid if rows else ""
