"""The writes of a VM that runs from a restore point: a copy-on-write overlay of one disk.

:class:`OverlayDisk` reads from a base, a disk of a restore point that never changes, and keeps what is written in
a folder at a standby. Nothing is written to the base. Opened again, after :meth:`OverlayDisk.close` as after a
kill or a power failure, it is what it was: every write that a sync covered, and of later ones those up to some
moment, in the order in which they returned.

Modules, from below: ``format`` (bytes), ``errors``, ``limits``, ``table`` (what is alive in each segment),
``grainmap`` (where each grain is), ``files`` (names, open files), ``segments`` and ``replay`` (opening), ``log``
(appending, syncing), ``store`` (log, map and table, which change together), ``base``, ``reading``, ``compaction``,
``disk``.

The folder
==========

``NNNNNNNN.seg`` are the segments of the log, numbered from 1 on; a number is never used again. ``overlay.lock`` is
locked while the overlay is open. ``map.cache`` is memory of the process that has it open: never trusted, made new
at each opening. ``NNNNNNNN.begun``, empty, says that this segment was made part of the log, so that the loss of
the newest one is noticed, which no other names. Hidden names are segments that were not finished; the next
opening deletes them.

The log
=======

*A grain* is 4 KiB of the disk; the last one may be short and is stored padded. A grain is in the overlay whole or
not at all. Numbers are little-endian, digests are BLAKE3; each covers the overlay's random id and the segment's
number too, so neither what a guest writes nor a record of another place is taken for a record.

*A segment* begins with a header: ``SFOVLSEG``, version, its own length, segment number, count of ranges, grain,
capacity of the disk, sequence of its first record, id of the overlay, digest (32 bytes), then the ranges of the
numbers of all segments that the log had when this one was begun. It is made under a hidden name with all its space
taken, synced, and renamed, so a segment with a bad header is damaged, never unfinished. Records follow. *Sealed*
it ends with a summary, 16 bytes for each record (offset, length, kind), and a trailer of 64 bytes (``SFOVLEND``,
count, end of the records, first sequence, digest); the rest of its space is cut off.

*A record* is a header of 64 bytes and its payload: ``SFOR``, kind, sequence, offset, length, length of the
payload, how much of this segment was durable when it was written, CRC-32 of these, digest (24 bytes) over payload
and header. Kinds: DATA (grains, whose bytes are the payload), ZERO (grains, no payload), GONE (a segment that the
log does not consist of any more).

Opening
=======

The log consists of the segments that the newest one's header lists, and itself, without those that a GONE record
in it names. Such a segment that is missing is damage, and so is the loss of one that was begun later; any other
segment of this overlay is what a crash left, and is deleted. All but the newest are sealed. The newest, where it
is not, ends at its first record that is not whole: a torn one, unless a later whole record says that it was
durable, which makes it damage. It is sealed there, after what is not proven to be durable was written once more,
and the next write begins a new segment. Later records of a grain are right; a segment's records are believed from
its summary, else each is checked.

Invariants
==========

* Nothing in the log is changed once it is written; so a reader needs no lock while it reads a segment.
* Only the newest segment holds what is not durable: it is sealed, and synced, before the next one begins. Its
  records are durable before its summary is written.
* The map is changed after a record was appended whole, and its pages were brought into memory before: a refusal of
  the system leaves log and map alike.
* After a failed sync nothing is written and nothing called durable until the overlay is opened again. A failed
  write is followed by a sync, which shows whether earlier writes failed as well.
* Nothing is opened, made or deleted under a path that leads to another folder than at the opening: that is an
  overlay which is away, not one that is damaged.
* A segment is deleted after its live grains and the GONE record that names it are durable.
* The log is shorter than twice what is alive plus some segments (:class:`OverlayLimits`); where the background
  thread does not keep up, writers compact before they write.
* Memory: the map's pages in memory (32 MiB), 4 bytes for each 4 MiB of the disk, 20 bytes for each segment.

Threads and locks
=================

Any thread may use a disk, several at once. One lock is taken before the next: that of the compactor (one segment
is emptied at a time), ``GrainStore.writing`` (one write, or one step of compaction; also held while a write that
covers a grain in part is completed from the log, never while the base is read), the map's (for a lookup or a
change of the map, and for reading or writing its pages; never for the log). A lock of the log guards what is
known to be durable and lets one sync at a time reach a file; no lock is needed to wait for it but ``writing``,
when a segment is sealed.
"""

from app.nfs.overlay.disk import OverlayDisk
from app.nfs.overlay.errors import (
    OverlayDamaged,
    OverlayError,
    OverlayFull,
    OverlayInUse,
    OverlayMismatch,
    OverlayUnavailable,
)
from app.nfs.overlay.limits import OverlayLimits
from app.nfs.overlay.replay import last_sequence

__all__ = [
    "OverlayDamaged",
    "OverlayDisk",
    "OverlayError",
    "OverlayFull",
    "OverlayInUse",
    "OverlayLimits",
    "OverlayMismatch",
    "OverlayUnavailable",
    "last_sequence",
]
