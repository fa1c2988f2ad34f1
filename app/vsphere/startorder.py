"""The order in which a vApp starts and stops its VMs.

Source: ``VirtualApp.UpdateVAppConfig`` and ``VAppEntityConfigInfo`` of vSphere's API reference.
"""

from typing import Any

from pyVmomi import vim

from app.domain.ids import VmId
from app.vsphere.properties import read
from app.vsphere.session import Connection

_MOMENTS = (
    *("startOrder", "startDelay", "waitingForGuest", "startAction"),
    *("stopDelay", "stopAction", "destroyWithParent"),
)


def take_over_order(connection: Connection, created: VmId, original: VmId) -> bool:
    """Give a VM of a vApp the place of another one in its order; see ``KeptOrder.take_over_order``.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    vapp = _vapp_of(connection, original)
    other = _vapp_of(connection, created)
    if vapp is None or other is None or vapp._moId != other._moId:
        return False
    config = read(connection.query(), vapp, "vAppConfig").get("vAppConfig")
    entries = {entry.key._moId: entry for entry in getattr(config, "entityConfig", None) or () if entry.key}
    if original not in entries:
        return False
    kept = [entry for key, entry in entries.items() if key != created]
    taken = _like(entries[original], connection.vm(created))
    vapp.UpdateVAppConfig(spec=vim.vApp.VAppConfigSpec(entityConfig=[*kept, taken]))
    return True


def _vapp_of(connection: Connection, vm: VmId) -> Any:
    return read(connection.query(), connection.vm(vm), "parentVApp").get("parentVApp")


def _like(entry: Any, vm: Any) -> Any:
    moments = {name: getattr(entry, name) for name in _MOMENTS}
    return vim.vApp.EntityConfigInfo(key=vm, tag=entry.tag, **moments)
