"""Verification of everything: each byte of each file once, whichever point uses it.

Packs are read in the order of their ids, so that a verification can stop after any pack and go on there another
day. Chunks that many points share are read once.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.ids import PointId
from app.domain.messages import Message, Param
from app.domain.reasons import reason_of
from app.domain.restore_point import RestorePoint
from app.repository.ahead import decode_ahead
from app.repository.configuration import read_repository_file
from app.repository.errors import RepositoryDamaged, RepositoryMissing, RepositoryTooNew, WrittenByNewer
from app.repository.files import open_regular, storage_errors
from app.repository.healing import forget_lost
from app.repository.keys import key_file_damage
from app.repository.layout import LEASE_SUFFIX, PIN_SUFFIX, SETTINGS_NAME
from app.repository.leases import is_readable_lease
from app.repository.packlists import linked_shards, list_packs
from app.repository.packs import (
    PACK_HEADER_BYTES,
    PackDamaged,
    PackEntry,
    PackTooNew,
    flaw_of_heads,
    read_footer,
    scan_records,
)
from app.repository.parts import RepositoryParts
from app.repository.pipeline import worker_count
from app.repository.reasons import CONTENT_CHANGED, LINK_IN_PLACE, MISSING, PACK, PACK_CHANGED, RECORD_CHANGED
from app.repository.records import RecordDamaged, RecordDecoder
from app.repository.store import LONGEST_RECORD_BYTES
from app.repository.values import Damage, DamageKind
from app.repository.verify import PointVerifier


@dataclass(frozen=True, slots=True, kw_only=True)
class PointDamage:
    """A restore point that is not whole."""

    point: PointId
    damage: tuple[Damage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryReport:
    """What a verification of everything read and found."""

    checked_packs: int
    checked_bytes: int
    """Stored bytes that were read."""
    damage: tuple[Damage, ...]
    """Damaged packs and files of the repository itself."""
    damaged_packs: tuple[str, ...]
    points: tuple[PointDamage, ...]
    """Restore points that are hit, with the ranges of their disks that are lost."""
    resume_after: str | None
    """Where to go on; None when everything was read."""
    newer: tuple[str, ...] = ()
    """What a newer program wrote: it was left alone and not checked."""

    @property
    def whole(self) -> bool:
        """Return whether nothing is damaged."""
        return not self.damage and not self.points


@dataclass(slots=True)
class _PackResult:
    pack_id: str
    size_bytes: int = 0
    newer: bool = False
    problems: list[Message] = field(default_factory=list)
    lost: list[bytes] = field(default_factory=list)


class Scrubber:
    """Verifies a whole repository. Use once. Thread: one; it has workers of its own while it runs."""

    def __init__(self, parts: RepositoryParts, progress: Progress, cancel: CancelToken) -> None:
        self._parts = parts
        self._progress = progress
        self._cancel = cancel

    def run(
        self, points: Sequence[RestorePoint], *, resume_after: str | None, time_limit_s: float | None
    ) -> RepositoryReport:
        """Verify everything.

        Raises:
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        self._parts.packs.synchronize()
        with storage_errors(self._parts.layout.root):
            sizes = {
                pack_id: size
                for pack_id, size in list_packs(self._parts.layout).items()
                if resume_after is None or pack_id > resume_after
            }
        packs = sorted(sizes)
        self._progress.expect(sum(sizes.values()))
        results = list(self._check_packs(packs, time_limit_s))
        stopped_at = results[-1].pack_id if results and len(results) < len(packs) else None
        damage = self._file_damage() if stopped_at is None else []
        for result in results:
            damage += [
                Damage(kind=DamageKind.PACK, what=PACK.fill(pack=result.pack_id), detail=problem)
                for problem in result.problems
            ]
        forget_lost(self._parts, {digest for result in results for digest in result.lost})
        return RepositoryReport(
            checked_packs=len(results),
            checked_bytes=sum(result.size_bytes for result in results),
            damage=tuple(damage),
            damaged_packs=tuple(result.pack_id for result in results if result.problems),
            points=tuple(self._point_damage(points)),
            resume_after=stopped_at,
            newer=tuple(f"pack {result.pack_id}" for result in results if result.newer),
        )

    def _check_packs(self, packs: Sequence[str], time_limit_s: float | None) -> Iterator[_PackResult]:
        started = time.monotonic()

        def in_time() -> Iterator[str]:
            for number, pack_id in enumerate(packs):
                self._cancel.check()
                is_late = time_limit_s is not None and time.monotonic() - started >= time_limit_s
                if is_late and number >= worker_count():  # some progress is made however short the time is
                    return
                yield pack_id

        yield from decode_ahead(self._parts.decoder, self._check_pack, in_time(), "scrubber")

    def _check_pack(self, pack_id: str, decoder: RecordDecoder) -> _PackResult:
        result = _PackResult(pack_id)
        path = self._parts.layout.pack(pack_id)
        try:
            result.size_bytes = path.lstat().st_size
            try:
                entries = read_footer(path, self._parts.repository_id.bytes)
            except PackTooNew:
                result.newer = True
                return result
            except PackDamaged as error:
                result.problems.append(error.said())
                entries = list(scan_records(path, lambda _record: True))
            else:
                flaw = flaw_of_heads(path)
                result.problems += [flaw.said()] if flaw is not None else []
            self._check_records(result, entries, decoder)
        except FileNotFoundError:
            result.problems.append(MISSING.fill())
        except OSError as error:
            self._parts.packs.check_standby()
            result.problems.append(reason_of(error))
        return result

    def _check_records(self, result: _PackResult, entries: Sequence[PackEntry], decoder: RecordDecoder) -> None:
        end = PACK_HEADER_BYTES
        longest = max((entry.length_bytes for entry in entries), default=0)
        scratch = memoryview(bytearray(min(longest, LONGEST_RECORD_BYTES)))
        path = self._parts.layout.pack(result.pack_id)
        with os.fdopen(open_regular(path), "rb", buffering=0) as file:
            for entry in sorted(entries, key=lambda entry: entry.offset):
                self._cancel.check()
                file.seek(entry.offset)
                done = file.readinto(scratch[: entry.length_bytes])
                try:
                    decoder.check(scratch[:done], entry.digest)
                except RecordDamaged as error:
                    result.problems.append(
                        RECORD_CHANGED.fill(details=f"{entry.digest.hex()} at {entry.offset}: {error}")
                    )
                    result.lost.append(entry.digest)
                if entry.offset != end:
                    result.problems.append(PACK_CHANGED.fill(details=f"unknown bytes at {end}"))
                end = entry.offset + entry.length_bytes
                self._progress.advance(done_bytes=entry.length_bytes, read_bytes=entry.length_bytes)
        self._progress.advance(done_bytes=max(0, result.size_bytes - sum(entry.length_bytes for entry in entries)))

    def _file_damage(self) -> list[Damage]:
        """Check the small files that are not in packs and not in points."""
        layout = self._parts.layout
        with storage_errors(layout.root):
            leases = sorted(path for path in layout.locks.iterdir() if path.suffix == LEASE_SUFFIX)
            found: list[tuple[str, Param]] = [
                (f"locks/{path.name}", CONTENT_CHANGED.fill()) for path in leases if not is_readable_lease(path)
            ]
            found += [
                (f"pins/{pin_id}{PIN_SUFFIX}", CONTENT_CHANGED.fill())
                for pin_id in self._parts.pins.listing().unreadable
            ]
            found += [(f"packs/{name}", LINK_IN_PLACE.fill()) for name in linked_shards(layout)]
            found += key_file_damage(layout.keys, is_encrypted=self._parts.keys is not None)
        try:
            read_repository_file(layout.root)
        except RepositoryTooNew:  # whole, as far as this program can see
            pass
        except (RepositoryDamaged, RepositoryMissing) as error:
            found.append((SETTINGS_NAME, error.said()))
        return [Damage(kind=DamageKind.FILE, what=what, detail=detail) for what, detail in found]

    def _point_damage(self, points: Sequence[RestorePoint]) -> Iterator[PointDamage]:
        for point in points:
            self._cancel.check()
            try:
                found = PointVerifier(self._parts, point, Progress(), self._cancel).run_without_chunks().damage
            except WrittenByNewer:  # what it needs, only a newer program reads
                continue
            if found:
                yield PointDamage(point=point.id, damage=found)
