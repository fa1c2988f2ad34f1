"""Moves the files of a VM to other datastores, from and to servers while it runs (Storage vMotion)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pyVmomi import vim

from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath, DiskMove, SimDisk
from app.simulator.vm import files, running_files
from app.simulator.vm.disk_tree import DiskTree
from app.simulator.vm.identity import location_id
from app.simulator.vm.machine import Machine
from app.simulator.vm.present_files import show_present_files
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.stun import stunned
from app.simulator.vm.values import changed

_MOST_PASSES: Final = 20
_LITTLE_BYTES: Final = 1 << 20
"""What is left to copy while the guest stands still."""


@dataclass(frozen=True, slots=True)
class MotionPlan:
    """What goes where.

    Attributes:
        disks: names of datastores by device key; disks that stay are left out.
        home: the datastore of the VM's other files; None: where they are.
        thin: what disks are to be; None: what they are.
    """

    disks: dict[int, str]
    home: str | None
    thin: bool | None = None


def changes_storage(vm: Machine, plan: MotionPlan) -> bool:
    """Return whether any file of a VM would move."""
    if plan.home not in (None, files.home_of(vm.config).datastore):
        return True
    return any(_moving(vm, plan))


def move_files(vm: Machine, plan: MotionPlan, progress: TaskProgress) -> None:
    """Carry disks and the VM's other files over; reading them over NFC ends, and begins again at the new paths.

    Raises:
        vmodl.fault.RequestCanceled: a client cancelled the task; everything is where it was.
        vmodl.MethodFault: something could not be moved.
    """
    copied = {disk: target for disk, target in _moving(vm, plan) if _needs_copy(vm, disk, target)}
    moves: list[DiskMove] = []
    try:
        with as_vim_faults(str(files.home_of(vm.config))):
            for disk, target in copied.items():
                moves.append(vm.world.disks.begin_move(disk.path, target, thin=plan.thin))
            _copy(moves, progress)
        with stunned(vm):
            _exchange(vm, plan, moves, progress)
            with as_vim_faults(str(files.home_of(vm.config))):
                vm.apply_tracking()
    finally:
        for move in moves:
            move.abandon()


def _moving(vm: Machine, plan: MotionPlan) -> Iterator[tuple[SimDisk, DatastorePath]]:
    """Yield the disks that move, parents first, with their new paths."""
    directory = files.home_of(vm.config).directory
    for key, datastore in plan.disks.items():
        for disk in vm.trees[key].every_disk() if key in vm.trees else []:
            if disk.datastore.name != datastore:
                yield disk, DatastorePath.of(datastore, f"{directory}/{disk.path.name}")


def _needs_copy(vm: Machine, disk: SimDisk, target: DatastorePath) -> bool:
    """Return whether a server is at one of the ends; on this machine's own disk a file is only renamed."""
    return not (disk.datastore.is_on_this_machine and files.datastore_of(vm.world, target).is_on_this_machine)


def _copy(moves: list[DiskMove], progress: TaskProgress) -> None:
    """Copy everything, then again and again what was written meanwhile, until it is little."""
    total, done = max(1, sum(move.bytes_to_copy for move in moves)), 0

    def copied(n_bytes: int) -> None:
        nonlocal done
        progress.check()
        done += n_bytes
        progress.report(min(90, 90 * done // total))

    for move in moves:
        move.copy(copied)
    for _ in range(_MOST_PASSES):
        if sum(move.catch_up(copied) for move in moves) <= _LITTLE_BYTES:
            break


def _exchange(vm: Machine, plan: MotionPlan, moves: list[DiskMove], progress: TaskProgress) -> None:
    """Let the VM have its files at the new place, while its guest stands still."""
    home = files.home_of(vm.config)
    with vm.files_lock:
        if plan.disks:
            vm.world.end_reading(vm.moid)
        was_locked = vm.locks is not None
        if was_locked:
            running_files.end(vm)
        try:
            for move in moves:
                with as_vim_faults(str(move.disk.path)):
                    move.finish()
            for done, (key, name) in enumerate(plan.disks.items(), start=1):
                if key in vm.trees:
                    _rename_tree(vm, vm.trees[key], name, home.directory)
                progress.report(90 + 5 * done // len(plan.disks))
            if plan.home is not None and plan.home != home.datastore:
                _move_home(vm, home, plan.home)
        finally:
            if was_locked:
                running_files.begin(vm)
    show_present_files(vm)


def _rename_tree(vm: Machine, tree: DiskTree, datastore: str, directory: str) -> None:
    for disk in tree.every_disk():
        if disk.datastore.name == datastore:
            continue
        with as_vim_faults(str(disk.path)):
            vm.world.disks.move(disk.path, DatastorePath.of(datastore, f"{directory}/{disk.path.name}"))


def _move_home(vm: Machine, home: DatastorePath, datastore: str) -> None:
    """Carry the VM's other files over."""
    target = DatastorePath.of(datastore, home.relative)
    if files.stored_file(vm.world, target).exists():
        raise vim.fault.FileAlreadyExists(msg=f"{target} already exists.", file=str(target))
    source = files.stored_file(vm.world, home).parent
    with as_vim_faults(str(home)):
        for entry in sorted(source.iterdir()) if source.is_dir() else []:
            if entry.is_file() and entry.suffix in files.HOME_SUFFIXES:
                files.write_file(vm.world, target.sibling(entry.name), entry.read_bytes())
                files.datastore_of(vm.world, home).delete_file(home.sibling(entry.name).relative)
        if home.directory and source.is_dir() and not any(source.iterdir()):
            source.rmdir()
    with vm.world.lock:
        vm.set_config(moved_config(vm, vm.config, target))
        for snapshot in vm.every_snapshot():
            snapshot.set(config=moved_config(vm, snapshot.config, target))


def moved_config(vm: Machine, made: vim.vm.ConfigInfo, home: DatastorePath) -> vim.vm.ConfigInfo:
    """Return a configuration of a VM with its files at another place."""
    directory = str(home.sibling("x")).removesuffix("x")
    datastore = vm.world.inventory.datastores[home.datastore]
    return changed(
        made,
        files=vim.vm.FileInfo(
            vmPathName=str(home),
            snapshotDirectory=directory,
            suspendDirectory=directory,
            logDirectory=directory,
        ),
        locationId=location_id(home),
        datastoreUrl=[vim.vm.ConfigInfo.DatastoreUrlPair(name=datastore.name, url=datastore.url)],
    )
