"""How fast a source changes and is copied, and whether the rest is small: pure functions on values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from typing import Final

from app.domain.migration import MigrationOptions, MigrationProgress

_SHORTEST_S: Final = 0.001
_BETTER: Final = 0.9
"""A pass that reads less than this part of the one before is an improvement."""
_MOST_WITHOUT: Final = 3
"""So many passes without improvement show that it does not become smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassFigures:
    """What one finished pass moved."""

    frozen_at: datetime
    read_bytes: int
    seconds: float
    """How long it took to read and to write, without the snapshot."""
    held_bytes: int | None
    """How much the disks hold, where that was found out."""
    is_tracked: bool
    """Whether change tracking named all of it."""
    can_be_tracked: bool
    """Whether it can name what the next pass reads."""


def measured(before: MigrationProgress, figures: PassFigures) -> MigrationProgress:
    """Return what is known after a pass."""
    change_rate = before.change_bytes_per_s
    if figures.is_tracked and before.frozen_at is not None:
        between_s = (figures.frozen_at - before.frozen_at) / timedelta(seconds=1)
        change_rate = figures.read_bytes / max(between_s, _SHORTEST_S)
    copy_rate = before.copy_bytes_per_s
    if figures.read_bytes or copy_rate is None:
        copy_rate = max(1.0, figures.read_bytes / max(figures.seconds, _SHORTEST_S))
    return replace(
        before,
        passes=before.passes + 1,
        frozen_at=figures.frozen_at,
        last_pass_bytes=figures.read_bytes,
        held_bytes=before.held_bytes if figures.held_bytes is None else figures.held_bytes,
        change_bytes_per_s=change_rate if figures.can_be_tracked else None,
        copy_bytes_per_s=copy_rate,
        is_tracked=figures.can_be_tracked,
    )


class Verdict(Enum):
    """Whether another pass is worth it."""

    AGAIN = "again"
    SMALL = "small"
    USELESS = "useless"
    """The VM writes as fast as can be copied, or what changes cannot be told."""


def judged(progress: MigrationProgress, sizes: Sequence[int], options: MigrationOptions, most: int) -> Verdict:
    """Decide after a pass.

    Args:
        progress: after that pass.
        sizes: bytes of the passes of this run, in their order.
        options: say what is small.
        most: passes after which it ends.
    """
    if not progress.is_tracked:
        return Verdict.USELESS
    if progress.change_bytes_per_s is not None and _is_small(progress, options):
        return Verdict.SMALL
    recent = sizes[-_MOST_WITHOUT - 1 :]
    is_standing = len(recent) > _MOST_WITHOUT and all(
        later > _BETTER * earlier for earlier, later in pairwise(recent)
    )
    return Verdict.USELESS if is_standing or len(sizes) >= most else Verdict.AGAIN


def _is_small(progress: MigrationProgress, options: MigrationOptions) -> bool:
    if progress.last_pass_bytes <= options.ready_below_bytes:
        return True
    rate = progress.copy_bytes_per_s
    return bool(rate) and progress.last_pass_bytes / (rate or 1.0) <= options.ready_within_s
