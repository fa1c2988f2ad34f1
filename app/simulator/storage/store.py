"""Creates, opens, moves, copies and deletes disks by their paths."""

from collections.abc import Mapping

from app.simulator.storage import files
from app.simulator.storage.chains import Chains
from app.simulator.storage.datastore import DatastorePath, SimDatastore
from app.simulator.storage.descriptor import SECTOR_BYTES, Descriptor
from app.simulator.storage.disk import PIN_WAIT_S, SimDisk
from app.simulator.storage.errors import DiskCorrupt, DiskFrozen, StorageError
from app.simulator.storage.grains import GRAIN_BYTES
from app.simulator.storage.layers import FlatLayer
from app.simulator.storage.moving import DiskMove
from app.simulator.storage.naming import DiskNames, extent_name, tracking_name
from app.simulator.storage.open_disks import OpenDisks
from app.simulator.storage.places import move_file

_LARGEST_BYTES = 62 << 40
"""What vSphere allows."""


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
        self._disks = OpenDisks(datastores, DiskNames(seed))
        self._chains = Chains(self._disks)

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
            capacity_bytes: a multiple of 512, 62 TiB at most.
            thin: False books the whole capacity at once.
            adapter: ``ddb.adapterType``.
            disk_uuid: hex digits in any grouping; None makes one.

        Raises:
            DiskExists: something is at the path already.
            DatastoreFull: a thick disk does not fit.
            DiskTooLarge: the file system below the datastore holds no such file.
            ValueError: the capacity is out of range.
        """
        if capacity_bytes <= 0 or capacity_bytes % SECTOR_BYTES or capacity_bytes > _LARGEST_BYTES:
            raise ValueError(f"not a capacity: {capacity_bytes}")
        with self._disks.lock:
            path, datastore = self._disks.place(path)
            descriptor = Descriptor(
                cid=self._disks.names.cid(),
                capacity_bytes=capacity_bytes,
                extent_file=extent_name(path, None),
                ddb=self._disks.names.ddb(capacity_bytes, adapter, disk_uuid, thin=thin),
            )
            extent = path.sibling(descriptor.extent_file)
            self._disks.claim(datastore, path, extent)
            if not thin:
                datastore.book(extent.relative, capacity_bytes)
            with datastore.giving_back(extent.relative):
                layer = FlatLayer.create(datastore.resolve(extent), capacity_bytes)
            disk = SimDisk(self._chains, datastore, path, descriptor, layer, None, None)
            self._disks.save_new(disk)
            return disk

    def open(self, path: DatastorePath | str) -> SimDisk:
        """Return the disk at a path with its parents; the same object for every caller.

        Raises:
            DiskNotFound: there is none.
            DiskCorrupt: its files do not fit together.
        """
        with self._disks.lock:
            path, datastore = self._disks.place(path)
            disk = self._disks.by_path.get(path)
            if disk is None:
                disk = self._load(path, datastore)
                self._disks.by_path[path] = disk
            return disk

    def exists(self, path: DatastorePath | str) -> bool:
        """Return whether there is a disk at a path."""
        try:
            place, datastore = self._disks.place(path)
        except StorageError:
            return False
        return datastore.resolve(place).is_file()

    def delete(self, path: DatastorePath | str, *, wait_s: float = PIN_WAIT_S) -> None:
        """Delete a disk's own files, not its parents'.

        Raises:
            DiskNotFound: there is none.
            DiskFrozen: other disks stand on it.
            DiskInUse: it is being read.
        """
        disk = self.open(path)
        with self._disks.lock, disk.family.lock:
            if disk.children:
                raise DiskFrozen(f"{disk.children[0].path} stands on {disk.path}")
            disk.wait_until_unpinned([disk], wait_s)
            parent = disk.parent
            if parent is not None and disk.diverged and parent.tracking is not None:
                parent.tracking.make_stale()
            self._disks.forget(disk)
            self._disks.delete_files(disk)

    def move(self, source: DatastorePath | str, target: DatastorePath | str) -> SimDisk:
        """Move a disk to another path, on the same datastore or another; its children follow by reference.

        Raises:
            DiskNotFound: there is no disk at the source.
            DiskExists: something is at the target already.
            DatastoreFull: the target's datastore has no space for it.
            DiskInUse: it or a disk that stands on it is being read.
        """
        disk = self.open(source)
        with self._disks.lock, disk.family.lock:
            path, datastore = self._disks.place(target)
            disk.wait_until_unpinned([disk, *disk.descendants()], PIN_WAIT_S)
            extent = path.sibling(extent_name(path, disk.descriptor.delta))
            self._disks.claim(datastore, path, extent)
            old_extent, old_tracking, old_store = disk.extent_path, disk.tracking_path, disk.datastore
            booked = old_store.booked_bytes(old_extent.relative)
            datastore.book(extent.relative, booked)
            with files.reopening(disk):
                move_file(old_store.resolve(old_extent), datastore.resolve(extent))
                if old_tracking is not None:
                    tracking = path.sibling(tracking_name(path))
                    move_file(old_store.resolve(old_tracking), datastore.resolve(tracking))
                    disk.descriptor.track_file = tracking.name
                old_store.release(old_extent.relative)
                old_store.delete_file(disk.path.relative)
                del self._disks.by_path[disk.path]
                disk.path, disk.datastore, disk.descriptor.extent_file = path, datastore, extent.name
                self._disks.by_path[path] = disk
            self._disks.save_descriptor(disk)
            for child in disk.children:
                self._disks.save_descriptor(child)
            return disk

    def begin_move(
        self, source: DatastorePath | str, target: DatastorePath | str, *, thin: bool | None = None
    ) -> DiskMove:
        """Begin to move a disk that is written meanwhile.

        Raises:
            DiskNotFound: there is no disk at the source.
            DiskExists, DatastoreFull: as :class:`DiskMove` says.
        """
        place, _ = self._disks.place(target)
        return DiskMove(self._disks, self.open(source), place, thin=thin)

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
        with self._disks.lock:
            return list(self._disks.by_path.values())

    def owner_of(self, path: DatastorePath) -> SimDisk | None:
        """Return the open disk that a file belongs to, None when no open disk has it."""
        with self._disks.lock:
            return next((disk for disk in self._disks.by_path.values() if path in disk.files), None)

    def close(self, datastore: str | None = None) -> None:
        """Close every disk, or those of one datastore on which no other disks stand."""
        with self._disks.lock:
            while open_disks := [
                disk
                for path, disk in self._disks.by_path.items()
                if not disk.children and datastore in (None, path.datastore)
            ]:
                open_disks[0].close()

    def _load(self, path: DatastorePath, datastore: SimDatastore) -> SimDisk:
        descriptor = files.read_descriptor(datastore, path)
        parent: SimDisk | None = None
        if descriptor.parent_hint is not None:
            parent = self.open(files.parent_path(self._disks.datastores, path, descriptor.parent_hint))
            if parent.capacity_bytes != descriptor.capacity_bytes or parent.content_id != descriptor.parent_cid:
                raise DiskCorrupt(f"{parent.path} is not the parent that {path} was made for")
        layer, tracking = files.open_files(datastore, path, descriptor)
        disk = SimDisk(self._chains, datastore, path, descriptor, layer, tracking, parent)
        disk.diverged = True
        files.correct_booking(disk)
        return disk
