"""Saving all that is needed to create a VM again.

Source: protocols page *vSphere facts*, section "Creating a VM again".
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
from app.vsphere.properties import Query, Row, read, read_each
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
    around = _Surroundings.of(query, row)
    saved = SavedVm(
        config=config,
        power_state=power_state(row.get("runtime.powerState")),
        datacenter=summary.datacenter,
        folder=summary.folder,
        host=summary.host,
        platform_instance=platform_instance,
        **_places(query, summary, row.get("resourcePool"), around),
        api_version=connection.content.about.apiVersion,
        networks=around.network_names(),
        datastores=around.datastore_names(),
    )
    return saved, _file_paths(config, row, saved.datastores.values())


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a VM uses, by ids; read with one question. What may not be seen or is gone is not there."""

    rows: Mapping[str, Row]

    @classmethod
    def of(cls, query: Query, vm: Row) -> "_Surroundings":
        """Read a VM's networks, datastores and resource pool."""
        pool = vm.get("resourcePool")
        refs = [*(vm.get("network") or ()), *(vm.get("datastore") or ()), *([] if pool is None else [pool])]
        paths = {type(ref): _paths_of(ref) for ref in refs}
        return cls({row.moid: row for row in read_each(query, refs, paths)})

    def datastore_names(self) -> dict[str, str]:
        """Return the names of the datastores."""
        return {moid: _name(row) for moid, row in self.rows.items() if isinstance(row.ref, vim.Datastore)}

    def network_names(self) -> dict[str, str]:
        """Return the names of the networks, also by the keys by which adapters name them."""
        rows = {moid: row for moid, row in self.rows.items() if isinstance(row.ref, vim.Network)}
        names = {moid: _name(row) for moid, row in rows.items()}
        for moid, row in rows.items():
            key = row.get("key") or getattr(row.get("summary"), "opaqueNetworkId", None)
            if key:
                names[key] = names[moid]
        return names


def _paths_of(ref: Any) -> tuple[str, ...]:
    if isinstance(ref, vim.dvs.DistributedVirtualPortgroup):
        return ("name", "key")
    if isinstance(ref, vim.OpaqueNetwork):
        return ("name", "summary")
    return ("name", "parent") if isinstance(ref, vim.ResourcePool) else ("name",)


def _name(row: Row) -> str:
    return unescaped(row.get("name") or "")


def _places(query: Query, summary: VmSummary, pool: Any, around: _Surroundings) -> dict[str, str]:
    """Return where a VM is by ids and paths."""
    above: dict[str, Row] = {}
    found = pool
    for _ in range(_MAX_DEPTH):
        if not isinstance(found, vim.ResourcePool) or found._moId in above:
            break
        row = around.rows.get(found._moId)
        above[found._moId] = read(query, found, "name", "parent") if row is None else row
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
