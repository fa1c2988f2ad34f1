"""Learning which bytes of a frozen disk have to be read, and checking that what tracking says is true."""

import random
from contextlib import closing
from dataclasses import dataclass

from app.core.access import DiskAddress
from app.core.context import TaskContext
from app.core.disks import DiskReader
from app.core.hypervisor import Hypervisor
from app.core.patience import Patience
from app.domain.errors import ChangeTrackingLost, OperationalError
from app.domain.extents import Extent, clip, total_bytes
from app.domain.ids import PointId, VmId
from app.domain.vms import QuietVm, VirtualDisk
from app.engine import messages
from app.engine.backup.audit import AuditResult, compare_blocks, draw_blocks
from app.engine.backup.plan import BackupPlan, DiskPlan
from app.engine.platforms.disks import DiskOpener
from app.engine.program.settings import EngineSettings
from app.engine.reasons import MapSource
from app.repository import Repository
from app.repository.errors import DataDamaged, PointDamaged, PointMissing

UNUSABLE_PARENT = (DataDamaged, PointDamaged, PointMissing)
"""What the repository says of a parent point that is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskExtents:
    """What is read of one disk."""

    plan: DiskPlan
    extents: tuple[Extent, ...]
    by_tracking: bool
    """True when the platform's change tracking named the extents."""

    @property
    def bytes_to_read(self) -> int:
        """How much that is."""
        return total_bytes(self.extents)


class ChangeQuery:
    """Asks for each disk of a plan what to read. Thread: one."""

    def __init__(
        self,
        hypervisor: Hypervisor,
        opener: DiskOpener,
        context: TaskContext,
        vm: VmId,
        vm_name: str,
        frozen: QuietVm,
        *,
        patience: Patience,
        tracking_wanted: bool,
    ) -> None:
        self._hypervisor = hypervisor
        self._opener = opener
        self._context = context
        self._vm = vm
        self._vm_name = vm_name
        self._frozen = frozen
        self._patience = patience
        self._tracking_wanted = tracking_wanted

    def address(self, disk: VirtualDisk) -> DiskAddress:
        """Return where a frozen disk is read."""
        return DiskAddress.of(self._vm, self._vm_name, disk, self._frozen.snapshot)

    def changes(self, plan: BackupPlan) -> tuple[BackupPlan, dict[int, DiskExtents]]:
        """Ask for the changes of every disk that has a parent.

        Returns:
            The plan, with the disks turned whole whose changes cannot be told, and what was learnt by disk key.

        Raises:
            OperationalError: the platform failed in another way.
            TaskCancelled: cancelled meanwhile.
        """
        known: dict[int, DiskExtents] = {}
        for planned in plan.disks:
            self._context.cancel.check()
            if planned.since is None:
                continue
            try:
                extents = self._ask(planned.disk, planned.since)
            except ChangeTrackingLost as error:
                reason = messages.WHOLE_CHANGES_LOST.fill(disk=planned.disk.label, detail=error)
                plan = plan.with_whole(planned.disk.key, reason)
                continue
            known[planned.disk.key] = DiskExtents(plan=planned, extents=extents, by_tracking=True)
            self._context.log.info(
                messages.CHANGES_FOUND, disk=planned.disk.label, bytes=total_bytes(extents), parent=planned.parent
            )
        return plan, known

    def allocated(self, plan: DiskPlan) -> DiskExtents:
        """Find out which parts of a disk that is read whole hold data at all.

        Raises:
            OperationalError: the disk cannot be reached.
            TaskCancelled: cancelled meanwhile.
        """
        disk = plan.disk
        if self._tracking_wanted and plan.map_trusted and disk.change_id is not None:
            try:
                return self._whole(plan, self._ask(disk, None), MapSource.TRACKING)
            except ChangeTrackingLost:
                pass  # the transport may still know
        with self._opener.reader(self.address(disk)) as reader:
            found = reader.allocated_extents()
        if found is not None:
            return self._whole(plan, tuple(clip(found, disk.capacity_bytes)), MapSource.TRANSPORT)
        self._context.log.info(messages.EVERYTHING_IS_READ, disk=disk.label, capacity=disk.capacity_bytes)
        everything = (Extent(0, disk.capacity_bytes),) if disk.capacity_bytes else ()
        return DiskExtents(plan=plan, extents=everything, by_tracking=False)

    def _ask(self, disk: VirtualDisk, since: str | None) -> tuple[Extent, ...]:
        snapshot = self._frozen.snapshot
        assert snapshot is not None, "what has no snapshot is not tracked"
        extents = self._patience.through(
            lambda: self._hypervisor.changed_extents(self._vm, snapshot, disk.key, disk.capacity_bytes, since)
        )
        return tuple(clip(extents, disk.capacity_bytes))

    def _whole(self, plan: DiskPlan, extents: tuple[Extent, ...], source: MapSource) -> DiskExtents:
        disk = plan.disk
        self._context.log.info(
            messages.ALLOCATED_FOUND,
            disk=disk.label,
            bytes=total_bytes(extents),
            capacity=disk.capacity_bytes,
            source=source,
        )
        return DiskExtents(plan=plan, extents=extents, by_tracking=source is MapSource.TRACKING)


class Auditor:
    """Reads a sample of what tracking did not report. Thread: one."""

    def __init__(
        self,
        query: ChangeQuery,
        opener: DiskOpener,
        context: TaskContext,
        repository: Repository,
        settings: EngineSettings,
        source: random.Random,
    ) -> None:
        self._query = query
        self._opener = opener
        self._context = context
        self._repository = repository
        self._settings = settings
        self._source = source

    def finds_lie(self, known: DiskExtents) -> bool:
        """Audit one disk whose extents tracking named; what was found goes to the log.

        Raises:
            OperationalError: the disk cannot be read from the host.
            TaskCancelled: cancelled meanwhile.
        """
        disk = known.plan.disk
        blocks = draw_blocks(
            known.extents,
            disk.capacity_bytes,
            count=self._settings.audit_blocks,
            block_bytes=self._settings.audit_block_bytes,
            source=self._source,
        )
        if not blocks:
            return False
        result = self._compare(blocks, known)
        if result.lie_at is None:
            self._context.log.info(messages.AUDIT_PASSED, disk=disk.label, blocks=result.checked_blocks)
            return False
        self._context.log.error(
            messages.AUDIT_FOUND_LIE, disk=disk.label, offset=result.lie_at, parent=known.plan.parent or "-"
        )
        return True

    def _compare(self, blocks: list[Extent], known: DiskExtents) -> AuditResult:
        address = self._query.address(known.plan.disk)
        with self._opener.reader(address, keep=True) as source:
            if known.plan.parent is None:
                return compare_blocks(blocks, source, None, self._context.cancel)
            return self._compare_with_parent(blocks, source, known.plan.parent, known.plan.disk.key)

    def _compare_with_parent(
        self, blocks: list[Extent], source: DiskReader, parent: PointId, key: int
    ) -> AuditResult:
        with self._repository.open_point(parent) as point, closing(point.open_disk(key)) as reference:
            return compare_blocks(blocks, source, reference, self._context.cancel)


def parent_problem(repository: Repository, parent: PointId, plan: BackupPlan) -> OperationalError | None:
    """Return why a parent point cannot stand for what is not read; None when it can.

    Raises:
        OperationalError: the standby itself cannot be used.
    """
    try:
        with repository.open_point(parent) as point:
            for planned in plan.disks:
                if not planned.whole:
                    point.open_disk(planned.disk.key).close()
    except UNUSABLE_PARENT as error:
        return error
    return None
