"""Saving all that is needed to create a VM again.

Source: protocols page *vSphere facts*, section "Creating a VM again".
"""

from typing import Any

from pyVmomi import vim, vmodl

from app.core.tasklog import TaskLog
from app.domain.ids import VmId
from app.domain.vms import SavedConfiguration
from app.vsphere import messages, saved_vm
from app.vsphere.faults import FAILURES, error_text
from app.vsphere.files import SmallFiles
from app.vsphere.inventory import power_state, read_vm
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.properties import Query, Row, read, read_many
from app.vsphere.saved_vm import CONFIG_FILE, NVRAM_FILE, VMX_FILE, SavedVm
from app.vsphere.session import Connection, VSphereSession

_NOT_FETCHED: tuple[type[Exception], ...] = (*FAILURES, ValueError)


class Configurations:
    """Saves configurations over one session. Thread: any."""

    def __init__(self, session: VSphereSession, files: SmallFiles) -> None:
        self._session = session
        self._files = files

    def save(self, vm: VmId, *, log: TaskLog) -> SavedConfiguration:
        """Return a VM's configuration; see ``Hypervisor.save_configuration``.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: the ConfigInfo cannot be read.
        """
        saved, paths = self._session.run(lambda connection: _read(connection, vm))
        files = {CONFIG_FILE: saved_vm.write(saved)}
        missing: list[str] = []
        for name, path in paths.items():
            try:
                files[name] = self._files.fetch(DatastorePath.parse(path))
            except _NOT_FETCHED as error:
                missing.append(f"{name}: {error_text(error)}")
        log.info(messages.CONFIGURATION_READ, vm=unescaped(saved.config.name), files=", ".join(sorted(files)))
        return SavedConfiguration(files=files, missing=tuple(missing))


def _read(connection: Connection, vm: VmId) -> tuple[SavedVm, dict[str, str]]:
    query = connection.query()
    summary = read_vm(connection, vm)
    row = read(
        query,
        connection.vm(vm),
        *("config", "layoutEx.file", "runtime.powerState", "resourcePool", "network", "datastore"),
    )
    config = row.need("config")
    if config is None:
        raise vmodl.fault.SystemError(
            msg="The VM is inaccessible: its host or datastore cannot be reached.", reason="no configuration"
        )
    saved = SavedVm(
        config=config,
        power_state=power_state(row.get("runtime.powerState")),
        datacenter=summary.datacenter,
        folder=summary.folder,
        host=summary.host,
        resource_pool=_name_of(query, row.get("resourcePool")),
        api_version=connection.content.about.apiVersion,
        networks=_network_names(query, row.get("network") or ()),
        datastores={
            one.moid: unescaped(one.get("name") or "") for one in _named(query, row.get("datastore") or ())
        },
    )
    return saved, _file_paths(config, row)


def _file_paths(config: Any, row: Row) -> dict[str, str]:
    """Return the datastore paths of the files to save, by the names they are saved under."""
    vmx = config.files.vmPathName if config.files is not None else None
    if not vmx:
        return {}
    paths = {VMX_FILE: str(vmx)}
    nvram = next((file.name for file in row.get("layoutEx.file") or () if file.type == "nvram"), None)
    if nvram is None:
        named = next((one.value for one in config.extraConfig or () if one.key == "nvram"), None)
        nvram = str(DatastorePath.parse(vmx).beside(named)) if named else None
    if nvram is not None:
        paths[NVRAM_FILE] = nvram
    return paths


def _named(query: Query, refs: Any) -> list[Row]:
    return read_many(query, list(refs), "name")


def _name_of(query: Query, ref: Any) -> str:
    rows = _named(query, [ref]) if ref is not None else []
    return unescaped(rows[0].get("name") or "") if rows else ""


def _network_names(query: Query, refs: Any) -> dict[str, str]:
    names = {row.moid: unescaped(row.get("name") or "") for row in _named(query, refs)}
    distributed = [ref for ref in refs if isinstance(ref, vim.dvs.DistributedVirtualPortgroup)]
    for row in read_many(query, distributed, "key"):
        if row.get("key"):
            names[row.get("key")] = names.get(row.moid, "")
    opaque = [ref for ref in refs if isinstance(ref, vim.OpaqueNetwork)]
    for row in read_many(query, opaque, "summary"):
        summary = row.get("summary")
        if getattr(summary, "opaqueNetworkId", None):
            names[summary.opaqueNetworkId] = names.get(row.moid, "")
    return names
