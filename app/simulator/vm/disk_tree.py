"""A VM's disks as trees of files: what snapshots hold, what the VM writes, and what is needed no more."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pyVmomi import vim

from app.domain.extents import Extent, normalize, subtract
from app.simulator.storage import DatastorePath, DiskStore, SimDisk
from app.simulator.storage.naming import DATA_SUFFIXES
from app.simulator.vm.values import Device

_device = vim.vm.device
_BEFORE_WRITERS = ":before-writers"
_UNUSED_BY_GUESTS = 400
"""Offset in a disk's first sector: behind the boot code, before the disk's signature."""


@dataclass(eq=False)
class DiskTree:
    """All files of one virtual disk.

    Attributes:
        store: where the disks are kept.
        key: its device key.
        leaf: what the VM writes to; None when the disk was taken out of the VM but a snapshot still holds it.
        frozen: what each snapshot holds, by the snapshot's id.
        blind: areas that change tracking does not see, because it was switched on while there were snapshots.
    """

    store: DiskStore
    key: int
    leaf: SimDisk | None
    frozen: dict[str, SimDisk] = field(default_factory=dict)
    blind: list[Extent] = field(default_factory=list)

    def freeze(self, snapshot: str) -> str | None:
        """Freeze the leaf for a snapshot; the VM goes on with a new leaf.

        Returns:
            the change id of this moment, None when changes are not tracked.

        Raises:
            StorageError: there is no space; nothing has changed but a mark in the tracking.
        """
        leaf = self._require_leaf()
        change_id = leaf.mark()
        self.leaf = leaf.branch(next_delta_path(leaf))
        self.frozen[snapshot] = leaf
        return change_id

    def revert(self, snapshot: str, *, same_generation: bool = False) -> None:
        """Throw away what the VM wrote and go on from what a snapshot holds.

        Tracking begins a new generation: the numbers of the old one would name two different moments. With
        ``same_generation`` just that happens.

        Raises:
            StorageError: the old leaf is in use, or there is no space for a new one.
        """
        target = self.frozen[snapshot]
        old, self.leaf = self.leaf, None
        if old is not None and old not in self.frozen.values():
            self.store.delete(old.path)
        with target.family.lock:
            if target.tracking is not None and same_generation:
                target.tracking.forget_staleness()
            elif target.tracking is not None:
                target.tracking.make_stale()
        self.leaf = target.branch(next_delta_path(target))
        self.blind = []

    def forget(self, snapshot: str) -> None:
        """Forget what a snapshot holds; the files stay until :meth:`consolidate`."""
        self.frozen.pop(snapshot, None)
        self.frozen.pop(snapshot + _BEFORE_WRITERS, None)

    def freeze_after_writers(self, snapshot: str, written: bytes) -> str | None:
        """Freeze the disk for a snapshot in whose making the guest's applications still wrote.

        What they write is in a delta, which the snapshot holds together with its parent.

        Returns:
            As :meth:`freeze`.

        Raises:
            StorageError: there is no space.
        """
        self.freeze(snapshot + _BEFORE_WRITERS)
        self._require_leaf().write(_UNUSED_BY_GUESTS, written)
        return self.freeze(snapshot)

    def consolidate(self) -> None:
        """Merge and delete every file that neither the VM nor a snapshot needs.

        A file that is not needed but that several others stand on has to stay.

        Raises:
            StorageError: a file is in use, or there is no space; what was done stays done.
        """
        while (disk := self._superfluous()) is not None:
            if not disk.children:
                self.store.delete(disk.path)
                continue
            child = disk.children[0]
            child.merge_into_parent()
            if self.leaf is child:
                self.leaf = disk
            self.frozen = {snapshot: disk if held is child else held for snapshot, held in self.frozen.items()}

    @property
    def needs_consolidation(self) -> bool:
        """Return whether there are files that are not needed."""
        return self._superfluous() is not None

    def every_disk(self) -> list[SimDisk]:
        """Return all disks of the tree, the lowest first; of linked clones only the VM's own."""
        anchor = self.leaf or next(iter(self.frozen.values()), None)
        return [] if anchor is None else list(_own_disks(anchor.own_base))

    def _superfluous(self) -> SimDisk | None:
        held = [self.leaf, *self.frozen.values()]
        return next(
            (disk for disk in self.every_disk() if disk not in held and _can_go(disk)),
            None,
        )

    def _require_leaf(self) -> SimDisk:
        if self.leaf is None:
            raise ValueError(f"disk {self.key} was taken out of the VM")
        return self.leaf

    # ---- change tracking -------------------------------------------------------------------------------

    def start_tracking(self, *, among_snapshots: bool) -> None:
        """Begin to track the leaf's changes; on a tracked disk nothing happens.

        Args:
            among_snapshots: True when older snapshots exist. Then, as on a real host, tracking works but never
                reports the areas that their deltas held at this moment, and nothing says so.
        """
        leaf = self._require_leaf()
        if leaf.tracking is not None:
            return
        leaf.enable_tracking()
        self.blind = _held_by_deltas(leaf) if among_snapshots else []

    def stop_tracking(self) -> None:
        """Forget all changes."""
        for disk in self.every_disk():
            disk.disable_tracking()
        self.blind = []

    def changed_areas(self, disk: SimDisk, change_id: str) -> list[Extent]:
        """Return what change tracking reports of a disk of this tree.

        Raises:
            ChangeIdUnknown: it is not known.
        """
        return subtract(disk.changed_areas(change_id), self.blind)


