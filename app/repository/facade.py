"""The repository's front door: one object per standby path and process."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.ids import PointId, VmId
from app.domain.restore_point import RestorePoint
from app.repository import layout as names
from app.repository.configuration import RepositoryFile, describe_repository, read_repository_file
from app.repository.crypto import RepositoryKeys
from app.repository.errors import (
    DataDamaged,
    KeyNeeded,
    PointDamaged,
    RepositoryExists,
    RepositoryMissing,
    SweepUnsafe,
)
from app.repository.files import free_bytes, make_directory, replace_file, storage_errors
from app.repository.healing import RepairReport, lost_extents, repair_packs
from app.repository.layout import Layout
from app.repository.leases import Lease, LeaseBook, LeaseKind, SharedLease
from app.repository.locator import Locator
from app.repository.marking import UnreadablePage
from app.repository.pages import PageDamaged
from app.repository.parts import RepositoryParts
from app.repository.points import PointShelf
from app.repository.reader import PointReader
from app.repository.scrub import RepositoryReport, Scrubber
from app.repository.space import SpaceCounter, SpaceReport
from app.repository.staging import adopt_abandoned
from app.repository.store import RecordLost, RecordStore
from app.repository.sweep import Sweeper, SweepPlan, SweepPolicy, SweepReport
from app.repository.trash import Trash, TrashedPoint
from app.repository.values import Damage, DamageKind, PointDraft, PointListing, RepositorySettings, VerifyReport
from app.repository.verify import PointVerifier
from app.repository.writer import PointWriter

_DEFAULT_SETTINGS = RepositorySettings()
_DEFAULT_POLICY = SweepPolicy()


class Repository:
    """All restore points at one standby path.

    Several processes, on several machines, may have the same repository open. Thread: any; the readers and
    writers it gives out each belong to one thread at a time.
    """

    def __init__(self, root: Path, file: RepositoryFile, *, local_dir: Path, clock: Clock) -> None:
        """Use :meth:`create`, :meth:`open` or :meth:`open_or_create` instead."""
        settings = file.settings()
        keys: RepositoryKeys | None = None
        if file.encryption is not None:
            raise KeyNeeded(path=root)
        repository_id = uuid.UUID(file.id)
        layout = Layout(root)
        locator = Locator(local_dir / "locators" / str(repository_id), str(repository_id))
        self._clock = clock
        self._layout = layout
        self._parts = RepositoryParts(
            layout=layout,
            repository_id=repository_id,
            locator=locator,
            store=RecordStore(layout, repository_id.bytes, locator),
            shelf=PointShelf(layout, str(repository_id), keys),
            keys=keys,
            chunk_bytes=settings.chunk_bytes,
            frame_bytes=settings.frame_bytes,
            pack_bytes=settings.pack_bytes,
            level=settings.compression_level,
        )
        self._leases = LeaseBook(layout, clock)
        self._trash = Trash(layout, self._parts.shelf)
        self._shared = SharedLease(self._acquire_shared, self._clean_staging)

    @classmethod
    def create(
        cls, root: Path, settings: RepositorySettings = _DEFAULT_SETTINGS, *, local_dir: Path, clock: Clock
    ) -> Self:
        """Make a new repository in a directory, which is created when its parent exists.

        Raises:
            RepositoryExists: there is one already.
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        layout = Layout(root)
        description = describe_repository(uuid.uuid4(), settings, clock.now().isoformat(), None)
        with storage_errors(root):
            make_directory(root)
            if layout.settings.exists():
                raise RepositoryExists(path=root)
            for directory in layout.directories:
                make_directory(directory)
            replace_file(layout.settings, description, scratch_name=f"{names.SETTINGS_NAME}.new")
        return cls.open(root, local_dir=local_dir, clock=clock)

    @classmethod
    def open(cls, root: Path, *, local_dir: Path, clock: Clock) -> Self:
        """Open the repository in a directory.

        Raises:
            RepositoryMissing: there is none.
            RepositoryTooNew, RepositoryDamaged: it cannot be understood.
            StandbyUnavailable: the standby cannot be read.
            LocatorUnavailable: the local disk refuses.
        """
        return cls(root, read_repository_file(root), local_dir=local_dir, clock=clock)

    @classmethod
    def open_or_create(
        cls, root: Path, settings: RepositorySettings = _DEFAULT_SETTINGS, *, local_dir: Path, clock: Clock
    ) -> Self:
        """Open the repository in a directory, or make a new one where there is none.

        Raises:
            RepositoryTooNew, RepositoryDamaged: it cannot be understood.
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        try:
            return cls.open(root, local_dir=local_dir, clock=clock)
        except RepositoryMissing:
            with suppress(RepositoryExists):
                return cls.create(root, settings, local_dir=local_dir, clock=clock)
            return cls.open(root, local_dir=local_dir, clock=clock)

    @property
    def id(self) -> str:
        """The repository's own UUID."""
        return str(self._parts.repository_id)

    @property
    def root(self) -> Path:
        """The standby path."""
        return self._layout.root

    @property
    def chunk_bytes(self) -> int:
        """Unit of deduplication."""
        return self._parts.chunk_bytes

    def free_bytes(self) -> int:
        """Return the free bytes at the standby path, 0 when that cannot be told."""
        return free_bytes(self._layout.root)

    def points(self) -> PointListing:
        """Return all restore points, by chain, the newest first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._parts.shelf.list_all()

    def chain_points(self, chain: str) -> tuple[RestorePoint, ...]:
        """Return the readable restore points of one chain, the newest first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._parts.shelf.list_chain(chain).points

    def chain_name(self, rule_name: str, vm: VmId, platform_address: str) -> str:
        """Return the name of the chain that holds the points of a VM in a rule."""
        return names.chain_name(rule_name, vm, platform_address)

    def begin_point(self, draft: PointDraft) -> PointWriter:
        """Begin a restore point.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        lease = self._shared.enter()
        try:
            adopt_abandoned(self._parts, self._leases, lease)
            self._parts.store.synchronize()
            facts = draft.facts
            chain = self.chain_name(draft.rule_name, facts.vm, facts.platform_address)
            return PointWriter(self._parts, draft, chain, lease, self._shared.leave)
        except BaseException:
            self._shared.leave()
            raise

    def open_point(self, point: PointId) -> PointReader:
        """Open a restore point for reading.

        Raises:
            PointMissing, PointDamaged: it cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        self._shared.enter()
        try:
            self._parts.store.allow_synchronization()
            return PointReader(self._parts, self._parts.shelf.load(point), self._shared.leave)
        except BaseException:
            self._shared.leave()
            raise

    def delete_point(self, point: PointId) -> None:
        """Move a restore point to the trash; a damaged one too.

        Raises:
            PointMissing: there is no such point.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            self._trash.put(point, self._clock.now())

    def deleted_points(self) -> tuple[TrashedPoint, ...]:
        """Return the points in the trash, the one deleted last first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._trash.entries()

    def take_back_point(self, point: PointId) -> RestorePoint:
        """Move a deleted restore point back from the trash.

        Raises:
            PointMissing: it is not in the trash.
            PointExists: a point of that name is there.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._sharing():
            self._trash.take_back(point)
            return self._parts.shelf.load(point)

    def space(self, *, cancel: CancelToken) -> SpaceReport:
        """Count what each point and each chain uses alone and together with others.

        Raises:
            SweepUnsafe: an index page cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        with self._sharing():
            try:
                return SpaceCounter(self._parts, cancel).run(self.points().points)
            except UnreadablePage as error:
                raise SweepUnsafe(what=f"index page {error.digest.hex()}", detail=error.detail) from error

    def plan_sweep(self, policy: SweepPolicy = _DEFAULT_POLICY, *, cancel: CancelToken) -> SweepPlan:
        """Find out what a sweep would do now; changes nothing, and backups may go on meanwhile.

        Raises:
            SweepUnsafe: a point or an index page cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled.
        """
        with self._sharing():
            return Sweeper(self._parts, self._trash, policy, self._clock.now(), cancel).plan()

    def sweep(
        self,
        policy: SweepPolicy = _DEFAULT_POLICY,
        *,
        progress: Progress,
        cancel: CancelToken,
        bytes_per_s: int | None = None,
        time_limit_s: float | None = None,
        wait_s: float = 10.0,
    ) -> SweepReport:
        """Delete what no restore point needs, while nobody else uses the repository.

        It may be stopped at any moment; the next sweep goes on where it ended. The progress is told what to
        expect: the bytes that are copied.

        Raises:
            SweepUnsafe: a point or an index page cannot be read; nothing was deleted.
            RepositoryBusy: somebody backs up or restores and did not end within ``wait_s``.
            LeaseLost: another process took this one for dead; what was done stays done.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled; what was done stays done.
        """
        lease = self._leases.acquire(LeaseKind.EXCLUSIVE, "garbage collection", wait_s=wait_s)
        try:
            adopt_abandoned(self._parts, self._leases, lease)
            sweeper = Sweeper(self._parts, self._trash, policy, self._clock.now(), cancel)
            return sweeper.execute(lease, progress=progress, bytes_per_s=bytes_per_s, time_limit_s=time_limit_s)
        finally:
            self._clean_staging(lease)
            lease.release()

    def verify_chain(self, chain: str, *, progress: Progress, cancel: CancelToken) -> dict[PointId, VerifyReport]:
        """Read all points of a chain and compare them with their digests; what they share is read once.

        The progress is advanced by the capacity of the disks; whoever calls has told it what to expect.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        checked: set[bytes] = set()
        with self._sharing():
            self._parts.store.allow_synchronization()
            return {
                point.id: PointVerifier(self._parts, point, progress, cancel, checked).run()
                for point in self.chain_points(chain)
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

        ``time_limit_s`` ends it early; the report tells where to go on. The progress is told what to expect.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        with self._sharing():
            listing = self.points()
            report = Scrubber(self._parts, progress, cancel).run(
                listing.points, resume_after=resume_after, time_limit_s=time_limit_s
            )
        unreadable = tuple(
            Damage(kind=DamageKind.FILE, what=f"points/{one.id}/point.json", detail=one.detail)
            for one in listing.damaged
        )
        return replace(report, damage=unreadable + report.damage)

    def repair(self, damaged_packs: Sequence[str], *, cancel: CancelToken, wait_s: float = 10.0) -> RepairReport:
        """Set the damaged packs that a report names aside, after their whole records were copied into new packs.

        What is lost then is in no pack any more: :meth:`lost_extents` tells it, and a backup that reads those
        extents from the source heals it, for older points too where the source has not changed.

        Raises:
            RepositoryBusy: somebody backs up or restores and did not end within ``wait_s``.
            LeaseLost: another process took this one for dead; what was done stays done.
            StandbyFull, StandbyUnavailable: the standby refuses.
            TaskCancelled: cancelled; what was done stays done.
        """
        lease = self._leases.acquire(LeaseKind.EXCLUSIVE, "repair", wait_s=wait_s)
        try:
            self._parts.store.synchronize()
            return repair_packs(self._parts, damaged_packs, lease, cancel)
        finally:
            self._clean_staging(lease)
            lease.release()

    def lost_extents(self, point: PointId, disk_key: int) -> list[Extent]:
        """Return the parts of a point's disk that no pack holds; a backup on top of it has to read them too.

        Raises:
            PointMissing, PointDamaged: the point cannot be read.
            DataDamaged: the disk's index cannot be read; only a full backup helps.
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
        """
        with self._sharing():
            self._parts.store.synchronize()
            disk = self._parts.shelf.load(point).disk(disk_key)
            if disk is None:
                raise PointDamaged(point=point, detail=f"it has no disk {disk_key}")
            try:
                return lost_extents(self._parts, disk, self._parts.tree(disk))
            except (RecordLost, PageDamaged) as error:
                raise DataDamaged(what=f"index of {disk.label} in {point}", detail=error) from error

    @contextmanager
    def _sharing(self) -> Iterator[Lease]:
        lease = self._shared.enter()
        try:
            yield lease
        finally:
            self._shared.leave()

    def _acquire_shared(self) -> Lease:
        return self._leases.acquire(LeaseKind.SHARED, "backup or restore")

    def _clean_staging(self, lease: Lease) -> None:
        self._parts.store.close()  # a sweep elsewhere may delete packs now; do not keep their space
        with suppress(OSError):
            (self._layout.staging / lease.id).rmdir()

    def close(self) -> None:
        """Let go of all files; readers and writers that are still open must be closed before."""
        self._parts.store.close()
        self._parts.locator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
