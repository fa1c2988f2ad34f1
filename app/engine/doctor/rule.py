"""The examination of a rule or a draft: its VMs with their disks, and its standby machine."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from app.contract.doctor import Finding
from app.core.closing import is_open_to_others
from app.core.hypervisor import SNAPSHOT_PREFIX, Examinable, Hypervisor
from app.core.places import RestoreChoices
from app.domain.clocks import differs
from app.domain.errors import OperationalError
from app.domain.identity import RecordedVm
from app.domain.platforms import PlatformIdentity
from app.domain.rules import AdvancedSettings, BackupRule, ProtectedVm
from app.domain.standbys import Standby, target_directory
from app.domain.vms import PowerState, VmDetails
from app.engine.doctor import disk_kinds, kinds
from app.engine.doctor.identity import examine_identity
from app.engine.doctor.platform import Connect, PortProbe, ports, privileges
from app.engine.standbys.filesystems import find_repositories, look_at

_TIGHT_PERCENT = 10
_GB = 1000**3


def examine_rule(
    rule: BackupRule,
    connect: Connect,
    standby: Standby | None,
    probe: PortProbe,
    encryption_problem: Callable[[Standby], OperationalError | None] = lambda _standby: None,
    *,
    identity_of: Callable[[Hypervisor], PlatformIdentity],
    recorded_of: Callable[[ProtectedVm, PlatformIdentity], RecordedVm],
) -> tuple[Finding, ...]:
    """Look at everything a rule depends on. Never raises for what it finds.

    Args:
        rule: the rule, or what a draft would become.
        connect: logs in to its platform.
        standby: where its points go, where that is registered.
        probe: tries a port.
        encryption_problem: returns what keeps the standby's repositories locked.
        identity_of: returns what distinguishes the platform of a session.
        recorded_of: returns what is on record of one of its VMs on that platform.
    """
    found: list[Finding] = []
    details: list[VmDetails] = []
    try:
        with connect() as hypervisor:
            here = identity_of(hypervisor)
            for protected in rule.vms:
                vm_now, findings = examine_identity(hypervisor, protected.name, recorded_of(protected, here), here)
                found.extend(findings)
                if vm_now is not None:
                    details.append(vm_now)
            for vm in details:
                found.extend(_vm(vm, rule))
            found.extend(_surroundings(hypervisor, details, probe))
    except OperationalError as error:
        found.append(kinds.of_error(rule.name, error))
    if rule.advanced.lan_free:
        found.append(kinds.LanFreeMissing.about(rule.name))
    if standby is not None:
        found.extend(_standby(standby, details))
        locked = encryption_problem(standby)
        if locked is not None:
            found.append(kinds.of_error(standby.name, locked))
    return tuple(found)


def _surroundings(hypervisor: Hypervisor, details: Sequence[VmDetails], probe: PortProbe) -> Iterator[Finding]:
    if isinstance(hypervisor, Examinable) and details:
        vm = details[0].summary
        yield from privileges(vm.name, hypervisor, vm.id)
    if isinstance(hypervisor, RestoreChoices):
        wanted = {(vm.summary.datacenter_id, name) for vm in details for name in vm.summary.datastores}
        yield from _datastores(hypervisor, wanted)
    yield from ports(sorted({vm.summary.host for vm in details if vm.summary.host}), probe)


# --- VMs -------------------------------------------------------------------------------------------------------


def _vm(vm: VmDetails, rule: BackupRule) -> Iterator[Finding]:
    name, summary, advanced = vm.summary.name, vm.summary, rule.advanced
    if summary.unsupported_reason is not None:
        yield disk_kinds.VmNotBackedUp.about(name, reason=summary.unsupported_reason)
        return
    yield from _disks(vm)
    if summary.needs_consolidation:
        yield disk_kinds.NeedsConsolidation.of(rule.platform, summary)
    others = [snapshot.name for snapshot in vm.snapshots if not snapshot.name.startswith(SNAPSHOT_PREFIX)]
    if others:
        yield kinds.SnapshotsThere.about(name, count=len(others), names=", ".join(others))
    if summary.is_template:
        yield kinds.TemplateIsRead.about(name)
        return
    yield _tracking(vm, advanced)
    if advanced.quiesce and summary.power_state is PowerState.ON and summary.hostname is None:
        yield kinds.QuiesceNeedsTools.about(name)


def _disks(vm: VmDetails) -> Iterator[Finding]:
    name = vm.summary.name
    left_out = [disk for disk in vm.disks if disk.unsupported_reason is not None]
    for disk in left_out:
        yield kinds.DiskLeftOut.about(name, disk=disk.label, reason=disk.unsupported_reason)
    if len(left_out) == len(vm.disks):
        yield kinds.NothingToBackUp.about(name)
    if vm.summary.snapshot_doubt is not None:
        yield disk_kinds.SnapshotDoubtful.about(name, reason=vm.summary.snapshot_doubt)
    linked = sum(disk.is_linked for disk in vm.disks if disk.unsupported_reason is None)
    if linked:
        yield disk_kinds.LinkedClone.about(name, count=linked)


def _tracking(vm: VmDetails, advanced: AdvancedSettings) -> Finding:
    summary = vm.summary
    if not summary.change_tracking_supported:
        return kinds.TrackingUnsupported.about(summary.name)
    if summary.change_tracking_enabled:
        return kinds.TrackingOn.about(summary.name)
    if not advanced.automatic_change_tracking:
        return kinds.TrackingStaysOff.about(summary.name)
    if vm.snapshots:
        return kinds.TrackingBlockedBySnapshots.about(summary.name, count=len(vm.snapshots))
    return kinds.TrackingWillBeOn.about(summary.name)


# --- datastores and standby ------------------------------------------------------------------------------------


def _datastores(hypervisor: RestoreChoices, wanted: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    try:
        places = hypervisor.list_places()
    except OperationalError as error:
        yield kinds.of_error("", error)
        return
    known = {(host.datacenter_id, store.name): store for host in places.hosts for store in host.datastores}
    for place in sorted(set(wanted) & known.keys()):
        store, name = known[place], place[1]
        if not store.total_bytes or store.free_bytes is None:
            continue
        percent = 100 * store.free_bytes // store.total_bytes
        kind = kinds.DatastoreNearlyFull if percent < _TIGHT_PERCENT else kinds.DatastoreFine
        yield kind.about(name, name=name, kind=store.kind, percent=percent)


def _is_open(standby: Standby) -> bool:
    """Return whether a repository there can be entered by other users."""
    return any(is_open_to_others(target_directory(standby, path)) for path in find_repositories(standby))


def _standby(standby: Standby, details: Iterable[VmDetails]) -> Iterator[Finding]:
    health = look_at(standby)
    if health.error is not None:
        yield kinds.of_error(standby.name, health.error)
        return
    if _is_open(standby):
        yield kinds.StandbyOpenToOthers.about(standby.name)
    if health.clock_ahead is not None and differs(health.clock_ahead, None):
        hours = f"{abs(health.clock_ahead.total_seconds()) / 3600:.1f}"
        yield kinds.StandbyClockDiffers.about(standby.name, hours=hours)
    needed = sum(disk.capacity_bytes for vm in details for disk in vm.disks if disk.unsupported_reason is None)
    free = health.free_bytes
    if free is None:
        yield kinds.StandbySpaceUnknown.about(standby.name)
    elif free < needed:
        yield kinds.StandbyTight.about(standby.name, free=f"{free / _GB:.1f}", needed=f"{needed / _GB:.1f}")
    else:
        yield kinds.StandbyFine.about(standby.name, free=f"{free / _GB:.1f}")
