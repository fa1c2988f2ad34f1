"""Takes and renames snapshots, and describes the tree of them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pyVmomi import vim, vmodl

from app.core.privatefiles import make_private_folders
from app.simulator.calls import Call
from app.simulator.progress import TaskProgress
from app.simulator.vm import files, layout
from app.simulator.vm.config import with_devices
from app.simulator.vm.disk_tree import DiskTree, is_shared, takes_part_in_snapshots
from app.simulator.vm.disks import described_disk, with_present_backings
from app.simulator.vm.fault_tolerance import check_snapshot
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot, SnapshotWish
from app.simulator.vm.snapshot_files import delete_snapshot, save_list, save_snapshot
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.stun import stunned
from app.simulator.vm.values import Device, disks_of, replaced
from app.simulator.vm.views import tools_run

MOST_LEVELS = 32
MOST_NAME_LENGTH = 80
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]')


def snapshot_info(vm: Machine) -> vim.vm.SnapshotInfo | None:
    """Return the tree of snapshots, None when there are none."""
    if not vm.root_snapshots:
        return None
    current = vm.current_snapshot
    return vim.vm.SnapshotInfo(
        currentSnapshot=None if current is None else current.ref,
        rootSnapshotList=[_node(vm, root) for root in vm.root_snapshots],
    )


def _node(vm: Machine, snapshot: Snapshot) -> vim.vm.SnapshotTree:
    return vim.vm.SnapshotTree(
        snapshot=snapshot.ref,
        vm=vm.ref,
        name=snapshot.name,
        description=snapshot.description,
        id=snapshot.number,
        createTime=snapshot.created,
        state=snapshot.power_state,
        quiesced=snapshot.quiesced,
        replaySupported=False,
        childSnapshotList=[_node(vm, child) for child in snapshot.children],
    )


def create(vm: Machine, call: Call, wish: SnapshotWish) -> vim.Task:
    """Take a snapshot in a task.

    Raises:
        vim.fault.InvalidName: it has no name, or too long a one.
        vim.fault.TaskInProgress: the VM is busy.
    """
    _check_name(wish.name)
    return vm.start(call, call.method, lambda progress: _create(vm, wish, progress, call.user))


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MOST_NAME_LENGTH:
        raise vim.fault.InvalidName(msg=f"The name '{name}' is invalid.", name=name)


def _create(vm: Machine, wish: SnapshotWish, progress: TaskProgress, user: str) -> vim.vm.Snapshot:
    _check_possible(vm, wish)
    progress.report(10)
    _quiesce(vm, wish)
    number = vm.last_snapshot_number + 1
    snapshot = vm.new_snapshot(wish, number, vm.current_snapshot)
    with stunned(vm):
        change_ids = _freeze_disks(vm, snapshot)
        with _taken_back_on_failure(vm, snapshot), as_vim_faults(str(files.home_of(vm.config))):
            vm.apply_tracking(taking=snapshot.moid)
    progress.report(60)
    with _taken_back_on_failure(vm, snapshot):
        _keep_copies(vm, snapshot)
        with vm.world.lock:
            snapshot.properties["config"] = with_devices(vm.config, _frozen_devices(vm, snapshot, change_ids))
            vm.add_snapshot(snapshot)
            vm.last_snapshot_number = number
            vm.set_config(with_present_backings(vm, vm.config))
            vm.snapshots_changed()
        save_snapshot(vm, snapshot)
        layout.save_configuration(vm)
    post_snapshot_event(vm, "created", wish.name, user)
    ref: vim.vm.Snapshot = snapshot.ref
    return ref


def post_snapshot_event(vm: Machine, what: str, name: str, user: str) -> None:
    """Write an event about a snapshot to the log."""
    vm.post(
        vim.event.EventEx,
        f"Snapshot {name} of {vm.name} was {what}.",
        user,
        eventTypeId=f"standfast.simulator.snapshot.{what}",
        severity="info",
    )


def _check_possible(vm: Machine, wish: SnapshotWish) -> None:
    devices = vm.config.hardware.device
    disks = disks_of(devices)
    if vm.config.template:
        raise vim.fault.InvalidState(msg="A template has no snapshots.")
    check_snapshot(vm, memory=wish.memory)
    if vm.is_running and any(is_shared(disk, devices) for disk in disks):
        raise vim.fault.SnapshotFault(
            msg="An error occurred while saving the snapshot: virtual machine is configured to share its disks."
        )
    if vm.is_running and wish.memory and not all(takes_part_in_snapshots(disk) for disk in disks):
        raise vim.fault.SnapshotFault(
            msg="An error occurred while saving the snapshot: cannot take a memory snapshot, since the virtual "
            "machine is configured with independent disks."
        )
    if vm.current_snapshot is not None and vm.current_snapshot.depth() >= MOST_LEVELS:
        raise vim.fault.TooManySnapshotLevels(msg=f"There are more than {MOST_LEVELS} levels of snapshots.")


def _quiesce(vm: Machine, wish: SnapshotWish) -> None:
    if not wish.quiesce or not vm.is_running or wish.memory:
        return
    scripted = vm.world.faults.takes_quiesce_failure(vm.name, vm.moid)
    if scripted or not tools_run(vm):
        why = "the guest does not answer in time" if scripted else "VMware Tools do not run"
        raise vim.fault.ApplicationQuiesceFault(
            msg=f"An error occurred while quiescing the virtual machine: {why}."
        )


def _freeze_disks(vm: Machine, snapshot: Snapshot) -> dict[int, str | None]:
    """Freeze every disk that takes part, or none of them."""
    change_ids: dict[int, str | None] = {}
    frozen: list[DiskTree] = []
    writers = _written_by_applications(vm, snapshot)
    for device in disks_of(vm.config.hardware.device):
        tree = vm.trees.get(device.key)
        if tree is None or not takes_part_in_snapshots(device):
            continue
        try:
            with as_vim_faults(str(getattr(device.backing, "fileName", ""))):
                change_id = (
                    tree.freeze_after_writers(snapshot.moid, writers) if writers else tree.freeze(snapshot.moid)
                )
        except vim.fault.VimFault:
            _undo(frozen, snapshot)
            raise
        frozen.append(tree)
        change_ids[device.key] = change_id if vm.config.changeTrackingEnabled else None
    return change_ids


def _written_by_applications(vm: Machine, snapshot: Snapshot) -> bytes:
    """Return what applications of the guest write in the making of a quiesced snapshot; empty where they do not.

    On Windows VMware Tools ask for a shadow copy, and what its writers do then is part of the snapshot: its disk
    is a delta on the disk of the moment before. Source: "Application-Consistent Backup and Restore" of the Virtual
    Disk Development Kit's guide: read the leaf, "both the base VMDK and the snapshot at once". That the VM goes on
    from that delta is in no source that was found.
    """
    is_windows = (vm.config.guestId or "").startswith("windows")
    return f"VSS {snapshot.number:012}".encode() if snapshot.quiesced and is_windows else b""


def _undo(frozen: Iterable[DiskTree], snapshot: Snapshot) -> None:
    for tree in frozen:
        tree.forget(snapshot.moid)
        tree.consolidate()


@contextmanager
def _taken_back_on_failure(vm: Machine, snapshot: Snapshot) -> Iterator[None]:
    """Leave nothing of the snapshot when the block fails."""
    try:
        yield
    except (vmodl.MethodFault, OSError):
        with vm.world.lock:
            if snapshot in vm.every_snapshot():
                vm.drop_snapshot(snapshot)
        with stunned(vm):
            _undo(vm.trees.values(), snapshot)
        delete_snapshot(vm, snapshot)
        vm.set_config(with_present_backings(vm, vm.config))
        vm.snapshots_changed()
        raise


def _frozen_devices(vm: Machine, snapshot: Snapshot, change_ids: dict[int, str | None]) -> list[Device]:
    devices: list[Device] = vm.config.hardware.device
    for device in disks_of(devices):
        tree = vm.trees.get(device.key)
        frozen = None if tree is None else tree.frozen.get(snapshot.moid)
        if frozen is not None:
            change_id = change_ids.get(device.key)
            devices = replaced(devices, described_disk(vm, device, frozen, change_id))
    return devices


def _keep_copies(vm: Machine, snapshot: Snapshot) -> None:
    """Keep what each disk holds at this moment, where a test asked for it."""
    directory = vm.world.keep_frozen_copies
    if directory is None:
        return
    place = directory / vm.moid / _UNSAFE.sub("_", snapshot.name)
    make_private_folders(place)
    for key, tree in vm.trees.items():
        frozen = tree.frozen.get(snapshot.moid)
        if frozen is not None:
            target = place / f"{key}.raw"
            target.unlink(missing_ok=True)
            frozen.export_raw(target)


def rename(vm: Machine, snapshot: Snapshot, name: str | None, description: str | None) -> None:
    """Change the name or description of a snapshot.

    Raises:
        vim.fault.InvalidName: the name is empty or too long.
        vim.fault.TaskInProgress: the VM is busy.
    """
    with vm.world.lock:
        vm.refuse_while_busy()
        if name is not None:
            _check_name(name)
            snapshot.name = name
        if description is not None:
            snapshot.description = description
        vm.snapshots_changed()
    save_list(vm)
