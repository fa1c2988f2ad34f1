"""The repository's front door: one object per standby path and process."""

import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.ids import PointId, VmId
from app.domain.restore_point import RestorePoint
from app.repository import layout as names
from app.repository.configuration import RepositoryFile, describe_repository, read_repository_file
from app.repository.crypto import RepositoryKeys
from app.repository.errors import KeyNeeded, PointMissing, RepositoryExists, RepositoryMissing
from app.repository.files import free_bytes, make_directory, replace_file, storage_errors, sync_directory
from app.repository.layout import Layout
from app.repository.leases import Lease, LeaseBook, LeaseKind, SharedLease
from app.repository.locator import Locator
from app.repository.parts import RepositoryParts
from app.repository.points import PointShelf
from app.repository.reader import PointReader
from app.repository.staging import adopt_abandoned
from app.repository.store import RecordStore
from app.repository.values import PointDraft, PointListing, RepositorySettings
from app.repository.writer import PointWriter

_DEFAULT_SETTINGS = RepositorySettings()


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
        try:
            source = self._layout.point(point)
            chain, stamp = names.split_point_id(point)
        except ValueError as error:
            raise PointMissing(point=point) from error
        self._shared.enter()
        try:
            with storage_errors(self._layout.root):
                if not source.is_dir():
                    raise PointMissing(point=point)
                make_directory(self._layout.trash / chain)
                source.rename(self._layout.trash / chain / f"{stamp}.{int(self._clock.now().timestamp())}")
                sync_directory(self._layout.trash / chain)
                sync_directory(source.parent)
                with suppress(OSError):  # the last point of a chain takes the chain's directory with it
                    source.parent.rmdir()
        finally:
            self._shared.leave()

    def _acquire_shared(self) -> Lease:
        return self._leases.acquire(LeaseKind.SHARED, "backup or restore")

    def _clean_staging(self, lease: Lease) -> None:
        with suppress(OSError, OperationalError):
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
