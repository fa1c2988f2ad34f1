"""The part of a backup that runs while the VM's disks are frozen."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor, MarkedHistory, RevertHistory
from app.core.patience import Patience
from app.domain.errors import OperationalError, SnapshotGone
from app.domain.messages import LogLevel, Message, MessageKind, listed
from app.domain.restore_point import HistoryMark, PointDisk, RestorePoint, VmFacts
from app.domain.rules import ProtectedVm
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import PowerState, QuietVm, SavedConfiguration, VirtualDisk, VmDetails
from app.engine import messages
from app.engine.backup.chains import Chains
from app.engine.backup.changes import UNUSABLE_PARENT, Auditor, ChangeQuery, DiskExtents, parent_problem
from app.engine.backup.healing import with_lost_extents
from app.engine.backup.plan import BackupPlan, DiskPlan, plan_backup
from app.engine.backup.templates import check_unchanged
from app.engine.errors import NothingToBackUp
from app.engine.platforms.disks import DiskOpener
from app.engine.program.settings import EngineSettings
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import BackupSpec
from app.repository import DiskDraft, PointDraft, PointWriter, Repository


class _ParentDamaged(Exception):
    """Tells the writing loop to begin again; never leaves it."""

    def __init__(self, key: int, cause: OperationalError) -> None:
        super().__init__(key)
        self.key = key
        self.cause = cause


@dataclass(slots=True, kw_only=True)
class FrozenBackup:
    """Copies the frozen disks of one VM into a restore point.

    Attributes:
        caught_lie: True once the audit found that change tracking had left out a change.

    Thread: the task's.
    """

    settings: EngineSettings
    chains: Chains
    task: RunningTask
    request: BackupSpec
    hypervisor: Hypervisor
    repository: Repository
    opener: DiskOpener
    patience: Patience
    details: VmDetails
    frozen: QuietVm
    frozen_at: datetime
    history: HistoryMark | None = None
    tracking_wanted: bool
    chance: random.Random
    caught_lie: bool = field(default=False, init=False)
    _reported: set[Message] = field(default_factory=set, init=False)
    _chain: str = field(default="", init=False)

    def copy(self, *, release: Callable[[], bool]) -> RestorePoint:
        """Make the restore point; ``release`` is called as soon as the last byte is read.

        Raises:
            OperationalError: it could not be made; nothing of it is visible.
            TaskCancelled: the operator stopped it.
        """
        try:
            return self._copied(release)
        finally:
            self.opener.let_go()

    def _copied(self, release: Callable[[], bool]) -> RestorePoint:
        if self.frozen.quiesce_failure is not None:
            self._context.log.warning(messages.QUIESCE_GIVEN_UP, detail=self.frozen.quiesce_failure)
        configuration = self._save_configuration()
        plan, known = self._query_changes()
        plan, known = self._check_data(plan, known)
        self.task.stages.enter(TaskState.RUNNING)
        self._context.progress.expect(sum(extents.bytes_to_read for extents in known.values()))
        while True:
            try:
                return self._write_point(plan, known, configuration, release)
            except _ParentDamaged as problem:
                plan, known = self._begin_again(plan, known, problem)

    @property
    def _context(self) -> TaskContext:
        return self.task.context

    # --- configuration -------------------------------------------------------------------------------------------

    def _save_configuration(self) -> SavedConfiguration:
        self.task.stages.enter(TaskState.SAVING_CONFIGURATION)
        saved = self.patience.through(
            lambda: self.hypervisor.save_configuration(self.request.vm, log=self._context.log)
        )
        self._context.log.info(messages.CONFIGURATION_SAVED, files=", ".join(sorted(saved.files)))
        if saved.missing:
            self._context.log.warning(messages.CONFIGURATION_INCOMPLETE, missing=listed(saved.missing))
        return saved

    # --- what to read --------------------------------------------------------------------------------------------

    def _query(self) -> ChangeQuery:
        return ChangeQuery(
            self.hypervisor,
            self.opener,
            self._context,
            self.request.vm,
            self.details.summary.name,
            self.frozen,
            patience=self.patience,
            tracking_wanted=self.tracking_wanted,
        )

    def _supported_disks(self) -> list[VirtualDisk]:
        refused = {disk.key for disk in self.details.disks if disk.unsupported_reason is not None}
        disks = [disk for disk in self.frozen.disks if disk.key not in refused]
        if not disks:
            raise NothingToBackUp(vm=self.details.summary.name)
        return disks

    def _query_changes(self) -> tuple[BackupPlan, dict[int, DiskExtents]]:
        self.task.stages.enter(TaskState.QUERYING_CHANGES)
        self._chain, points = self._choose_chain()
        kind = BackupKind.FULL if self.frozen.snapshot is None else self.request.kind
        plan = plan_backup(kind, self._supported_disks(), points, tracking_wanted=self.tracking_wanted)
        parent = next((point for point in points if point.id == plan.parent), None)
        self._report(plan)
        plan, known = self._query().changes(plan)
        # asked last: what happens to the VM from now on changes neither the maps nor the frozen disks
        doubt = None if parent is None else self._revert_since(parent)
        if doubt is not None:
            plan = plan.without_parent(doubt)
        self._report(plan)
        return plan, known

    def _revert_since(self, parent: RestorePoint) -> MessageKind | None:
        """Return why the VM may have gone back in time since a point; None when it has not.

        The platform is asked from the mark that the point keeps of its history. A point without one tells only
        what our own clock showed then, which may have been wrong.
        """
        hypervisor = self.hypervisor
        if not isinstance(hypervisor, RevertHistory):
            return None
        since: datetime | HistoryMark | None = parent.history
        if since is None:
            if isinstance(hypervisor, MarkedHistory) or parent.created_at > self.frozen_at:
                return messages.WHOLE_TIME_UNKNOWN
            since = parent.created_at
        try:
            went_back = self.patience.through(lambda: hypervisor.reverted_since(self.request.vm, since))
            return messages.WHOLE_WENT_BACK if went_back else None
        except OperationalError as error:
            self._context.log.warning(messages.REVERTS_UNKNOWN, detail=error)
            return None

    def _choose_chain(self) -> tuple[str, Sequence[RestorePoint]]:
        summary = self.details.summary
        now = ProtectedVm(vm=summary.id, name=summary.name, instance_uuid=summary.instance_uuid)
        return self.chains.choose(self.request.rule_name, now)

    def _check_data(
        self, plan: BackupPlan, known: dict[int, DiskExtents]
    ) -> tuple[BackupPlan, dict[int, DiskExtents]]:
        self.task.stages.enter(TaskState.CHECKING_DATA)
        if plan.parent is not None:
            problem = parent_problem(self.repository, plan.parent, plan)
            if problem is not None:
                self.repository.learn_damage(problem)
                plan = plan.without_parent(messages.WHOLE_PARENT_DAMAGED, detail=problem)
                self._report(plan)
        known = self._completed(plan, known)
        plan, known = self._healed(plan, known)
        if self.settings.audit_blocks:
            plan, known = self._audit(plan, known)
        return plan, known

    def _completed(self, plan: BackupPlan, known: dict[int, DiskExtents]) -> dict[int, DiskExtents]:
        """Keep what is known of the disks that stayed as planned, and learn the rest."""
        query = self._query()
        return {
            planned.disk.key: known[planned.disk.key]
            if planned.disk.key in known and known[planned.disk.key].plan == planned
            else query.allocated(planned)
            for planned in plan.disks
        }

    def _healed(
        self, plan: BackupPlan, known: dict[int, DiskExtents]
    ) -> tuple[BackupPlan, dict[int, DiskExtents]]:
        """Also read what the repository has lost of the parent."""
        healed, completed = with_lost_extents(self.repository, plan, known, self._context.log)
        self._report(healed)
        return healed, self._completed(healed, completed)

    def _audit(self, plan: BackupPlan, known: dict[int, DiskExtents]) -> tuple[BackupPlan, dict[int, DiskExtents]]:
        auditor = Auditor(self._query(), self.opener, self._context, self.repository, self.settings, self.chance)
        # The one that is audited last stays open: it is the first to be written.
        for extents in reversed(known.values()):
            try:
                if not extents.by_tracking or not auditor.finds_lie(extents):
                    continue
            except UNUSABLE_PARENT as error:
                self.repository.learn_damage(error)
                reason = messages.WHOLE_PARENT_DAMAGED.fill(disk=extents.plan.disk.label, detail=error)
                plan = plan.with_whole(extents.plan.disk.key, reason)
                continue
            self.caught_lie = True
            reason = messages.WHOLE_TRACKING_LIED.fill(disk=extents.plan.disk.label)
            plan = plan.with_whole(extents.plan.disk.key, reason, map_trusted=False, keep_change_id=False)
        self._report(plan)
        return plan, self._completed(plan, known)

    def _report(self, plan: BackupPlan) -> None:
        """Write what is new in a plan to the log."""
        reasons = [(LogLevel.WARNING, planned.reason) for planned in plan.disks if planned.reason is not None]
        for level, message in [*((LogLevel.NORMAL, note) for note in plan.notes), *reasons]:
            if message not in self._reported:
                self._reported.add(message)
                self.task.log.write(level, message)

    # --- writing -------------------------------------------------------------------------------------------------

    def _write_point(
        self,
        plan: BackupPlan,
        known: dict[int, DiskExtents],
        configuration: SavedConfiguration,
        release: Callable[[], bool],
    ) -> RestorePoint:
        with self.repository.begin_point(self._draft(plan)) as writer:
            for name, content in configuration.files.items():
                writer.add_file(name, content)
            for planned in plan.disks:
                writer.save_changed_extents(planned.disk.key, known[planned.disk.key].extents, planned.since)
            for planned in plan.disks:
                self._write_disk(writer, known[planned.disk.key])
            self.opener.let_go()
            self._check_still_frozen()
            release()
            self._context.cancel.check()
            return writer.commit()

    def _check_still_frozen(self) -> None:
        """Make sure that all that was read is of one moment: without its snapshot a disk is written on.

        Raises:
            SnapshotGone, TemplateChanged: it may be of several.
            OperationalError: a template cannot be looked at again.
            TaskCancelled: cancelled meanwhile.
        """
        vm, snapshot = self.request.vm, self.frozen.snapshot
        if snapshot is None:
            self.patience.through(lambda: check_unchanged(self.hypervisor, self.details))
            return
        try:
            self.patience.through(lambda: self.hypervisor.frozen_disks(vm, snapshot))
        except SnapshotGone:
            raise
        except OperationalError as error:
            self._context.log.warning(messages.SNAPSHOT_NOT_CHECKED, detail=error)

    def _draft(self, plan: BackupPlan) -> PointDraft:
        off = self.details.summary.power_state is PowerState.OFF
        return PointDraft(
            rule_name=self.request.rule_name,
            facts=self._facts(),
            kind=plan.kind,
            parent=plan.parent,
            consistent=off or not self.frozen.crash_consistent,
            created_at=self.frozen_at,
            chain=self._chain,
            history=self.history,
            may_pack_harder=self.settings.may_pack_harder,
        )

    def _facts(self) -> VmFacts:
        summary = self.details.summary
        return VmFacts(
            vm=summary.id,
            name=summary.name,
            platform_address=self.chains.here.address,
            instance_uuid=summary.instance_uuid,
            datacenter=summary.datacenter,
            datastore=", ".join(summary.datastores),
            host=summary.host,
            hostname=summary.hostname,
            guest=summary.guest,
            bios_uuid=summary.bios_uuid,
            folder=summary.folder,
            platform_uuid=self.hypervisor.facts.instance_uuid,
        )

    def _write_disk(self, writer: PointWriter, known: DiskExtents) -> PointDisk:
        plan, disk = known.plan, known.plan.disk
        before = writer.packed_bytes
        with self.opener.reader(self._query().address(disk)) as reader:
            try:
                written = writer.write_disk(
                    _disk_draft(plan, reader.mode),
                    reader,
                    known.extents,
                    parent=None if plan.parent is None else (plan.parent, disk.key),
                    progress=self._context.progress,
                    cancel=self._context.cancel,
                )
            except UNUSABLE_PARENT as error:
                if plan.whole:
                    raise
                raise _ParentDamaged(disk.key, error) from error
            self._context.log.info(
                messages.DISK_DONE,
                disk=disk.label,
                read_bytes=written.read_bytes,
                stored_bytes=written.stored_bytes,
                mode=reader.mode.value,
            )
        self._tell_packing(disk, before, writer.packed_bytes)
        return written

    def _tell_packing(self, disk: VirtualDisk, before: Mapping[int, int], after: Mapping[int, int]) -> None:
        """Say how much of a disk was packed harder than usual."""
        packed = {level: size - before.get(level, 0) for level, size in after.items()}
        harder = {level: size for level, size in packed.items() if level > min(packed) and size}
        if harder:
            share = round(100 * sum(harder.values()) / sum(packed.values()))
            levels = ", ".join(map(str, sorted(harder)))
            self._context.log.info(messages.PACKED_HARDER, disk=disk.label, percent=share, levels=levels)

    def _begin_again(
        self, plan: BackupPlan, known: dict[int, DiskExtents], problem: _ParentDamaged
    ) -> tuple[BackupPlan, dict[int, DiskExtents]]:
        """Read the disk whole whose parent turned out damaged; what was stored already is found again."""
        self.repository.learn_damage(problem.cause)
        label = known[problem.key].plan.disk.label
        reason = messages.WHOLE_PARENT_DAMAGED.fill(disk=label, detail=problem.cause)
        plan = plan.with_whole(problem.key, reason)
        self._report(plan)
        self._context.log.info(messages.WRITING_AGAIN)
        known = self._completed(plan, known)
        self._context.progress.expect(sum(extents.bytes_to_read for extents in known.values()))
        return plan, known


def _disk_draft(plan: DiskPlan, mode: TransportMode) -> DiskDraft:
    disk = plan.disk
    return DiskDraft(
        key=disk.key,
        label=disk.label,
        uuid=disk.uuid,
        capacity_bytes=disk.capacity_bytes,
        path=disk.path,
        change_id=disk.change_id if plan.keep_change_id else None,
        read_whole=plan.whole,
        transport=mode,
    )
