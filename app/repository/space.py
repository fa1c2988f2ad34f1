"""Who uses how much of the standby: exact, counted by the record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from app.core.cancel import CancelToken
from app.domain.ids import PointId
from app.domain.restore_point import RestorePoint
from app.repository.files import storage_errors
from app.repository.marking import Marker, Prefixes, all_entries, entry_prefixes
from app.repository.packlists import list_packs
from app.repository.parts import RepositoryParts


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceUse:
    """Stored bytes of a point or of a chain of points."""

    unique_bytes: int
    """What nothing else uses: given back when it is deleted and garbage is collected."""
    shared_bytes: int
    """What others use too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceReport:
    """The space of a whole repository."""

    points: dict[PointId, SpaceUse]
    chains: dict[str, SpaceUse]
    used_bytes: int
    """Stored bytes that any point reaches."""
    garbage_bytes: int
    """Stored bytes that no point reaches: deleted points, aborted runs, second copies."""


class SpaceCounter:
    """Counts the space that points use. Use once. Thread: one."""

    def __init__(self, parts: RepositoryParts, cancel: CancelToken) -> None:
        self._parts = parts
        self._cancel = cancel
        self._records: Prefixes = np.empty(0, dtype=np.uint64)
        self._lengths: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._all_bytes = 0

    def run(self, points: Sequence[RestorePoint]) -> SpaceReport:
        """Count what points use; those of one chain stand together.

        Raises:
            UnreadablePage: an index page cannot be read.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        self._load_records()
        marker = Marker(self._parts, self._cancel.check)
        by_point = _Users(len(self._records))
        by_chain = _Users(len(self._records))
        reached_by: dict[PointId, int] = {}
        chains: list[str] = []
        for chain, members in groupby(points, key=lambda point: point.chain):
            chains.append(chain)
            in_chain = np.zeros(len(self._records), dtype=np.bool_)
            for point in members:
                used = self._positions(marker.mark(point.disks))
                reached_by[point.id] = by_point.add(used, self._lengths)
                in_chain[used] = True
            by_chain.add(np.flatnonzero(in_chain), self._lengths)
        used_bytes = int(self._lengths[by_point.count > 0].sum())
        return SpaceReport(
            points=dict(zip(reached_by, by_point.shares(self._lengths), strict=True)),
            chains=dict(zip(chains, by_chain.shares(self._lengths), strict=True)),
            used_bytes=used_bytes,
            garbage_bytes=self._all_bytes - used_bytes,
        )

    def _load_records(self) -> None:
        """Read all footers: each record once, with its stored length."""
        self._parts.packs.synchronize()
        with storage_errors(self._parts.layout.root):
            present = sorted(list_packs(self._parts.layout))
        prefixes: list[Prefixes] = []
        lengths: list[NDArray[np.int64]] = []
        for _, entries in all_entries(self._parts, present):
            self._cancel.check()
            if entries:
                prefixes.append(entry_prefixes(entries))
                lengths.append(np.array([entry.length_bytes for entry in entries], dtype=np.int64))
        if prefixes:
            joined = np.concatenate(lengths)
            self._all_bytes = int(joined.sum())
            self._records, first = np.unique(np.concatenate(prefixes), return_index=True)
            self._lengths = joined[first]

    def _positions(self, reached: Prefixes) -> NDArray[np.intp]:
        """Return where reached records stand among all; lost ones are left out."""
        if not len(self._records):
            return np.empty(0, dtype=np.intp)
        at = np.minimum(np.searchsorted(self._records, reached), len(self._records) - 1)
        return np.asarray(at[self._records[at] == reached], dtype=np.intp)


class _Users:
    """How many users each record has, and which was the last."""

    def __init__(self, records: int) -> None:
        self.count = np.zeros(records, dtype=np.uint32)
        self._last = np.full(records, -1, dtype=np.int32)
        self._totals: list[int] = []

    def add(self, used: NDArray[np.intp], lengths: NDArray[np.int64]) -> int:
        """Take in a user; return the bytes it reaches."""
        self.count[used] += 1
        self._last[used] = len(self._totals)
        self._totals.append(int(lengths[used].sum()))
        return self._totals[-1]

    def shares(self, lengths: NDArray[np.int64]) -> Iterable[SpaceUse]:
        """Return what each user has alone and with others, in the order of :meth:`add`."""
        alone = self.count == 1
        owned = np.bincount(self._last[alone], weights=lengths[alone], minlength=len(self._totals))
        for total, unique in zip(self._totals, owned, strict=True):
            yield SpaceUse(unique_bytes=int(unique), shared_bytes=total - int(unique))
