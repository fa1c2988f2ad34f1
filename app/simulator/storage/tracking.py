r"""Changed block tracking: when each grain of a disk was last written.

The file ``x-ctk.vmdk`` next to the disk: a header of 512 bytes (magic ``SFCTKv1\0``, u32 sequence, u32 flags, u64
grains, 52 ASCII bytes of generation, little-endian), then one u32 per grain: the sequence number in force when it
was last written, 0 for never since tracking began. It is mapped into memory, so it survives the death of the
process (``mapped.py``); pages of it that nothing was ever noted in are holes, and are not looked at. A change id
``<generation>/<n>`` names the moment when the sequence became n: everything written afterwards bears a number of
at least n.
"""

import struct
import uuid
from collections.abc import Iterator
from random import Random

import numpy as np
import numpy.typing as npt

from app.domain.change_id import ChangeId
from app.domain.extents import Extent, normalize
from app.simulator.storage.errors import ChangeIdUnknown, DiskCorrupt
from app.simulator.storage.grains import GRAIN_BYTES, GrainSet, grain_count, grain_span, mask_extents
from app.simulator.storage.mapped import map_file
from app.simulator.storage.places import StoredPath, open_file

_HEADER = struct.Struct("<8sIIQ52s")
_HEADER_BYTES = 512
_MAGIC = b"SFCTKv1\0"
_STALE = 1
_STAMP_BYTES = 4
_STAMPS_PER_PAGE = 1024


