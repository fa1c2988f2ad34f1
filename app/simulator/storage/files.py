"""The files that a disk is made of: found, opened, and copied into each other."""

import os
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.simulator.storage.datastore import DatastorePath, SimDatastore
from app.simulator.storage.descriptor import Descriptor
from app.simulator.storage.disk import SimDisk
from app.simulator.storage.errors import DiskCorrupt, DiskNotFound, StorageError
from app.simulator.storage.grains import GRAIN_BYTES
from app.simulator.storage.layers import DeltaLayer, FlatLayer
from app.simulator.storage.places import StoredPath, copy_range
from app.simulator.storage.tracking import ChangeTracking

_DESCRIPTOR_LIMIT_BYTES = 64 << 10
_VOLUMES: Final = "/vmfs/volumes/"


def read_descriptor(datastore: SimDatastore, path: DatastorePath) -> Descriptor:
    """Read the descriptor of a disk.

    Raises:
        DiskNotFound: there is none.
        DiskCorrupt: the file is not one.
    """
    file = datastore.resolve(path)
    if not file.is_file():
        raise DiskNotFound(f"there is no disk {path}")
    if file.stat().st_size > _DESCRIPTOR_LIMIT_BYTES:
        raise DiskCorrupt(f"{path} is not a descriptor")
    try:
        return Descriptor.parse(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise DiskCorrupt(f"{path} is not a descriptor") from error


def parent_hint(disk: SimDisk, parent: SimDisk) -> str:
    """Return how the descriptor of a disk names its parent: seen from its own folder, as outside tools need it.

    Between this machine's disk and a server there is no such way, and the name is the one that hosts have for it.
    """
    if disk.datastore is parent.datastore:
        return posixpath.relpath(parent.path.relative, disk.path.directory or ".")
    own, below = disk.datastore.resolve(disk.path), parent.datastore.resolve(parent.path)
    if isinstance(own, Path) and isinstance(below, Path):
        return os.path.relpath(below, own.parent).replace(os.sep, posixpath.sep)
    return f"{_VOLUMES}{parent.datastore.name}/{parent.path.relative}"


def parent_path(datastores: Mapping[str, SimDatastore], child: DatastorePath, hint: str) -> DatastorePath:
    """Return the path of a disk's parent, from the hint in its descriptor.

    Raises:
        DiskCorrupt: it is on no datastore.
    """
    own = datastores[child.datastore]
    if hint.startswith(_VOLUMES):
        name, _, relative = hint.removeprefix(_VOLUMES).partition("/")
        return DatastorePath.of(name, relative)
    inside = posixpath.normpath(posixpath.join(child.directory, hint))
    if not posixpath.isabs(inside) and not inside.startswith(".."):
        return own.path(inside)
    if isinstance(own.root, Path):
        parent_file = Path(os.path.normpath(own.root / child.directory / hint))
        for datastore in datastores.values():
            if isinstance(datastore.root, Path) and parent_file.is_relative_to(datastore.root):
                return datastore.path(parent_file.relative_to(datastore.root).as_posix())
    raise DiskCorrupt(f"the parent {hint} is outside of every datastore")


def open_files(
    datastore: SimDatastore, path: DatastorePath, descriptor: Descriptor
) -> tuple[FlatLayer | DeltaLayer, ChangeTracking | None]:
    """Open the data of a disk and its change tracking, where it has one.

    Raises:
        DiskCorrupt: a file is missing or cannot be read.
    """
    data = datastore.resolve(path.sibling(descriptor.extent_file))
    if not data.is_file():
        raise DiskCorrupt(f"the data file of {path} is missing")
    layer = _open_layer(data, descriptor)
    if descriptor.track_file is None:
        return layer, None
    try:
        track_file = datastore.resolve(path.sibling(descriptor.track_file))
        return layer, ChangeTracking(track_file, descriptor.capacity_bytes)
    except (StorageError, OSError) as error:
        layer.close()
        raise DiskCorrupt(f"the change tracking of {path} cannot be read: {error}") from error


def _open_layer(data: StoredPath, descriptor: Descriptor) -> FlatLayer | DeltaLayer:
    kind = FlatLayer if descriptor.delta is None else DeltaLayer
    return kind.open(data, descriptor.capacity_bytes)


def correct_booking(disk: SimDisk) -> None:
    """Book for a disk what it takes on its datastore."""
    held = len(disk.layer.held) * GRAIN_BYTES
    tables = GRAIN_BYTES if disk.parent is not None else 0
    disk.datastore.set_booking(disk.extent_path.relative, held + tables if disk.thin else disk.capacity_bytes)


@contextmanager
def reopening(disk: SimDisk) -> Iterator[None]:
    """Close a disk's files, which open files on Windows need to be moved, and open them at its path after."""
    disk.layer.close()
    if disk.tracking is not None:
        disk.tracking.close()
    try:
        yield
    finally:
        disk.layer = _open_layer(disk.datastore.resolve(disk.extent_path), disk.descriptor)
        track_path = disk.tracking_path
        if track_path is not None:
            disk.tracking = ChangeTracking(disk.datastore.resolve(track_path), disk.capacity_bytes)


def copy_held(child: SimDisk, parent: SimDisk) -> None:
    """Copy the grains that a child holds into its parent."""
    for start, stop in child.layer.held.spans():
        offset = start * GRAIN_BYTES
        length = min(stop * GRAIN_BYTES, child.capacity_bytes) - offset
        copy_range(
            child.layer.file,
            child.layer.data_offset + offset,
            parent.layer.file,
            parent.layer.data_offset + offset,
            length,
        )
        parent.layer.hold(start, stop)
