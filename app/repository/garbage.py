"""Garbage collection: a plan that can be shown, and its execution under an exclusive lease.

A record stays when a committed point, a deleted one within its grace time, or a pinned one reaches it; of several
copies the one the locator names stays. A pack without such records is deleted. A pack that is mostly garbage, and
packs that are small, are rewritten: their records are checked and copied into new packs, which are durable before
the old ones go. Every step can be the last: the next run goes on where this one ended. Nothing is deleted while an
index page, a point's description or a pin cannot be read, because it is not known what they reach.

Whoever reads a pinned point does so meanwhile; a record that has moved is looked for again
(:meth:`app.repository.store.RecordStore`).
"""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import StandbyFull
from app.domain.ids import PointId
from app.domain.moments import has_age
from app.domain.restore_point import PointDisk
from app.repository.appender import PackAppender
from app.repository.configuration import read_repository_file
from app.repository.errors import GarbageCollectionUnsafe, PinnedPointMissing, WrittenByNewer
from app.repository.files import make_directory, storage_error, storage_errors
from app.repository.garbageplan import (
    GarbageCollectionPlan,
    GarbageCollectionPolicy,
    GarbageCollectionReport,
    PackRewrite,
    RewriteReason,
)
from app.repository.keys import newer_key_files
from app.repository.leases import Lease, newer_leases
from app.repository.marking import Marker, Prefixes, UnreadablePage, all_entries, contained, entry_prefixes
from app.repository.packlists import list_packs
from app.repository.packs import PackEntry
from app.repository.parts import RepositoryParts
from app.repository.pins import Pin
from app.repository.reasons import DELETED_POINT, INDEX_PAGE, POINT, UNREADABLE_DESCRIPTION
from app.repository.records import EncodedRecord, RecordDamaged, RecordKind
from app.repository.store import RecordLost
from app.repository.trash import Trash, TrashedPoint
from app.repository.waiting import WaitingWatch, YieldedToWaiting


@dataclass(frozen=True, slots=True)
class _PackState:
    pack_id: str
    size_bytes: int
    live: tuple[PackEntry, ...]
    has_garbage: bool

    @property
    def live_bytes(self) -> int:
        return sum(entry.length_bytes for entry in self.live)


