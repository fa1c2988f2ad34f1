"""The audit of changed block tracking: a random sample of what was *not* reported is read all the same.

Tracking may report too much, never too little; yet maps that leave out changes happen in the field, and a backup
that trusts them is wrong in silence. So blocks that tracking called unchanged are read from the host and compared
with the parent point (or with zeros, where tracking said that nothing is allocated). ``docs/cbt-audit.md`` has
the figures.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, ReadRequest
from app.domain.extents import Extent, align_outward, complement


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What an audit of one disk found."""

    checked_blocks: int
    lie_at: int | None
    """Offset of the first block found that had changed without being reported; None when there was none."""


def draw_blocks(
    reported: Sequence[Extent], capacity_bytes: int, *, count: int, block_bytes: int, source: random.Random
) -> list[Extent]:
    """Draw up to ``count`` blocks that no reported extent touches, each equally likely, in order of offset."""
    gaps = complement(align_outward(reported, block_bytes, capacity_bytes), capacity_bytes)
    blocks_upto = list(accumulate(-(-gap.length_bytes // block_bytes) for gap in gaps))
    if not blocks_upto:
        return []
    drawn = sorted(source.sample(range(blocks_upto[-1]), min(count, blocks_upto[-1])))
    return [_block(gaps, blocks_upto, index, block_bytes) for index in drawn]


def _block(gaps: Sequence[Extent], blocks_upto: Sequence[int], index: int, block_bytes: int) -> Extent:
    number = bisect_right(blocks_upto, index)
    gap = gaps[number]
    start = gap.start + (index - (blocks_upto[number - 1] if number else 0)) * block_bytes
    return Extent(start, min(block_bytes, gap.end - start))


def compare_blocks(
    blocks: Iterable[Extent], source: DiskReader, reference: DiskReader | None, cancel: CancelToken
) -> AuditResult:
    """Read blocks from the host and compare them with the reference, or with zeros where there is none.

    Raises:
        OperationalError: one of the disks cannot be read.
        TaskCancelled: cancelled meanwhile.
    """
    chosen = list(blocks)
    checked = 0
    for ours, expected in zip(_contents(source, chosen), _expected(reference, chosen), strict=True):
        cancel.check()
        checked += 1
        if ours.buffer != expected.buffer:
            return AuditResult(checked_blocks=checked, lie_at=ours.offset)
    return AuditResult(checked_blocks=checked, lie_at=None)


def _requests(blocks: Iterable[Extent]) -> Iterator[ReadRequest]:
    for block in blocks:
        yield ReadRequest(block.start, memoryview(bytearray(block.length_bytes)))


def _contents(reader: DiskReader, blocks: Iterable[Extent]) -> Iterator[ReadRequest]:
    return reader.read_many(_requests(blocks))


def _expected(reference: DiskReader | None, blocks: Iterable[Extent]) -> Iterator[ReadRequest]:
    return _requests(blocks) if reference is None else _contents(reference, blocks)
