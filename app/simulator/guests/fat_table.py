"""The allocation table of a FAT volume: which clusters are free, and which follow which."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from app.simulator.guests.blocks import SECTOR_BYTES, BlockDevice
from app.simulator.guests.fat_layout import BACKUP_BOOT_SECTOR, FSINFO_SECTOR, FatLayout, NotFat, fsinfo_sector

_CHAIN_MASK = 0x0FFFFFFF

Run = tuple[int, int]
"""First cluster and number of clusters."""


class VolumeFull(Exception):
    """There is no space left on the volume."""


class FatTable:
    """Both allocation tables, in memory and on the disk.

    Thread: one at a time.
    """

    def __init__(self, device: BlockDevice, start: int, layout: FatLayout) -> None:
        """Begin with an empty table that is not on the disk yet.

        Args:
            device: the disk.
            start: where the volume begins on it.
            layout: of the volume.
        """
        self._device = device
        self._start = start
        self._layout = layout
        self._entries: npt.NDArray[np.uint32] = np.zeros(layout.n_clusters + 2, dtype=np.uint32)
        self._next = 2
        self.free_clusters = layout.n_clusters

    def format(self) -> None:
        """Write the two entries that belong to no cluster."""
        self._entries[0] = (self._layout.end_of_chain & ~0xFF) | 0xF8
        self._entries[1] = self._layout.end_of_chain
        self._save(0, 2)

    def load(self) -> None:
        """Read the table from the disk."""
        n_bytes = len(self._entries) * self._layout.entry_bytes
        raw = self._device.read(self._start + self._layout.fat_offsets[0], n_bytes)
        self._entries[:] = np.frombuffer(raw, dtype=self._kind)
        self.free_clusters = int(np.count_nonzero(self._entries[2:] & _CHAIN_MASK == 0))

    def take(self, count: int, prefer: int | None = None) -> list[Run]:
        """Reserve and chain free clusters in memory, in one piece if there is one; :meth:`save_chain` comes later.

        Args:
            count: how many, at least 1.
            prefer: take the piece that begins here, if it is free.

        Raises:
            VolumeFull: there are not so many; nothing was reserved.
        """
        if count > self.free_clusters:
            raise VolumeFull(f"{count} clusters are wanted, {self.free_clusters} are free")
        runs = self._find_free(count, prefer)
        for cluster, length in runs:
            self._entries[cluster : cluster + length] = np.arange(cluster + 1, cluster + length + 1)
        for (cluster, length), (following, _) in pairwise(runs):
            self._entries[cluster + length - 1] = following
        self._entries[sum(runs[-1]) - 1] = self._layout.end_of_chain
        self.free_clusters -= count
        self._next = sum(runs[-1])
        return runs

    def next_aligned(self, unit_clusters: int) -> int:
        """Return the first cluster behind all that was taken last whose number, counted from 0, is a multiple."""
        return 2 + -(-(self._next - 2) // unit_clusters) * unit_clusters

    def save_chain(self, runs: list[Run]) -> None:
        """Write what :meth:`take` reserved, the end of the chain first."""
        for cluster, count in reversed(runs):
            self._save(cluster, cluster + count)

    def link(self, cluster: int, following: int) -> None:
        """Append a cluster to a chain that ended with another."""
        self._entries[cluster] = following
        self._save(cluster, cluster + 1)

    def give_back(self, runs: list[Run]) -> None:
        """Free the clusters of a chain."""
        for cluster, count in runs:
            self._entries[cluster : cluster + count] = 0
            self._save(cluster, cluster + count)
            self.free_clusters += count

    def runs_from(self, cluster: int) -> list[Run]:
        """Follow a chain from its first cluster on.

        Raises:
            NotFat: it runs in a circle.
        """
        runs: list[Run] = []
        seen = 0
        while 2 <= cluster < len(self._entries):
            if runs and sum(runs[-1]) == cluster:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((cluster, 1))
            cluster = int(self._entries[cluster]) & _CHAIN_MASK
            seen += 1
            if seen > self._layout.n_clusters:
                raise NotFat("a chain of clusters runs in a circle")
        return runs

    def save_summary(self) -> None:
        """Write FAT32's number of free clusters; FAT16 has none."""
        if not self._layout.is_fat32:
            return
        sector = fsinfo_sector(self.free_clusters, self._next if self._next < len(self._entries) else 2)
        for place in (FSINFO_SECTOR, BACKUP_BOOT_SECTOR + FSINFO_SECTOR):
            self._device.write(self._start + place * SECTOR_BYTES, sector)

    @property
    def _kind(self) -> str:
        return "<u4" if self._layout.is_fat32 else "<u2"

    def _find_free(self, count: int, prefer: int | None) -> list[Run]:
        for start in (prefer, self._next):
            if start is None or start + count > len(self._entries):
                continue
            if not self._entries[start : start + count].any():
                return [(start, count)]
        free = np.flatnonzero(self._entries[2:] == 0) + 2
        cuts = np.flatnonzero(np.diff(free) > 1) + 1
        pieces = [(int(piece[0]), len(piece)) for piece in np.split(free, cuts)]
        for start, length in pieces:
            if length >= count:
                return [(start, count)]
        runs: list[Run] = []
        for start, length in sorted(pieces, key=lambda piece: -piece[1]):
            runs.append((start, min(length, count)))
            count -= runs[-1][1]
            if not count:
                break
        return runs

    def _save(self, first: int, end: int) -> None:
        """Write the sectors of both tables that hold these entries."""
        per_sector = SECTOR_BYTES // self._layout.entry_bytes
        first_sector, end_sector = first // per_sector, -(-end // per_sector)
        entries = self._entries[first_sector * per_sector : end_sector * per_sector].astype(self._kind)
        data = entries.tobytes().ljust((end_sector - first_sector) * SECTOR_BYTES, b"\0")
        for offset in self._layout.fat_offsets:
            self._device.write(self._start + offset + first_sector * SECTOR_BYTES, data)
