"""``instant …``: VMs that run straight from their restore points, and what becomes of them."""

from argparse import Namespace
from collections.abc import Iterator

from app.cli.ctl.names import find_platform, find_point, find_recovery, find_rule
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.tasks import DONE, FAILED, queued
from app.contract.door import Door
from app.contract.instant import (
    FinishInstantRecovery,
    InstantMember,
    InstantRow,
    KeepInstantRecovery,
    ListInstantRecoveries,
    ListServingAddresses,
    ResumeInstantRecovery,
    StartInstantRecovery,
    StopInstantRecovery,
)
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId
from app.domain.instant import FinishWay
from app.domain.tasks import KnownPoint
from app.domain.vms import VmPlacement

_SHORT_KEY = 8


class NamesDoNotFit(OperationalError):
    """Not every restore point was given a name, or more names than points were."""

    code = "ctl.names_do_not_fit"
    message_template = "There are {points} restore points and {names} names."
    hint_template = "Give a name for each point in their order, or none."


class PlatformNotKnown(OperationalError):
    """A restore point is not from any platform that is registered."""

    code = "ctl.platform_not_known"
    message_template = "The platform of {point} is not registered."
    hint_template = "Name the one to run it on: --platform."


def start_recoveries(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Run VMs from restore points."""
    points = [find_point(door, name, chosen.standby) for name in chosen.points]
    if chosen.name and len(chosen.name) != len(points):
        raise NamesDoNotFit(points=len(points), names=len(chosen.name))
    names = chosen.name or [f"{known.point.facts.name}-instant" for known in points]
    platform = _platform_of(door, chosen.platform, points[0])
    address = chosen.address if chosen.address is not None else _preferred(door, platform)
    command = StartInstantRecovery(
        platform=platform,
        members=tuple(_member(known, name, chosen) for known, name in zip(points, names, strict=True)),
        address=address,
        rule=None if chosen.rule is None else find_rule(door, chosen.rule).id,
    )
    tasks = door.execute(command)
    return queued(door, screen, tasks, wait=chosen.wait)


def _platform_of(door: Door, name: str | None, known: KnownPoint) -> PlatformId:
    if name is not None:
        return find_platform(door, name).id
    if known.platform is None:
        raise PlatformNotKnown(point=known.point.id)
    return known.platform


def _preferred(door: Door, platform: PlatformId) -> str:
    found = door.ask(ListServingAddresses(platform=platform))
    return next((row.address for row in found if row.is_preferred), "")


def _member(known: KnownPoint, name: str, chosen: Namespace) -> InstantMember:
    folder = None if chosen.folder is None else tuple(part for part in chosen.folder.split("/") if part)
    return InstantMember(
        standby=known.standby,
        target_path=known.target_path,
        point=known.point.id,
        placement=VmPlacement(
            name=name,
            datacenter=chosen.datacenter,
            host=chosen.host,
            folder=folder,
            networks=tuple(chosen.network),
            is_isolated=chosen.isolated,
        ),
        power_on=chosen.power_on,
    )


def list_recoveries(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """List the instant recoveries, the newest first."""
    rows = door.ask(ListInstantRecoveries())
    columns = ("id", "name", "state", "VM", "backed up at", "platform", "host", ">IOPS", ">per s", ">overlay")
    cells = (
        (
            row.id[:_SHORT_KEY],
            row.name,
            _state(row),
            row.vm_name,
            row.point_at,
            row.platform_name,
            row.host_name,
            _operations(row),
            _flow(row),
            size(row.overlay_bytes),
            _days(row),
            row.since,
        )
        for row in rows
    )
    screen.table((*columns, ">days left", "since"), cells, rows)
    return DONE


def show_recovery(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show all about an instant recovery."""
    row = find_recovery(door, chosen.name)
    screen.facts(_facts(row), row)
    return DONE


def stop_recovery(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Stop one; with ``--discard`` but without ``--yes`` say what would be deleted, and refuse."""
    row = find_recovery(door, chosen.name)
    if chosen.discard and not chosen.yes:
        screen.remark(f"{row.name} is powered off and removed from {row.platform_name or 'its platform'}.")
        screen.remark(f"What it wrote ({size(row.overlay_bytes)}) is deleted for good; its restore point stays.")
        screen.remark("Nothing was changed. To confirm it: --yes")
        return FAILED
    task = door.execute(StopInstantRecovery(recovery=row.id, discard=chosen.discard))
    return queued(door, screen, [task], wait=chosen.wait)


def resume_recovery(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Run the VM of a stopped one again."""
    row = find_recovery(door, chosen.name)
    task = door.execute(ResumeInstantRecovery(recovery=row.id, power_on=chosen.power_on))
    return queued(door, screen, [task], wait=chosen.wait)


def finish_recovery(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Move the VM of one to a datastore of the platform."""
    row = find_recovery(door, chosen.name)
    command = FinishInstantRecovery(
        recovery=row.id,
        way=FinishWay.COLD if chosen.cold else FinishWay.LIVE,
        datastore=chosen.datastore,
        disk_datastores=tuple(chosen.disk),
        power_on=chosen.power_on,
    )
    return queued(door, screen, [door.execute(command)], wait=chosen.wait)


def keep_recovery(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Make a restore point of a stopped one."""
    row = find_recovery(door, chosen.name)
    return queued(door, screen, [door.execute(KeepInstantRecovery(recovery=row.id))], wait=chosen.wait)


def list_addresses(door: Door, screen: Screen, chosen: Namespace) -> int:
    """List the addresses of the engine's machine, the preferred one first."""
    found = door.ask(ListServingAddresses(platform=find_platform(door, chosen.platform).id))
    cells = ((row.address, row.adapter, "preferred" if row.is_preferred else "") for row in found)
    screen.table(("address", "adapter", ""), cells, found)
    return DONE


def _facts(row: InstantRow) -> Iterator[tuple[str, object]]:
    yield "Instant recovery", row.id
    yield "Name", row.name
    yield "State", _state(row)
    yield "VM in the point", row.vm_name
    yield "Restore point", row.point
    yield "Backed up at", row.point_at
    yield "Rule", row.rule_name or None
    yield "Standby machine", f"{row.standby_name}:{row.target_path}"
    yield "Platform", row.platform_name or None
    yield "Host", row.host_name or None
    yield "Datastore", row.datastore or None
    yield "VM", row.vm
    yield "Address", row.address or None
    yield "Network", "not connected" if row.is_isolated else "connected"
    yield "Since", row.since
    if row.traffic is not None:
        traffic = row.traffic
        yield "Reads", f"{traffic.reads_per_s:.0f} IOPS, {size(traffic.read_bytes_per_s)}/s"
        yield "Writes", f"{traffic.writes_per_s:.0f} IOPS, {size(traffic.written_bytes_per_s)}/s"
    yield "Overlay", size(row.overlay_bytes)
    yield "Free at standby", size(row.free_bytes)
    yield "Days left", _days(row)
    yield "Task", row.task
    yield "Can be done", ", ".join(action.value for action in row.actions) or None
    if row.error is not None:
        yield "Reason", row.error.message
        yield "Remedy", row.error.hint
        for line in row.error.details.splitlines():
            yield "Details", line


def _state(row: InstantRow) -> str:
    return row.state.value if row.percent is None else f"{row.state.value} {row.percent}%"


def _operations(row: InstantRow) -> str:
    return "-" if row.traffic is None else f"{row.traffic.reads_per_s + row.traffic.writes_per_s:.0f}"


def _flow(row: InstantRow) -> str:
    return size(None if row.traffic is None else row.traffic.read_bytes_per_s + row.traffic.written_bytes_per_s)


def _days(row: InstantRow) -> str:
    return "-" if row.days_left is None else f"{row.days_left:.1f}"
