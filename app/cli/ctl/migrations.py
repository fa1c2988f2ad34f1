"""``migrate …``: VMs that go to another platform while they run."""

from argparse import Namespace
from collections.abc import Iterable

from app.cli.ctl.names import find, find_platform
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.tasks import DONE, FAILED, queued
from app.contract.door import Door
from app.contract.migration import (
    CutOver,
    DiscardMigration,
    ListMigrations,
    MigrationMember,
    MigrationRow,
    PlanMigration,
    ResumeMigration,
    StartMigration,
    StopMigration,
)
from app.contract.platforms import ListVms
from app.domain.migration import MigrationCheck, MigrationOptions
from app.domain.vms import VmPlacement, VmSummary

_SHORT_KEY = 8


def start_migration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Begin to migrate VMs, or say what that would do."""
    source, target = find_platform(door, chosen.source), find_platform(door, chosen.target)
    inventory = door.ask(ListVms(platform=source.id))
    vms = [find("VM", name, inventory, lambda vm: (vm.id, vm.name)) for name in chosen.vms]
    if chosen.name and len(vms) > 1:
        screen.remark("--name is for one VM.")
        return FAILED
    members = tuple(_member(vm, chosen) for vm in vms)
    options = _options(chosen)
    if chosen.plan:
        plans = [
            door.ask(PlanMigration(platform=source.id, target=target.id, member=member, options=options))
            for member in members
        ]
        for member, plan in zip(members, plans, strict=True):
            facts: list[tuple[str, object]] = [("VM", member.vm_name), ("Disks", size(plan.disk_bytes))]
            facts.append(("Change tracking", "used" if plan.is_tracked else "not used"))
            if plan.planned is not None:
                facts += [("Host", plan.planned.host), ("Datastore", plan.planned.datastore)]
                facts += [("Not as it was", warning) for warning in plan.planned.warnings]
            facts += [("Note", warning) for warning in plan.warnings]
            if not screen.as_json:
                screen.facts(facts, plan)
        if screen.as_json:
            screen.document(plans)
        return DONE
    begun = door.execute(StartMigration(platform=source.id, target=target.id, members=members, options=options))
    for migration, vm in zip(begun, vms, strict=True):
        screen.line(f"{migration[:_SHORT_KEY]} {vm.name}: begun")
    if screen.as_json:
        screen.document(begun)
    return DONE


def _member(vm: VmSummary, chosen: Namespace) -> MigrationMember:
    placement = VmPlacement(
        name=chosen.name or vm.name,
        datacenter=chosen.datacenter,
        host=chosen.host,
        datastore=chosen.datastore,
        networks=tuple(chosen.network),
    )
    return MigrationMember(vm=vm.id, vm_name=vm.name, placement=placement)


def _options(chosen: Namespace) -> MigrationOptions:
    return MigrationOptions(
        quick=chosen.quick,
        lan_free=chosen.lan_free,
        quiesce=chosen.quiesce,
        automatic=chosen.automatic,
        shut_down_source=chosen.shut_down_source,
        power_on=chosen.power_on,
        prove_start=chosen.prove_start,
        check=MigrationCheck(chosen.check),
    )


def list_migrations(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """List migrations, newest first."""
    rows = door.ask(ListMigrations())
    columns = ("id", "VM", "state", ">done", ">rest", ">cut-over", "from", "to", "name", "reason")
    screen.table(columns, (_cells(row) for row in rows), rows)
    return DONE


def _cells(row: MigrationRow) -> tuple[object, ...]:
    return (
        row.id[:_SHORT_KEY],
        row.vm_name,
        _state(row),
        None if row.percent is None else f"{row.percent}%",
        None if row.rest_bytes is None else size(row.rest_bytes),
        _seconds(row),
        row.platform_name,
        row.target_name,
        row.name,
        row.error.message if row.error else "",
    )


def _state(row: MigrationRow) -> str:
    return f"{row.state.value} (waits)" if row.is_waiting else row.state.value


def _seconds(row: MigrationRow) -> str | None:
    return None if row.cut_over_s is None else f"{row.cut_over_s:.0f} s"


def show_migration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show all that is known of a migration."""
    row = _find(door, chosen.migration)
    screen.facts(_facts(row), row)
    return DONE


def _facts(row: MigrationRow) -> Iterable[tuple[str, object]]:
    yield "Migration", row.id
    yield "VM", f"{row.vm_name} ({row.vm})"
    yield "State", _state(row)
    yield "From", row.platform_name
    yield "To", row.target_name
    yield "Name", row.name
    yield "Target VM", row.target_vm
    yield "Begun", row.since
    yield "Ended", row.ended_at
    yield "Passes", row.passes
    yield "Last pass", row.last_pass_at
    yield "Data", size(row.held_bytes)
    yield "Rest", None if row.rest_bytes is None else size(row.rest_bytes)
    yield "Rate of change", None if row.change_bytes_per_s is None else f"{size(row.change_bytes_per_s)}/s"
    yield "Speed", None if row.copy_bytes_per_s is None else f"{size(row.copy_bytes_per_s)}/s"
    yield "Cut-over", _seconds(row)
    if row.source_kept_as:
        yield "Source kept as", row.source_kept_as
    if row.task:
        yield "Task", row.task
    if row.error:
        yield "Reason", row.error.message
        yield "Remedy", row.error.hint
    yield "Possible now", ", ".join(action.value for action in row.actions) or None


def cut_over(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Let the target of a migration that is ready take the source's place."""
    task = door.execute(CutOver(migration=_find(door, chosen.migration).id))
    return queued(door, screen, (task,), wait=chosen.wait)


def stop_migration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Stop a migration; what was copied is kept, or deleted where that is said."""
    row = _find(door, chosen.migration)
    door.execute(StopMigration(migration=row.id, keep=not chosen.discard))
    screen.facts([("Asked to stop", row.id), ("VM", row.vm_name)], {"migration": row.id})
    return DONE


def resume_migration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Go on with a migration that stopped or failed."""
    task = door.execute(ResumeMigration(migration=_find(door, chosen.migration).id))
    return queued(door, screen, (task,), wait=chosen.wait)


def discard_migration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Delete the target VM of a migration, and forget it; without ``--yes`` say what that would do, and refuse."""
    row = _find(door, chosen.migration)
    if not chosen.yes:
        if row.ended_at is None and row.target_vm is not None:
            screen.remark(f"The unfinished target VM of {row.vm_name} on {row.target_name} would be deleted.")
        screen.remark("Nothing was changed. To confirm it: --yes")
        return FAILED
    task = door.execute(DiscardMigration(migration=row.id))
    if task is None:
        screen.facts([("Forgotten", row.id), ("VM", row.vm_name)], {"migration": row.id})
        return DONE
    return queued(door, screen, (task,), wait=chosen.wait)


def _find(door: Door, name: str) -> MigrationRow:
    rows = door.ask(ListMigrations())
    return find("migration", name, rows, lambda row: (row.id, row.vm_name))
