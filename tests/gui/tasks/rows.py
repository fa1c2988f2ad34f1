"""Tasks as an engine would tell of them."""

from datetime import UTC, datetime, timedelta

from app.contract.errors import ErrorRow
from app.contract.log import LogRow
from app.contract.platforms import ListPlatforms
from app.contract.standbys import ListStandbys
from app.contract.tasks import TaskProgress, TaskRow
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.platforms import Platform
from app.domain.progress import ProgressSample
from app.domain.standbys import Standby
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import StageTime
from tests.support.scripted_door import ScriptedDoor

GB = 1_000_000_000
START = datetime.now(UTC) - timedelta(minutes=12)
PLATFORM = Platform(
    id=PlatformId("p1"), name="vc-1", address="vc-1.example.com", user="backup", thumbprint_sha256=None
)
STANDBY = Standby(id=StandbyId("s1"), name="nas", root_path="/mnt/nas")
UNREACHABLE = ErrorRow(
    code="platform.unreachable",
    params=(("address", "vc-1.example.com"), ("detail", "timed out"), ("port", "443")),
    template="{address} cannot be reached: {detail}",
    hint_template="Check the network.",
    retryable=True,
)
_WAY = (
    TaskState.PENDING,
    TaskState.PREPARING,
    TaskState.SAVING_CONFIGURATION,
    TaskState.QUERYING_CHANGES,
    TaskState.CHECKING_DATA,
    TaskState.RUNNING,
)
_RESTORE_WAY = (TaskState.PENDING, TaskState.PREPARING, TaskState.CREATING_VM, TaskState.RUNNING)


def sample(done: int = 0, total: int = 0) -> ProgressSample:
    """Counters of a task whose source is the bottleneck."""
    return ProgressSample(
        total_bytes=total,
        done_bytes=done,
        read_bytes=done,
        written_bytes=done * 2 // 5,
        source_busy_s=done / GB * 5,
        processing_busy_s=done / GB * 1.5,
        target_busy_s=done / GB * 2,
    )


def task(
    name: str = "t1",
    state: TaskState = TaskState.RUNNING,
    *,
    kind: TaskKind = TaskKind.BACKUP,
    vm: str = "web-01",
    done_gb: int = 25,
    total_gb: int = 40,
    error: ErrorRow | None = None,
) -> TaskRow:
    """One task that went through the usual states up to the one it is in."""
    way = _WAY if kind is TaskKind.BACKUP else _RESTORE_WAY
    entered = way[: way.index(state) + 1] if state in way else (*way, state)
    stages = tuple(
        StageTime(state=passed, at=START + timedelta(seconds=place * 9)) for place, passed in enumerate(entered)
    )
    if state.is_final:
        stages = (*stages[:-1], StageTime(state=state, at=START + timedelta(minutes=8)))
    is_moving = state is TaskState.RUNNING or state.is_final
    moved = sample(done_gb * GB, total_gb * GB) if is_moving else sample()
    return TaskRow(
        id=TaskId(name),
        kind=kind,
        state=state,
        vm=VmId(f"vm-{vm}"),
        vm_name=vm,
        platform=PLATFORM.id,
        standby=STANDBY.id,
        target_path="prod",
        rule=RuleId("r1"),
        rule_name="Production",
        point=PointId("Production_BAK_vm-1/20260301T080000Z") if kind is not TaskKind.BACKUP else None,
        created_at=START,
        started_at=None if state is TaskState.PENDING else START,
        ended_at=stages[-1].at if state.is_final else None,
        stages=stages,
        progress=moved,
        error=error,
        target_name=f"{vm}-restored" if kind is TaskKind.RESTORE else "",
        platform_name=PLATFORM.name,
        standby_name=STANDBY.name,
        read_bytes_per_s=moved.read_bytes / 480 if state.is_final else None,
    )


def running_task(row: TaskRow, done_gb: int, bytes_per_s: float | None = None) -> TaskProgress:
    """How far a task is now, as a sample tells."""
    progress = sample(done_gb * GB, row.progress.total_bytes)
    rule = row.rule if row.kind is TaskKind.BACKUP else None
    return TaskProgress(task=row.id, vm=row.vm, rule=rule, progress=progress, read_bytes_per_s=bytes_per_s)


def log_line(number: int, text: str = "Snapshot {snapshot} created", level: LogLevel = LogLevel.NORMAL) -> LogRow:
    """A line of a log."""
    return LogRow(
        id=number,
        at=START + timedelta(seconds=number),
        level=level,
        code="snapshot.created",
        params=(("snapshot", f"snapshot-{number}"),),
        text=text.format(snapshot=f"snapshot-{number}"),
        template=text,
    )


def script_names(door: ScriptedDoor) -> None:
    """Let a door know the platform and the standby machine."""
    door.answer(ListPlatforms, (PLATFORM,))
    door.answer(ListStandbys, (STANDBY,))
