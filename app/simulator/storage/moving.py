"""Moves a disk to another datastore while it is written: passes that copy, and an exchange at the end."""

from collections.abc import Callable
from typing import Final

from app.simulator.storage.datastore import DatastorePath, SimDatastore
from app.simulator.storage.disk import PIN_WAIT_S, SimDisk
from app.simulator.storage.errors import StorageError
from app.simulator.storage.grains import GRAIN_BYTES, GrainSet
from app.simulator.storage.layers import DeltaLayer, FlatLayer
from app.simulator.storage.naming import extent_name, tracking_name
from app.simulator.storage.open_disks import OpenDisks
from app.simulator.storage.places import move_file
from app.simulator.storage.tracking import ChangeTracking

_GRAINS_AT_ONCE: Final = 16
_ZEROS: Final = bytes(_GRAINS_AT_ONCE * GRAIN_BYTES)

Copied = Callable[[int], None]
"""Told how many bytes were copied; raises when the move is to end."""


class DiskMove:
    """One disk on its way: :meth:`copy` once, :meth:`catch_up` as often as it helps, then :meth:`finish`.

    Until then the disk is where it was, and :meth:`abandon` leaves no trace. Nobody may write it during
    :meth:`finish`.

    Thread: one at a time.
    """

    def __init__(
        self, disks: OpenDisks, disk: SimDisk, target: DatastorePath, *, thin: bool | None = None
    ) -> None:
        """Create the files at the target and note from now on what is written.

        Args:
            disks: those that are open.
            disk: the one to move.
            target: the path of its descriptor there.
            thin: what it is to be there; None: as it is.

        Raises:
            DiskExists: something is there already.
            DatastoreFull: a thick disk does not fit.
            StorageError: the target's datastore refuses it.
        """
        self.disk = disk
        self._disks = disks
        self._is_thin = disk.thin if thin is None or disk.parent is not None else thin
        self._buffer = memoryview(bytearray(_GRAINS_AT_ONCE * GRAIN_BYTES))
        with disks.lock:
            self._path, self._datastore = disks.place(target)
            self._extent = self._path.sibling(extent_name(self._path, disk.descriptor.delta))
            disks.claim(self._datastore, self._path, self._extent)
            self._layer = self._new_layer(self._datastore)
        with disk.family.lock:
            disk.written = GrainSet()

    @property
    def bytes_to_copy(self) -> int:
        """What the first pass copies."""
        return len(self.disk.layer.held) * GRAIN_BYTES

    def copy(self, copied: Copied) -> None:
        """Copy what the disk holds.

        Raises:
            StorageError: one of the datastores failed.
        """
        with self.disk.family.lock:
            spans = list(self.disk.layer.held.spans())
        self._copy(spans, copied)

    def catch_up(self, copied: Copied) -> int:
        """Copy what was written since the last pass began; return how many bytes that were.

        Raises:
            StorageError: one of the datastores failed.
        """
        with self.disk.family.lock:
            written, self.disk.written = self.disk.written or GrainSet(), GrainSet()
        self._copy(list(written.spans()), copied)
        return len(written) * GRAIN_BYTES

    def finish(self) -> None:
        """Copy the rest, let the disk be at the target from now on, and delete its files at the source.

        Raises:
            DiskInUse: it is being read.
            StorageError: one of the datastores failed; the disk is where it was.
        """
        disk = self.disk
        with self._disks.lock, disk.family.lock:
            disk.wait_until_unpinned([disk], PIN_WAIT_S)
            self.catch_up(_go_on)
            self._layer.file.flush()
            old_files, old_store, old_layer = disk.files, disk.datastore, disk.layer
            tracking = self._moved_tracking()
            del self._disks.by_path[disk.path]
            disk.path, disk.datastore, disk.layer = self._path, self._datastore, self._layer
            disk.descriptor.extent_file, disk.written = self._extent.name, None
            self._set_thin()
            self._disks.by_path[self._path] = disk
            disk.tracking = tracking
            for changed in (disk, *disk.children):
                self._disks.save_descriptor(changed)
            old_layer.close()
            for path in old_files:
                old_store.delete_file(path.relative)

    def abandon(self) -> None:
        """Delete what was made at the target, unless the disk is there by now."""
        with self._disks.lock, self.disk.family.lock:
            if self.disk.layer is self._layer:
                return
            self.disk.written = None
            self._layer.close()
            self._datastore.delete_file(self._extent.relative)

    # ---- inside ----------------------------------------------------------------------------------------

    def _new_layer(self, datastore: SimDatastore) -> FlatLayer | DeltaLayer:
        disk, file = self.disk, datastore.resolve(self._extent)
        datastore.book(self._extent.relative, GRAIN_BYTES if disk.parent is not None else 0)
        with datastore.giving_back(self._extent.relative):
            if not self._is_thin:
                datastore.book(self._extent.relative, disk.capacity_bytes)
            kind = FlatLayer if disk.descriptor.delta is None else DeltaLayer
            return kind.create(file, disk.capacity_bytes)

    def _copy(self, spans: list[tuple[int, int]], copied: Copied) -> None:
        for first, end in spans:
            for start in range(first, end, _GRAINS_AT_ONCE):
                self._copy_grains(start, min(end, start + _GRAINS_AT_ONCE))
                copied((min(end, start + _GRAINS_AT_ONCE) - start) * GRAIN_BYTES)

    def _copy_grains(self, first: int, end: int) -> None:
        disk, layer = self.disk, self._layer
        offset = first * GRAIN_BYTES
        piece = self._buffer[: min(end * GRAIN_BYTES, disk.capacity_bytes) - offset]
        disk.layer.file.readinto(disk.layer.data_offset + offset, piece)
        new = ~layer.held.mask(first, end)
        if disk.descriptor.delta is None and new.all() and piece == _ZEROS[: len(piece)]:
            return
        if self._is_thin and new.any():
            self._datastore.book(self._extent.relative, int(new.sum()) * GRAIN_BYTES)
        layer.file.write(layer.data_offset + offset, piece)
        layer.hold(first, end)

    def _moved_tracking(self) -> ChangeTracking | None:
        """Move the change tracking; its descriptor is saved later."""
        disk = self.disk
        old_path = disk.tracking_path
        if disk.tracking is None or old_path is None:
            return None
        new_path = self._path.sibling(tracking_name(self._path))
        old, new = disk.datastore.resolve(old_path), self._datastore.resolve(new_path)
        disk.tracking.close()
        try:
            move_file(old, new)
        except (StorageError, OSError):
            disk.tracking = ChangeTracking(old, disk.capacity_bytes)
            raise
        disk.descriptor.track_file = new_path.name
        return ChangeTracking(new, disk.capacity_bytes)

    def _set_thin(self) -> None:
        ddb = self.disk.descriptor.ddb
        if self.disk.parent is None and self._is_thin:
            ddb["thinProvisioned"] = "1"
        else:
            ddb.pop("thinProvisioned", None)


def _go_on(_: int) -> None:
    """Do not end the move any more."""
