"""Writes and reads the files that describe snapshots: the list (.vmsd) and each one's configuration (.vmsn).

They are what lets a VM that is registered again have its snapshots.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pyVmomi import vim

from app.simulator.storage import DatastorePath
from app.simulator.vm import files, vmx
from app.simulator.vm.config import with_devices, with_spec
from app.simulator.vm.device_changes import plan_device_changes
from app.simulator.vm.device_context import DeviceContext
from app.simulator.vm.devices import DEFAULT_KEYS
from app.simulator.vm.disk_tree import DiskTree
from app.simulator.vm.disks import described_disk
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot, SnapshotWish
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import Device, changed, disks_of, replaced

_MEMORY_CONTENT = b"MEM\0" * 1024


# ---- writing -------------------------------------------------------------------------------------------


def save_snapshot(vm: Machine, snapshot: Snapshot) -> None:
    """Write the files of a new snapshot, and the list.

    Raises:
        vim.fault.NoDiskSpace: they do not fit.
    """
    data = vmx.render(snapshot.config).encode("utf-8")
    files.write_file(vm.world, files.snapshot_data_path(vm.config, snapshot.number), data)
    if snapshot.with_memory:
        files.write_file(vm.world, files.snapshot_memory_path(vm.config, snapshot.number), _MEMORY_CONTENT)
    save_list(vm)


def delete_snapshot(vm: Machine, snapshot: Snapshot) -> None:
    """Delete the files of a snapshot that was removed."""
    for path in (
        files.snapshot_data_path(vm.config, snapshot.number),
        files.snapshot_memory_path(vm.config, snapshot.number),
    ):
        files.datastore_of(vm.world, path).delete_file(path.relative)


def save_list(vm: Machine) -> None:
    """Write the list of snapshots.

    Raises:
        vim.fault.NoDiskSpace: it does not fit.
    """
    everyone = vm.every_snapshot()
    entries = [(".encoding", "UTF-8"), ("snapshot.lastUID", str(vm.last_snapshot_number))]
    if vm.current_snapshot is not None:
        entries.append(("snapshot.current", str(vm.current_snapshot.number)))
    entries.append(("snapshot.numSnapshots", str(len(everyone))))
    for index, snapshot in enumerate(everyone):
        entries += [(f"snapshot{index}.{key}", value) for key, value in _entry(vm, snapshot)]
    text = "".join(f'{key} = "{vmx.escape(value)}"\n' for key, value in entries)
    files.rewrite_file(vm.world, files.sibling(vm.config, ".vmsd"), text.encode("utf-8"))


def _entry(vm: Machine, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    yield "uid", str(snapshot.number)
    yield "filename", files.snapshot_data_path(vm.config, snapshot.number).name
    if snapshot.parent is not None:
        yield "parent", str(snapshot.parent.number)
    yield "displayName", snapshot.name
    yield "description", snapshot.description
    yield "createTime", snapshot.created.isoformat()
    yield "powerState", snapshot.power_state
    yield "quiesced", "TRUE" if snapshot.quiesced else "FALSE"
    yield "withMemory", "TRUE" if snapshot.with_memory else "FALSE"
    disks = [disk for disk in disks_of(snapshot.config.hardware.device) if _is_frozen(vm, snapshot, disk.key)]
    yield "numDisks", str(len(disks))
    for index, disk in enumerate(disks):
        yield f"disk{index}.key", str(disk.key)
        yield f"disk{index}.fileName", str(getattr(disk.backing, "fileName", ""))
        yield f"disk{index}.changeId", str(getattr(disk.backing, "changeId", None) or "")


def _is_frozen(vm: Machine, snapshot: Snapshot, key: int) -> bool:
    tree = vm.trees.get(key)
    return tree is not None and snapshot.moid in tree.frozen


# ---- reading -------------------------------------------------------------------------------------------


def load_snapshots(vm: Machine, context: DeviceContext) -> None:
    """Add the snapshots that its files describe to a VM that was just registered.

    Raises:
        vmodl.MethodFault: a file or a disk of a snapshot is missing.
    """
    file = files.stored_file(vm.world, files.sibling(vm.config, ".vmsd"))
    if not file.is_file():
        return
    settings = vmx.parse(file.read_text("utf-8"))
    by_number: dict[str, Snapshot] = {}
    for index in range(int(settings.get("snapshot.numsnapshots", "0"))):
        prefix = f"snapshot{index}."
        entry = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
        snapshot = _snapshot_from(vm, entry, by_number.get(entry.get("parent", "")))
        by_number[entry["uid"]] = snapshot
        _attach_disks(vm, snapshot, entry, context)
    vm.last_snapshot_number = int(settings.get("snapshot.lastuid", "0"))
    vm.current_snapshot = by_number.get(settings.get("snapshot.current", ""))
    vm.snapshots_changed()


def _snapshot_from(vm: Machine, entry: dict[str, str], parent: Snapshot | None) -> Snapshot:
    number = int(entry["uid"])
    wish = SnapshotWish(name=entry["displayname"], description=entry["description"], memory=False, quiesce=False)
    snapshot = vm.new_snapshot(wish, number, parent)
    snapshot.created = datetime.fromisoformat(entry["createtime"])
    snapshot.power_state = entry["powerstate"]
    snapshot.quiesced = entry["quiesced"] == "TRUE"
    snapshot.with_memory = entry["withmemory"] == "TRUE"
    (vm.root_snapshots if parent is None else parent.children).append(snapshot)
    vm.world.add(snapshot)
    return snapshot


def _attach_disks(vm: Machine, snapshot: Snapshot, entry: dict[str, str], context: DeviceContext) -> None:
    made = _config_from(vm, files.snapshot_data_path(vm.config, snapshot.number), context)
    devices: list[Device] = made.hardware.device
    for index in range(int(entry["numdisks"])):
        key, path = int(entry[f"disk{index}.key"]), entry[f"disk{index}.filename"]
        with as_vim_faults(path):
            frozen = vm.world.disks.open(path)
        tree = vm.trees.setdefault(key, DiskTree(vm.world.disks, key, None))
        tree.frozen[snapshot.moid] = frozen
        device = next(disk for disk in disks_of(devices) if disk.key == key)
        change_id = entry[f"disk{index}.changeid"] or None
        devices = replaced(devices, described_disk(vm, device, frozen, change_id))
    snapshot.properties["config"] = with_devices(made, devices)


def _config_from(vm: Machine, path: DatastorePath, context: DeviceContext) -> vim.vm.ConfigInfo:
    """Read a configuration as it is described in a .vmsn file; its disks do not know their files' facts yet."""
    file = files.stored_file(vm.world, path)
    if not file.is_file():
        raise vim.fault.FileNotFound(msg=f"File {path} was not found.", file=str(path))
    spec: Any = vmx.spec_from_text(file.read_text("utf-8"), str(files.home_of(vm.config)))
    defaults = [device for device in vm.config.hardware.device if device.key in DEFAULT_KEYS]
    plan = plan_device_changes(defaults, spec.deviceChange, context)
    return with_devices(with_spec(vm.config, changed(spec, name=vm.name), vm.world.now()), plan.devices)