def _own_disks(disk: SimDisk) -> Iterator[SimDisk]:
    yield disk
    for child in disk.children:
        if not child.is_clone:
            yield from _own_disks(child)


def _can_go(disk: SimDisk) -> bool:
    """Return whether a disk that is not needed can be merged away or deleted: no linked clone stands on it."""
    return len(disk.children) <= 1 and not any(child.is_clone for child in disk.children)


def _held_by_deltas(leaf: SimDisk) -> list[Extent]:
    held: list[Extent] = []
    for disk in leaf.chain()[:-1]:
        with disk.family.lock:
            held += disk.layer.held.extents(disk.capacity_bytes)
    return normalize(held)


def next_delta_path(disk: SimDisk) -> DatastorePath:
    """Return the first free path ``x-00000n.vmdk`` next to a disk; ``x`` is the VM's lowest disk of its chain."""
    stem = disk.own_base.path.name.removesuffix(".vmdk")
    directory = disk.datastore.resolve(disk.path).parent
    number = next(
        number
        for number in range(1, 1_000_000)
        if not any((directory / f"{stem}-{number:06}{suffix}").exists() for suffix in (".vmdk", *DATA_SUFFIXES))
    )
    return disk.path.sibling(f"{stem}-{number:06}.vmdk")


def takes_part_in_snapshots(disk: _device.VirtualDisk) -> bool:
    """Return whether a snapshot freezes this disk: neither independent, nor a physical RDM, nor in memory."""
    backing = disk.backing
    is_rdm = isinstance(backing, _device.VirtualDisk.RawDiskMappingVer1BackingInfo)
    if is_rdm and getattr(backing, "compatibilityMode", None) == "physicalMode":
        return False
    if isinstance(backing, _device.VirtualDisk.LocalPMemBackingInfo):
        return False
    return not str(getattr(backing, "diskMode", None) or "persistent").startswith("independent")


def can_be_tracked(disk: _device.VirtualDisk, devices: list[Device]) -> bool:
    """Return whether changes of this disk can be tracked: frozen by snapshots and not shared."""
    controller = next((device for device in devices if device.key == disk.controllerKey), None)
    shared_bus = getattr(controller, "sharedBus", None) not in (None, "", "noSharing")
    shared_disk = getattr(disk.backing, "sharing", None) == "sharingMultiWriter"
    return takes_part_in_snapshots(disk) and not shared_bus and not shared_disk


def is_shared(disk: _device.VirtualDisk, devices: list[Device]) -> bool:
    """Return whether another VM may write to this disk too."""
    return takes_part_in_snapshots(disk) and not can_be_tracked(disk, devices)
