"""Which parts of a disk hold data, asked with few questions.

A host answers a question with one bit per chunk. A large disk is asked in coarse chunks first; only where those
hold something are finer ones asked for, so that an empty disk of 62 TiB takes 62 questions instead of 7,936.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from app.domain.extents import Extent, align_outward, normalize

CHUNK_BYTES: Final = 64 * 1024
_COARSE_CHUNK_BYTES: Final = 8 * 1024 * 1024
_CHUNKS_PER_QUESTION: Final = 128 * 1024
"""A bitmap of 16 KiB: for 8 GiB of disk, coarse for 1 TiB."""
_WINDOW_BYTES: Final = CHUNK_BYTES * _CHUNKS_PER_QUESTION

Question = Callable[[int, int, int], bytes | None]
"""Takes offset, number of chunks and bytes per chunk; returns one bit per chunk, least significant first."""


def allocated_extents(capacity_bytes: int, ask: Question) -> list[Extent] | None:
    """Return the ranges that hold data in multiples of 64 KiB, or None when a question is answered with None.

    Raises:
        Exception: what ``ask`` raises.
    """
    asked = [Extent(0, capacity_bytes)]
    if capacity_bytes > _WINDOW_BYTES:
        coarse = _extents(asked, _COARSE_CHUNK_BYTES, ask)
        if coarse is None:
            return None
        asked = align_outward(coarse, _WINDOW_BYTES, capacity_bytes)
    return _extents(asked, CHUNK_BYTES, ask)


def _extents(parts: Iterable[Extent], chunk_bytes: int, ask: Question) -> list[Extent] | None:
    """Ask for parts of a disk, each of which begins at a multiple of the chunk."""
    found: list[Extent] = []
    for part in parts:
        # The host answers for whole chunks only: what is behind the last one is taken for data.
        end = part.end // chunk_bytes
        found.append(Extent(end * chunk_bytes, part.end - end * chunk_bytes))
        for first in range(part.start // chunk_bytes, end, _CHUNKS_PER_QUESTION):
            count = min(_CHUNKS_PER_QUESTION, end - first)
            bitmap = ask(first * chunk_bytes, count, chunk_bytes)
            if bitmap is None:
                return None
            found += _runs(bitmap, first, count, chunk_bytes)
    return normalize(found)


def _runs(bitmap: bytes, first: int, count: int, chunk_bytes: int) -> Iterator[Extent]:
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), count=count, bitorder="little")
    edges = np.flatnonzero(np.diff(bits.astype(np.int8), prepend=0, append=0)).tolist()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield Extent((first + start) * chunk_bytes, (end - start) * chunk_bytes)
