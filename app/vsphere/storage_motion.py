"""Moving the files of a VM to other datastores, while it runs where the license has that.

Source: ``VirtualMachine.RelocateVM_Task``, ``VirtualMachineRelocateSpec`` and its ``DiskLocator`` of the vSphere
Web Services reference. A single host has no storage vMotion and refuses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pyVmomi import vim

from app.core.cancel import CancelToken
from app.domain.errors import TaskCancelled
from app.domain.ids import VmId
from app.domain.vms import VmPlacement
from app.vsphere import tasks
from app.vsphere.errors import DatastoreUnknown, PlatformRefused
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.properties import Row, read, read_many
from app.vsphere.reasons import NO_SUCH_DATASTORE, NOT_MOVED
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_START_S: Final = 600.0
_STILL_S: Final = 6 * 3600.0
"""Its progress is whole percents: of a disk of 8 TiB at 10 MB/s one takes two hours and a half."""
_STOP_S: Final = 1800.0
_MOVE_TYPE: Final = "moveAllDiskBackingsAndDisallowSharing"
_TASK: Final = "relocate"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """Where the files of a VM go, by ids of datastores."""

    vm: VmId
    home: str
    disks: Mapping[int, str]
    names: Mapping[str, str]
    """Names of the datastores by id."""


def move_storage(
    session: VSphereSession,
    vm: VmId,
    placement: VmPlacement,
    *,
    on_progress: Callable[[int], None],
    cancel: CancelToken,
) -> None:
    """Move the files of a VM; see ``RunsFromNfs.move_storage``.

    Raises:
        DatastoreUnknown: its host does not have a datastore that was asked for.
        TaskCancelled: cancelled, and the platform has stopped it.
        PlatformTaskTimedOut: cancelled, and the platform does not stop it.
        PlatformRefused: its files are not where they were to go.
        PlatformTaskStandsStill: it has not moved on for hours, and goes on.
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        ValueError: the placement names no datastore.
    """
    cancel.check()
    move = _decided(session, vm, placement)
    begin = Deadline.after(session.clock, _START_S)
    task = tasks.through_outage(session, lambda: session.run(lambda connection: _begun(connection, move)), begin)
    if task is None:
        return
    waiting = Waiting(
        operation=Operation.MOVE_STORAGE,
        deadline=Deadline.after(session.clock, _STILL_S),
        cancel=cancel,
        on_progress=on_progress,
        moves=lambda _connection: None,
        instead=lambda connection: True if _is_done(connection, move) else None,
    )
    try:
        tasks.wait_for_task(session, task, waiting)
    except TaskCancelled:
        tasks.wait_for_end(session, task, Deadline.after(session.clock, _STOP_S))
        if not session.run(lambda connection: _is_done(connection, move)):
            raise
    if not session.run(lambda connection: _is_done(connection, move)):
        address = session.platform.address
        raise PlatformRefused(address=address, operation=Operation.MOVE_STORAGE, detail=NOT_MOVED)


def _decided(session: VSphereSession, vm: VmId, placement: VmPlacement) -> _Move:
    devices, names = session.run(lambda connection: _disks_and_datastores(connection, vm))

    def id_of(text: str) -> str:
        found = [moid for moid, name in names.items() if text in (moid, name)]
        if len(found) != 1:
            raise DatastoreUnknown(address=session.platform.address, datastore=text, detail=NO_SUCH_DATASTORE)
        return found[0]

    if placement.datastore is None:
        raise ValueError("a placement without a datastore says of no file where it goes")
    home, others = id_of(placement.datastore), dict(placement.disk_datastores)
    disks = {key: id_of(others[key]) if key in others else home for key in devices}
    return _Move(vm=vm, home=home, disks=disks, names=names)


def _disks_and_datastores(connection: Connection, vm: VmId) -> tuple[list[int], dict[str, str]]:
    """Return the keys of a VM's disks, and the names of the datastores of its host by their ids."""
    query = connection.query()
    row = read(query, connection.vm(vm), "runtime.host", "config.hardware.device")
    stores = read(query, row.need("runtime.host"), "datastore").get("datastore") or ()
    names = {store.moid: unescaped(store.get("name") or "") for store in read_many(query, stores, "name")}
    return [disk.key for disk in _disks(row)], names


def _disks(row: Row) -> list[Any]:
    devices = row.get("config.hardware.device") or ()
    return [device for device in devices if isinstance(device, vim.vm.device.VirtualDisk)]


def _begun(connection: Connection, move: _Move) -> str | None:
    """Begin to move, unless that was begun or done already: an answer may have been lost.

    Returns:
        The id of the task; None when all is there.
    """
    machine = connection.vm(move.vm)
    recent = read(connection.query(), machine, "recentTask").get("recentTask") or ()
    running = tasks.running_among(connection, recent, lambda described: _TASK in described)
    if running:
        return running[0]
    if _is_done(connection, move):
        return None
    home = connection.object(vim.Datastore, move.home)
    locators = [
        vim.vm.RelocateSpec.DiskLocator(
            diskId=key, datastore=connection.object(vim.Datastore, store), diskMoveType=_MOVE_TYPE
        )
        for key, store in move.disks.items()
    ]
    spec = vim.vm.RelocateSpec(datastore=home, disk=locators, diskMoveType=_MOVE_TYPE)
    return str(machine.RelocateVM_Task(spec=spec)._moId)


def _is_done(connection: Connection, move: _Move) -> bool:
    """Return whether the files of a VM are where they are to go."""
    row = read(connection.query(), connection.vm(move.vm), "config.files.vmPathName", "config.hardware.device")
    if _store_of(row.get("config.files.vmPathName"), move) != move.names[move.home]:
        return False
    found = {disk.key: _store_of(getattr(disk.backing, "fileName", None), move) for disk in _disks(row)}
    return all(found.get(key) == move.names[store] for key, store in move.disks.items())


def _store_of(path: str | None, move: _Move) -> str:
    try:
        return DatastorePath.parse(path or "", move.names.values()).datastore
    except ValueError:
        return ""
