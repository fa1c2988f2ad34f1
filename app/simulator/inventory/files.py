"""FileManager and VirtualDiskManager: files and disks that belong to no VM in particular."""

from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.datastore import Datastore
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath, SimDisk
from app.simulator.storage.naming import EXTENT_SUFFIXES
from app.simulator.storage.places import StoredPath, make_folder, make_folders, remove_tree
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.world import WorldObject

_PRIVILEGE = "Datastore.FileManagement"


def locate(manager: WorldObject, call: Call, text: str) -> tuple[Datastore, DatastorePath]:
    """Find a file's datastore and check that the caller may change files there.

    Raises:
        vim.fault.InvalidDatastorePath, vim.fault.InvalidDatastore: the path makes no sense.
        vim.fault.NoPermission: the caller may not.
    """
    with as_vim_faults(text):
        path = DatastorePath.parse(text)
    datastore: Datastore | None = manager.world.inventory.datastores.get(path.datastore)
    if datastore is None:
        raise vim.fault.InvalidDatastore(msg=f"Invalid datastore '{path.datastore}'.", name=path.datastore)
    call.require(_PRIVILEGE, datastore)
    return datastore, path


def _file(datastore: Datastore, path: DatastorePath) -> StoredPath:
    with as_vim_faults(str(path)):
        return datastore.storage.resolve(path)


def _is_disk(path: DatastorePath) -> bool:
    return path.name.endswith(".vmdk") and not path.name.endswith(EXTENT_SUFFIXES)


class FileManager(WorldObject):
    """Makes directories; moves, copies and deletes files. A disk's descriptor stands for the whole disk."""

    vim_type = vim.FileManager

    def MakeDirectory(
        self,
        call: Call,
        *,
        name: str,
        datacenter: vim.Datacenter | None = None,
        createParentDirectories: bool | None = None,
    ) -> None:
        """Make a directory.

        Raises:
            vim.fault.FileAlreadyExists, vim.fault.FileNotFound: as they say.
        """
        datastore, path = locate(self, call, name)
        directory = _file(datastore, path)
        try:
            if createParentDirectories:
                make_folders(directory.parent)
            make_folder(directory)
        except FileExistsError as error:
            raise vim.fault.FileAlreadyExists(msg=f"{name} already exists.", file=name) from error
        except FileNotFoundError as error:
            raise vim.fault.FileNotFound(msg=f"The parent of {name} was not found.", file=name) from error

    def DeleteDatastoreFile_Task(
        self, call: Call, *, name: str, datacenter: vim.Datacenter | None = None
    ) -> vim.Task:
        """Delete a file, a disk, or a directory with all that is in it."""
        datastore, path = locate(self, call, name)

        def delete(_: TaskProgress) -> None:
            file = _file(datastore, path)
            if not path.relative or not file.exists():
                raise vim.fault.FileNotFound(msg=f"File {name} was not found.", file=name)
            _refuse_used(self, path)
            if file.is_dir():
                _delete_tree(datastore, path)
            elif _is_disk(path):
                with as_vim_faults(name):
                    self.world.disks.delete(path)
            else:
                datastore.storage.delete_file(path.relative)

        return call.start_task(datastore, "DeleteDatastoreFile_Task", delete)

    def MoveDatastoreFile_Task(
        self,
        call: Call,
        *,
        sourceName: str,
        destinationName: str,
        sourceDatacenter: vim.Datacenter | None = None,
        destinationDatacenter: vim.Datacenter | None = None,
        force: bool | None = None,
    ) -> vim.Task:
        """Move a file or a disk."""
        source, source_path = locate(self, call, sourceName)
        target, target_path = locate(self, call, destinationName)

        def move(_: TaskProgress) -> None:
            _refuse_used(self, source_path)
            self._clear(target, target_path, force=bool(force))
            if _is_disk(source_path):
                with as_vim_faults(sourceName):
                    self.world.disks.move(source_path, target_path)
            else:
                _copy_file(source, source_path, target, target_path)
                source.storage.delete_file(source_path.relative)

        return call.start_task(target, "MoveDatastoreFile_Task", move)

    def CopyDatastoreFile_Task(
        self,
        call: Call,
        *,
        sourceName: str,
        destinationName: str,
        sourceDatacenter: vim.Datacenter | None = None,
        destinationDatacenter: vim.Datacenter | None = None,
        force: bool | None = None,
    ) -> vim.Task:
        """Copy a file or a disk."""
        source, source_path = locate(self, call, sourceName)
        target, target_path = locate(self, call, destinationName)

        def copy(_: TaskProgress) -> None:
            self._clear(target, target_path, force=bool(force))
            if _is_disk(source_path):
                with as_vim_faults(sourceName):
                    self.world.disks.copy(source_path, target_path)
            else:
                _copy_file(source, source_path, target, target_path)

        return call.start_task(target, "CopyDatastoreFile_Task", copy)

    def _clear(self, datastore: Datastore, path: DatastorePath, *, force: bool) -> None:
        if not _file(datastore, path).exists():
            return
        if not force:
            raise vim.fault.FileAlreadyExists(msg=f"{path} already exists.", file=str(path))
        _refuse_used(self, path)
        if _is_disk(path):
            with as_vim_faults(str(path)):
                self.world.disks.delete(path)
        else:
            datastore.storage.delete_file(path.relative)