class GarbageCollector:
    """Plans a garbage collection and executes it. Use once. Thread: one."""

    def __init__(
        self,
        parts: RepositoryParts,
        trash: Trash,
        policy: GarbageCollectionPolicy,
        now: datetime,
        cancel: CancelToken,
    ) -> None:
        self._parts = parts
        self._trash = trash
        self._policy = policy
        self._now = now
        self._cancel = cancel
        self._check: Callable[[], None] = cancel.check
        self._decoder = parts.decoder()

    def plan(self) -> GarbageCollectionPlan:
        """Find out what garbage collection would do. Needs no exclusive lease; backups may go on meanwhile.

        Raises:
            GarbageCollectionUnsafe: a point or an index page cannot be read.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        return self._plan()[0]

    def _plan(self) -> tuple[GarbageCollectionPlan, dict[str, _PackState]]:
        self._refuse_newer()
        purged, disks = self._roots()
        try:
            reached = Marker(self._parts, self._check).mark(disks)
        except UnreadablePage as error:
            raise GarbageCollectionUnsafe(what=INDEX_PAGE.fill(page=error.digest.hex()), detail=error) from error
        states = self._states(reached)
        deleted = tuple((state.pack_id, state.size_bytes) for state in states.values() if not state.live)
        plan = GarbageCollectionPlan(
            purged=tuple(purged),
            deleted_packs=deleted,
            rewritten_packs=tuple(self._rewrites(list(states.values()))),
            total_bytes=sum(state.size_bytes for state in states.values()),
            live_bytes=sum(state.live_bytes for state in states.values()),
        )
        return plan, states

    def _refuse_newer(self) -> None:
        """Make sure that this program reads everything that may be needed.

        Raises:
            RepositoryTooNew, WrittenByNewer: it does not.
        """
        parts = self._parts
        read_repository_file(parts.layout.root)
        parts.packs.synchronize()
        parts.packs.refuse_newer()
        with storage_errors(parts.layout.root):
            files = [*newer_leases(parts.layout.locks), *newer_key_files(parts.layout.keys)]
        for name in files:
            raise WrittenByNewer(what=name)

    def _roots(self) -> tuple[list[TrashedPoint], list[PointDisk]]:
        """Return the deleted points whose time is over, and the disks of all points that stay."""
        listing = self._parts.stored_points.list_all()
        for newer in (point for point in listing.damaged if point.newer):
            raise WrittenByNewer(what=POINT.fill(point=newer.id))
        if listing.damaged:
            raise GarbageCollectionUnsafe(
                what=POINT.fill(point=listing.damaged[0].id), detail=listing.damaged[0].detail
            )
        pinned = {pin.point: pin for pin in self._parts.pins.known()}
        disks = [disk for point in listing.points for disk in point.disks]
        purged: list[TrashedPoint] = []
        deleted = self._trash.entries()
        self._refuse_missing(pinned, {*(point.id for point in listing.points), *(entry.id for entry in deleted)})
        for entry in deleted:
            if entry.newer:
                raise WrittenByNewer(what=DELETED_POINT.fill(point=entry.id))
            if entry.id not in pinned and self._is_over(entry):
                purged.append(entry)
            elif entry.point is None:
                raise GarbageCollectionUnsafe(
                    what=DELETED_POINT.fill(point=entry.id), detail=UNREADABLE_DESCRIPTION
                )
            else:
                disks += entry.point.disks
        return purged, disks

    def _is_over(self, entry: TrashedPoint) -> bool:
        return not self._policy.keep_deleted and has_age(entry.deleted_at, self._policy.grace, self._now)

    def _refuse_missing(self, pinned: Mapping[PointId, Pin], there: Set[PointId]) -> None:
        """Make sure that it is known what every pin keeps.

        Raises:
            PinnedPointMissing: it is not.
        """
        for point, pin in pinned.items():
            if point not in there:
                raise PinnedPointMissing(point=point, host=pin.host, purpose=pin.purpose)

    def _states(self, reached: Prefixes) -> dict[str, _PackState]:
        with storage_errors(self._parts.layout.root):
            present = list_packs(self._parts.layout)
        healthy = sorted(present.keys() - self._parts.packs.damaged.keys())
        states: dict[str, _PackState] = {}
        for pack_id, entries in all_entries(self._parts, healthy):
            self._check()
            if pack_id in self._parts.packs.damaged:
                continue
            live = self._live(pack_id, entries, reached, present)
            states[pack_id] = _PackState(pack_id, present[pack_id], live, len(live) < len(entries))
        self._parts.packs.refuse_newer()
        return states

    def _live(
        self, pack_id: str, entries: Sequence[PackEntry], reached: Prefixes, present: Mapping[str, int]
    ) -> tuple[PackEntry, ...]:
        if not entries:
            return ()
        kept = contained(entry_prefixes(entries), reached)
        candidates = [entry for entry, is_kept in zip(entries, kept.tolist(), strict=True) if is_kept]
        places = self._parts.locator.find_many(entry.digest for entry in candidates)
        live: dict[bytes, PackEntry] = {}
        for entry in candidates:
            place = places.get(entry.digest)
            is_second_copy = place is not None and place.pack_id != pack_id and place.pack_id in present
            if not is_second_copy or not self._is_whole(entry.digest):
                live.setdefault(entry.digest, entry)
        return tuple(live.values())

    def _is_whole(self, digest: bytes) -> bool:
        """Return whether the copy that the locator names can stand alone."""
        try:
            self._parts.store.blob(digest, self._decoder)
        except RecordLost:
            return False
        return True

    def _rewrites(self, states: Sequence[_PackState]) -> list[PackRewrite]:
        chosen: list[PackRewrite] = []
        small: list[PackRewrite] = []
        for state in states:
            if not state.live:
                continue
            if (
                state.size_bytes - state.live_bytes >= self._policy.garbage_share * state.size_bytes
                and state.has_garbage
            ):
                chosen.append(_rewrite(state, RewriteReason.GARBAGE))
            elif state.live_bytes < self._policy.small_share * self._parts.pack_bytes:
                small.append(_rewrite(state, RewriteReason.SMALL))
        return chosen + small if len(small) > 1 else chosen

    def execute(
        self,
        lease: Lease,
        *,
        progress: Progress,
        bytes_per_s: int | None = None,
        time_limit_s: float | None = None,
    ) -> GarbageCollectionReport:
        """Do what a plan made now says; the lease is exclusive.

        ``bytes_per_s`` limits how fast records are copied. ``time_limit_s`` ends it early, between packs,
        and so does another process that waits for the repository.

        Raises:
            GarbageCollectionUnsafe: a point or an index page cannot be read; nothing was deleted.
            LeaseLost: another process took this one for dead; what was done stays done.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled; what was done stays done.
        """
        started = time.monotonic()
        self._check = WaitingWatch(self._parts.layout, self._cancel, self._parts.leftovers).check
        run = _CollectionRun(self._parts, lease, progress, self._cancel, bytes_per_s)
        try:
            if not self._policy.keep_deleted:
                self._trash.restart_grace(self._now)
            plan, states = self._plan()
            progress.expect(plan.copied_bytes)
            self._delete(plan, run)
            finished = True
            for batch in _batches(plan.rewritten_packs, self._parts.pack_bytes):
                self._check()
                if time_limit_s is not None and time.monotonic() - started > time_limit_s:
                    finished = False
                    break
                try:
                    run.rewrite([states[rewrite.pack_id] for rewrite in batch])
                except StandbyFull:
                    if not run.freed_bytes and any(rewrite.reason is RewriteReason.GARBAGE for rewrite in batch):
                        raise
                    break  # joining small packs can wait, and what was freed so far is free
        except YieldedToWaiting:
            finished = False
        return run.report(finished=finished)

    def _delete(self, plan: GarbageCollectionPlan, run: "_CollectionRun") -> None:
        scratch = self._parts.layout.staging / run.lease.id
        with storage_errors(self._parts.layout.root):
            make_directory(scratch)
        for entry in plan.purged:
            self._check()
            run.lease.check()
            if self._trash.purge(entry.id, entry.deleted_at, scratch, self._parts.leftovers):
                run.purged.append(entry.id)
        for pack_id, size in plan.deleted_packs:
            self._check()
            run.delete(pack_id, size)


def _rewrite(state: _PackState, reason: RewriteReason) -> PackRewrite:
    return PackRewrite(
        pack_id=state.pack_id, size_bytes=state.size_bytes, live_bytes=state.live_bytes, reason=reason
    )


def _batches(rewrites: Sequence[PackRewrite], batch_bytes: int) -> list[list[PackRewrite]]:
    """Group rewrites so that each group fills about one new pack: then the old ones can go."""
    batches: list[list[PackRewrite]] = [[]]
    filled = 0
    for rewrite in rewrites:
        if filled and filled + rewrite.live_bytes > batch_bytes:
            batches.append([])
            filled = 0
        batches[-1].append(rewrite)
        filled += rewrite.live_bytes
    return [batch for batch in batches if batch]


class _CollectionRun:
    """The effects of one garbage collection."""

    def __init__(
        self,
        parts: RepositoryParts,
        lease: Lease,
        progress: Progress,
        cancel: CancelToken,
        bytes_per_s: int | None,
    ) -> None:
        self._parts = parts
        self.lease = lease
        self._progress = progress
        self._cancel = cancel
        self._bytes_per_s = bytes_per_s
        self._decoder = parts.decoder()
        self.purged: list[PointId] = []
        self.deleted = 0
        self.rewritten = 0
        self.freed_bytes = 0
        self.set_aside: list[str] = []

    def delete(self, pack_id: str, size_bytes: int) -> None:
        """Delete a pack that nothing needs."""
        self.lease.check()
        if self._drop(pack_id):
            self.deleted += 1
            self.freed_bytes += size_bytes

    def rewrite(self, states: Sequence[_PackState]) -> None:
        """Copy the live records of some packs into new ones, then delete the old packs."""
        parts = self._parts
        staging = parts.layout.staging / self.lease.id / f"rewrite-{states[0].pack_id}"
        with storage_errors(parts.layout.root):
            make_directory(staging)
        appender = parts.appender(staging)
        try:
            damaged = [state.pack_id for state in states if not self._copy(state, appender)]
            appender.flush()
        finally:
            appender.close()
            parts.leftovers.remove(staging)
        for state in states:
            self.lease.check()
            if state.pack_id in damaged:
                if parts.packs.set_aside(state.pack_id, parts.leftovers):
                    self.set_aside.append(state.pack_id)
            elif self._drop(state.pack_id):
                self.freed_bytes += state.size_bytes - state.live_bytes
            self.rewritten += 1

    def _drop(self, pack_id: str) -> bool:
        return self._parts.packs.remove(pack_id, self._parts.leftovers)

    def _copy(self, state: _PackState, appender: PackAppender) -> bool:
        """Copy a pack's live records, each checked; return whether all were whole."""
        whole = True
        for entry in state.live:
            self._cancel.check()
            try:
                record = self._parts.store.read_entry(state.pack_id, entry)
                self._decoder.decode(record, entry.digest)
            except (RecordLost, RecordDamaged) as error:
                if isinstance(error.__cause__, OSError):  # that may pass; what was read wrongly never does
                    raise storage_error(error.__cause__, self._parts.layout.root) from error
                whole = False
                continue
            appender.append(
                RecordKind(entry.kind), entry.digest, entry.raw_bytes, EncodedRecord([record], len(record))
            )
            self._progress.advance(done_bytes=len(record), read_bytes=len(record), written_bytes=len(record))
            if self._bytes_per_s:
                self._cancel.wait(len(record) / self._bytes_per_s)
        return whole

    def report(self, *, finished: bool) -> GarbageCollectionReport:
        """Return what was done."""
        return GarbageCollectionReport(
            purged_points=tuple(self.purged),
            deleted_packs=self.deleted,
            rewritten_packs=self.rewritten,
            set_aside=tuple(self.set_aside),
            freed_bytes=self.freed_bytes,
            finished=finished,
        )
