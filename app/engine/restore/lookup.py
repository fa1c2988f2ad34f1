"""Which VMs restores over their originals would replace, for the operator to see before anything starts."""

from collections.abc import Sequence

from app.contract.restore import FindOriginals, OriginalRow
from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError
from app.domain.identity import Verdict, uncovered_disks
from app.domain.ids import VmId
from app.domain.platforms import Platform, PlatformIdentity
from app.domain.restore_point import RestorePoint
from app.domain.vms import VmSummary
from app.engine.platforms.identification import find_vm, identity_of, known_identity, recorded_for_restore
from app.engine.restore.original import choices_in, other_in
from app.engine.tasks.job import Workshop


def find_originals(workshop: Workshop, query: FindOriginals) -> tuple[OriginalRow, ...]:
    """Answer the query.

    Raises:
        OperationalError: a point cannot be read, or the platform cannot be asked.
    """
    points = [_point(workshop, query, number) for number in range(len(query.points))]
    if not points:
        return ()
    platform = _platform(workshop, query, points[0])
    if platform is None:
        return tuple(
            OriginalRow(point=one.id, platform=None, address=one.facts.platform_address, verdict=Verdict.GONE)
            for one in points
        )
    with workshop.sessions.connect(platform.id) as hypervisor:
        inventory = hypervisor.list_vms()
        return tuple(_row(workshop, hypervisor, platform, point, inventory) for point in points)


def origin_of(workshop: Workshop, point: RestorePoint) -> Platform | None:
    """Return the registered platform that a point came from, None when it is not registered.

    It is known by its UUID, under whatever address; one that was set up again is still found at its address.
    """
    facts, platforms = point.facts, workshop.catalog.platforms.all()
    recorded = PlatformIdentity(address=facts.platform_address, instance_uuid=facts.platform_uuid)
    same = [one for one in platforms if recorded.is_same(known_identity(workshop.catalog, one))]
    there = [one for one in platforms if one.address.casefold() == facts.platform_address.casefold()]
    return next(iter([one for one in same if one in there] or same or there), None)


def _platform(workshop: Workshop, query: FindOriginals, point: RestorePoint) -> Platform | None:
    return origin_of(workshop, point) if query.platform is None else workshop.sessions.platform(query.platform)


def _point(workshop: Workshop, query: FindOriginals, number: int) -> RestorePoint:
    wanted = query.points[number]
    known = workshop.catalog.points.get(query.standby, query.target_path, wanted)
    if known is not None:
        return known.point
    with (
        workshop.repositories.lease(query.standby, query.target_path) as repository,
        repository.open_point(wanted) as reader,
    ):
        return reader.point


def _row(
    workshop: Workshop,
    hypervisor: Hypervisor,
    platform: Platform,
    point: RestorePoint,
    inventory: Sequence[VmSummary],
) -> OriginalRow:
    recorded = recorded_for_restore(workshop.catalog, platform.id, point)
    found = find_vm(hypervisor, recorded, identity_of(platform, hypervisor), inventory)
    choices = choices_in(found)
    return OriginalRow(
        point=point.id,
        platform=platform.id,
        address=platform.address,
        verdict=found.verdict,
        is_proven=found.is_proven,
        choices=choices,
        other=other_in(found, recorded.instance_uuid),
        uncovered=tuple((vm.id, disks) for vm in choices if (disks := _uncovered(hypervisor, point, vm.id))),
    )


def _uncovered(hypervisor: Hypervisor, point: RestorePoint, vm: VmId) -> tuple[str, ...]:
    try:
        details = hypervisor.vm_details(vm)
    except OperationalError:  # the restore itself looks again, and refuses what it cannot see
        return ()
    return tuple(f"{disk.label} ({disk.path})" for disk in uncovered_disks(point, details))