def _is_below(path: DatastorePath, directory: DatastorePath) -> bool:
    return path.datastore == directory.datastore and path.relative.startswith(directory.relative + "/")


def _refuse_used(manager: WorldObject, path: DatastorePath) -> None:
    """Refuse to touch what a running VM uses, or a directory that holds something of it."""
    for machine in manager.world.inventory.vms.values():
        if machine.power_state == "poweredOff":
            continue
        if any(used == path or _is_below(used, path) for used in machine.used_files()):
            raise vim.fault.FileLocked(msg=f"Unable to access file {path} since it is locked.", file=str(path))


def _copy_file(source: Datastore, path: DatastorePath, target: Datastore, target_path: DatastorePath) -> None:
    file = _file(source, path)
    if not file.is_file():
        raise vim.fault.FileNotFound(msg=f"File {path} was not found.", file=str(path))
    with as_vim_faults(str(target_path)):
        target.storage.write_file(target_path.relative, file.read_bytes())


def _delete_tree(datastore: Datastore, path: DatastorePath) -> None:
    """Delete a directory; disks in it are deleted as disks, so that no client finds them half gone."""
    disks = datastore.world.disks
    directory = _file(datastore, path)
    while below := [leaf for leaf in disks.open_disks() if _is_below(leaf.path, path) and not leaf.children]:
        for disk in below:
            with as_vim_faults(str(disk.path)):
                disks.delete(disk.path)
    for file in [entry for entry in directory.rglob("*") if entry.is_file()]:
        datastore.storage.delete_file(datastore.storage.relative(file))
    remove_tree(directory)


