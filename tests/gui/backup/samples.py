"""Rules, VMs, traffic and statistics as an engine would return them, and a door that returns them."""

import math
from datetime import UTC, date, datetime, time, timedelta

from app.contract.errors import ErrorRow
from app.contract.platforms import ListPlatformRows, ListVms, PlatformRow
from app.contract.rules import (
    CheckRule,
    DeletionPreview,
    DescribeRule,
    ListRules,
    ListRuleVms,
    MarkErrorsViewed,
    Periodic,
    Policy,
    PreviewedDay,
    PreviewedPoint,
    PreviewRetention,
    PreviewRuleDeletion,
    RuleDetails,
    RuleDraft,
    RuleRow,
    RuleVmRow,
    RunNow,
    VmChoice,
    VmsInRules,
)
from app.contract.standbys import BrowseStandby, DirectoryEntry, ListStandbyRows, StandbyRow
from app.contract.statistics import (
    DayCount,
    ListStatisticsTasks,
    ReadStatistics,
    ReadTraffic,
    Statistics,
    StatisticsTaskRow,
    Traffic,
    TrafficPoint,
    TrafficRange,
)
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.platforms import Platform, PlatformFacts, PlatformKind
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit, Retention, Weekday
from app.domain.retention import preview
from app.domain.rules import AdvancedSettings
from app.domain.schedule import upcoming_runs
from app.domain.states import BackupKind, TaskKind, TaskState
from app.domain.vms import PowerState, VmSummary
from tests.support.scripted_door import ScriptedDoor

NOW = datetime.now(UTC).replace(microsecond=0)
GB = 1_000_000_000
PLATFORM, STANDBY = PlatformId("p-1"), StandbyId("s-1")
FULL_DISK = ErrorRow(
    code="standby.full",
    params=(("path", "/backup/web"), ("free_bytes", "4096")),
    template="The standby path {path} is full ({free_bytes:size} free).",
    hint_template="Free space there, shorten the retention, or add a larger standby path.",
    retryable=True,
)


def rule_row(
    name: str = "web",
    *,
    state: TaskState = TaskState.IDLE,
    fraction: float | None = None,
    result: TaskState | None = TaskState.COMPLETED,
    unviewed: int = 0,
) -> RuleRow:
    return RuleRow(
        id=RuleId(f"r-{name}"),
        name=name,
        state=state,
        fraction=fraction,
        platform=PLATFORM,
        platform_name="vc-1",
        standby=STANDBY,
        standby_name="standby-a",
        target_path=f"backup/{name}",
        vm_count=3,
        next_run=NOW + timedelta(hours=5),
        next_kind=BackupKind.INCREMENTAL,
        last_run=NOW - timedelta(hours=19) if result else None,
        last_result=result,
        unviewed_errors=unviewed,
    )


def vm_row(
    name: str = "web-01",
    *,
    state: TaskState = TaskState.IDLE,
    fraction: float | None = None,
    error: ErrorRow | None = None,
    points: int = 12,
) -> RuleVmRow:
    runs = state is TaskState.RUNNING
    return RuleVmRow(
        rule=RuleId("r-web"),
        vm=VmId(f"vm-{name}"),
        name=name,
        state=state,
        fraction=fraction,
        task=TaskId(f"t-{name}"),
        platform_name="vc-1",
        standby_name="standby-a",
        disk_bytes=40 * GB,
        started_at=NOW - (timedelta(minutes=4) if runs else timedelta(hours=19)),
        ended_at=None if runs else NOW - timedelta(hours=18, minutes=48),
        read_bytes_per_s=312_000_000.0,
        seconds_left=80.0 if runs else None,
        error=error,
        point_count=points,
        newest_point=NOW - timedelta(hours=19),
        unviewed_errors=0,
    )


