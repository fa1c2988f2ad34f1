"""Answers what is asked of instant recoveries, and hands their work to tasks."""

import threading
from collections.abc import Callable
from typing import Any

from app.contract.instant import (
    FinishInstantRecovery,
    InstantMember,
    InstantRow,
    KeepInstantRecovery,
    ListInstantRecoveries,
    ListServingAddresses,
    PlanInstantRecovery,
    ResumeInstantRecovery,
    ServingAddress,
    StartInstantRecovery,
    StopInstantRecovery,
)
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import RecoveryId, TaskId
from app.domain.instant import InstantPhase, InstantRecovery
from app.domain.places import PlannedVm
from app.engine.errors import RequestRefused, VmNameTaken
from app.engine.handlers import handles
from app.engine.instant.addresses import own_addresses
from app.engine.instant.errors import RecoveryBusy, RecoveryNotServed, RecoveryNotStopped
from app.engine.instant.services import InstantServices, runs_from_nfs
from app.engine.instant.view import InstantView
from app.engine.reasons import NO_VM_NAMED
from app.engine.restore.planning import read_saved
from app.engine.restore.target import check_name
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import (
    InstantFinishSpec,
    InstantKeepSpec,
    InstantSpec,
    InstantStartSpec,
    InstantStopSpec,
)
from app.nfs.service import new_export_id


class InstantHandlers:
    """Answers commands and queries about instant recoveries. Thread: any."""

    def __init__(
        self,
        services: InstantServices,
        *,
        view: InstantView,
        manager: TaskManager,
        factory: TaskFactory,
        changes: ChangeFeed,
    ) -> None:
        self._services = services
        self._view = view
        self._manager = manager
        self._factory = factory
        self._changes = changes
        self._lock = threading.Lock()
        """Around looking whether a task works at a recovery and queueing one."""

    # --- commands ------------------------------------------------------------------------------------------------

    @handles(StartInstantRecovery)
    def _start(self, command: StartInstantRecovery) -> tuple[TaskId, ...]:
        if not command.members:
            raise RequestRefused(detail=NO_VM_NAMED)
        self._services.sessions.platform(command.platform)
        specs = [self._start_spec(command, member) for member in command.members]
        queued = [self._factory.task(spec) for spec in specs]
        self._changes.note(Subject.INSTANT, [spec.recovery for spec in specs])
        return tuple(self._manager.submit(task) for task in queued)

    def _start_spec(self, command: StartInstantRecovery, member: InstantMember) -> InstantStartSpec:
        check_name(member.placement.name)
        point = self._factory.find_point(member.standby, member.target_path, member.point)
        return InstantStartSpec(
            standby=member.standby,
            target_path=member.target_path,
            point=member.point,
            platform=command.platform,
            recovery=RecoveryId(new_export_id()),
            vm_name=point.facts.name,
            rule=command.rule,
            rule_name=point.rule_name,
            placement=member.placement,
            power_on=member.power_on,
            address=command.address,
        )

    @handles(StopInstantRecovery)
    def _stop(self, command: StopInstantRecovery) -> TaskId:
        def spec(known: InstantRecovery) -> InstantSpec:
            if known.phase is InstantPhase.STOPPED and not command.discard:
                raise RecoveryNotServed(vm=known.name)
            return InstantStopSpec(**_about(known), discard=command.discard)

        return self._queue(command.recovery, spec)

    @handles(ResumeInstantRecovery)
    def _resume(self, command: ResumeInstantRecovery) -> TaskId:
        def spec(known: InstantRecovery) -> InstantSpec:
            if known.phase is not InstantPhase.STOPPED:
                raise RecoveryNotStopped(vm=known.name)
            return InstantStartSpec(
                **_about(known), placement=known.placement, power_on=command.power_on, address=known.address
            )

        return self._queue(command.recovery, spec)

    @handles(FinishInstantRecovery)
    def _finish(self, command: FinishInstantRecovery) -> TaskId:
        def spec(known: InstantRecovery) -> InstantSpec:
            if known.phase is not InstantPhase.SERVED:
                raise RecoveryNotServed(vm=known.name)
            return InstantFinishSpec(
                **_about(known),
                way=command.way,
                datastore=command.datastore,
                disk_datastores=command.disk_datastores,
                power_on=command.power_on,
            )

        return self._queue(command.recovery, spec)

    @handles(KeepInstantRecovery)
    def _keep(self, command: KeepInstantRecovery) -> TaskId:
        def spec(known: InstantRecovery) -> InstantSpec:
            if known.phase is not InstantPhase.STOPPED:
                raise RecoveryNotStopped(vm=known.name)
            return InstantKeepSpec(**_about(known))

        return self._queue(command.recovery, spec)

    def _queue(self, recovery: RecoveryId, spec: Callable[[InstantRecovery], InstantSpec]) -> TaskId:
        with self._lock:
            known = self._services.known(recovery)
            if recovery in self._view.at_work():
                raise RecoveryBusy(vm=known.name)
            task = self._manager.submit(self._factory.task(spec(known)))
        self._changes.note(Subject.INSTANT, [recovery])
        return task

    # --- queries -------------------------------------------------------------------------------------------------

    @handles(ListInstantRecoveries)
    def _list(self, _: ListInstantRecoveries) -> tuple[InstantRow, ...]:
        return self._view.rows()

    @handles(PlanInstantRecovery)
    def _plan(self, query: PlanInstantRecovery) -> PlannedVm | None:
        services, member = self._services, query.member
        with services.repositories.lease(member.standby, member.target_path) as repository:
            saved = read_saved(repository, member.point)
        with services.sessions.connect(query.platform) as hypervisor:
            planned = runs_from_nfs(hypervisor).plan_here(saved.configuration, member.placement)
        if planned.name_taken:
            raise VmNameTaken(
                name=member.placement.name, address=services.sessions.platform(query.platform).address
            )
        return planned

    @handles(ListServingAddresses)
    def _list_addresses(self, query: ListServingAddresses) -> tuple[ServingAddress, ...]:
        return own_addresses(self._services.sessions.platform(query.platform).address)


def _about(recovery: InstantRecovery) -> dict[str, Any]:
    """Return what every task of a recovery says of it."""
    return {
        "standby": recovery.standby,
        "target_path": recovery.target_path,
        "point": recovery.point,
        "platform": recovery.platform,
        "recovery": recovery.id,
        "vm_name": recovery.vm_name,
        "rule": recovery.rule,
        "rule_name": recovery.rule_name,
    }
