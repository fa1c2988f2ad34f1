"""Simulated datastores and virtual disks: real directories with real files that outside tools can read.

What lives here: :class:`SimDatastore` (a directory with a capacity, on this machine or, as ``places.py`` says, on
an NFS server), :class:`DiskStore` (creates, opens, moves, copies, deletes by path), :class:`SimDisk` (one disk of
a chain; ``chains.py`` branches and merges it), :class:`ChangeTracking` (CBT).

Files of a disk ``x``:

* ``x.vmdk``: descriptor, text (``descriptor.py``); ``x-flat.vmdk``: the disk byte by byte, sparse;
* ``x-000001.vmdk`` and ``x-000001-delta.vmdk``, of a disk above 2 TB ``x-000001-sesparse.vmdk``: a snapshot's
  child, which holds only the 64 KiB grains that were written (``layers.py``, ``deltas.py``); qemu-img reads whole
  chains through the descriptors;
* ``x-ctk.vmdk``: when each grain was last written (``tracking.py``).

Invariants: a disk with children never changes; a child's parent content id is its parent's content id; a grain is
marked as held only after its data are written; space is booked before it is written. What says so is in the files
at once, so a killed process loses nothing (a lost machine may).

Threads and locks: everything may be called from any thread. Each chain has one lock; the lock of the open disks
(``open_disks.py``) comes before it. Readers of a chain's files outside the lock hold a pin; merging waits for
pins, then gives up with :class:`DiskInUse`.
"""

from app.simulator.storage.datastore import TWIN_MARK, DatastorePath, SimDatastore
from app.simulator.storage.disk import SimDisk
from app.simulator.storage.errors import (
    ChangeIdUnknown,
    DatastoreFull,
    DatastoreLost,
    DatastoreNotFound,
    DiskClosed,
    DiskCorrupt,
    DiskExists,
    DiskForbidden,
    DiskFrozen,
    DiskInUse,
    DiskNotFound,
    DiskTooLarge,
    HostNotServing,
    InvalidDatastorePath,
    StorageError,
)
from app.simulator.storage.grains import GRAIN_BYTES
from app.simulator.storage.moving import DiskMove
from app.simulator.storage.pins import Door
from app.simulator.storage.segments import Segment, read_segments
from app.simulator.storage.store import DiskStore
from app.simulator.storage.tracking import ChangeTracking

__all__ = [
    "GRAIN_BYTES",
    "TWIN_MARK",
    "ChangeIdUnknown",
    "ChangeTracking",
    "DatastoreFull",
    "DatastoreLost",
    "DatastoreNotFound",
    "DatastorePath",
    "DiskClosed",
    "DiskCorrupt",
    "DiskExists",
    "DiskForbidden",
    "DiskFrozen",
    "DiskInUse",
    "DiskMove",
    "DiskNotFound",
    "DiskStore",
    "DiskTooLarge",
    "Door",
    "HostNotServing",
    "InvalidDatastorePath",
    "Segment",
    "SimDatastore",
    "SimDisk",
    "StorageError",
    "read_segments",
]
