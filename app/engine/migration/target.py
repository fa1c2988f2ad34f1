"""The target VM of a migration: made, found by its mark, and deleted."""

from collections.abc import Sequence
from dataclasses import replace

from app.core.access import DiskAddress
from app.core.hypervisor import Hypervisor, MarkedVms
from app.core.tasklog import TaskLog
from app.domain.errors import VmCreationFailed
from app.domain.ids import TaskId
from app.domain.migration import Migration, MigrationDisk, MigrationPhase
from app.domain.places import PlannedVm
from app.domain.platforms import Platform
from app.domain.vms import CreatedVm, PowerState, SavedConfiguration, VmDetails, VmPlacement
from app.engine.migration import messages
from app.engine.migration.errors import MigrationUnsupported, TargetGone, TargetTouched
from app.engine.migration.reasons import HAS_SNAPSHOTS, LACKS_DISK, NOT_OFF
from app.engine.migration.services import MigrationServices, Side
from app.engine.platforms.marked import find_by_mark
from app.engine.reasons import LACKS_DISKS
from app.engine.restore.planning import refuse_impossible
from app.engine.restore.target import marked_name


def temporary_name(migration: Migration) -> str:
    """Return what the target is called until it takes the source's place."""
    return marked_name(migration.name, "standfast", TaskId(migration.id))


def aside_name(migration: Migration) -> str:
    """Return what the source is called once the target has its place."""
    return marked_name(migration.vm_name, "migrated", TaskId(migration.id))


def placement_of(migration: Migration) -> VmPlacement:
    """Return where the target is created.

    On another platform it has the source's UUIDs and addresses from the beginning, for it is off as long as the
    source runs; on the same one the platform allows that to one VM only.
    """
    return replace(
        migration.placement,
        name=temporary_name(migration),
        mark=migration.id,
        keep_identity=not migration.is_within_platform,
    )


def plan_target(
    hypervisor: Hypervisor, platform: Platform, migration: Migration, saved: SavedConfiguration
) -> PlannedVm | None:
    """Return what the target would become; refuse one that cannot be created, or whose name is taken.

    Returns:
        The plan; None where the platform cannot tell before it does.

    Raises:
        VmCreationFailed, VmNameTaken: it cannot.
        MigrationUnsupported: the platform cannot mark VMs.
    """
    if not isinstance(hypervisor, MarkedVms):
        raise MigrationUnsupported(platform=platform.name)
    name = migration.name
    if migration.is_within_platform and name == migration.vm_name:
        name = temporary_name(migration)  # the name is the source's own, which is set aside before
    wanted = replace(placement_of(migration), name=name)
    return refuse_impossible(hypervisor, saved, wanted, platform.address)


def create_target(
    services: MigrationServices,
    side: Side,
    migration: Migration,
    source: VmDetails,
    saved: SavedConfiguration,
    log: TaskLog,
) -> Migration:
    """Create the target VM with empty disks, and return the migration with them.

    Raises:
        VmCreationFailed: it cannot be created; nothing is left.
        OperationalError: something may be left; the phase says so.
    """
    plan_target(side.hypervisor, side.platform, migration, saved)
    placement = placement_of(migration)
    migration = services.note(migration, phase=MigrationPhase.CREATING, created_as=placement.name)
    try:
        created = side.hypervisor.create_vm(saved, placement, log=log)
    except VmCreationFailed:
        services.note(migration, phase=MigrationPhase.NEW)  # the port promises that nothing is left
        raise
    for warning in (*created.warnings, *created.identity_warnings):
        log.warning(messages.NOT_AS_SOURCE, detail=warning)
    migration = services.note(migration, target_vm=created.id)
    disks = _paired(source, created, placement.name)
    log.info(messages.TARGET_CREATED, name=placement.name)
    return services.note(migration, phase=MigrationPhase.COPYING, disks=disks)


def _paired(source: VmDetails, created: CreatedVm, name: str) -> tuple[MigrationDisk, ...]:
    made = dict(created.disks)
    missing = [disk.label for disk in source.disks if disk.key not in made]
    if missing:
        raise VmCreationFailed(vm=name, detail=LACKS_DISKS.fill(disks=", ".join(missing)))
    return tuple(
        MigrationDisk(
            key=disk.key,
            label=disk.label,
            uuid=disk.uuid,
            capacity_bytes=disk.capacity_bytes,
            target_key=made[disk.key].key,
            target_path=made[disk.key].path,
        )
        for disk in source.disks
    )


# --- found again -------------------------------------------------------------------------------------------------


def find_target(hypervisor: Hypervisor, migration: Migration) -> VmDetails | None:
    """Return the VM that carries a migration's mark, under a name that it has or had; None where none does.

    Raises:
        OperationalError: the platform cannot be asked.
    """
    names = (migration.created_as, migration.name)
    return find_by_mark(hypervisor, migration.id, migration.target_vm, names)


def own_target(hypervisor: Hypervisor, migration: Migration) -> VmDetails:
    """Return the target of a migration, whose disks may be written.

    Raises:
        TargetGone: it is not there, or does not carry the mark.
        TargetTouched: it runs, has snapshots or lacks a disk.
        OperationalError: the platform cannot be asked.
    """
    found = find_target(hypervisor, migration)
    name = migration.created_as
    if found is None:
        raise TargetGone(name=name)
    if found.summary.power_state is not PowerState.OFF:
        raise TargetTouched(name=name, reason=NOT_OFF)
    if found.snapshots:
        raise TargetTouched(name=name, reason=HAS_SNAPSHOTS)
    there = {disk.key: disk.capacity_bytes for disk in found.disks}
    for disk in migration.disks:
        if there.get(disk.target_key) != disk.capacity_bytes:
            raise TargetTouched(name=name, reason=LACKS_DISK.fill(disk=disk.label))
    return found


def address_of(target: VmDetails, disk: MigrationDisk) -> DiskAddress:
    """Return where a disk of the target is."""
    own = next(found for found in target.disks if found.key == disk.target_key)
    return DiskAddress.of(target.summary.id, target.summary.name, own)


def remove_target(hypervisor: Hypervisor, migration: Migration, log: TaskLog) -> None:
    """Delete the target VM of a migration; one that is gone is fine.

    Raises:
        TargetTouched: somebody runs it.
        OperationalError: the platform refuses, or cannot be asked.
    """
    found = find_target(hypervisor, migration)
    if found is None:
        if migration.target_vm is not None:
            log.info(messages.TARGET_GONE, name=migration.created_as)
        return
    if found.summary.power_state is not PowerState.OFF:
        raise TargetTouched(name=found.summary.name, reason=NOT_OFF)
    hypervisor.destroy_vm(found.summary.id)
    log.info(messages.TARGET_REMOVED, name=found.summary.name)


def emptied(disks: Sequence[MigrationDisk]) -> tuple[MigrationDisk, ...]:
    """Return disks of which nothing is believed any more."""
    return tuple(replace(disk, change_id=None, history=None, is_blank=False) for disk in disks)
