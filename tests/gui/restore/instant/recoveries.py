"""Instant recoveries as an engine would return them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.contract.instant import (
    InstantRow,
    InstantTraffic,
    ListInstantRecoveries,
    ListServingAddresses,
    PlanInstantRecovery,
    ServingAddress,
)
from app.contract.platforms import ListVms
from app.domain.ids import RecoveryId, TaskId, VmId
from app.domain.instant import InstantAction, InstantState
from tests.gui.backup.samples import inventory_vm
from tests.gui.restore.points import RULE, point, script_points
from tests.gui.tasks.rows import PLATFORM, STANDBY, UNREACHABLE
from tests.support.scripted_door import ScriptedDoor

GB = 1_000_000_000
ADDRESSES = (
    ServingAddress(address="10.0.0.5", adapter="eth0", is_preferred=True),
    ServingAddress(address="192.168.7.5", adapter="eth1"),
)
TRAFFIC = InstantTraffic(reads_per_s=820.0, read_bytes_per_s=31e6, writes_per_s=140.0, written_bytes_per_s=5.2e6)
SINCE = datetime.now(UTC) - timedelta(hours=3)


def recovery(name: str = "web-01", state: InstantState = InstantState.RUNNING) -> InstantRow:
    """An instant recovery in a state, with what can be done then."""
    is_served = state in (InstantState.RUNNING, InstantState.MIGRATING)
    known = point("web-01")
    return InstantRow(
        id=RecoveryId(f"recovery-{name}"),
        name=f"{name}-instant",
        vm_name=name,
        state=state,
        percent=37 if state is InstantState.MIGRATING else None,
        error=UNREACHABLE if state is InstantState.UNKNOWN else None,
        task=None if state in _ACTIONS else TaskId(f"task-{name}"),
        standby=STANDBY.id,
        standby_name=STANDBY.name,
        target_path="prod",
        point=known.point.id,
        point_at=known.point.created_at,
        rule=RULE.id,
        rule_name=RULE.name,
        platform=PLATFORM.id,
        platform_name=PLATFORM.name,
        host_name="" if state is InstantState.PREPARING else "esx01.lab",
        datastore="standfast-1" if is_served else "",
        vm=VmId(f"vm-{name}") if is_served else None,
        address="10.0.0.5",
        since=SINCE,
        traffic=TRAFFIC if is_served else None,
        overlay_bytes=2_410_000_000,
        free_bytes=1_900 * GB,
        days_left=41.0 if is_served else None,
        actions=_ACTIONS.get(state, ()),
    )


_ACTIONS = {
    InstantState.RUNNING: (InstantAction.FINISH, InstantAction.STOP),
    InstantState.STOPPED: (InstantAction.RESUME, InstantAction.KEEP, InstantAction.DISCARD),
    InstantState.UNKNOWN: (InstantAction.STOP,),
}
ROWS = (
    recovery("web-01"),
    replace(recovery("db-01", InstantState.MIGRATING), days_left=0.6),
    replace(recovery("mail-01"), days_left=4.4, is_isolated=True),
    recovery("files-01", InstantState.STOPPED),
    recovery("erp-01", InstantState.CREATING_VM),
    recovery("web-02", InstantState.PREPARING),
    recovery("test-01", InstantState.UNKNOWN),
)


def script_recoveries(door: ScriptedDoor, *rows: InstantRow) -> None:
    """Let a door know restore points, places, addresses, and some instant recoveries."""
    script_points(door)
    door.answer(ListInstantRecoveries, rows)
    door.answer(ListServingAddresses, ADDRESSES)
    door.answer(PlanInstantRecovery, None)
    vms = (
        replace(inventory_vm("app-01"), datacenter="Shanghai", folder=("Production", "Web")),
        replace(inventory_vm("app-02"), datacenter="Suzhou", folder=("Branches",)),
    )
    door.answer(ListVms, vms)