class VirtualDiskManager(WorldObject):
    """Creates, copies, moves, extends and deletes disks."""

    vim_type = vim.VirtualDiskManager

    def CreateVirtualDisk_Task(
        self,
        call: Call,
        *,
        name: str,
        spec: vim.VirtualDiskManager.VirtualDiskSpec,
        datacenter: vim.Datacenter | None = None,
    ) -> vim.Task:
        """Create an empty disk; the task's result is its path."""
        datastore, path = locate(self, call, name)
        if not isinstance(spec, vim.VirtualDiskManager.FileBackedVirtualDiskSpec):
            raise vmodl.fault.InvalidArgument(msg="Only disks in files can be created.", invalidProperty="spec")
        capacity: Any = spec.capacityKb
        adapter = {"busLogic": "buslogic", "ide": "ide"}.get(spec.adapterType, "lsilogic")

        def create(_: TaskProgress) -> str:
            with as_vim_faults(name):
                self.world.disks.create(path, capacity * 1024, thin=spec.diskType == "thin", adapter=adapter)
            return str(path)

        return call.start_task(datastore, "CreateVirtualDisk_Task", create)

    def DeleteVirtualDisk_Task(
        self, call: Call, *, name: str, datacenter: vim.Datacenter | None = None
    ) -> vim.Task:
        """Delete a disk."""
        datastore, path = locate(self, call, name)

        def delete(_: TaskProgress) -> None:
            _refuse_used(self, path)
            with as_vim_faults(name):
                self.world.disks.delete(path)

        return call.start_task(datastore, "DeleteVirtualDisk_Task", delete)

    def CopyVirtualDisk_Task(
        self,
        call: Call,
        *,
        sourceName: str,
        destName: str,
        sourceDatacenter: vim.Datacenter | None = None,
        destDatacenter: vim.Datacenter | None = None,
        destSpec: vim.VirtualDiskManager.VirtualDiskSpec | None = None,
        force: bool | None = None,
    ) -> vim.Task:
        """Copy a disk with its parents into one new disk; the task's result is its path."""
        _, source = locate(self, call, sourceName)
        datastore, target = locate(self, call, destName)

        def copy(_: TaskProgress) -> str:
            with as_vim_faults(sourceName):
                if force and self.world.disks.exists(target):
                    self.world.disks.delete(target)
                thin = destSpec is None or destSpec.diskType == "thin"
                self.world.disks.copy(source, target, thin=thin)
            return str(target)

        return call.start_task(datastore, "CopyVirtualDisk_Task", copy)

    def MoveVirtualDisk_Task(
        self,
        call: Call,
        *,
        sourceName: str,
        destName: str,
        sourceDatacenter: vim.Datacenter | None = None,
        destDatacenter: vim.Datacenter | None = None,
        force: bool | None = None,
        profile: list[vim.vm.ProfileSpec] | None = None,
    ) -> vim.Task:
        """Move or rename a disk; the task's result is its new path."""
        _, source = locate(self, call, sourceName)
        datastore, target = locate(self, call, destName)

        def move(_: TaskProgress) -> str:
            _refuse_used(self, source)
            with as_vim_faults(sourceName):
                self.world.disks.move(source, target)
            return str(target)

        return call.start_task(datastore, "MoveVirtualDisk_Task", move)

    def ExtendVirtualDisk_Task(
        self,
        call: Call,
        *,
        name: str,
        newCapacityKb: int,
        datacenter: vim.Datacenter | None = None,
        eagerZero: bool | None = None,
    ) -> vim.Task:
        """Make a disk larger."""
        datastore, path = locate(self, call, name)

        def extend(_: TaskProgress) -> None:
            _refuse_used(self, path)
            with as_vim_faults(name):
                try:
                    self.world.disks.open(path).extend(newCapacityKb * 1024)
                except ValueError as error:
                    raise vmodl.fault.InvalidArgument(msg=str(error), invalidProperty="newCapacityKb") from error

        return call.start_task(datastore, "ExtendVirtualDisk_Task", extend)

    def QueryVirtualDiskUuid(self, call: Call, *, name: str, datacenter: vim.Datacenter | None = None) -> str:
        """Return a disk's UUID as its descriptor spells it."""
        return self._open(call, name).base.descriptor.ddb["uuid"]

    def QueryVirtualDiskGeometry(
        self, call: Call, *, name: str, datacenter: vim.Datacenter | None = None
    ) -> vim.host.DiskDimensions.Chs:
        """Return what a BIOS would see of a disk."""
        ddb = self._open(call, name).base.descriptor.ddb
        return vim.host.DiskDimensions.Chs(
            cylinder=int(ddb["geometry.cylinders"]),
            head=int(ddb["geometry.heads"]),
            sector=int(ddb["geometry.sectors"]),
        )

    def _open(self, call: Call, name: str) -> SimDisk:
        _, path = locate(self, call, name)
        with as_vim_faults(name):
            disk: SimDisk = self.world.disks.open(path)
            return disk
