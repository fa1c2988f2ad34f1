"""Restore points, rules and places as an engine would return them."""

from datetime import UTC, datetime, timedelta

from app.contract.points import ListPoints, ListRecoverableVms
from app.contract.restore import DescribeSavedVm, ListPlaces
from app.contract.rules import ListRules, ListRuleVms, ListVmPoints, RuleRow, RuleVmRow
from app.domain.ids import PointId, RuleId, VmId
from app.domain.places import DatastorePlace, HostPlace, PlatformPlaces, SavedAdapter, SavedHardware
from app.domain.restore_point import PointDisk, RestorePoint, VmFacts
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import KnownPoint, PointTally, VerificationState
from tests.gui.tasks.rows import PLATFORM, STANDBY, script_names
from tests.support.scripted_door import ScriptedDoor

GB = 1_000_000_000
NEWEST = datetime(2026, 3, 4, 1, 0, tzinfo=UTC)
RULE = RuleRow(
    id=RuleId("r1"),
    name="Production",
    state=TaskState.IDLE,
    fraction=None,
    platform=PLATFORM.id,
    platform_name=PLATFORM.name,
    standby=STANDBY.id,
    standby_name=STANDBY.name,
    target_path="prod",
    vm_count=2,
    next_run=None,
    next_kind=None,
    last_run=None,
    last_result=None,
    unviewed_errors=0,
)
PLACES = PlatformPlaces(
    datacenters=("Shanghai", "Suzhou"),
    hosts=(
        HostPlace(
            name="esx01.lab",
            datacenter="Shanghai",
            datastores=(
                DatastorePlace(name="ds1", kind="VMFS", total_bytes=4000 * GB, free_bytes=1200 * GB),
                DatastorePlace(name="ds2", kind="NFS", total_bytes=9000 * GB, free_bytes=4400 * GB),
            ),
            networks=("Production", "VM Network"),
        ),
        HostPlace(
            name="esx09.lab",
            datacenter="Suzhou",
            datastores=(DatastorePlace(name="vsan1", kind="vsan", total_bytes=8000 * GB, free_bytes=700 * GB),),
            networks=("Branch",),
        ),
    ),
)
HARDWARE = SavedHardware(
    cpus=4,
    cores_per_socket=2,
    memory_mib=8192,
    adapters=(
        SavedAdapter(key=4000, label="Network adapter 1", network="VM Network", mac_address="00:50:56:81:00:01"),
    ),
)


def chain_of(vm: str) -> str:
    """The chain of a VM in the rule."""
    return f"Production_BAK_vm-{vm}_vc-1.example.com"


def point(vm: str = "web-01", number: int = 0, *, damaged: bool = False) -> KnownPoint:
    """A restore point; number 0 is the newest."""
    chain = chain_of(vm)
    kind = BackupKind.FULL if number == 2 else BackupKind.INCREMENTAL
    made = RestorePoint(
        id=PointId(f"{chain}/p{number}"),
        chain=chain,
        rule_name=RULE.name,
        created_at=NEWEST - timedelta(days=number),
        kind=kind,
        parent=PointId(f"{chain}/p{number + 1}") if kind is BackupKind.INCREMENTAL else None,
        facts=VmFacts(
            vm=VmId(f"vm-{vm}"),
            name=vm,
            platform_address=PLATFORM.address,
            instance_uuid="5010f3a2-7d21-4b0c-9a51-0c3f9a7be101",
            datacenter="Shanghai",
            datastore="ds1",
            host="esx01.lab",
            hostname=f"{vm}.example.com",
            guest="Debian GNU/Linux 12 (64-bit)",
        ),
        disks=tuple(
            PointDisk(
                key=2000 + place,
                label=f"Hard disk {place + 1}",
                uuid=None,
                capacity_bytes=(40 + 60 * place) * GB,
                path=f"[ds1] {vm}/{vm}.vmdk",
                change_id=None,
                root="",
                read_bytes=2 * GB,
                stored_bytes=GB,
                read_whole=number == 2,
            )
            for place in range(2)
        ),
        configuration_files=("config.json",),
        consistent=True,
        tool_version="1",
    )
    states = {0: VerificationState.UNKNOWN, 1: VerificationState.WHOLE}
    state = VerificationState.DAMAGED if damaged else states.get(number, VerificationState.WHOLE)
    return KnownPoint(standby=STANDBY.id, target_path="prod", point=made, verification=state, platform=PLATFORM.id)


def tally(vm: str = "web-01", count: int = 3) -> PointTally:
    """What is known of a VM's points in sum."""
    return PointTally(
        origin="p1",
        standby=STANDBY.id,
        target_path="prod",
        rule_name=RULE.name,
        platform_address=PLATFORM.address,
        vm=VmId(f"vm-{vm}"),
        count=count,
        stored_bytes=count * GB,
        newest=NEWEST,
        capacity_bytes=140 * GB,
        vm_name=vm,
    )


def rule_vm(vm: str) -> RuleVmRow:
    """A VM of the rule."""
    return RuleVmRow(
        rule=RULE.id,
        vm=VmId(f"vm-{vm}"),
        name=vm,
        state=TaskState.IDLE,
        fraction=None,
        task=None,
        platform_name=PLATFORM.name,
        standby_name=STANDBY.name,
        disk_bytes=140 * GB,
        started_at=None,
        ended_at=None,
        read_bytes_per_s=None,
        seconds_left=None,
        error=None,
        point_count=3,
        newest_point=NEWEST,
        unviewed_errors=0,
    )


def script_points(door: ScriptedDoor) -> None:
    """Let a door know two VMs with points, one without, and a platform with places for them."""
    script_names(door)
    points = {
        VmId("vm-web-01"): tuple(point("web-01", number) for number in range(3)),
        VmId("vm-db-01"): (point("db-01", 0, damaged=True), point("db-01", 1)),
    }
    door.answer(ListRecoverableVms, (tally("db-01", 2), tally("web-01")))
    door.answer(ListRules, (RULE,))
    door.answer(ListRuleVms, (rule_vm("db-01"), rule_vm("new-01"), rule_vm("web-01")))
    known = sum(points.values(), ())
    door.answer(ListPoints, lambda query: known if query.vm is None else points.get(query.vm, ()))
    door.answer(ListVmPoints, lambda query: points.get(query.vm, ()))
    door.answer(ListPlaces, PLACES)
    door.answer(DescribeSavedVm, HARDWARE)
