"""A restore point open for reading: random access, restore, verification."""

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from app.core.cancel import CancelToken
from app.core.disks import DiskReader, DiskWriter
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.domain.extents import Extent
from app.domain.restore_point import PointDisk, RestorePoint
from app.repository.copying import DiskCopy
from app.repository.disk import RepositoryDisk
from app.repository.disktables import DiskTables
from app.repository.errors import PointDamaged
from app.repository.framecache import FrameCache
from app.repository.parts import RepositoryParts
from app.repository.reasons import NO_SUCH_DISK
from app.repository.values import Damage, VerifyReport
from app.repository.verify import PointVerifier


class PointReader:
    """Reads one restore point. Use as a context manager. Thread: disks are opened on any; each is used by one."""

    def __init__(
        self,
        parts: RepositoryParts,
        point: RestorePoint,
        on_close: Callable[[], None],
        *,
        without_lease: OperationalError | None = None,
    ) -> None:
        self._parts = parts
        self._on_close = on_close
        self._closed = False
        self._frames = FrameCache()
        self._tables: dict[int, DiskTables] = {}
        self._lock = threading.Lock()
        self.point = point
        self.without_lease = without_lease
        """Why it is read without a lease, so that garbage collection by others is not held off; None with one."""

    def file(self, name: str) -> bytes:
        """Return a configuration file.

        Raises:
            KeyError: the point has no such file.
            PointDamaged: the file is not what was stored.
            StandbyUnavailable: the standby cannot be read.
        """
        return self._parts.stored_points.file_content(self.point.id, name)

    def changed_extents(self, disk_key: int) -> tuple[list[Extent], str | None]:
        """Return which changes of a disk the platform reported to the backup, and since which change id.

        Raises:
            KeyError: that was not kept.
            PointDamaged: the file is not what was stored.
            StandbyUnavailable: the standby cannot be read.
        """
        return self._parts.stored_points.changes(self.point.id, disk_key)

    def open_disk(self, key: int) -> DiskReader:
        """Open a disk for reading at random; every frame read is compared with its digest.

        Raises:
            PointDamaged: the point has no such disk.
        """
        disk = self._disk(key)
        with self._lock:
            tables = self._tables.get(key)
            if tables is None:
                tables = self._tables[key] = DiskTables(self._parts.tree(disk), self._frames)
        return RepositoryDisk(self._parts, self.point, disk, tables)

    def _disk(self, key: int) -> PointDisk:
        disk = self.point.disk(key)
        if disk is None:
            raise PointDamaged(point=self.point.id, detail=NO_SUCH_DISK.fill(disk=key))
        return disk

    def copy_disk(
        self,
        key: int,
        writer: DiskWriter,
        *,
        extents: Sequence[Extent] | None = None,
        write_zeros: bool,
        progress: Progress,
        cancel: CancelToken,
        on_damage: Callable[[Damage], None] | None = None,
    ) -> None:
        """Copy a disk, or only some extents of it, to a writer; every chunk is compared with its digest.

        With ``on_damage`` the copy goes on past chunks that are lost: it reports each, and leaves its bytes out.

        ``write_zeros`` also writes what is zero, for a target that is not blank. The progress is advanced by the
        bytes of the extents, zeros too; the caller has set what to expect.

        Raises:
            DataDamaged: a chunk cannot be read; everything before it was written.
            PointDamaged: the point has no such disk.
            StandbyUnavailable: the standby is gone.
            OperationalError: the writer failed.
            TaskCancelled: cancelled.
        """
        DiskCopy(self._parts, self.point, self._disk(key), writer, progress, cancel, on_damage).run(
            extents, write_zeros=write_zeros
        )

    def verify(self, *, progress: Progress, cancel: CancelToken) -> VerifyReport:
        """Read everything the point consists of and compare it with its digests.

        The progress is advanced by the capacity of the disks; the caller has set what to expect.

        Raises:
            StandbyUnavailable: the standby is gone.
            TaskCancelled: cancelled.
        """
        return PointVerifier(self._parts, self.point, progress, cancel).run()

    def close(self) -> None:
        """Release the repository; never raises."""
        if not self._closed:
            self._closed = True
            self._frames.clear()
            for tables in self._tables.values():
                tables.clear()
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
