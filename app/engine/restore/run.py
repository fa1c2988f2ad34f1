"""A restore, step by step: choose the target, create, fill, read back, swap, power on."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from app.contract.restore import NewVm
from app.core.access import DiskAddress, DiskTransports
from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.places import PlannedCreation
from app.domain.errors import OperationalError, VmCreationFailed
from app.domain.extents import total_bytes
from app.domain.identity import Located, RecordedVm, Verdict
from app.domain.ids import VmId
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import TaskState
from app.domain.tasks import RestorePhase, RestoreTrace
from app.domain.transports import modes_to_try
from app.domain.vms import CreatedVm, SavedConfiguration, VirtualDisk, VmSummary
from app.engine import messages
from app.engine.errors import RestoredDataDiffers
from app.engine.platforms.attachments import Attachments
from app.engine.platforms.disks import DiskOpener
from app.engine.platforms.identification import find_original, note_created
from app.engine.platforms.patience import patience_for
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.succession import Successions
from app.engine.points.reading import opened_point
from app.engine.ports import RestoreJournal, RuleStore
from app.engine.program.settings import EngineSettings
from app.engine.reasons import LACKS_DISKS
from app.engine.restore.cleanup import close_trace
from app.engine.restore.compare import compare_disk
from app.engine.restore.creating import vm_or_nothing
from app.engine.restore.original import Original
from app.engine.restore.planning import refuse_impossible, saved_configuration
from app.engine.restore.swap import Swap
from app.engine.restore.target import RestoreTarget, new_target, target_over
from app.engine.restore.templates import mark_as_template
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.commands import wish_of
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import RestoreSpec
from app.repository import PinPurpose, PointReader


@dataclass(frozen=True, slots=True)
class _Pair:
    """A disk of the point and the new disk it goes to."""

    source: PointDisk
    target: VirtualDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreServices:
    """What restores need of the engine. Thread: any."""

    sessions: Sessions
    repositories: Repositories
    transports: DiskTransports
    attachments: Attachments
    rules: RuleStore
    journal: RestoreJournal
    successions: Successions
    settings: EngineSettings


class RestoreRun:
    """One restore of one restore point. Thread: the task's."""

    def __init__(self, services: RestoreServices, task: RunningTask, request: RestoreSpec) -> None:
        """Prepare.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        self._sessions = services.sessions
        self._repositories = services.repositories
        self._transports = services.transports
        self._attachments = services.attachments
        self._rules = services.rules
        self._journal = services.journal
        self._successions = services.successions
        self._settings = services.settings
        self._task = task
        self._request = request
        platform = services.sessions.platform(request.platform)
        self._patience = patience_for(platform, services.settings.platform_outage_s, task.context)

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self) -> VmId:
        """Restore the point and return the VM that holds it.

        Raises:
            OperationalError: it could not be restored; what was created is removed, an original is untouched.
            TaskCancelled: the operator stopped it; likewise.
        """
        self._task.stages.enter(TaskState.PREPARING)
        with (
            self._repositories.lease(
                self._request.standby, self._request.target_path, self._context.cancel
            ) as repository,
            opened_point(repository, self._request.point, PinPurpose.RESTORE, self._context.log) as point,
            self._sessions.connect_patiently(self._request.platform, self._patience) as hypervisor,
        ):
            self._context.log.info(messages.RESTORE_POINT_CHOSEN, point=point.point.id, vm=point.point.facts.name)
            target = self._target(hypervisor, point.point)
            original = self._original(hypervisor, point.point, target)
            saved = saved_configuration(point)
            refuse_impossible(hypervisor, saved, target.placement, self._address)
            created = self._create(hypervisor, point, saved, target, original)
            self._power_on(hypervisor, created, target.name)
            return created.id

    @property
    def _address(self) -> str:
        return self._sessions.platform(self._request.platform).address

    # --- preparing -------------------------------------------------------------------------------------------

    def _target(self, hypervisor: Hypervisor, point: RestorePoint) -> RestoreTarget:
        platform = self._sessions.platform(self._request.platform)
        inventory, wish = self._patience.through(hypervisor.list_vms), wish_of(self._request.target)
        taken = () if isinstance(hypervisor, PlannedCreation) else inventory
        if isinstance(wish, NewVm):
            return new_target(wish, point.facts, taken, platform)
        recorded, found = find_original(self._sessions, self._rules, hypervisor, platform.id, point, inventory)
        target = target_over(wish, point.facts, taken, platform, self._context.task, found)
        if target.replaced is None:
            self._context.log.warning(messages.ORIGINAL_GONE)
        else:
            self._report_original(target.replaced, recorded, found, inventory)
        return target

    def _report_original(
        self, vm: VmSummary, recorded: RecordedVm, found: Located, inventory: Sequence[VmSummary]
    ) -> None:
        """Say which VM is replaced, and let its rule follow one that was registered again."""
        log = self._context.log
        if found.verdict is Verdict.MOVED and vm.id != recorded.id:
            log.warning(messages.ORIGINAL_MOVED, name=vm.name, old=recorded.id, new=vm.id)
        elif found.verdict is Verdict.UNSURE:
            log.warning(messages.ORIGINAL_CONFIRMED, name=vm.name, vm=vm.id)
        else:
            log.info(messages.ORIGINAL_FOUND, name=vm.name, vm=vm.id)
        if vm.id != recorded.id and (
            found.verdict is Verdict.MOVED or all(other.id != recorded.id for other in inventory)
        ):
            self._successions.follow_all(self._request.platform, {recorded.id: vm})

    def _original(self, hypervisor: Hypervisor, point: RestorePoint, target: RestoreTarget) -> Original | None:
        if target.replaced is None:
            return None
        platform = self._sessions.platform(self._request.platform)
        details = hypervisor.vm_details(target.replaced.id)
        return Original(hypervisor, point, details, self._sessions.identity(platform.id, hypervisor))

    # --- creating --------------------------------------------------------------------------------------------

    def _create(
        self,
        hypervisor: Hypervisor,
        point: PointReader,
        saved: SavedConfiguration,
        target: RestoreTarget,
        original: Original | None,
    ) -> CreatedVm:
        """Create the VM and make it what it is to be, or leave nothing of it."""
        self._task.stages.enter(TaskState.CREATING_VM)
        trace = RestoreTrace(
            task=self._context.task,
            platform=self._request.platform,
            phase=RestorePhase.CREATING,
            name=target.name,
            created_as=target.placement.name,
            replaced=target.replaced.id if target.replaced else None,
        )
        journal = self._journal
        marked = replace(target.placement, mark=self._context.task)
        with vm_or_nothing(hypervisor, journal, self._context, trace, saved, marked) as (trace, created):
            self._context.log.info(messages.VM_CREATED, name=target.placement.name)
            self._fill_and_prove(hypervisor, point, target, created)
        if original is not None:
            followed = self._followed(target)
            lacking = created.identity_warnings
            swap = Swap(hypervisor, journal, self._context, trace, target, saved, followed, original, lacking)
            swap.run(is_template=created.was_template)
            note_created(self._rules, self._sessions, self._request.platform, hypervisor, created.id)
        else:
            with self._context.cancel.shield():
                if created.was_template:
                    mark_as_template(hypervisor, created.id, target.name, self._context.log)
                close_trace(journal, trace)
        return created

    def _followed(self, target: RestoreTarget) -> Callable[[VmId, VmId], None]:
        def taken(old: VmId, new: VmId) -> None:
            self._successions.follow(self._request.platform, old, new, target.name)

        return taken

    # --- filling and proving -----------------------------------------------------------------------------------

    def _fill_and_prove(
        self, hypervisor: Hypervisor, point: PointReader, target: RestoreTarget, created: CreatedVm
    ) -> None:
        lacking = created.identity_warnings if target.replaced is None else ()
        for warning in (*created.warnings, *lacking):
            self._context.log.warning(messages.VM_NOT_AS_IT_WAS, detail=warning)
        pairs = _pairs(point.point, created, target.name)
        request, platform = self._request, self._sessions.platform(self._request.platform)
        preferred = request.transports or modes_to_try(platform.transports, lan_free=request.lan_free)
        attached = self._attachments.for_task(hypervisor, request.platform, self._context)
        opener = DiskOpener(hypervisor, self._transports, preferred, self._context, self._patience, attached)
        self._task.stages.enter(TaskState.RUNNING)
        for pair in pairs:
            # Twice: each byte is written and then read back.
            self._context.progress.expect(2 * _held_bytes(point, pair))
        for pair in pairs:
            self._fill(opener, point, created.id, target.placement.name, pair)
        self._task.stages.enter(TaskState.VERIFYING)
        for pair in pairs:
            self._prove(opener, point, created.id, target.placement.name, pair)

    def _fill(self, opener: DiskOpener, point: PointReader, vm: VmId, vm_name: str, pair: _Pair) -> None:
        with closing(point.open_disk(pair.source.key)) as source:
            extents = source.allocated_extents()
        with opener.writer(DiskAddress.of(vm, vm_name, pair.target)) as writer:
            point.copy_disk(
                pair.source.key,
                writer,
                extents=extents,
                write_zeros=False,
                progress=self._context.progress,
                cancel=self._context.cancel,
            )
            writer.flush()
            self._context.log.info(
                messages.DISK_RESTORED,
                disk=pair.source.label,
                bytes=total_bytes(extents or ()),
                mode=writer.mode.value,
            )

    def _prove(self, opener: DiskOpener, point: PointReader, vm: VmId, vm_name: str, pair: _Pair) -> None:
        with (
            closing(point.open_disk(pair.source.key)) as expected,
            opener.reader(DiskAddress.of(vm, vm_name, pair.target)) as restored,
        ):
            found = compare_disk(restored, expected, progress=self._context.progress, cancel=self._context.cancel)
            mode = restored.mode.value
        if found.difference is not None:
            raise RestoredDataDiffers(disk=pair.source.label, offset=found.difference)
        size = found.compared_bytes
        self._context.log.info(messages.DISK_PROVEN, disk=pair.source.label, bytes=size, mode=mode)

    # --- afterwards --------------------------------------------------------------------------------------------

    def _power_on(self, hypervisor: Hypervisor, created: CreatedVm, name: str) -> None:
        if not self._request.power_on:
            return
        if created.was_template:
            self._context.log.info(messages.TEMPLATE_STAYS_OFF, name=name)
            return
        try:
            hypervisor.power_on(created.id)
        except OperationalError as error:
            self._context.log.error(messages.NOT_POWERED_ON, name=name, detail=error)
        else:
            self._context.log.info(messages.POWERED_ON, name=name)


def _pairs(point: RestorePoint, created: CreatedVm, name: str) -> list[_Pair]:
    disks = dict(created.disks)
    missing = [disk.label for disk in point.disks if disk.key not in disks]
    if missing:
        raise VmCreationFailed(vm=name, detail=LACKS_DISKS.fill(disks=", ".join(missing)))
    return [_Pair(disk, disks[disk.key]) for disk in point.disks]


def _held_bytes(point: PointReader, pair: _Pair) -> int:
    with closing(point.open_disk(pair.source.key)) as reader:
        return total_bytes(reader.allocated_extents() or ())
