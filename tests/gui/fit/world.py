"""A busy engine with long names, as a scripted door returns it: what has to find room in the window."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.contract.doctor import ExaminePlatform, Finding, Severity
from app.contract.errors import ErrorRow
from app.contract.hooks import ReadHooks
from app.contract.notifications import NotificationRow, ReadNotifications
from app.contract.offers import ListOffers, Offer, OfferedDisk
from app.contract.overview import (
    EngineStatus,
    HitKind,
    OverdueVm,
    Overview,
    ReadOverview,
    ReadStatus,
    Search,
    SearchHit,
    StandbyGauge,
)
from app.contract.pins import ListPins, PinProblem, PinRow
from app.contract.platforms import InspectServer, ListPlatformRows, ListPlatforms, TryPlatform
from app.contract.rules import ListRules, ListRuleVms
from app.contract.standbys import ListGroups, ListStandbyRows, ListStandbys
from app.contract.tasks import ListTasks, StartConsolidation, TaskDetails, TaskLogLines, TaskReport
from app.contract.transports import ProbeTransports
from app.contract.vddk import ReadVddk, VddkRow
from app.domain.concerns import PlatformCoverage
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.notifications import NotificationSettings
from app.domain.proofs import ProofKind
from app.domain.states import TaskKind, TaskState
from app.engine.proof.errors import PointNotProven
from app.repository import PinPurpose
from tests.gui.backup import samples
from tests.gui.log.test_log import entry, script_log
from tests.gui.migration import migrations
from tests.gui.platforms import test_platforms as platforms
from tests.gui.platforms.test_transports import PROBED
from tests.gui.proof import samples as proofs
from tests.gui.restore import points
from tests.gui.restore.instant import recoveries
from tests.gui.standbys import test_standbys as standbys
from tests.gui.tasks.rows import STANDBY, UNREACHABLE, log_line, task
from tests.support.scripted_door import ScriptedDoor

GB = 10**9
NOW = datetime.now(UTC)
LONG_NAME = "finance-erp-application-server-01.shanghai.corp.example.com"
REFUSED = ErrorRow(
    code="platform.login_refused",
    params=(("address", "vcenter-production.shanghai.example.com"), ("user", "backup@vsphere.local")),
    template="{address} did not accept the account {user}.",
    hint_template="",
    retryable=False,
)
NOT_PROVEN = ErrorRow(
    code=PointNotProven.code,
    template=PointNotProven.message_template,
    hint_template=PointNotProven.hint_template,
    params=(("reason", proofs.SILENT.reason), ("vm", LONG_NAME)),
)
GAUGES = (
    StandbyGauge(name="standby-a", total_bytes=16_000 * GB, free_bytes=4_100 * GB, reachable=True),
    StandbyGauge(name="nas-archive-shanghai-02", total_bytes=160_000 * GB, free_bytes=1_190 * GB, reachable=True),
)
TASKS = (
    task("a", TaskState.RUNNING, vm=LONG_NAME),
    task("b", TaskState.SAVING_CONFIGURATION, vm="db-01"),
    task("c", TaskState.QUERYING_CHANGES, vm="db-02"),
    task("d", TaskState.FAILED, vm="mail-01", error=REFUSED),
    task("e", TaskState.COMPLETED, vm="files-01", done_gb=4_812, total_gb=4_812),
    task("f", TaskState.RUNNING, kind=TaskKind.RESTORE, vm="web-01"),
    task("g", TaskState.PENDING, vm="web-02"),
    replace(task("h", TaskState.COMPLETED, vm="web-03"), ended_at=NOW - timedelta(days=3)),
    task("k", TaskState.RUNNING, kind=TaskKind.INSTANT_FINISH, vm="erp-01"),
    task("l", TaskState.CREATING_VM, kind=TaskKind.INSTANT_START, vm="erp-02"),
    task("m", TaskState.COMPLETED, kind=TaskKind.INSTANT_STOP, vm="erp-03"),
    task("n", TaskState.FAILED, kind=TaskKind.INSTANT_KEEP, vm="erp-04", error=UNREACHABLE),
    task("o", TaskState.RUNNING, kind=TaskKind.MIGRATION, vm="erp-05"),
    task("p", TaskState.FAILED, kind=TaskKind.PROOF, vm="erp-06", error=NOT_PROVEN),
)
OVERVIEW = Overview(
    protected_vms=1_204,
    known_vms=10_016,
    succeeded_7d=8_383,
    failed_7d=112,
    failures=(TASKS[3], task("i", TaskState.FAILED, vm=LONG_NAME, error=UNREACHABLE)),
    overdue=(
        OverdueVm(
            rule=RuleId("r-web"),
            vm=VmId("vm-9"),
            name=LONG_NAME,
            newest_point=NOW - timedelta(days=5),
            expected_by=NOW - timedelta(days=2),
        ),
    ),
    running=TASKS[:3],
    pending=5,
    next_runs=((NOW + timedelta(hours=5), "web"), (NOW + timedelta(days=2), "branch offices of the north")),
    standbys=GAUGES,
    point_count=34_012,
    proven_vms=1_004,
    booted_vms=988,
    unproven_count=12,
    platforms=(
        PlatformCoverage(
            platform=PlatformId("p-vcenter"),
            name="vcenter-01.shanghai.corp.example.com",
            reachable=True,
            vm_count=10_016,
            protected_count=1_204,
        ),
    ),
)
STATUS = EngineStatus(
    running=128,
    pending=1_500,
    read_bytes_per_s=1_640e6,
    unviewed_errors=212,
    standbys=GAUGES,
    engine_pid=1,
    started_at=NOW,
    offers=12,
    instant=7,
)
OFFERS = tuple(
    Offer(
        standby=point.standby,
        target_path=point.target_path,
        point=point.point.id,
        vm_name=LONG_NAME,
        point_at=point.point.created_at,
        since=NOW - timedelta(days=2),
        over_tcp=number == 1,
        disks=tuple(
            OfferedDisk(
                key=2000 + place,
                label=f"Hard disk {place + 1}",
                capacity_bytes=62_000_000_000_000,
                address="nbd://127.0.0.1:40123/" + "0123456789abcdef" * 2
                if number
                else f"nbd+unix:///{2000 + place}?socket=/run/user/1000/standfast-nbd-abcdefgh/nbd.sock",
                connections=place % 2,
            )
            for place in range(9)
        ),
    )
    for number, point in enumerate((points.point("web-01"), points.point("db-01")))
)
_PIN = PinRow(
    standby=StandbyId("s"),
    target_path="rules/branch offices of the north",
    id="0123456789abcdef" * 2,
    point=points.point().point.id,
    vm_name=LONG_NAME,
    point_at=points.point().point.created_at,
    purpose=PinPurpose.OFFER.said(),
    since=NOW - timedelta(minutes=47),
    host="backup-console-of-the-northern-branch-02.shanghai.corp.example.com",
)
PINS = (
    _PIN,
    replace(_PIN, id="1" * 32, vm_name="", point_at=None, purpose="what only a later version of the program does"),
    replace(_PIN, id="2" * 32, purpose=PinPurpose.VERIFICATION.said(), is_ours=True, is_at_work=True),
    replace(_PIN, id="3" * 32, vm_name="db-01", since=NOW - timedelta(days=400), is_ours=True),
    PinRow(standby=StandbyId("s"), target_path=_PIN.target_path, id="4" * 32, problem=PinProblem.UNREADABLE),
    PinRow(standby=StandbyId("s"), target_path="", id="5" * 32, problem=PinProblem.NEWER),
)
RECOVERIES = (
    replace(
        recoveries.ROWS[0],
        name=f"{LONG_NAME}-instant",
        vm_name=LONG_NAME,
        host_name="esx-production-04.shanghai.corp.example.com",
        platform_name="vcenter-production.shanghai.example.com",
        standby_name="nas-archive-shanghai-02",
        target_path="rules/branch offices of the north",
        overlay_bytes=62_000_000_000_000,
        is_isolated=True,
    ),
    *recoveries.ROWS[1:],
)

MIGRATIONS = (
    replace(
        migrations.ROWS[0],
        name=LONG_NAME,
        vm_name=LONG_NAME,
        platform_name="vcenter-production.shanghai.example.com",
        target_name="vcenter-disaster-recovery.suzhou.example.com",
        held_bytes=62_000_000_000_000,
        rest_bytes=999_000_000_000,
    ),
    *migrations.ROWS[1:],
)
PROOFS = (replace(proofs.ROWS[0], vm_name=LONG_NAME, rule_name="branch offices of the north"), *proofs.ROWS[1:])


def finding(severity: Severity, subject: str, message: str, hint: str = "") -> Finding:
    return Finding(severity=severity, subject=subject, code="x", params=(), message=message, hint=hint)


NOTIFICATIONS = NotificationRow(
    settings=NotificationSettings(), has_email_password=False, has_webhook_secret=False
)
VDDK = VddkRow(
    folder="/opt/vmware/virtual disk development kit/vmware-vix-disklib-distrib",
    error=ErrorRow(
        code="vddk.unusable",
        template="The VDDK folder {folder} cannot be used: {detail}.",
        params=(
            ("detail", "libvixDiskLib.so.8.0.2 is for aarch64, and x86-64 is needed"),
            ("folder", "/opt/vmware/virtual disk development kit/vmware-vix-disklib-distrib"),
        ),
    ),
)
HOOKS = AllHooks(
    common=Hooks(
        before=HookCommand(
            arguments=(
                r"C:\Program Files\Operations of the north\quiesce every database.exe",
                "--message=frozen for a backup",
                "--wait-for-all-transactions-of-the-enterprise-resource-planning-system",
                "",
                "-v",
            ),
            time_limit_s=4_812.5,
            retries=10,
        ),
        after=HookCommand(arguments=("/usr/local/lib/standfast/hooks/tell-the-monitoring",), enabled=False),
    ),
    rules={RuleId("r-web"): Hooks()},
)
FINDINGS = (
    finding(
        Severity.ERROR,
        "vc-1",
        "The account may not remove snapshots.",
        "Grant VirtualMachine.State.RemoveSnapshot.",
    ),
    finding(
        Severity.WARNING, LONG_NAME, "One disk is independent; it is left out of backups.", "Change its mode."
    ),
    finding(Severity.NOTICE, "web-02", "Changed blocks are not tracked yet.", "The first backup turns it on."),
    replace(
        finding(Severity.WARNING, LONG_NAME, "The disks need consolidation.", "Consolidate them."),
        remedy=StartConsolidation(platform=samples.PLATFORM, vm=VmId("vm-1"), vm_name=LONG_NAME),
    ),
    finding(Severity.OK, "esx-01.example.com", "Port 902 answers."),
)
HITS = (
    SearchHit(kind=HitKind.RULE, title="web", detail="3 VMs", rule=RuleId("r-web")),
    SearchHit(kind=HitKind.VM, title=LONG_NAME, detail="web", rule=RuleId("r-web"), vm=VmId("vm-1")),
    SearchHit(kind=HitKind.POINT, title="web-01", detail="2026-03-04 01:00", point=PointId("c/p0")),
    SearchHit(kind=HitKind.TASK, title="web-01", detail="Backup", task=TaskId("e")),
)


def fill(door: ScriptedDoor) -> None:
    """Let a door answer with all of it."""
    samples.fill(door)
    migrations.script_sources(door, *MIGRATIONS)
    recoveries.script_recoveries(door, *RECOVERIES)
    proofs.script_proofs(door, *PROOFS)
    _fill_lists(door)
    _fill_tasks(door)
    door.answer(ReadStatus, STATUS)
    door.answer(ReadOverview, OVERVIEW)
    door.answer(Search, HITS)
    door.answer(ListOffers, OFFERS)
    door.answer(ListPins, PINS)
    door.answer(ListGroups, ("backup-operators-of-the-northern-branch-offices", "staff"))
    door.answer(ExaminePlatform, FINDINGS)
    door.answer(ProbeTransports, PROBED)
    door.answer(InspectServer, platforms.CERTIFICATE)
    door.answer(TryPlatform, platforms.FACTS)
    door.answer(ReadNotifications, NOTIFICATIONS)
    door.answer(ReadHooks, HOOKS)
    door.answer(ReadVddk, VDDK)


def _fill_lists(door: ScriptedDoor) -> None:
    late = replace(samples.VMS[1], unproven_since=NOW - timedelta(days=2))
    tried = replace(samples.VMS[0], name=LONG_NAME, last_proven=NOW, last_proven_kind=ProofKind.BOOTS)
    named = (tried, late, samples.VMS[2])
    of_rule = {points.RULE.id: tuple(points.rule_vm(name) for name in ("db-01", "new-01", "web-01"))}
    first, second, third, *others = samples.RULES
    rules = (
        replace(first, last_proven=NOW, last_proven_kind=ProofKind.BOOTS),
        replace(second, unproven_vms=3),
        replace(third, last_proven=NOW - timedelta(days=40), last_proven_kind=ProofKind.STRUCTURE),
        *others,
    )
    door.answer(ListRules, (*rules, points.RULE))
    door.answer(ListRuleVms, lambda query: of_rule.get(query.rule, named))
    unreachable = replace(platforms.row("vcenter-02", reachable=False), error=REFUSED)
    rows = (
        samples.PLATFORM_ROW,
        replace(
            unreachable, platform=replace(unreachable.platform, address="vcenter-production.shanghai.example.com")
        ),
        platforms.row("vc-3", reachable=None),
    )
    door.answer(ListPlatformRows, rows)
    door.answer(ListPlatforms, tuple(row.platform for row in rows))
    stores = (
        samples.STANDBY_ROW,
        replace(standbys.row("nas"), root_path="/mnt/storage-shanghai-02/exports/standfast/backups"),
        standbys.row("old", reachable=False),
    )
    door.answer(ListStandbyRows, stores)
    door.answer(ListStandbys, (STANDBY,))


def _fill_tasks(door: ScriptedDoor) -> None:
    lines = [
        log_line(
            number, "Hard disk {snapshot}: read over NFC_SSL, and stored only what the standby had not", level
        )
        for number, level in enumerate((LogLevel.NORMAL, LogLevel.WARNING, LogLevel.ERROR), start=1)
    ]
    door.answer(
        ListTasks,
        lambda query: tuple(
            row
            for row in TASKS
            if (query.states is None or row.state in query.states)
            and (query.kinds is None or row.kind in query.kinds)
        ),
    )
    door.answer(
        TaskDetails,
        lambda query: TaskReport(task=next(row for row in TASKS if row.id == query.task), log=tuple(lines)),
    )
    door.answer(TaskLogLines, ())
    script_log(
        door,
        [
            replace(entry(number, level=level), subject=subject)
            for number, level, subject in (
                (3, LogLevel.ERROR, LONG_NAME),
                (2, LogLevel.WARNING, "db-01"),
                (1, LogLevel.NORMAL, "web-01"),
            )
        ],
    )
