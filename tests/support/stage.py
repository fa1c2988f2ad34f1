"""A simulated vSphere with an engine on it, for end-to-end tests: real sockets, real files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli.demo.comparison import compare_with_file, comparing_tool, qemu_finds_equal
from app.cli.demo.stage import Stage, registration_of
from app.contract.doctor import ExamineRule, Finding
from app.contract.door import Door
from app.contract.platforms import ListVms
from app.contract.points import ListPoints
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.rules import Periodic, RuleDraft, VmChoice
from app.contract.standbys import RegisterStandby
from app.contract.tasks import StartBackup, TaskDetails, TaskReport
from app.core.clock import SystemClock
from app.core.disks import DiskReader, ReadRequest
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.events import Event, TaskStateChanged
from app.domain.ids import TaskId, VmId
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit
from app.domain.restore_point import RestorePoint
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmSummary
from app.engine.engine import Engine
from app.repository import Repository
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.virtual_machine import VirtualMachine

MIB = 1024 * 1024
RULE = "e2e"
DEADLINE_S = 120.0


@dataclass(frozen=True)
class Made:
    """A restore point and the task that made it."""

    task: TaskId
    point: RestorePoint


def small_spec(*vms: VmSpec) -> SimulatorSpec:
    """Return a vCenter with these VMs, by default one with two small disks."""
    disks = (DiskSpec(capacity_bytes=32 * MIB), DiskSpec(capacity_bytes=16 * MIB))
    return SimulatorSpec(vms=vms or (VmSpec(name="web-01", disks=disks),))


def vm_named(stage: Stage, name: str) -> VmSummary:
    """Return a VM of the platform by its name."""
    found = [vm for vm in stage.engine.ask(ListVms(platform=stage.platform)) if vm.name == name]
    assert len(found) == 1, f"{len(found)} VMs are called {name}"
    return found[0]


def examined(stage: Stage, vm: VmSummary) -> list[Finding]:
    """Return what the doctor says of a VM in a rule that is not made yet."""
    plan = Plan(unit=PolicyUnit.DAILY, kind=BackupKind.FULL, times=())
    draft = RuleDraft(
        name="nightly",
        platform=stage.platform,
        standby=stage.standby,
        target_path="vm",
        vms=(VmChoice(vm=vm.id, name=vm.name),),
        policy=Periodic(policy=PeriodicPolicy(plans=(plan,))),
    )
    return [finding for finding in stage.engine.ask(ExamineRule(draft=draft)) if finding.subject == vm.name]


def start_backup(
    stage: Stage,
    vm: VmSummary,
    kind: BackupKind,
    engine: Engine | None = None,
    *,
    transports: tuple[TransportMode, ...] = (),
    quiesce: bool = False,
) -> TaskId:
    """Queue a backup."""
    return (engine or stage.engine).execute(
        StartBackup(
            platform=stage.platform,
            vm=vm.id,
            vm_name=vm.name,
            standby=stage.standby,
            rule_name=RULE,
            kind=kind,
            host=vm.host,
            transports=transports,
            quiesce=quiesce,
        )
    )


def finished(engine: Engine, task: TaskId) -> TaskReport:
    """Wait for a task and return how it ended."""
    assert engine.wait_until_idle(DEADLINE_S), "tasks did not end in time"
    return engine.ask(TaskDetails(task=task))


def back_up(stage: Stage, vm: VmSummary, kind: BackupKind, engine: Engine | None = None) -> Made:
    """Back a VM up and return the point; a failure shows its log."""
    door = engine or stage.engine
    report = finished(door, start_backup(stage, vm, kind, door))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return Made(report.task.id, known_point(stage, report, door))


def restore(stage: Stage, made: Made, target: NewVm | OverOriginal, *, power_on: bool = False) -> TaskReport:
    """Restore a point and wait until it is done; a failure shows its log."""
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby, point=made.point.id, platform=stage.platform, target=target, power_on=power_on
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return report


def known_point(stage: Stage, report: TaskReport, engine: Engine | None = None) -> RestorePoint:
    """Return the point that a backup made."""
    known = {row.point.id: row.point for row in (engine or stage.engine).ask(ListPoints(standby=stage.standby))}
    assert report.task.point is not None
    return known[report.task.point]


def at_state(stage: Stage, state: TaskState, act: Callable[[], None]) -> None:
    """Do something once, as soon as a task enters a state."""
    todo = [act]

    def on_event(event: Event) -> None:
        if isinstance(event, TaskStateChanged) and event.state is state and todo:
            todo.pop()()

    stage.engine.services.bus.subscribe(on_event)


def explain(report: TaskReport) -> str:
    """Return a task's error and log, for a failing assertion."""
    error = f"{report.task.error.code}: {report.task.error.message}" if report.task.error else "no error"
    return "\n".join(
        [f"{report.task.state.value}: {error}", *(f"{line.level.name} {line.text}" for line in report.log)]
    )


