"""What commands of the door ask of tasks, and back where the engine asks itself as the door would."""

from collections.abc import Callable, Mapping
from typing import Any

from app.contract.points import StartExport, StartVerify
from app.contract.restore import ConfirmedVm, NewVm, OverOriginal, StartRestore
from app.contract.standbys import StartClosing, StartGarbageCollection
from app.contract.tasks import StartBackup, StartConsolidation
from app.engine.tasks.spec import (
    BackupSpec,
    ClosingSpec,
    ConfirmedOriginal,
    ConsolidationSpec,
    ExportSpec,
    GarbageSpec,
    NewVmTarget,
    OriginalTarget,
    RestoreSpec,
    TaskSpec,
    VerifySpec,
)

TaskCommand = (
    StartBackup
    | StartRestore
    | StartVerify
    | StartExport
    | StartGarbageCollection
    | StartClosing
    | StartConsolidation
)


def spec_of(command: TaskCommand) -> TaskSpec:
    """Return what the task of a command has to do."""
    return _SPECS[type(command)](command)


def _backup(command: StartBackup) -> BackupSpec:
    return BackupSpec(
        standby=command.standby,
        priority=command.priority,
        platform=command.platform,
        vm=command.vm,
        vm_name=command.vm_name,
        target_path=command.target_path,
        rule=command.rule,
        rule_name=command.rule_name,
        kind=command.kind,
        tracking=command.tracking,
        quiesce=command.quiesce,
        transports=command.transports,
        lan_free=command.lan_free,
        host=command.host,
        retry=command.retry,
    )


def _restore(command: StartRestore) -> RestoreSpec:
    return RestoreSpec(
        standby=command.standby,
        priority=command.priority,
        target_path=command.target_path,
        point=command.point,
        platform=command.platform,
        name=command.name,
        target=target_of(command.target),
        power_on=command.power_on,
        rule=command.rule,
        transports=command.transports,
        lan_free=command.lan_free,
    )


def _verify(command: StartVerify) -> VerifySpec:
    return VerifySpec(
        standby=command.standby,
        priority=command.priority,
        target_path=command.target_path,
        point=command.point,
    )


def _export(command: StartExport) -> ExportSpec:
    return ExportSpec(
        standby=command.standby,
        priority=command.priority,
        target_path=command.target_path,
        point=command.point,
        disks=command.disks,
        folder=command.folder,
        image=command.image,
    )


def _garbage(command: StartGarbageCollection) -> GarbageSpec:
    return GarbageSpec(standby=command.standby, priority=command.priority, target_path=command.target_path)


def _closing(command: StartClosing) -> ClosingSpec:
    return ClosingSpec(standby=command.standby, priority=command.priority)


def _consolidation(command: StartConsolidation) -> ConsolidationSpec:
    return ConsolidationSpec(
        priority=command.priority, platform=command.platform, vm=command.vm, vm_name=command.vm_name
    )


_SPECS: Mapping[type[TaskCommand], Callable[[Any], TaskSpec]] = {
    StartBackup: _backup,
    StartRestore: _restore,
    StartVerify: _verify,
    StartExport: _export,
    StartGarbageCollection: _garbage,
    StartClosing: _closing,
    StartConsolidation: _consolidation,
}


def target_of(wish: NewVm | OverOriginal) -> NewVmTarget | OriginalTarget:
    """Return where a restore goes, as its task keeps it."""
    if isinstance(wish, NewVm):
        return NewVmTarget(placement=wish.placement)
    seen = wish.confirmed
    if seen is None:
        return OriginalTarget(datastore=wish.datastore, host=wish.host)
    confirmed = ConfirmedOriginal(vm=seen.vm, name=seen.name, instance_uuid=seen.instance_uuid)
    return OriginalTarget(datastore=wish.datastore, host=wish.host, confirmed=confirmed)


def wish_of(target: NewVmTarget | OriginalTarget) -> NewVm | OverOriginal:
    """Return where a task's restore goes, as plans of restores take it."""
    if isinstance(target, NewVmTarget):
        return NewVm(placement=target.placement)
    seen = target.confirmed
    if seen is None:
        return OverOriginal(datastore=target.datastore, host=target.host)
    confirmed = ConfirmedVm(vm=seen.vm, name=seen.name, instance_uuid=seen.instance_uuid)
    return OverOriginal(datastore=target.datastore, host=target.host, confirmed=confirmed)
