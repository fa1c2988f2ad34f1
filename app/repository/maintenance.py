"""What a repository needs besides backup and restore: figures, garbage collection, verification, repair."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace

from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.core.durable import remove_directory
from app.core.progress import Progress
from app.domain.ids import PointId
from app.repository.errors import GarbageCollectionUnsafe
from app.repository.files import refuse_links, storage_errors
from app.repository.garbage import GarbageCollector
from app.repository.garbageplan import GarbageCollectionPlan, GarbageCollectionPolicy, GarbageCollectionReport
from app.repository.healing import RepairReport, repair_packs
from app.repository.leases import Lease, LeaseKind, Leases
from app.repository.marking import UnreadablePage
from app.repository.packlists import linked_shards
from app.repository.parts import RepositoryParts
from app.repository.reasons import INDEX_PAGE, Purpose
from app.repository.scrub import RepositoryReport, Scrubber
from app.repository.space import SpaceCounter, SpaceReport
from app.repository.staging import adopt_abandoned, remove_strays
from app.repository.trash import Trash
from app.repository.values import Damage, DamageKind, VerifyReport
from app.repository.verify import PointVerifier
from app.repository.waiting import WaitingWatch

_DEFAULT_POLICY = GarbageCollectionPolicy()
_LET_IN_S = 2.0


class Maintenance:
    """The maintenance of one repository. Thread: any."""

    def __init__(
        self,
        parts: RepositoryParts,
        trash: Trash,
        leases: Leases,
        clock: Clock,
        sharing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._parts = parts
        self._trash = trash
        self._leases = leases
        self._clock = clock
        self._sharing = sharing

    def space(self, *, cancel: CancelToken) -> SpaceReport:
        """Count what each point and each chain uses alone and together with others.

        Raises:
            GarbageCollectionUnsafe: an index page cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        with self._sharing():
            try:
                return SpaceCounter(self._parts, cancel).run(self._parts.stored_points.list_all().points)
            except UnreadablePage as error:
                raise GarbageCollectionUnsafe(
                    what=INDEX_PAGE.fill(page=error.digest.hex()), detail=error
                ) from error

    def plan_garbage_collection(
        self, policy: GarbageCollectionPolicy = _DEFAULT_POLICY, *, cancel: CancelToken
    ) -> GarbageCollectionPlan:
        """Find out what garbage collection would do now; changes nothing, and backups may go on meanwhile.

        Raises:
            GarbageCollectionUnsafe: a point or an index page cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled.
        """
        with self._sharing():
            return self._collector(policy, cancel).plan()

    def collect_garbage(
        self,
        policy: GarbageCollectionPolicy = _DEFAULT_POLICY,
        *,
        progress: Progress,
        cancel: CancelToken,
        bytes_per_s: int | None = None,
        time_limit_s: float | None = None,
        wait_s: float = 10.0,
    ) -> GarbageCollectionReport:
        """Delete what no restore point needs, while no one else writes to the repository or reads without a pin.

        It may be stopped at any moment; the next run goes on where it ended. A backup or restore that arrives
        meanwhile is let in between two packs: garbage collection ends there, unfinished. The progress is set to
        expect the bytes that are copied.

        Raises:
            GarbageCollectionUnsafe: a point or an index page cannot be read; nothing was deleted.
            RepositoryBusy: another process backs up or restores and did not end within ``wait_s``.
            LeaseLost: another process took this one for dead; what was done stays done.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled; what was done stays done.
        """
        with self.excluding(Purpose.COLLECTION.value, wait_s) as lease:

            def collected() -> GarbageCollectionReport:
                remove_strays(self._parts)
                adopt_abandoned(self._parts, self._leases, lease)
                return self._collector(policy, cancel).execute(
                    lease, progress=progress, bytes_per_s=bytes_per_s, time_limit_s=time_limit_s
                )

            report = self._leases.with_free_space(collected)
        if not report.finished:
            self._let_in(cancel)
        return report

    def _collector(self, policy: GarbageCollectionPolicy, cancel: CancelToken) -> GarbageCollector:
        return GarbageCollector(self._parts, self._trash, policy, self._clock.now(), cancel)

    def _let_in(self, cancel: CancelToken) -> None:
        """Give waiting processes time to take their leases, before the caller collects garbage again."""
        deadline = self._clock.monotonic() + _LET_IN_S
        watch = WaitingWatch(self._parts.layout, cancel, self._parts.leftovers)
        while watch.is_asked() and self._clock.monotonic() < deadline:
            self._clock.sleep(0.05)

    def verify_chain(self, chain: str, *, progress: Progress, cancel: CancelToken) -> dict[PointId, VerifyReport]:
        """Read all points of a chain and compare them with their digests; what they share is read once.

        The progress is advanced by the capacity of the disks; the caller has set what to expect.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        checked: set[bytes] = set()
        with self._sharing():
            self._parts.packs.allow_synchronization()
            return {
                point.id: PointVerifier(self._parts, point, progress, cancel, checked).run()
                for point in self._parts.stored_points.list_chain(chain).points
            }

    def verify_everything(
        self,
        *,
        progress: Progress,
        cancel: CancelToken,
        resume_after: str | None = None,
        time_limit_s: float | None = None,
    ) -> RepositoryReport:
        """Read every byte of the repository once and name what is damaged, and the points that are hit.

        ``time_limit_s`` ends it early; the report says where to go on. The progress is set to what
        is expected.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        with self._sharing():
            listing = self._parts.stored_points.list_all()
            report = Scrubber(self._parts, progress, cancel).run(
                listing.points, resume_after=resume_after, time_limit_s=time_limit_s
            )
        unreadable = tuple(
            Damage(kind=DamageKind.FILE, what=f"points/{point.id}/point.json", detail=point.detail)
            for point in listing.damaged
            if not point.newer
        )
        newer = tuple(f"point {point.id}" for point in listing.damaged if point.newer)
        return replace(report, damage=unreadable + report.damage, newer=newer + report.newer)

    def repair(self, damaged_packs: Sequence[str], *, cancel: CancelToken, wait_s: float = 10.0) -> RepairReport:
        """Set the damaged packs that a report names aside, after their whole records were copied into new packs.

        What is lost then is in no pack any more: ``Repository.lost_extents`` returns it, and a backup that reads
        those extents from the source heals it, for older points too where the source has not changed.

        Raises:
            RepositoryBusy: another process backs up or restores and did not end within ``wait_s``.
            LeaseLost: another process took this one for dead; what was done stays done.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled; what was done stays done.
        """
        with self.excluding(Purpose.REPAIR.value, wait_s) as lease:
            self._parts.packs.synchronize()
            return repair_packs(self._parts, damaged_packs, lease, cancel)

    @contextmanager
    def excluding(self, purpose: str, wait_s: float) -> Iterator[Lease]:
        """Hold the exclusive lease, for work during which no one else may use the repository.

        Raises:
            RulesTakenOver: another console took the rules of this one over.
            RepositoryBusy: another process uses it and did not end within ``wait_s``.
            LinkRefused: one of the repository's directories is a link.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        lease = self._leases.acquire(LeaseKind.EXCLUSIVE, purpose, wait_s=wait_s)
        try:
            self._parts.consoles.refuse_taken_over()
            with storage_errors(self._parts.layout.root):
                refuse_links(self._parts.layout.packs / name for name in linked_shards(self._parts.layout))
            yield lease
        finally:
            self._leases.keep_reserve()
            with suppress(OSError):
                remove_directory(self._parts.layout.staging / lease.id)
            lease.release()
