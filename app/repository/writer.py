"""A restore point while it is written."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from blake3 import blake3

from app import __version__
from app.core.cancel import CancelToken
from app.core.disks import DiskReader
from app.core.durable import sync_directory
from app.core.privatefiles import make_folder_on_standby
from app.core.progress import Progress
from app.domain.errors import StandbyUnavailable
from app.domain.extents import Extent, clip, normalize, total_bytes
from app.domain.ids import PointId
from app.domain.restore_point import PointDisk, RestorePoint
from app.repository.documents import encode_document
from app.repository.errors import DataDamaged, LeaseLost, PointDamaged, PointExists
from app.repository.files import make_directory, move_into, remove_tree, storage_errors, write_new
from app.repository.layout import CHANGES_NAME, FILES_NAME, POINT_NAME, folded, is_safe_name, stamp_of
from app.repository.leases import Lease
from app.repository.levels import LevelControl
from app.repository.pages import PageDamaged, PageTreeBuilder, chunk_count
from app.repository.parts import RepositoryParts
from app.repository.pipeline import DiskPipeline, ParentDisk, worker_count
from app.repository.pointfile import StoredFile, describe, encode_changes
from app.repository.points import file_place
from app.repository.reasons import INDEX, NO_SUCH_DISK, PARENT_OF
from app.repository.records import RecordKind
from app.repository.store import RecordLost
from app.repository.values import DiskDraft, PointDraft

_STAMPS_PER_SECOND = 100
_MOST_STAMPS = 100 * _STAMPS_PER_SECOND


class PointWriter:
    """Writes one restore point; it becomes visible, whole, with :meth:`commit`.

    Leaving it without a commit leaves nothing visible; what was stored so far is found again by the next run.
    Use as a context manager. Thread: one at a time.
    """

    def __init__(
        self, parts: RepositoryParts, draft: PointDraft, chain: str, lease: Lease, on_close: Callable[[], None]
    ) -> None:
        """Begin a point.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        self._parts = parts
        self._draft = draft
        self._chain = chain
        self._lease = lease
        self._on_close = on_close
        self._closed = False
        self._plan = parts.storage_plan()
        self._levels = LevelControl(self._plan.level, may_climb=draft.may_pack_harder)
        self._disks: list[PointDisk] = []
        self._files: dict[str, bytes] = {}
        self._changes: dict[str, bytes] = {}
        owner = parts.layout.staging / lease.id
        self._staging = owner / uuid.uuid4().hex
        with storage_errors(parts.layout.root):
            make_directory(owner)
            make_directory(self._staging)
        self._appender = parts.appender(self._staging)

    @property
    def packed_bytes(self) -> Mapping[int, int]:
        """Bytes of chunks that were packed so far, by zstd's level."""
        return dict(self._levels.packed_bytes)

    def add_file(self, name: str, data: bytes) -> None:
        """Keep a configuration file next to the disks.

        Raises:
            ValueError: the name is not safe on every system, or is taken.
        """
        if not is_safe_name(name) or folded(name) in {folded(file) for file in self._files}:
            raise ValueError(f"cannot keep a file under this name: {name!r}")
        self._files[name] = bytes(data)

    def save_changed_extents(self, disk_key: int, extents: Sequence[Extent], since: str | None) -> None:
        """Keep what the platform said had changed on a disk since a change id (None: what is allocated)."""
        self._changes[f"{disk_key}.json"] = encode_changes(disk_key, extents, since)

    def write_disk(
        self,
        draft: DiskDraft,
        reader: DiskReader,
        extents: Sequence[Extent],
        *,
        parent: tuple[PointId, int] | None,
        progress: Progress,
        cancel: CancelToken,
    ) -> PointDisk:
        """Store a disk: the extents from the reader, every other byte from the parent's disk, or zero without one.

        ``parent`` is a point and a disk key in it. The progress is advanced by the bytes of the extents; the
        caller has set what to expect.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses.
            PointMissing, PointDamaged, DataDamaged: the parent cannot be read; read the disk whole instead.
            OperationalError: the reader failed.
            TaskCancelled: cancelled.
            ValueError: the disk is in the point already.
        """
        if any(disk.key == draft.key for disk in self._disks):
            raise ValueError(f"disk {draft.key} was written already")
        old = None if parent is None else self._parent_disk(*parent)
        before = self._appender.stored_bytes
        wanted = clip(normalize(extents), draft.capacity_bytes)
        try:
            with self._lease_loss_reported():
                root = self._store_disk(draft, reader, wanted, old, progress, cancel)
        except (RecordLost, PageDamaged) as error:
            where = error.where if isinstance(error, RecordLost) else INDEX
            point = "" if parent is None else parent[0]
            raise DataDamaged(what=PARENT_OF.fill(where=where, point=point), detail=error) from error
        disk = PointDisk(
            key=draft.key,
            label=draft.label,
            uuid=draft.uuid,
            capacity_bytes=draft.capacity_bytes,
            path=draft.path,
            change_id=draft.change_id,
            root=root.hex(),
            read_bytes=total_bytes(wanted),
            stored_bytes=self._appender.stored_bytes - before,
            read_whole=draft.read_whole,
            transport=draft.transport,
        )
        self._disks.append(disk)
        return disk

    def _store_disk(
        self,
        draft: DiskDraft,
        reader: DiskReader,
        wanted: Sequence[Extent],
        old: ParentDisk | None,
        progress: Progress,
        cancel: CancelToken,
    ) -> bytes:
        """Store chunks and index, and return the digest of the index's root."""
        parts = self._parts
        count = chunk_count(draft.capacity_bytes, parts.chunk_bytes)
        builder = PageTreeBuilder(count, old.tree if old is not None else None, self._store_page)
        pipeline = DiskPipeline(
            plan=self._plan,
            appender=self._appender,
            builder=builder,
            parent=old,
            decoders=[parts.decoder() for _ in range(worker_count())],
            capacity_bytes=draft.capacity_bytes,
            levels=self._levels,
            progress=progress,
            cancel=cancel,
        )
        pipeline.run(reader, wanted)
        if self._tail_needs_rewrite(draft, old, wanted):
            pipeline.rewrite_tail()
        return builder.finish()

    def _parent_disk(self, point: PointId, disk_key: int) -> ParentDisk:
        disk = self._parts.stored_points.load(point).disk(disk_key)
        if disk is None:
            raise PointDamaged(point=point, detail=NO_SUCH_DISK.fill(disk=disk_key))
        return ParentDisk(self._parts.tree(disk), disk.capacity_bytes, self._parts.store)

    def _tail_needs_rewrite(self, draft: DiskDraft, old: ParentDisk | None, wanted: Sequence[Extent]) -> bool:
        tail = draft.capacity_bytes % self._parts.chunk_bytes
        if old is None or old.capacity_bytes <= draft.capacity_bytes or not tail:
            return False
        return not wanted or wanted[-1].end <= draft.capacity_bytes - tail

    def _store_page(self, page: bytes) -> bytes:
        plan = self._plan
        frames = plan.hasher.frame_digests(page, plan.frame_bytes)
        digest = plan.hasher.blob_digest(RecordKind.PAGE, len(page), frames)
        if self._appender.claim(digest):
            try:
                record = plan.encoder().encode(RecordKind.PAGE, page, digest, frames)
                self._appender.append(RecordKind.PAGE, digest, len(page), record)
            except BaseException:
                self._appender.give_up(digest)
                raise
        return digest

    def commit(self) -> RestorePoint:
        """Make the point durable and visible, at once and whole.

        Raises:
            StandbyFull, StandbyUnavailable: the standby refuses; nothing is visible.
            LeaseLost: another process took this one for dead; nothing is visible.
            PointExists: there is such a point already.
            RulesTakenOver: another console took the rules of this one over; nothing is visible.
        """
        with self._lease_loss_reported():
            self._lease.check()
            self._appender.flush()
            return self._committed()

    @contextmanager
    def _lease_loss_reported(self) -> Iterator[None]:
        """Say that the lease was lost, where that is why a file is not there any more.

        Raises:
            LeaseLost: the process that took the lease over has taken away what was written, too.
        """
        try:
            yield
        except StandbyUnavailable as error:
            if self._lease.is_lost():
                raise LeaseLost(path=self._parts.layout.root) from error
            raise

    def _committed(self) -> RestorePoint:
        layout = self._parts.layout
        with storage_errors(layout.root):
            for stamp in self._stamps():
                if not (layout.points / self._chain / stamp).exists():
                    point = self._point(PointId(f"{self._chain}/{stamp}"))
                    directory = self._write_point(point)
                    self._lease.check()
                    self._parts.consoles.refuse_taken_over()
                    if self._move_into_place(directory, layout.point(point.id)):
                        self.close()
                        return point
                    remove_tree(directory)
        raise PointExists(point=f"{self._chain}/{stamp_of(self._draft.created_at)}")

    def _stamps(self) -> Iterator[str]:
        """Yield names for the point, those of its own second first.

        A clock that starts at the same moment after every power loss fills a second; the next ones are as good.
        """
        for number in range(_MOST_STAMPS):
            second, attempt = divmod(number, _STAMPS_PER_SECOND)
            yield stamp_of(self._draft.created_at + timedelta(seconds=second), attempt)

    def _point(self, point: PointId) -> RestorePoint:
        draft = self._draft
        return RestorePoint(
            id=point,
            chain=self._chain,
            rule_name=draft.rule_name,
            created_at=draft.created_at,
            kind=draft.kind,
            parent=draft.parent,
            facts=draft.facts,
            disks=tuple(self._disks),
            configuration_files=tuple(sorted(self._files)),
            consistent=draft.consistent,
            tool_version=__version__,
            sequence=self._parts.stored_points.next_sequence(self._chain),
            history=draft.history,
        )

    def _write_point(self, point: RestorePoint) -> Path:
        """Write the point's directory into the staging area, durable but for its name."""
        directory = self._staging / "point"
        make_folder_on_standby(directory)
        files = self._write_files(directory, point.id, FILES_NAME, self._files)
        changes = self._write_files(directory, point.id, CHANGES_NAME, self._changes)
        description = encode_document(describe(point, str(self._parts.repository_id), files, changes))
        write_new(directory / POINT_NAME, self._sealed(description, file_place(point.id, POINT_NAME)))
        sync_directory(directory)
        return directory

    def _write_files(
        self, directory: Path, point: PointId, folder: str, contents: dict[str, bytes]
    ) -> list[StoredFile]:
        if not contents:
            return []
        make_folder_on_standby(directory / folder)
        stored = []
        for name, data in sorted(contents.items()):
            write_new(directory / folder / name, self._sealed(data, file_place(point, folder, name)))
            stored.append(StoredFile(name, len(data), blake3(data).hexdigest()))
        sync_directory(directory / folder)
        return stored

    def _sealed(self, data: bytes, place: str) -> bytes:
        return data if self._parts.keys is None else self._parts.keys.seal_file(data, place)

    def _move_into_place(self, source: Path, target: Path) -> bool:
        """Rename without ever replacing; False when someone was quicker."""
        try:
            move_into(source, target)
        except OSError:
            if target.exists():
                return False
            raise
        sync_directory(target.parent)
        return True

    def close(self) -> None:
        """Give up what was not committed; what was stored is kept for the next run. Never raises."""
        if self._closed:
            return
        self._closed = True
        try:
            self._appender.close()
            with suppress(OSError):  # what is left is cleaned up by the next run
                remove_tree(self._staging)
        finally:
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
