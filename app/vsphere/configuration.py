"""Saving all that is needed to create a VM again.

Source: protocols page *vSphere facts*, section "Creating a VM again".
"""

from collections.abc import Collection
from typing import Any

from pyVmomi import vim, vmodl

from app.core.tasklog import TaskLog
from app.domain.ids import VmId
from app.domain.messages import Message
from app.domain.vms import SavedConfiguration, VmSummary
from app.vsphere import messages, saved_vm
from app.vsphere.faults import FAILURES, error_reason, is_outage
from app.vsphere.files import SmallFiles
from app.vsphere.inventory import power_state, read_vm
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.offer_reader import pool_path
from app.vsphere.properties import Query, Row, read, read_many
from app.vsphere.reasons import FILE_MISSING
from app.vsphere.saved_vm import CONFIG_FILE, NVRAM_FILE, VMX_FILE, SavedVm
from app.vsphere.session import Connection, VSphereSession

_MAX_DEPTH = 64
_NOT_FETCHED: tuple[type[Exception], ...] = (*FAILURES, ValueError)


class Configurations:
    """Saves configurations over one session. Thread: any."""

    def __init__(self, session: VSphereSession, files: SmallFiles, platform_instance: str = "") -> None:
        self._session = session
        self._files = files
        self._platform_instance = platform_instance

    def save(self, vm: VmId, *, log: TaskLog) -> SavedConfiguration:
        """Return a VM's configuration; see ``Hypervisor.save_configuration``.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: the ConfigInfo cannot be read.
        """
        saved, paths = self._session.run(lambda connection: _read(connection, vm, self._platform_instance))
        files = {CONFIG_FILE: saved_vm.write(saved)}
        missing: list[Message] = []
        for name, path in paths.items():
            try:
                files[name] = self._files.fetch(DatastorePath.parse(path, saved.datastores.values()), vm)
            except _NOT_FETCHED as error:
                if is_outage(error):
                    raise  # the platform is away: that says nothing about the file
                missing.append(FILE_MISSING.fill(file=name, reason=error_reason(error)))
        log.info(messages.CONFIGURATION_READ, vm=unescaped(saved.config.name), files=", ".join(sorted(files)))
        return SavedConfiguration(files=files, missing=tuple(missing))


def _read(connection: Connection, vm: VmId, platform_instance: str) -> tuple[SavedVm, dict[str, str]]:
    query = connection.query()
    summary = read_vm(connection, vm)
    row = read(
        query,
        connection.vm(vm),
        *("config", "layoutEx.file", "runtime.powerState", "resourcePool", "network", "datastore"),
    )
    config = row.need("config")
    if config is None:
        if summary.unreached is not None:
            raise summary.unreached
        raise vmodl.fault.SystemError(
            msg="The VM is inaccessible: its host or datastore cannot be reached.", reason="no configuration"
        )
    saved = SavedVm(
        config=config,
        power_state=power_state(row.get("runtime.powerState")),
        datacenter=summary.datacenter,
        folder=summary.folder,
        host=summary.host,
        platform_instance=platform_instance,
        **_places(connection, summary, row),
        api_version=connection.content.about.apiVersion,
        networks=_network_names(query, row.get("network") or ()),
        datastores={
            datastore.moid: unescaped(datastore.get("name") or "")
            for datastore in _named(query, row.get("datastore") or ())
        },
    )
    return saved, _file_paths(config, row, saved.datastores.values())


def _places(connection: Connection, summary: VmSummary, row: Row) -> dict[str, str]:
    """Return where a VM is by ids and paths."""
    query = connection.query()
    pool, above = row.get("resourcePool"), dict[str, Row]()
    found = pool
    for _ in range(_MAX_DEPTH):
        if not isinstance(found, vim.ResourcePool) or found._moId in above:
            break
        above[found._moId] = read(query, found, "name", "parent")
        found = above[found._moId].get("parent")
    below_root = len(above) > 1
    return {
        "resource_pool": unescaped(above[pool._moId].get("name") or "") if above else "",
        "resource_pool_id": pool._moId if above else "",
        "resource_pool_path": pool_path(above[pool._moId], above) if below_root else "",
        "datacenter_id": summary.datacenter_id,
        "datacenter_path": summary.datacenter_path,
        "folder_id": summary.folder_id,
        "host_id": summary.host_id,
    }


def _file_paths(config: Any, row: Row, known: Collection[str]) -> dict[str, str]:
    """Return the datastore paths of the files to save, by the names they are saved under."""
    vmx = config.files.vmPathName if config.files is not None else None
    if not vmx:
        return {}
    paths = {VMX_FILE: str(vmx)}
    nvram = next((file.name for file in row.get("layoutEx.file") or () if file.type == "nvram"), None)
    if nvram is None:
        named = next((option.value for option in config.extraConfig or () if option.key == "nvram"), None)
        nvram = str(DatastorePath.parse(vmx, known).sibling(named)) if named else None
    if nvram is not None:
        paths[NVRAM_FILE] = nvram
    return paths


def _named(query: Query, refs: Any) -> list[Row]:
    return read_many(query, list(refs), "name")


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
