"""Branches, merges and grows chains of disks, and switches their change tracking on and off."""

from app.simulator.storage import files
from app.simulator.storage.datastore import DatastorePath
from app.simulator.storage.deltas import delta_kind
from app.simulator.storage.descriptor import SECTOR_BYTES, Descriptor
from app.simulator.storage.disk import PIN_WAIT_S, SimDisk
from app.simulator.storage.errors import DiskFrozen
from app.simulator.storage.grains import GRAIN_BYTES
from app.simulator.storage.layers import DeltaLayer, FlatLayer
from app.simulator.storage.naming import extent_name, geometry_ddb, tracking_name
from app.simulator.storage.open_disks import OpenDisks
from app.simulator.storage.tracking import ChangeTracking


class Chains:
    """Does for disks what changes more than themselves; fulfils :class:`app.simulator.storage.disk.ChainWork`.

    Thread: any. Lock order: the lock of the open disks before a chain's.
    """

    def __init__(self, disks: OpenDisks) -> None:
        self._disks = disks

    def branch(self, parent: SimDisk, path: DatastorePath | str) -> SimDisk:
        """Do :meth:`SimDisk.branch`."""
        with self._disks.lock, parent.family.lock:
            path, datastore = self._disks.place(path)
            delta = delta_kind(parent.capacity_bytes)
            descriptor = Descriptor(
                cid=self._disks.names.cid(),
                capacity_bytes=parent.capacity_bytes,
                extent_file=extent_name(path, delta),
                delta=delta,
                ddb={"longContentID": self._disks.names.long_id(), "virtualHWVersion": "19"},
            )
            extent = path.sibling(descriptor.extent_file)
            self._disks.claim(datastore, path, extent)
            datastore.book(extent.relative, GRAIN_BYTES)
            with datastore.giving_back(extent.relative):
                layer = DeltaLayer.create(datastore.resolve(extent), parent.capacity_bytes)
            tracking: ChangeTracking | None = None
            if parent.tracking is not None:
                descriptor.track_file = tracking_name(path)
                track_file = datastore.resolve(path.sibling(descriptor.track_file))
                tracking = parent.tracking.copy(track_file, self._disks.names.random)
            child = SimDisk(self, datastore, path, descriptor, layer, tracking, parent)
            self._disks.save_new(child)
            return child

    def merge(self, child: SimDisk, *, wait_s: float) -> SimDisk:
        """Do :meth:`SimDisk.merge_into_parent`."""
        with self._disks.lock, child.family.lock:
            parent = child.parent
            if parent is None or parent.children != [child]:
                raise DiskFrozen(f"{child.path} cannot be merged: it has no parent of its own")
            child.wait_until_unpinned([parent, child, *child.descendants()], wait_s)
            if parent.thin:
                new = child.layer.held - parent.layer.held
                parent.datastore.book(parent.extent_path.relative, len(new) * GRAIN_BYTES)
            files.copy_held(child, parent)
            self._inherit_tracking(child, parent)
            parent.descriptor.cid = child.descriptor.cid
            parent.children = list(child.children)
            parent.diverged = parent.diverged or child.diverged
            for grandchild in child.children:
                grandchild.parent = parent
            child.parent, child.children = None, []
            self._disks.forget(child)
            self._disks.delete_files(child)
            for disk in (parent, *parent.children):
                self._disks.save_descriptor(disk)
            return parent

    def enable_tracking(self, disk: SimDisk) -> ChangeTracking:
        """Do :meth:`SimDisk.enable_tracking`."""
        with self._disks.lock, disk.family.lock:
            if disk.tracking is None:
                disk.descriptor.track_file = tracking_name(disk.path)
                track_path = disk.tracking_path
                assert track_path is not None
                file = disk.datastore.resolve(track_path)
                disk.tracking = ChangeTracking.create(file, disk.capacity_bytes, self._disks.names.random)
                self._disks.save_descriptor(disk)
            return disk.tracking

    def disable_tracking(self, disk: SimDisk) -> None:
        """Do :meth:`SimDisk.disable_tracking`."""
        with self._disks.lock, disk.family.lock:
            self._disks.drop_tracking(disk)
            self._disks.save_descriptor(disk)

    def extend(self, disk: SimDisk, capacity_bytes: int) -> None:
        """Do :meth:`SimDisk.extend`."""
        with self._disks.lock, disk.family.lock:
            if disk.children or not isinstance(disk.layer, FlatLayer):
                raise DiskFrozen(f"{disk.path} is part of a chain")
            if capacity_bytes <= disk.capacity_bytes or capacity_bytes % SECTOR_BYTES:
                raise ValueError(f"{disk.path} cannot be extended to {capacity_bytes} bytes")
            disk.wait_until_unpinned([disk], PIN_WAIT_S)
            if not disk.thin:
                disk.datastore.book(disk.extent_path.relative, capacity_bytes - disk.capacity_bytes)
            tracked = disk.tracking is not None
            self._disks.drop_tracking(disk)
            disk.layer.grow(capacity_bytes)
            disk.capacity_bytes = disk.descriptor.capacity_bytes = capacity_bytes
            disk.descriptor.ddb.update(geometry_ddb(capacity_bytes))
            self._disks.save_descriptor(disk)
            if tracked:
                self.enable_tracking(disk)

    def close_disk(self, disk: SimDisk) -> None:
        """Do :meth:`SimDisk.close`.

        Raises:
            DiskFrozen: disks that stand on it are open.
            DiskInUse: it is being read.
        """
        with self._disks.lock, disk.family.lock:
            if self._disks.by_path.get(disk.path) is not disk:
                return
            if disk.children:
                raise DiskFrozen(f"{disk.children[0].path} stands on {disk.path} and is open")
            disk.wait_until_unpinned([disk], PIN_WAIT_S)
            self._disks.forget(disk)

    def _inherit_tracking(self, child: SimDisk, parent: SimDisk) -> None:
        """Continue the child's tracking in the parent; it began as a copy of the parent's."""
        self._disks.drop_tracking(parent)
        if child.tracking is None:
            return
        parent.descriptor.track_file = tracking_name(parent.path)
        track_path = parent.tracking_path
        assert track_path is not None
        file = parent.datastore.resolve(track_path)
        parent.tracking = child.tracking.copy(file, self._disks.names.random)
