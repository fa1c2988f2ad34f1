"""Creates, opens, branches, merges, moves and deletes disks, and keeps each open only once."""

import os
import posixpath
import threading
from collections.abc import Mapping

from app.core.privatefiles import make_private_folders
from app.simulator.storage import files
from app.simulator.storage.datastore import DatastorePath, SimDatastore
from app.simulator.storage.descriptor import SECTOR_BYTES, Descriptor
from app.simulator.storage.disk import PIN_WAIT_S, SimDisk
from app.simulator.storage.errors import (
    ChangeIdUnknown,
    DatastoreFull,
    DatastoreNotFound,
    DiskCorrupt,
    DiskExists,
    DiskFrozen,
    StorageError,
)
from app.simulator.storage.grains import GRAIN_BYTES, grain_count
from app.simulator.storage.layers import DeltaLayer, FlatLayer
from app.simulator.storage.naming import DiskNames, geometry_ddb, stem
from app.simulator.storage.sparse import move_file
from app.simulator.storage.tracking import ChangeTracking

_LARGEST_BYTES = 2_000 << 30


class DiskStore:
    """The disks of a set of datastores.

    Thread: any. Lock order: the store's lock before a chain's; both may be held while files are touched.
    """

    def __init__(self, datastores: Mapping[str, SimDatastore], *, seed: int = 0) -> None:
        """Serve the disks on these datastores.

        Args:
            datastores: by name; may grow later.
            seed: UUIDs and content ids follow from it.
        """
        self._datastores = datastores
        self._names = DiskNames(seed)
        self._lock = threading.RLock()
        self._open: dict[DatastorePath, SimDisk] = {}

    # ---- by path ---------------------------------------------------------------------------------------

    def create(
        self,
        path: DatastorePath | str,
        capacity_bytes: int,
        *,
        thin: bool = True,
        adapter: str = "lsilogic",
        disk_uuid: str | None = None,
    ) -> SimDisk:
        """Create an empty flat disk, with its directory.

        Args:
            path: of the descriptor, ``[ds] dir/x.vmdk``.
            capacity_bytes: a multiple of 512, below 2,000 GiB.
            thin: False books the whole capacity at once.
            adapter: ``ddb.adapterType``.
            disk_uuid: hex digits in any grouping; None makes one.

        Raises:
            DiskExists: something is at the path already.
            DatastoreFull: a thick disk does not fit.
            ValueError: the capacity is out of range.
        """
        if capacity_bytes <= 0 or capacity_bytes % SECTOR_BYTES or capacity_bytes > _LARGEST_BYTES:
            raise ValueError(f"not a capacity: {capacity_bytes}")
        with self._lock:
            path, datastore = self._place(path)
            descriptor = Descriptor(
                cid=self._names.cid(),
                capacity_bytes=capacity_bytes,
                extent_file=f"{stem(path)}-flat.vmdk",
                ddb=self._names.ddb(capacity_bytes, adapter, disk_uuid, thin=thin),
            )
            extent = path.sibling(descriptor.extent_file)
            self._claim(datastore, path, extent)
            if not thin:
                datastore.book(extent.relative, capacity_bytes)
            layer = FlatLayer.create(datastore.resolve(extent), capacity_bytes)
            disk = SimDisk(self, datastore, path, descriptor, layer, None, None)
            self._save_new(disk)
            self._open[path] = disk
            return disk

    def open(self, path: DatastorePath | str) -> SimDisk:
        """Return the disk at a path with its parents; the same object for everybody.

        Raises:
            DiskNotFound: there is none.
            DiskCorrupt: its files do not fit together.
        """
        with self._lock:
            path, datastore = self._place(path)
            disk = self._open.get(path)
            if disk is None:
                disk = self._load(path, datastore)
                self._open[path] = disk
            return disk

    def exists(self, path: DatastorePath | str) -> bool:
        """Tell whether there is a disk at a path."""
        try:
            place, datastore = self._place(path)
        except StorageError:
            return False
        return datastore.resolve(place).is_file()

    def delete(self, path: DatastorePath | str, *, wait_s: float = PIN_WAIT_S) -> None:
        """Delete a disk's own files, not its parents'.

        Raises:
            DiskNotFound: there is none.
            DiskFrozen: other disks stand on it.
            DiskInUse: somebody reads it.
        """
        disk = self.open(path)
        with self._lock, disk.family.lock:
            if disk.children:
                raise DiskFrozen(f"{disk.children[0].path} stands on {disk.path}")
            disk.wait_until_unpinned([disk], wait_s)
            parent = disk.parent
            if parent is not None and disk.diverged and parent.tracking is not None:
                parent.tracking.make_stale()
            self._forget(disk)
            self._delete_files(disk)

    def move(self, source: DatastorePath | str, target: DatastorePath | str) -> SimDisk:
        """Give a disk another path, on the same datastore or another; its children follow by reference.

        Raises:
            DiskNotFound: there is no disk at the source.
            DiskExists: something is at the target already.
            DatastoreFull: the target's datastore has no space for it.
            DiskInUse: somebody reads it or a disk that stands on it.
        """
        disk = self.open(source)
        with self._lock, disk.family.lock:
            path, datastore = self._place(target)
            disk.wait_until_unpinned([disk, *disk.descendants()], PIN_WAIT_S)
            suffix = "-delta" if disk.parent is not None else "-flat"
            extent = path.sibling(f"{stem(path)}{suffix}.vmdk")
            self._claim(datastore, path, extent)
            old_extent, old_tracking, old_store = disk.extent_path, disk.tracking_path, disk.datastore
            booked = old_store.booked_bytes(old_extent.relative)
            datastore.book(extent.relative, booked)
            with files.reopening(disk):
                move_file(old_store.resolve(old_extent), datastore.resolve(extent))
                if old_tracking is not None:
                    tracking = path.sibling(f"{stem(path)}-ctk.vmdk")
                    move_file(old_store.resolve(old_tracking), datastore.resolve(tracking))
                    disk.descriptor.track_file = tracking.name
                old_store.release(old_extent.relative)
                old_store.delete_file(disk.path.relative)
                del self._open[disk.path]
                disk.path, disk.datastore, disk.descriptor.extent_file = path, datastore, extent.name
                self._open[path] = disk
            self._save_descriptor(disk)
            for child in disk.children:
                self._save_descriptor(child)
            return disk

    def copy(self, source: DatastorePath | str, target: DatastorePath | str, *, thin: bool = True) -> SimDisk:
        """Copy the chain as a disk sees it into a new flat disk.

        Raises:
            DiskNotFound, DiskExists, DatastoreFull: as they say.
        """
        original = self.open(source)
        adapter = original.base.descriptor.ddb.get("adapterType", "lsilogic")
        with original.pinned():
            copied = self.create(target, original.capacity_bytes, thin=thin, adapter=adapter)
            try:
                buffer = memoryview(bytearray(GRAIN_BYTES * 16))
                for area in original.allocated_areas():
                    for start in range(area.start, area.end, len(buffer)):
                        piece = buffer[: min(len(buffer), area.end - start)]
                        original.readinto(start, piece)
                        copied.write(start, piece)
            except StorageError:
                self.delete(copied.path)
                raise
        return copied

    def open_disks(self) -> list[SimDisk]:
        """Return the disks that are open."""
        with self._lock:
            return list(self._open.values())

    def owner_of(self, path: DatastorePath) -> SimDisk | None:
        """Return the open disk that a file belongs to, None when no open disk has it."""
        with self._lock:
            return next((disk for disk in self._open.values() if path in disk.files), None)

    def close(self) -> None:
        """Close every disk."""
        with self._lock:
            while self._open:
                next(disk for disk in self._open.values() if not disk.children).close()

    # ---- what a disk asks for --------------------------------------------------------------------------

    def branch(self, parent: SimDisk, path: DatastorePath | str) -> SimDisk:
        """Do :meth:`SimDisk.branch`."""
        with self._lock, parent.family.lock:
            path, datastore = self._place(path)
            descriptor = Descriptor(
                cid=self._names.cid(),
                capacity_bytes=parent.capacity_bytes,
                extent_file=f"{stem(path)}-delta.vmdk",
                is_delta=True,
                ddb={"longContentID": self._names.long_id(), "virtualHWVersion": "19"},
            )
            extent = path.sibling(descriptor.extent_file)
            self._claim(datastore, path, extent)
            datastore.book(extent.relative, GRAIN_BYTES)
            layer = DeltaLayer.create(datastore.resolve(extent), parent.capacity_bytes)
            tracking: ChangeTracking | None = None
            if parent.tracking is not None:
                descriptor.track_file = f"{stem(path)}-ctk.vmdk"
                track_file = datastore.resolve(path.sibling(descriptor.track_file))
                tracking = parent.tracking.copy(track_file, self._names.random)
            child = SimDisk(self, datastore, path, descriptor, layer, tracking, parent)
            self._save_new(child)
            self._open[path] = child
            return child

    def merge(self, child: SimDisk, *, wait_s: float) -> SimDisk:
        """Do :meth:`SimDisk.merge_into_parent`."""
        with self._lock, child.family.lock:
            parent = child.parent
            if parent is None or parent.children != [child]:
                raise DiskFrozen(f"{child.path} cannot be merged: it has no parent of its own")
            child.wait_until_unpinned([parent, child, *child.descendants()], wait_s)
            held = child.layer.held(0, grain_count(child.capacity_bytes)).copy()
            if parent.thin:
                new = held & ~parent.layer.held(0, len(held))
                parent.datastore.book(parent.extent_path.relative, int(new.sum()) * GRAIN_BYTES)
            files.copy_held(child, parent, held)
            self._inherit_tracking(child, parent)
            parent.descriptor.cid = child.descriptor.cid
            parent.children = list(child.children)
            parent.diverged = parent.diverged or child.diverged
            for grandchild in child.children:
                grandchild.parent = parent
            child.parent, child.children = None, []
            self._forget(child)
            self._delete_files(child)
            for disk in (parent, *parent.children):
                self._save_descriptor(disk)
            return parent

    def enable_tracking(self, disk: SimDisk) -> ChangeTracking:
        """Do :meth:`SimDisk.enable_tracking`."""
        with self._lock, disk.family.lock:
            if disk.tracking is None:
                disk.descriptor.track_file = f"{stem(disk.path)}-ctk.vmdk"
                track_path = disk.tracking_path
                assert track_path is not None
                file = disk.datastore.resolve(track_path)
                disk.tracking = ChangeTracking.create(file, disk.capacity_bytes, self._names.random)
                self._save_descriptor(disk)
            return disk.tracking

    def disable_tracking(self, disk: SimDisk) -> None:
        """Do :meth:`SimDisk.disable_tracking`."""
        with self._lock, disk.family.lock:
            self._drop_tracking(disk)
            self._save_descriptor(disk)

    def require_tracking(self, disk: SimDisk) -> ChangeTracking:
        """Return a disk's tracking.

        Raises:
            ChangeIdUnknown: it is off.
        """
        if disk.tracking is None:
            raise ChangeIdUnknown(f"changes of {disk.path} are not tracked")
        return disk.tracking

    def extend(self, disk: SimDisk, capacity_bytes: int) -> None:
        """Do :meth:`SimDisk.extend`."""
        with self._lock, disk.family.lock:
            if disk.children or not isinstance(disk.layer, FlatLayer):
                raise DiskFrozen(f"{disk.path} is part of a chain")
            if capacity_bytes <= disk.capacity_bytes or capacity_bytes % SECTOR_BYTES:
                raise ValueError(f"{disk.path} cannot be extended to {capacity_bytes} bytes")
            disk.wait_until_unpinned([disk], PIN_WAIT_S)
            if not disk.thin:
                disk.datastore.book(disk.extent_path.relative, capacity_bytes - disk.capacity_bytes)
            tracked = disk.tracking is not None
            self._drop_tracking(disk)
            disk.layer.grow(capacity_bytes)
            disk.capacity_bytes = disk.descriptor.capacity_bytes = capacity_bytes
            disk.descriptor.ddb.update(geometry_ddb(capacity_bytes))
            self._save_descriptor(disk)
            if tracked:
                self.enable_tracking(disk)

    def close_disk(self, disk: SimDisk) -> None:
        """Do :meth:`SimDisk.close`.

        Raises:
            DiskFrozen: disks that stand on it are open.
            DiskInUse: somebody reads it.
        """
        with self._lock, disk.family.lock:
            if self._open.get(disk.path) is not disk:
                return
            if disk.children:
                raise DiskFrozen(f"{disk.children[0].path} stands on {disk.path} and is open")
            disk.wait_until_unpinned([disk], PIN_WAIT_S)
            self._forget(disk)

    # ---- inside ----------------------------------------------------------------------------------------

    def _place(self, path: DatastorePath | str) -> tuple[DatastorePath, SimDatastore]:
        path = DatastorePath.parse(path) if isinstance(path, str) else path
        datastore = self._datastores.get(path.datastore)
        if datastore is None:
            raise DatastoreNotFound(f"there is no datastore [{path.datastore}]")
        return path, datastore

    def _claim(self, datastore: SimDatastore, *paths: DatastorePath) -> None:
        for path in paths:
            file = datastore.resolve(path)
            if file.exists():
                raise DiskExists(f"{path} exists")
            make_private_folders(file.parent)

    def _load(self, path: DatastorePath, datastore: SimDatastore) -> SimDisk:
        descriptor = files.read_descriptor(datastore, path)
        parent: SimDisk | None = None
        if descriptor.parent_hint is not None:
            parent = self.open(
                files.parent_path(self._datastores, datastore.resolve(path), descriptor.parent_hint)
            )
            if parent.capacity_bytes != descriptor.capacity_bytes or parent.content_id != descriptor.parent_cid:
                raise DiskCorrupt(f"{parent.path} is not the parent that {path} was made for")
        layer, tracking = files.open_files(datastore, path, descriptor)
        disk = SimDisk(self, datastore, path, descriptor, layer, tracking, parent)
        disk.diverged = True
        files.correct_booking(disk)
        return disk

    def _save_new(self, disk: SimDisk) -> None:
        """Write the descriptor of a new disk; when there is no space for it, nothing of the disk stays."""
        try:
            self._save_descriptor(disk)
        except DatastoreFull:
            self._forget(disk)
            self._delete_files(disk)
            raise

    def _save_descriptor(self, disk: SimDisk) -> None:
        if disk.parent is not None:
            own, below = disk.datastore.resolve(disk.path), disk.parent.datastore.resolve(disk.parent.path)
            relative = os.path.relpath(below, own.parent)
            disk.descriptor.parent_hint = relative.replace(os.sep, posixpath.sep)
            disk.descriptor.parent_cid = disk.parent.descriptor.cid
        disk.datastore.write_file(disk.path.relative, disk.descriptor.format().encode("utf-8"))

    def _inherit_tracking(self, child: SimDisk, parent: SimDisk) -> None:
        """Let the parent go on with the child's tracking, which began as a copy of its own."""
        self._drop_tracking(parent)
        if child.tracking is None:
            return
        parent.descriptor.track_file = f"{stem(parent.path)}-ctk.vmdk"
        track_path = parent.tracking_path
        assert track_path is not None
        file = parent.datastore.resolve(track_path)
        parent.tracking = child.tracking.copy(file, self._names.random)

    def _drop_tracking(self, disk: SimDisk) -> None:
        track_path = disk.tracking_path
        if disk.tracking is None or track_path is None:
            return
        disk.tracking.close()
        disk.datastore.delete_file(track_path.relative)
        disk.tracking, disk.descriptor.track_file = None, None

    def _forget(self, disk: SimDisk) -> None:
        self._open.pop(disk.path, None)
        disk.is_open = False
        if disk.parent is not None:
            disk.parent.children.remove(disk)
        disk.layer.close()
        if disk.tracking is not None:
            disk.tracking.close()

    def _delete_files(self, disk: SimDisk) -> None:
        for path in disk.files:
            disk.datastore.delete_file(path.relative)
