"""The files of a VM besides its disks: what they are called, where they are, and writing them."""

from pyVmomi import vim

from app.simulator.storage import DatastorePath, SimDatastore
from app.simulator.storage.places import StoredPath, write_bytes
from app.simulator.vm.config import config_stem, extra_value, vmx_path_of
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.world import World

FILE_TYPES = {
    ".vmx": "config",
    ".vmtx": "config",
    ".nvram": "nvram",
    ".vmsd": "snapshotList",
    ".vmsn": "snapshotData",
    ".vmem": "snapshotMemory",
    ".vmss": "suspend",
    ".log": "log",
    ".vswp": "swap",
}
"""What the layout of a VM calls its files, by their endings."""
HOME_SUFFIXES = frozenset({*FILE_TYPES, ".png"})
"""Ends of the names of a VM's files besides its disks: those, and screenshots."""
LOGS = "vmware"
"""What the names of a VM's logs begin with."""


def datastore_of(world: World, path: DatastorePath) -> SimDatastore:
    """Return the datastore of a path.

    Raises:
        vim.fault.InvalidDatastore: there is none of that name.
    """
    datastore: SimDatastore | None = world.datastores.get(path.datastore)
    if datastore is None:
        raise vim.fault.InvalidDatastore(msg=f"Invalid datastore '{path.datastore}'.", name=path.datastore)
    return datastore


def stored_file(world: World, path: DatastorePath) -> StoredPath:
    """Return where a datastore file is stored.

    Raises:
        vim.fault.InvalidDatastore, vim.fault.InvalidDatastorePath: it is stored nowhere.
    """
    with as_vim_faults(str(path)):
        return datastore_of(world, path).resolve(path)


def home_of(config: vim.vm.ConfigInfo) -> DatastorePath:
    """Return the path of the VM's .vmx file, of a template's .vmtx file."""
    return DatastorePath.parse(vmx_path_of(config))


def stem_of(home: DatastorePath) -> str:
    """Return what the files of a VM begin with."""
    return config_stem(home.name)


def nvram_path(config: vim.vm.ConfigInfo) -> DatastorePath:
    """Return the path of the file that keeps the firmware's settings."""
    home = home_of(config)
    return home.sibling(extra_value(config, "nvram") or stem_of(home) + ".nvram")


def sibling(config: vim.vm.ConfigInfo, suffix: str) -> DatastorePath:
    """Return the path of a file that is called like the .vmx file, with another ending."""
    home = home_of(config)
    return home.sibling(stem_of(home) + suffix)


def snapshot_data_path(config: vim.vm.ConfigInfo, number: int) -> DatastorePath:
    """Return the path of the file that keeps a snapshot's state."""
    return sibling(config, f"-Snapshot{number}.vmsn")


def snapshot_memory_path(config: vim.vm.ConfigInfo, number: int) -> DatastorePath:
    """Return the path of the file that keeps a snapshot's memory."""
    return sibling(config, f"-Snapshot{number}.vmem")


def write_file(world: World, path: DatastorePath, data: bytes) -> None:
    """Write a small file to a datastore.

    Raises:
        vim.fault.NoDiskSpace: it does not fit.
    """
    with as_vim_faults(str(path)):
        datastore_of(world, path).write_file(path.relative, data)


def rewrite_file(world: World, path: DatastorePath, data: bytes) -> None:
    """Write a small file; one that is there already is replaced even on a full datastore, as a host does it.

    Raises:
        vim.fault.NoDiskSpace: it is new and does not fit.
    """
    file = stored_file(world, path)
    if not file.exists():
        write_file(world, path, data)
        return
    write_bytes(file, data)
    datastore_of(world, path).set_booking(path.relative, len(data))