RULES = (
    rule_row("web", state=TaskState.RUNNING, fraction=0.248),
    rule_row("databases", state=TaskState.IDLE, result=TaskState.FAILED, unviewed=2),
    rule_row("file servers", state=TaskState.STOPPED, result=TaskState.STOPPED),
    rule_row("office", state=TaskState.PENDING),
    rule_row("branch offices", state=TaskState.UNKNOWN, result=None),
)
VMS = (
    vm_row("web-01", state=TaskState.RUNNING, fraction=0.248),
    vm_row("web-02", state=TaskState.FAILED, error=FULL_DISK),
    vm_row("web-03", state=TaskState.QUERYING_CHANGES, points=0),
)
POLICY = Periodic(
    policy=PeriodicPolicy(
        plans=(
            Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(time(17, 51),)),
            Plan(
                unit=PolicyUnit.WEEKLY,
                kind=BackupKind.FULL,
                times=(time(2, 0), time(14, 30)),
                weekdays=frozenset({Weekday.SATURDAY}),
            ),
        ),
        retention=Retention(period=5, unit=PolicyUnit.WEEKLY),
    )
)
DRAFT = RuleDraft(
    name="web",
    platform=PLATFORM,
    standby=STANDBY,
    target_path="backup/web",
    vms=tuple(VmChoice(vm=row.vm, name=row.name) for row in VMS),
    advanced=AdvancedSettings(delete_data_with_rule=True),
    policy=POLICY,
)
DETAILS = RuleDetails(row=RULES[0], draft=DRAFT)
PLATFORM_ROW = PlatformRow(
    platform=Platform(id=PLATFORM, name="vc-1", address="vc-1.example.com", user="backup", thumbprint_sha256=None),
    facts=PlatformFacts(
        kind=PlatformKind.VCENTER,
        full_name="VMware vCenter Server 8.0.3",
        version="8.0.3",
        api_version="8.0.3.0",
        build="24022515",
        instance_uuid="u-1",
    ),
    reachable=True,
    checked_at=NOW,
    error=None,
    vm_count=120,
    rule_count=4,
    license_name="",
)
STANDBY_ROW = StandbyRow(
    id=STANDBY,
    name="standby-a",
    root_path="/backup",
    note="",
    reachable=True,
    writable=True,
    error=None,
    total_bytes=16_000 * GB,
    free_bytes=4_100 * GB,
    repository_bytes=9_000 * GB,
    point_count=300,
    rule_count=4,
)


def inventory_vm(name: str, *, folder: str = "Production", on: bool = True, host: str = "esx-01") -> VmSummary:
    return VmSummary(
        id=VmId(f"vm-{name}"),
        name=name,
        power_state=PowerState.ON if on else PowerState.OFF,
        instance_uuid=None,
        bios_uuid=None,
        guest="Debian GNU/Linux 12 (64-bit)",
        hostname=name,
        host=host,
        datacenter="Berlin",
        folder=(folder,),
        datastores=("ds-1",),
        disk_bytes=40 * GB,
        change_tracking_supported=True,
        change_tracking_enabled=False,
        snapshot_count=0,
        is_template=False,
    )


INVENTORY = (
    inventory_vm("app-01"),
    inventory_vm("app-02", host="esx-02"),
    inventory_vm("db-01", folder="Databases"),
    inventory_vm("db-02", folder="Databases", on=False),
    inventory_vm("mail-01", folder="Office", host="esx-02"),
    inventory_vm("web-01"),
)


def traffic(query: ReadTraffic) -> Traffic:
    """Return ten minutes, a day or two months of traffic, with gaps; after ``since`` only what is newer."""
    now = datetime.now(UTC).replace(microsecond=0)
    slice_s, count = {TrafficRange.LIVE: (1, 600), TrafficRange.DAY: (60, 1440)}.get(query.range, (3600, 1440))
    start = now - timedelta(seconds=slice_s * count)

    def point(place: int) -> TrafficPoint:
        wave = 0.5 + 0.35 * math.sin(place / 23) + 0.15 * math.sin(place / 5)
        return TrafficPoint(
            at=start + timedelta(seconds=place * slice_s),
            read_bytes_per_s=420_000_000 * wave,
            written_bytes_per_s=130_000_000 * wave * wave,
        )

    busy = [point(place) for place in range(count) if query.range is TrafficRange.LIVE or place % 240 < 60]
    if query.range is TrafficRange.LIVE:
        busy = busy[180:]
    points = tuple(sample for sample in busy if query.since is None or sample.at > query.since)
    return Traffic(start=start, end=now, slice_s=slice_s, points=points)


