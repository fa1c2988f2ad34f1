"""Migrations as an engine would return them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.contract.migration import (
    DescribeSource,
    ListMigrations,
    MigrationRow,
    PlanMigration,
    PlannedMigration,
)
from app.contract.platforms import DescribeVm, ListPlatforms, ListVms
from app.contract.restore import ListPlaces
from app.domain.ids import MigrationId, PlatformId, TaskId, VmId
from app.domain.migration import MigrationAction, MigrationOptions, MigrationState
from app.domain.places import SavedHardware
from app.domain.vms import VirtualDisk, VmDetails, VmPlacement, VmSummary
from tests.gui.backup.samples import inventory_vm
from tests.gui.restore.points import HARDWARE, PLACES
from tests.gui.tasks.rows import PLATFORM, UNREACHABLE
from tests.support.scripted_door import ScriptedDoor

GB = 1_000_000_000
SINCE = datetime.now(UTC) - timedelta(minutes=50)
TARGET = replace(PLATFORM, id=PlatformId("p2"), name="vc-2", address="vc-2.example.com")
WEB = replace(inventory_vm("web-01"), datacenter="Shanghai", host="esx01.lab", snapshot_count=2)
DB = replace(inventory_vm("db-01", folder="Databases"), datacenter="Shanghai", host="esx01.lab")
PLAN = PlannedMigration(planned=None, disk_bytes=40 * GB, is_tracked=True)
_ACTIONS = {
    MigrationState.READY: (MigrationAction.CUT_OVER, MigrationAction.STOP, MigrationAction.DISCARD),
    MigrationState.STOPPED: (MigrationAction.RESUME, MigrationAction.DISCARD),
    MigrationState.FAILED: (MigrationAction.RESUME, MigrationAction.DISCARD),
    MigrationState.UNKNOWN: (MigrationAction.RESUME, MigrationAction.DISCARD),
    MigrationState.COMPLETED: (MigrationAction.DISCARD,),
}
_BARS = (MigrationState.MIGRATING, MigrationState.CUTTING_OVER)


def migration(name: str = "web-01", state: MigrationState = MigrationState.READY) -> MigrationRow:
    """A migration in a state, with what is known and what can be done then."""
    is_done, is_new = state is MigrationState.COMPLETED, state is MigrationState.PREPARING
    works = state in (MigrationState.PREPARING, *_BARS)
    return MigrationRow(
        id=MigrationId(f"migration-{name}"),
        name=name,
        vm=VmId(f"vm-{name}"),
        vm_name=name,
        state=state,
        percent=37 if state in _BARS else None,
        error=UNREACHABLE if state in (MigrationState.FAILED, MigrationState.UNKNOWN) else None,
        task=TaskId(f"task-{name}") if works else None,
        platform=PLATFORM.id,
        platform_name=PLATFORM.name,
        target=TARGET.id,
        target_name=TARGET.name,
        placement=VmPlacement(name=name),
        options=MigrationOptions(automatic=False),
        passes=0 if is_new else 4,
        held_bytes=0 if is_new else 38 * GB,
        last_pass_bytes=0 if is_new else 410_000_000,
        last_pass_at=None if is_new else datetime.now(UTC) - timedelta(seconds=40),
        rest_bytes=None if is_new or is_done else 52_000_000,
        change_bytes_per_s=None if is_new or is_done else 1.3e6,
        copy_bytes_per_s=None if is_new else 212e6,
        cut_over_s=None if is_new or is_done else 184.0,
        target_vm=None if is_new else VmId(f"vm-9-{name}"),
        source_kept_as=f"{name}-migrated-1a2b3c4d" if is_done else "",
        since=SINCE,
        ended_at=SINCE + timedelta(minutes=41) if is_done else None,
        actions=_ACTIONS.get(state, (MigrationAction.STOP,)),
    )


WAITING = replace(migration("new-01", MigrationState.PREPARING), is_waiting=True)
ROWS = (
    migration("web-01"),
    migration("db-01", MigrationState.MIGRATING),
    migration("mail-01", MigrationState.CUTTING_OVER),
    migration("files-01", MigrationState.STOPPED),
    migration("erp-01", MigrationState.PREPARING),
    WAITING,
    migration("test-01", MigrationState.UNKNOWN),
    migration("web-02", MigrationState.FAILED),
    migration("web-03", MigrationState.COMPLETED),
)


def details(vm: VmSummary) -> VmDetails:
    """A VM with two disks."""
    disks = tuple(
        VirtualDisk(
            key=2000 + place,
            label=f"Hard disk {place + 1}",
            uuid=None,
            capacity_bytes=(10 + 20 * place) * GB,
            path=f"[ds-1] {vm.name}/{vm.name}_{place}.vmdk",
            thin=True,
        )
        for place in range(2)
    )
    return VmDetails(summary=vm, disks=disks, snapshots=())


def hardware(network: str) -> SavedHardware:
    """What a VM with one adapter is made of."""
    return replace(HARDWARE, adapters=(replace(HARDWARE.adapters[0], network=network),))


def script_migrations(door: ScriptedDoor, *rows: MigrationRow) -> None:
    """Let a door know two platforms, VMs to migrate, and some migrations."""
    door.answer(ListPlatforms, (PLATFORM, TARGET))
    script_sources(door, *rows)


def script_sources(door: ScriptedDoor, *rows: MigrationRow) -> None:
    """Let a door know VMs to migrate, places for them, and some migrations."""
    vms = {vm.id: vm for vm in (WEB, DB)}
    networks = {WEB.id: "VM Network", DB.id: "Production"}
    door.answer(ListMigrations, rows)
    door.answer(ListVms, tuple(vms.values()))
    door.answer(ListPlaces, PLACES)
    door.answer(DescribeVm, lambda query: details(vms.get(query.vm, WEB)))
    door.answer(DescribeSource, lambda query: hardware(networks.get(query.vm, "VM Network")))
    door.answer(PlanMigration, PLAN)