def assert_points_are_exact(stage: Stage, vm: VmId, made: Sequence[Made]) -> None:
    """Compare every disk of every point with the simulator's own frozen copy."""
    with Repository.open(
        stage.root / "standby", local_dir=stage.root / "comparison", clock=SystemClock()
    ) as repository:
        for backup in made:
            with repository.open_point(backup.point.id) as reader:
                for disk in reader.point.disks:
                    opened = reader.open_disk(disk.key)
                    try:
                        difference = compare_with_file(opened, stage.frozen_copy(vm, backup.task, disk.key))
                    finally:
                        opened.close()
                    assert difference is None, f"{backup.point.id} {disk.label} differs at byte {difference}"


def assert_qemu_agrees(stage: Stage, vm: VmId, made: Made) -> None:
    """Let ``qemu-img compare`` compare every disk of a point against the simulator's frozen copy."""
    program = comparing_tool()
    assert program is not None
    with (
        Repository.open(
            stage.root / "standby", local_dir=stage.root / "comparison", clock=SystemClock()
        ) as repository,
        repository.open_point(made.point.id) as reader,
    ):
        for disk in reader.point.disks:
            raw = stage.root / f"{disk.key}.raw"
            write_raw(reader.open_disk(disk.key), raw)
            assert qemu_finds_equal(program, raw, stage.frozen_copy(vm, made.task, disk.key)), disk.label
            raw.unlink()


def write_raw(reader: DiskReader, target: Path) -> None:
    """Write a disk into a raw file, and close it."""
    step = 4 * MIB
    try:
        requests = (
            ReadRequest(start, memoryview(bytearray(min(step, reader.capacity_bytes - start))))
            for start in range(0, reader.capacity_bytes, step)
        )
        with target.open("wb") as file:
            for request in reader.read_many(requests):
                file.write(request.buffer)
    finally:
        reader.close()


def our_snapshots(stage: Stage) -> list[str]:
    """Return the names of our snapshots that are on any VM, as the simulator itself knows them."""
    world = stage.simulator.world
    with world.lock:
        names = [snapshot.name for vm in world.all(VirtualMachine) for snapshot in vm.every_snapshot()]
    return [name for name in names if name.startswith(SNAPSHOT_PREFIX)]


def start_first_backup(door: Door, simulator: VSphereSimulator, root: Path) -> TaskId:
    """Register everything and queue a backup."""
    platform = door.execute(registration_of(simulator, "sim"))
    standby = door.execute(RegisterStandby(name="disk", root_path=str(root / "standby")))
    vm = door.ask(ListVms(platform=platform.id))[0]
    return door.execute(
        StartBackup(
            platform=platform.id,
            vm=vm.id,
            vm_name=vm.name,
            standby=standby.id,
            rule_name="",
            kind=BackupKind.FULL,
        )
    )


def state_of(door: Door, task: TaskId) -> TaskState:
    """Return where a task stands."""
    return door.ask(TaskDetails(task=task)).task.state