def statistics(query: ReadStatistics) -> Statistics:
    today = datetime.now().astimezone().date()
    days = tuple(
        DayCount(
            day=today - timedelta(days=back),
            succeeded=3 if back % 7 else 6,
            failed=1 if back % 9 == 4 else 0,
            read_bytes=(20 + back % 5 * 9) * GB,
        )
        for back in range(29, -1, -1)
    )
    return Statistics(
        days=days,
        succeeded=412,
        failed=7,
        read_bytes=18_400 * GB,
        stored_bytes=6_120 * GB,
        unviewed_errors=2,
    )


def run_row(name: str, *, failed: bool = False, hours_ago: int = 5) -> StatisticsTaskRow:
    return StatisticsTaskRow(
        task=TaskId(f"task-{name}-{hours_ago}"),
        rule_name="web",
        result=TaskState.FAILED if failed else TaskState.COMPLETED,
        kind=TaskKind.BACKUP,
        backup_kind="incremental",
        vm_name=name,
        source_kind="VMware vSphere",
        source_bytes=40 * GB,
        written_bytes=2 * GB,
        bytes_per_s=312_000_000.0,
        started_at=NOW - timedelta(hours=hours_ago),
        ended_at=NOW - timedelta(hours=hours_ago, minutes=-7),
        error=FULL_DISK if failed else None,
        viewed=not failed,
    )


RUNS = (
    run_row("web-02", failed=True, hours_ago=19),
    run_row("web-01"),
    run_row("web-03", hours_ago=29),
    run_row("web-01", hours_ago=29),
)


def previewed(policy: Policy, days: int = 92) -> tuple[PreviewedDay, ...]:
    """Return what the domain itself says."""
    zone = datetime.now().astimezone().tzinfo
    assert zone is not None
    assert isinstance(policy, Periodic)
    now = datetime.now(UTC)
    runs: dict[date, list[tuple[datetime, BackupKind]]] = {}
    for run in upcoming_runs(policy.policy, now, zone):
        if (run.at - now).days > days:
            break
        runs.setdefault(run.at.astimezone(zone).date(), []).append((run.at, run.kind))
    found: list[PreviewedDay] = []
    for day in preview((), policy.policy.retention, policy.policy, now, zone):
        points = tuple(
            PreviewedPoint(id=None, created_at=point.created_at, kind=point.kind) for point in day.points
        )
        found.append(
            PreviewedDay(
                day=day.day, runs=tuple(runs.get(day.day, ())), points=points, removed_count=len(day.removed)
            )
        )
        if len(found) == days:
            return tuple(found)
    return tuple(found)


def browse(query: BrowseStandby) -> tuple[DirectoryEntry, ...]:
    if not query.path:
        return (
            DirectoryEntry(name="backup", path="backup", is_repository=False, has_children=True),
            DirectoryEntry(name="lost+found", path="lost+found", is_repository=False, has_children=False),
        )
    return tuple(
        DirectoryEntry(name=name, path=f"{query.path}/{name}", is_repository=name == "web", has_children=False)
        for name in ("databases", "web")
    )


def fill(door: ScriptedDoor) -> ScriptedDoor:
    """Let a door answer everything that the page asks."""
    door.answer(ListRules, RULES)
    door.answer(ListRuleVms, VMS)
    door.answer(DescribeRule, DETAILS)
    door.answer(ReadTraffic, traffic)
    door.answer(ReadStatistics, statistics)
    door.answer(ListStatisticsTasks, RUNS)
    door.answer(MarkErrorsViewed, None)
    door.answer(ListPlatformRows, (PLATFORM_ROW,))
    door.answer(ListStandbyRows, (STANDBY_ROW,))
    door.answer(ListVms, INVENTORY)
    door.answer(VmsInRules, {VmId("vm-web-01"): "web"})
    door.answer(BrowseStandby, browse)
    door.answer(CheckRule, ())
    door.answer(PreviewRetention, lambda query: previewed(query.policy))
    door.answer(PreviewRuleDeletion, DeletionPreview(point_count=36, freed_bytes=812 * GB, blocked_by=()))
    door.answer(RunNow, (TaskId("t-new"),))
    return door
