"""The source of a migration: which VM it is, and whether it can be migrated as it is."""

import threading
from dataclasses import replace

from app.core.clock import Clock
from app.core.hypervisor import Hypervisor
from app.domain.identity import RecordedVm, Verdict
from app.domain.ids import VmId
from app.domain.messages import Message, listed
from app.domain.migration import Migration
from app.domain.vms import PowerState, VmDetails
from app.engine.migration.errors import NotMigrated, SourceDisksChanged, SourceUnsure
from app.engine.migration.reasons import DISK_NOT_READ, HAS_NO_DISKS, IS_TEMPLATE
from app.engine.migration.services import MigrationServices
from app.engine.platforms.identification import find_subject
from app.engine.program.settings import EngineSettings


def find_source(services: MigrationServices, hypervisor: Hypervisor, migration: Migration) -> VmDetails:
    """Return the source as it is now, under whatever id and name.

    Raises:
        SourceUnsure: it is not certain which VM it is.
        IdOfAnotherVm, VmUnderAnotherId, VmNotFound: it is not there.
        OperationalError: the platform does not reach it, or cannot be asked.
    """
    here = services.sessions.identity(migration.platform, hypervisor)
    seen_on = here if migration.platform_uuid is None else replace(here, instance_uuid=migration.platform_uuid)
    recorded = RecordedVm(
        id=migration.vm,
        name=migration.source_kept_as or migration.vm_name,
        platform=seen_on,
        instance_uuid=migration.instance_uuid,
        bios_uuid=migration.bios_uuid,
        disk_uuids=frozenset(disk.uuid for disk in migration.disks if disk.uuid),
    )
    found = find_subject(hypervisor, recorded, here)
    if found.verdict is Verdict.UNSURE:
        raise SourceUnsure(vm=found.details.summary.name)
    return found.details


def refuse_unmigratable(details: VmDetails) -> None:
    """Refuse a VM that cannot be migrated as a whole.

    Raises:
        NotMigrated: it cannot; the message says why.
    """
    name = details.summary.name
    reason = details.summary.unsupported_reason or _reason_of(details)
    if reason is not None:
        raise NotMigrated(vm=name, reason=reason)


def _reason_of(details: VmDetails) -> Message | None:
    if details.summary.is_template:
        return IS_TEMPLATE.fill()
    if not details.disks:
        return HAS_NO_DISKS.fill()
    left_out = [
        DISK_NOT_READ.fill(disk=disk.label, reason=disk.unsupported_reason)
        for disk in details.disks
        if disk.unsupported_reason is not None
    ]
    return listed(left_out) if left_out else None


def refuse_other_disks(migration: Migration, details: VmDetails) -> None:
    """Refuse a source whose disks are not those that the target was made for.

    Raises:
        SourceDisksChanged: they are others.
    """
    known = {disk.key: disk.capacity_bytes for disk in migration.disks}
    found = {disk.key: disk.capacity_bytes for disk in details.disks}
    labels = {disk.key: disk.label for disk in migration.disks} | {disk.key: disk.label for disk in details.disks}
    others = [labels[key] for key in sorted(labels) if known.get(key) != found.get(key)]
    if others:
        raise SourceDisksChanged(vm=details.summary.name, disks=", ".join(others))


def wait_for_off(hypervisor: Hypervisor, vm: VmId, settings: EngineSettings, clock: Clock) -> bool:
    """Wait until a source whose system was asked to shut down is off; return False when it takes too long.

    Raises:
        OperationalError: the platform cannot be asked.
    """
    until = clock.monotonic() + settings.guest_shutdown_s
    pause = threading.Event()
    while hypervisor.vm_details(vm).summary.power_state is not PowerState.OFF:
        if clock.monotonic() >= until:
            return False
        pause.wait(settings.guest_look_s)
    return True
