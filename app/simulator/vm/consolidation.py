"""Removes snapshots and merges the files that are needed no more."""

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.progress import TaskProgress
from app.simulator.slowness import RemovalPace
from app.simulator.storage import StorageError
from app.simulator.vm import files
from app.simulator.vm.machine import Machine
from app.simulator.vm.present_files import show_present_files
from app.simulator.vm.snapshot import Snapshot
from app.simulator.vm.snapshot_files import delete_snapshot, save_list
from app.simulator.vm.snapshots import post_snapshot_event
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.stun import stunned

_LOOK_S = 0.01


def remove(vm: Machine, snapshot: Snapshot, call: Call, *, with_children: bool, consolidate: bool) -> vim.Task:
    """Remove a snapshot in a task.

    Raises:
        vim.fault.TaskInProgress: the VM is busy.
    """
    doomed = snapshot.subtree() if with_children else [snapshot]
    return vm.start(
        call, call.method, lambda progress: _remove(vm, doomed, progress, call.user, merge=consolidate)
    )


def remove_all(vm: Machine, call: Call, *, consolidate: bool) -> vim.Task:
    """Remove every snapshot in a task.

    Raises:
        vim.fault.TaskInProgress: the VM is busy.
    """
    return vm.start(
        call,
        call.method,
        lambda progress: _remove(vm, vm.every_snapshot(), progress, call.user, merge=consolidate),
    )


def _remove(vm: Machine, doomed: list[Snapshot], progress: TaskProgress, user: str, *, merge: bool) -> None:
    with vm.world.lock:
        for snapshot in reversed(doomed):
            vm.drop_snapshot(snapshot)
        for tree in vm.trees.values():
            for snapshot in doomed:
                tree.forget(snapshot.moid)
        vm.snapshots_changed()
    for snapshot in doomed:
        delete_snapshot(vm, snapshot)
        post_snapshot_event(vm, "removed", snapshot.name, user)
    save_list(vm)
    progress.report(20)
    refused = merge and vm.world.faults.takes_consolidation_refusal(vm.name, vm.moid)
    if merge and not refused:
        _merge(vm, progress)
    if vm.consolidation_needed:
        vm.post(
            vim.event.EventEx,
            f"Virtual machine {vm.name} disks consolidation is needed on {vm.host.name}.",
            user,
            eventTypeId="com.vmware.vc.VmDiskConsolidationNeeded",
            severity="warning",
        )


def consolidate(vm: Machine, call: Call) -> vim.Task:
    """Merge what is left of removed snapshots, in a task.

    Raises:
        vim.fault.TaskInProgress: the VM is busy.
    """

    def run(progress: TaskProgress) -> None:
        if vm.world.faults.takes_consolidation_refusal(vm.name, vm.moid):
            path = str(files.home_of(vm.config))
            raise vim.fault.FileLocked(msg="Unable to access a file since it is locked.", file=path)
        _merge(vm, progress, strict=True)

    return vm.start(call, call.method, run)


def _merge(vm: Machine, progress: TaskProgress, *, strict: bool = False) -> None:
    """Merge the files that are not needed; a file that a reader has open stays, and consolidation is needed.

    Raises:
        vmodl.MethodFault: in a strict merge, when a file is in use or the space does not suffice.
    """
    failure: StorageError | None = None
    trees = list(vm.trees.values())
    slowness = vm.world.faults.slowness_of_removals(vm.name, vm.moid)
    for done, tree in enumerate(trees, start=1):
        if slowness is not None:
            _take_long(vm, progress, (done - 1) / len(trees), done / len(trees))
        with stunned(vm):
            try:
                tree.consolidate()
            except StorageError as error:
                failure = error
        if slowness is None:
            progress.report(20 + 70 * done // len(trees))
        elif slowness.pace is RemovalPace.DISK_BY_DISK:
            show_present_files(vm)
    with stunned(vm), as_vim_faults(str(files.home_of(vm.config))):
        vm.apply_tracking()
    show_present_files(vm)
    if failure is not None and strict:
        with as_vim_faults(str(files.home_of(vm.config))):
            raise failure


def _take_long(vm: Machine, progress: TaskProgress, begin: float, end: float) -> None:
    """Let a part of a merge last as long as a test wants, by the simulator's clock, or until it no longer does."""
    clock = vm.world.clock
    began = clock.monotonic()
    while (slowness := vm.world.faults.slowness_of_removals(vm.name, vm.moid)) is not None:
        part = (clock.monotonic() - began) / (slowness.seconds * (end - begin))
        if part >= 1:
            return
        if slowness.pace is RemovalPace.BY_PROGRESS:
            progress.report(20 + int(70 * (begin + (end - begin) * part)))
        progress.pause(_LOOK_S)