class ChangeTracking:
    """The change tracking of one disk of a chain.

    Each disk of a chain has its own: a branch begins with a copy of its parent's, so that a frozen disk's stays as
    it was at its snapshot.

    Thread: the disk's lock guards it; :meth:`change_id` and :meth:`changed_since` may be called from any.
    """

    def __init__(self, path: StoredPath, capacity_bytes: int) -> None:
        """Open an existing tracking file.

        Raises:
            DiskCorrupt: it does not belong to a disk of this size.
        """
        self.path = path
        self._capacity = capacity_bytes
        self._file = open_file(path)
        n_grains = grain_count(capacity_bytes)
        if self._file.size_bytes() != _HEADER_BYTES + _STAMP_BYTES * n_grains:
            self._file.close()
            raise DiskCorrupt(f"{path.name} does not belong to a disk of {capacity_bytes} bytes")
        self._map = map_file(self._file)
        magic, self._sequence, self._flags, _, generation = _HEADER.unpack_from(self._map.content)
        if magic != _MAGIC:
            self._map.close()
            self._file.close()
            raise DiskCorrupt(f"{path.name} is not a change tracking file")
        self._generation: str = generation.rstrip(b"\0").decode("ascii")
        self._stamps: npt.NDArray[np.uint32] = np.frombuffer(
            self._map.content, dtype="<u4", count=n_grains, offset=_HEADER_BYTES
        )
        self._touched = GrainSet()
        for data in self._file.data_ranges():
            first = max(0, data.start - _HEADER_BYTES) // _STAMP_BYTES
            self._touch(first, max(first, -(-(data.end - _HEADER_BYTES) // _STAMP_BYTES)))

    @classmethod
    def create(cls, path: StoredPath, capacity_bytes: int, random: Random) -> "ChangeTracking":
        """Begin tracking with a new generation, replacing what is there."""
        path.unlink(missing_ok=True)
        n_grains = grain_count(capacity_bytes)
        with open_file(path, create_bytes=_HEADER_BYTES + _STAMP_BYTES * n_grains) as file:
            file.write(0, _pack(1, 0, n_grains, _new_generation(random)))
        return cls(path, capacity_bytes)

    def copy(self, path: StoredPath, random: Random) -> "ChangeTracking":
        """Return the tracking for a child of this disk.

        It continues this one, unless another child that had gone its own way was thrown away (a snapshot was
        reverted): then numbers would be used twice, so a new generation begins.
        """
        if self.is_stale:
            return ChangeTracking.create(path, self._capacity, random)
        path.unlink(missing_ok=True)
        with open_file(path, create_bytes=len(self._map.content)) as file:
            file.write(0, bytes(self._map.content[:_HEADER_BYTES]))
            for first, end in self._touched_spans():
                file.write(_HEADER_BYTES + first * _STAMP_BYTES, self._stamps[first:end].tobytes())
        return ChangeTracking(path, self._capacity)

    @property
    def generation(self) -> str:
        """The half of the change id that changes when tracking begins again."""
        return self._generation

    @property
    def is_stale(self) -> bool:
        """True when a child that had gone its own way was thrown away."""
        return bool(self._flags & _STALE)

    def change_id(self) -> str:
        """Return the id of the newest marked moment."""
        return str(ChangeId(self._generation, self._sequence))

    def mark(self) -> str:
        """Mark this moment (a snapshot is taken) and return its change id."""
        self._sequence += 1
        self._save_header()
        return self.change_id()

    def make_stale(self) -> None:
        """Note that a child that had gone its own way was thrown away."""
        self._flags |= _STALE
        self._save_header()

    def forget_staleness(self) -> None:
        """Continue the same generation after a revert, as a platform does that takes no notice of reverts."""
        self._flags &= ~_STALE
        self._save_header()

    def note(self, offset: int, length_bytes: int) -> None:
        """Note that a range was written."""
        first, end = grain_span(offset, length_bytes)
        if self._map.is_shared:
            self._stamps[first:end] = self._sequence
        elif (self._stamps[first:end] != self._sequence).any():
            self._stamps[first:end] = self._sequence
            self._map.save(_HEADER_BYTES + first * _STAMP_BYTES, _HEADER_BYTES + end * _STAMP_BYTES)
        self._touch(first, end)

    def changed_since(self, change_id: str, start: int = 0) -> list[Extent]:
        """Return the areas written since a change id, from byte ``start`` on, at the granularity of grains.

        Raises:
            ChangeIdUnknown: it is of another generation, or of a time that never was.
        """
        try:
            since = ChangeId.parse(change_id)
        except ValueError as error:
            raise ChangeIdUnknown(str(error)) from error
        if since.generation != self._generation:
            raise ChangeIdUnknown(f"{change_id} is not of the generation {self._generation}")
        if not 1 <= since.sequence <= self._sequence:
            raise ChangeIdUnknown(f"{change_id} is newer than {self.change_id()}")
        wanted = start // GRAIN_BYTES
        changed: list[Extent] = []
        for first, end in self._touched_spans():
            begin = max(first, wanted)
            if begin < end:
                changed += mask_extents(self._stamps[begin:end] >= since.sequence, self._capacity, begin)
        return normalize(changed)

    def close(self) -> None:
        """Close the file."""
        self._stamps = np.zeros(0, dtype=np.uint32)
        self._map.close()
        self._file.close()

    def _touch(self, first: int, end: int) -> None:
        self._touched.add(first // _STAMPS_PER_PAGE, -(-end // _STAMPS_PER_PAGE))

    def _touched_spans(self) -> Iterator[tuple[int, int]]:
        """Yield the stamps that may not be 0, as (first, behind the last)."""
        for first, end in self._touched.spans():
            yield first * _STAMPS_PER_PAGE, min(end * _STAMPS_PER_PAGE, len(self._stamps))

    def _save_header(self) -> None:
        header = _pack(self._sequence, self._flags, len(self._stamps), self._generation)
        self._map.content[: len(header)] = header
        self._map.save(0, len(header))


def _pack(sequence: int, flags: int, n_grains: int, generation: str) -> bytes:
    return _HEADER.pack(_MAGIC, sequence, flags, n_grains, generation.encode("ascii"))


def _new_generation(random: Random) -> str:
    """Make a generation in ESXi's spelling: 16 bytes in hex, ``52 de …-… c0``."""
    digits = uuid.UUID(int=random.getrandbits(128), version=4).bytes.hex(" ")
    return f"{digits[:23]}-{digits[24:]}"
