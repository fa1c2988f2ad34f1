"""One virtual disk: the leaf of a chain, or one of its parents."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from app.domain.extents import Extent
from app.simulator.storage.datastore import DatastorePath, SimDatastore
from app.simulator.storage.descriptor import Descriptor
from app.simulator.storage.errors import ChangeIdUnknown, DiskClosed, DiskFrozen, DiskInUse
from app.simulator.storage.grains import GRAIN_BYTES, GrainSet, Mask, grain_span, runs
from app.simulator.storage.layers import DeltaLayer, FlatLayer
from app.simulator.storage.pins import Door, Family, Pins
from app.simulator.storage.places import copy_range
from app.simulator.storage.segments import Segment, joined, read_segments
from app.simulator.storage.sparse import SparseFile
from app.simulator.storage.tracking import ChangeTracking

PIN_WAIT_S = 2.0
"""How long a consolidation waits for readers that are just going away."""


class ChainWork(Protocol):
    """Changes to a disk that change its chain or its files too; what a disk asks of who opened it. Thread: any."""

    def branch(self, parent: "SimDisk", path: DatastorePath | str) -> "SimDisk":
        """Do :meth:`SimDisk.branch`."""

    def merge(self, child: "SimDisk", *, wait_s: float) -> "SimDisk":
        """Do :meth:`SimDisk.merge_into_parent`."""

    def enable_tracking(self, disk: "SimDisk") -> ChangeTracking:
        """Do :meth:`SimDisk.enable_tracking`."""

    def disable_tracking(self, disk: "SimDisk") -> None:
        """Do :meth:`SimDisk.disable_tracking`."""

    def extend(self, disk: "SimDisk", capacity_bytes: int) -> None:
        """Do :meth:`SimDisk.extend`."""

    def close_disk(self, disk: "SimDisk") -> None:
        """Do :meth:`SimDisk.close`."""


class SimDisk:
    """A virtual disk.

    A disk with children is *frozen*: it does not change until its child is merged into it or thrown away. A
    *pin* keeps its files as they are while they are read directly (:meth:`segments`): merging waits a moment for
    pins and is then refused, as ESXi refuses to consolidate a disk that a backup has open.

    Attributes:
        path: of its descriptor.
        datastore: where it is stored.
        capacity_bytes: its size.
        parent: the disk below, None for a flat disk.
        tracking: its change tracking, None when it is off.

    Thread: any; the lock of its chain guards it.
    """

    def __init__(
        self,
        chains: "ChainWork",
        datastore: SimDatastore,
        path: DatastorePath,
        descriptor: Descriptor,
        layer: FlatLayer | DeltaLayer,
        tracking: ChangeTracking | None,
        parent: "SimDisk | None",
    ) -> None:
        self.datastore = datastore
        self.path = path
        self.capacity_bytes = descriptor.capacity_bytes
        self.parent = parent
        self.tracking = tracking
        self.descriptor = descriptor
        self.layer: FlatLayer | DeltaLayer = layer
        self.family: Family = parent.family if parent is not None else Family()
        self.children: list[SimDisk] = []
        self.diverged = False
        """True once it was written or marked since it was branched off its parent."""
        self.written: GrainSet | None = None
        """What was written since somebody began to note it, who is moving the disk."""
        self.is_open = True
        """False once it was closed, merged or deleted."""
        self._chains = chains
        self._pins = Pins()
        if parent is not None:
            parent.children.append(self)

    # ---- facts -----------------------------------------------------------------------------------------

    @property
    def uuid(self) -> str:
        """The backing UUID, the same along the chain: ``6000c298-…``."""
        digits = self.base.descriptor.ddb["uuid"].replace(" ", "").replace("-", "")
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])).lower()

    @property
    def content_id(self) -> str:
        """The content id (CID), 8 hex digits."""
        return self.descriptor.cid

    @property
    def thin(self) -> bool:
        """True when space is taken only as it is written."""
        return self.parent is not None or self.descriptor.ddb.get("thinProvisioned") == "1"

    @property
    def base(self) -> "SimDisk":
        """The flat disk at the bottom of the chain."""
        disk = self
        while disk.parent is not None:
            disk = disk.parent
        return disk

    @property
    def is_clone(self) -> bool:
        """True for the first disk of a linked clone: its parent is another VM's, in another folder."""
        return self.parent is not None and self.parent.path.directory != self.path.directory

    @property
    def own_base(self) -> "SimDisk":
        """The lowest disk of the chain that belongs to the same VM: of a linked clone, not its parent's."""
        disk = self
        while disk.parent is not None and not disk.is_clone:
            disk = disk.parent
        return disk

    @property
    def is_frozen(self) -> bool:
        """True while it has children."""
        return bool(self.children)

    @property
    def is_pinned(self) -> bool:
        """True while its files are read directly."""
        return bool(self._pins)

    @property
    def used_bytes(self) -> int:
        """Space that its own data file has booked on the datastore."""
        return self.datastore.booked_bytes(self.extent_path.relative)

    @property
    def extent_path(self) -> DatastorePath:
        """The path of its data file: ``[ds] x/x-flat.vmdk`` or ``[ds] x/x-000001-delta.vmdk``, for instance."""
        return self.path.sibling(self.descriptor.extent_file)

    @property
    def tracking_path(self) -> DatastorePath | None:
        """The path of its change tracking file, None when tracking is off."""
        track_file = self.descriptor.track_file
        return None if track_file is None else self.path.sibling(track_file)

    @property
    def files(self) -> list[DatastorePath]:
        """Its own files: descriptor, data, change tracking."""
        tracking = self.tracking_path
        return [self.path, self.extent_path, *([] if tracking is None else [tracking])]

    # ---- data ------------------------------------------------------------------------------------------

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return bytes of the chain as this disk sees it.

        Raises:
            ValueError: the range reaches beyond the capacity.
            DiskClosed: the disk was closed, merged or deleted.
        """
        buffer = bytearray(length_bytes)
        self.readinto(offset, memoryview(buffer))
        return bytes(buffer)

    def readinto(self, offset: int, target: memoryview) -> None:
        """Fill ``target`` with bytes of the chain as this disk sees it.

        Raises:
            ValueError: the range reaches beyond the capacity.
            DiskClosed: the disk was closed, merged or deleted.
        """
        with self.family.lock:
            read_segments(self.segments(offset, len(target)), target)

    def segments(self, offset: int, length_bytes: int) -> list[Segment]:
        """Return where a range is in the chain's files, in order and without gaps; hold a pin to use it.

        Raises:
            ValueError: the range reaches beyond the capacity.
            DiskClosed: the disk was closed, merged or deleted.
        """
        self._check_range(offset, length_bytes)
        with self.family.lock:
            self._check_open()
            return list(joined(self.pieces(offset, length_bytes)))

    def pieces(self, offset: int, length_bytes: int) -> Iterator[Segment]:
        """Yield where a range is in the chain's files, piece by piece; the caller holds the chain's lock."""
        if self.parent is None:
            yield Segment(self.layer.file, self.layer.data_offset + offset, length_bytes)
            return
        first, end = grain_span(offset, length_bytes)
        for start, stop, is_held in runs(self.layer.held.mask(first, end)):
            left = max(offset, (first + start) * GRAIN_BYTES)
            right = min(offset + length_bytes, (first + stop) * GRAIN_BYTES)
            if is_held:
                yield Segment(self.layer.file, self.layer.data_offset + left, right - left)
            else:
                yield from self.parent.pieces(left, right - left)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write bytes.

        Raises:
            DatastoreFull: there is no space for what is new; nothing was written.
            DiskFrozen: the disk has children.
            ValueError: the range reaches beyond the capacity.
            DiskClosed: the disk was closed, merged or deleted.
        """
        n_bytes = len(data)
        self._check_range(offset, n_bytes)
        if not n_bytes:
            return
        with self.family.lock:
            self._check_open()
            if self.children:
                raise DiskFrozen(f"{self.path} is the parent of {self.children[0].path}")
            first, end = grain_span(offset, n_bytes)
            new = ~self.layer.held.mask(first, end)
            self._book(new)
            if self.parent is not None:
                self._copy_up(offset, offset + n_bytes)
            self.layer.file.write(self.layer.data_offset + offset, data)
            if new.any():
                self.layer.hold(first, end)
            if self.tracking is not None:
                self.tracking.note(offset, n_bytes)
            if self.written is not None:
                self.written.add(first, end)
            self.diverged = True

    def allocated_areas(self) -> list[Extent]:
        """Return what any disk of the chain down from this one holds, at the granularity of grains."""
        with self.family.lock:
            held = self.layer.held
            for disk in self.chain()[1:]:
                held |= disk.layer.held
            return held.extents(self.capacity_bytes)

    def changed_areas(self, change_id: str, start: int = 0) -> list[Extent]:
        """Return what was written since a change id, or with ``*`` what is allocated, from byte ``start`` on.

        Raises:
            ChangeIdUnknown: it is not known, or tracking is off.
        """
        with self.family.lock:
            if change_id == "*":
                first = start // GRAIN_BYTES * GRAIN_BYTES
                return [
                    Extent(max(area.start, first), area.end - max(area.start, first))
                    for area in self.allocated_areas()
                    if area.end > start
                ]
            if self.tracking is None:
                raise ChangeIdUnknown(f"changes of {self.path} are not tracked")
            return self.tracking.changed_since(change_id, start)

    def flush(self) -> None:
        """Make what was written durable."""
        with self.family.lock:
            self.layer.file.flush()

    def export_raw(self, target: Path) -> None:
        """Write the chain as this disk sees it into a new sparse raw file.

        Raises:
            FileExistsError: the file is there already.
        """
        with self.family.lock, SparseFile(target, create_bytes=self.capacity_bytes) as file:
            for area in self.allocated_areas():
                position = area.start
                for segment in self.segments(area.start, area.length_bytes):
                    copy_range(segment.file, segment.file_offset, file, position, segment.length_bytes)
                    position += segment.length_bytes

    # ---- change tracking -------------------------------------------------------------------------------

    def enable_tracking(self) -> ChangeTracking:
        """Begin to track changes with a new generation; tracking that is on goes on."""
        return self._chains.enable_tracking(self)

    def disable_tracking(self) -> None:
        """Stop tracking changes and forget them."""
        self._chains.disable_tracking(self)

    def mark(self) -> str | None:
        """Mark this moment in the change tracking and return its change id, None when tracking is off."""
        with self.family.lock:
            self.diverged = True
            return None if self.tracking is None else self.tracking.mark()

    # ---- the chain -------------------------------------------------------------------------------------

    def branch(self, path: DatastorePath | str) -> "SimDisk":
        """Freeze this disk and return a new, empty child that is written from now on.

        Raises:
            DiskExists: something is at the path already.
            DatastoreFull: the datastore has no space left.
        """
        return self._chains.branch(self, path)

    def merge_into_parent(self, *, wait_s: float = PIN_WAIT_S) -> "SimDisk":
        """Copy what this disk holds into its parent, which takes its place in the chain, and delete it.

        Raises:
            DiskInUse: a reader still has a disk open that would change.
            DiskFrozen: the parent has other children, or there is no parent.
            DatastoreFull: the parent cannot grow; the chain is as it was.
        """
        return self._chains.merge(self, wait_s=wait_s)

    def extend(self, capacity_bytes: int) -> None:
        """Make a flat disk without children larger.

        Raises:
            DiskFrozen: it is part of a chain.
            ValueError: it would not grow.
        """
        self._chains.extend(self, capacity_bytes)

    @contextmanager
    def pinned(self, by: "Door | None" = None, against: "Door | None" = None) -> Iterator[None]:
        """Keep the files below this disk as they are inside the block.

        Args:
            by: through which door it is read or written; None for the simulator itself.
            against: the door through which it may not be open meanwhile.

        Raises:
            DiskInUse: it is open through that door.
        """
        with self._pins.taken(self.family, self.path, by, against):
            yield

    def wait_until_unpinned(self, disks: list["SimDisk"], wait_s: float) -> None:
        """Wait, with the chain's lock held, until none of these disks is pinned.

        Raises:
            DiskInUse: one still is.
        """
        if not self.family.unpinned.wait_for(lambda: not any(disk.is_pinned for disk in disks), wait_s):
            raise DiskInUse(f"{next(disk.path for disk in disks if disk.is_pinned)} is open")

    def chain(self) -> list["SimDisk"]:
        """Return this disk and its parents, from top to bottom."""
        disks = [self]
        while disks[-1].parent is not None:
            disks.append(disks[-1].parent)
        return disks

    def descendants(self) -> list["SimDisk"]:
        """Return all disks that stand on this one."""
        found: list[SimDisk] = []
        for child in self.children:
            found += [child, *child.descendants()]
        return found

    def close(self) -> None:
        """Close the files; the store opens the disk again when it is asked for it."""
        self._chains.close_disk(self)

    # ---- inside ----------------------------------------------------------------------------------------

    def _check_range(self, offset: int, length_bytes: int) -> None:
        if offset < 0 or length_bytes < 0 or offset + length_bytes > self.capacity_bytes:
            raise ValueError(f"{offset}+{length_bytes} is not inside {self.path} of {self.capacity_bytes} bytes")

    def _check_open(self) -> None:
        if not self.is_open:
            raise DiskClosed(f"{self.path} was closed, merged or deleted")

    def _book(self, new: Mask) -> None:
        n_grains = int(new.sum())
        if n_grains and self.thin:
            self.datastore.book(self.extent_path.relative, n_grains * GRAIN_BYTES)

    def _copy_up(self, start: int, end: int) -> None:
        """Fill the grains that a write covers only in part from the parent."""
        partial = {start // GRAIN_BYTES} if start % GRAIN_BYTES else set()
        if end % GRAIN_BYTES and end != self.capacity_bytes:
            partial.add(end // GRAIN_BYTES)
        assert self.parent is not None
        for grain in partial:
            if not self.layer.held.mask(grain, grain + 1)[0]:
                offset = grain * GRAIN_BYTES
                content = self.parent.read(offset, min(GRAIN_BYTES, self.capacity_bytes - offset))
                self.layer.file.write(self.layer.data_offset + offset, content)
