"""Keeps each disk of a set of datastores open only once, and its files as its descriptor says."""

import threading
from collections.abc import Mapping

from app.simulator.storage.datastore import DatastorePath, SimDatastore
from app.simulator.storage.disk import SimDisk
from app.simulator.storage.errors import DatastoreFull, DatastoreNotFound, DiskExists
from app.simulator.storage.files import parent_hint
from app.simulator.storage.naming import DiskNames
from app.simulator.storage.places import make_folders


class OpenDisks:
    """The disks that are open, each only once.

    Thread: any; all but :meth:`place` is called with ``lock`` held.

    Attributes:
        datastores: by name; may grow.
        names: makes UUIDs and content ids.
        lock: guards ``by_path``; comes before the lock of any chain.
        by_path: the open disks by the paths of their descriptors.
    """

    def __init__(self, datastores: Mapping[str, SimDatastore], names: DiskNames) -> None:
        self.datastores = datastores
        self.names = names
        self.lock = threading.RLock()
        self.by_path: dict[DatastorePath, SimDisk] = {}

    def place(self, path: DatastorePath | str) -> tuple[DatastorePath, SimDatastore]:
        """Return a path as a value, and the datastore that it is on.

        Raises:
            DatastoreNotFound: there is none of that name.
            InvalidDatastorePath: it is not a path.
        """
        path = DatastorePath.parse(path) if isinstance(path, str) else path
        datastore = self.datastores.get(path.datastore)
        if datastore is None:
            raise DatastoreNotFound(f"there is no datastore [{path.datastore}]")
        return path, datastore

    def claim(self, datastore: SimDatastore, *paths: DatastorePath) -> None:
        """Make the folders of new files.

        Raises:
            DiskExists: one of the files exists.
        """
        for path in paths:
            file = datastore.resolve(path)
            if file.exists():
                raise DiskExists(f"{path} exists")
            make_folders(file.parent)

    def save_new(self, disk: SimDisk) -> None:
        """Write the descriptor of a new disk, which is open from now on.

        Raises:
            DatastoreFull: there is no space for it; nothing of the disk stays.
        """
        try:
            self.save_descriptor(disk)
        except DatastoreFull:
            self.forget(disk)
            self.delete_files(disk)
            raise
        self.by_path[disk.path] = disk

    def save_descriptor(self, disk: SimDisk) -> None:
        """Write a disk's descriptor, with where its parent is now.

        Raises:
            DatastoreFull: it does not fit.
        """
        if disk.parent is not None:
            disk.descriptor.parent_hint = parent_hint(disk, disk.parent)
            disk.descriptor.parent_cid = disk.parent.descriptor.cid
        disk.datastore.write_file(disk.path.relative, disk.descriptor.format().encode("utf-8"))

    def drop_tracking(self, disk: SimDisk) -> None:
        """Delete a disk's change tracking, when it has some; its descriptor is the caller's to save."""
        track_path = disk.tracking_path
        if disk.tracking is None or track_path is None:
            return
        disk.tracking.close()
        disk.datastore.delete_file(track_path.relative)
        disk.tracking, disk.descriptor.track_file = None, None

    def forget(self, disk: SimDisk) -> None:
        """Close a disk's files and take it out of its chain."""
        self.by_path.pop(disk.path, None)
        disk.is_open = False
        if disk.parent is not None:
            disk.parent.children.remove(disk)
        disk.layer.close()
        if disk.tracking is not None:
            disk.tracking.close()

    def delete_files(self, disk: SimDisk) -> None:
        """Delete a disk's own files."""
        for path in disk.files:
            disk.datastore.delete_file(path.relative)
