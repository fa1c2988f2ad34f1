"""The steps of the demo: backups of three kinds between which the guests write, restores, and the comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.cli.demo.comparison import Verdict, compare_files, compare_with_file, comparing_tool, qemu_finds_equal
from app.cli.demo.screen import Screen, clock_time
from app.cli.demo.stage import Stage
from app.contract.platforms import DescribeVm, ListVms
from app.contract.points import ListPoints, StartVerify
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.rules import CreateRule, Periodic, RuleDraft, RunNow, VmChoice
from app.contract.tasks import TaskDetails, TaskRow
from app.core.privatefiles import make_private_folders
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit, Retention
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import KnownPoint
from app.domain.vms import PowerState, VmPlacement, VmSummary
from app.repository import PointReader, Repository

MIB = 1024 * 1024
_RULE = "Demo"
_TARGET = "demo"
_ROUNDS = (
    (BackupKind.FULL, 0),
    (BackupKind.INCREMENTAL, 6 * MIB),
    (BackupKind.DIFFERENTIAL, 4 * MIB),
    (BackupKind.INCREMENTAL, 3 * MIB),
)
_OVER_ORIGINAL = "db-01"
"""This one is restored in the place of its original; the others as new VMs next to theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePoint:
    """A restore point with the task that made it."""

    vm: VmId
    vm_name: str
    task: TaskId
    point: KnownPoint
    seconds: float


class DemoFailed(Exception):
    """A task of the demo did not complete; the screen has shown why."""


class Story:
    """Runs the demo once. Thread: one."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._qemu = comparing_tool()
        self.points: list[MadePoint] = []
        self.verdicts: list[Verdict] = []

    def play(self) -> None:
        """Run from the first backup to the last comparison.

        Raises:
            DemoFailed: a task did not complete.
            OperationalError: a request was refused.
        """
        vms = self._stage.engine.ask(ListVms(platform=self._stage.platform))
        rule = self._make_rule(vms)
        for number, (kind, changed_bytes) in enumerate(_ROUNDS, start=1):
            self._let_guests_write(vms, changed_bytes)
            self._screen.headline(f"Round {number} of {len(_ROUNDS)}: {kind.value} backup of {len(vms)} VMs")
            self._back_up(rule, kind)
        self._compare_points()
        self._screen.headline("Verify the newest restore points: every chunk against its digest")
        newest = self._newest_points()
        self._run([self._verification(made) for made in newest])
        self._screen.headline("Restore them: two as new VMs, one over its original")
        self._restore(newest)

    # --- backups ----------------------------------------------------------------------------------------------

    def _let_guests_write(self, vms: Sequence[VmSummary], size_bytes: int) -> None:
        running = [vm for vm in vms if vm.power_state is PowerState.ON and size_bytes]
        for vm in running:
            self._stage.simulator.world.guests.write_now(vm.id, size_bytes)
        if running:
            names = ", ".join(vm.name for vm in running)
            self._screen.note(f"The guests of {names} write {size_bytes // MIB} MiB each into their file systems")

    def _make_rule(self, vms: Sequence[VmSummary]) -> RuleId:
        # Half a day ahead: the demo runs the rule itself, and nothing else is to begin meanwhile.
        at = (datetime.now().astimezone() + timedelta(hours=12)).time().replace(second=0, microsecond=0)
        policy = PeriodicPolicy(
            plans=(Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(at,)),),
            retention=Retention(period=7, unit=PolicyUnit.DAILY),
        )
        draft = RuleDraft(
            name=_RULE,
            platform=self._stage.platform,
            standby=self._stage.standby,
            target_path=_TARGET,
            vms=tuple(VmChoice(vm=vm.id, name=vm.name) for vm in vms),
            policy=Periodic(policy=policy),
        )
        return self._stage.engine.execute(CreateRule(draft=draft))

    def _back_up(self, rule: RuleId, kind: BackupKind) -> None:
        tasks = self._stage.engine.execute(RunNow(rule=rule, kind=kind))
        rows = self._run(tasks)
        known = {row.point.id: row for row in self._stage.engine.ask(ListPoints(standby=self._stage.standby))}
        for row in rows:
            assert row.point is not None
            self.points.append(
                MadePoint(
                    vm=row.vm,
                    vm_name=row.vm_name,
                    task=row.id,
                    point=known[row.point],
                    seconds=_seconds(row.started_at, row.ended_at),
                )
            )

    def _run(self, tasks: Sequence[TaskId]) -> list[TaskRow]:
        rows = self._screen.follow(self._stage.engine, tasks)
        if any(row.state is not TaskState.COMPLETED for row in rows):
            for row in rows:
                self._screen.failure(self._stage.engine.ask(TaskDetails(task=row.id)))
            raise DemoFailed
        return rows

    def _newest_points(self) -> list[MadePoint]:
        newest = {made.vm: made for made in self.points}
        return list(newest.values())

    # --- verdicts on points -----------------------------------------------------------------------------------

    def _compare_points(self) -> None:
        self._screen.headline("Compare every disk of every restore point with the simulator's own copy")
        with Repository.open(
            self._stage.root / "standby" / _TARGET,
            local_dir=self._stage.root / "comparison",
            clock=self._screen.clock,
        ) as repository:
            for made in self.points:
                with repository.open_point(made.point.point.id) as reader:
                    self._compare_point(made, reader)

    def _compare_point(self, made: MadePoint, reader: PointReader) -> None:
        for disk in reader.point.disks:
            expected = self._stage.frozen_copy(made.vm, made.task, disk.key)
            opened = reader.open_disk(disk.key)
            try:
                difference = compare_with_file(opened, expected)
            finally:
                opened.close()
            self._pronounce(
                Verdict(
                    vm_name=made.vm_name,
                    what=f"{made.point.point.kind.value} point {clock_time(made.point.point.id)}",
                    disk=disk.label,
                    capacity_bytes=disk.capacity_bytes,
                    first_difference=difference,
                    compared_by=("byte by byte",),
                )
            )

    # --- restores ---------------------------------------------------------------------------------------------

    def _verification(self, made: MadePoint) -> TaskId:
        return self._stage.engine.execute(
            StartVerify(standby=self._stage.standby, target_path=_TARGET, point=made.point.point.id)
        )

    def _restore(self, newest: Sequence[MadePoint]) -> None:
        tasks = {made.vm: self._start_restore(made) for made in newest}
        self._run(list(tasks.values()))
        present = {vm.name: vm for vm in self._stage.engine.ask(ListVms(platform=self._stage.platform))}
        for made in newest:
            self._compare_restored(made, present[_restored_name(made)].id)

    def _start_restore(self, made: MadePoint) -> TaskId:
        over_original = made.vm_name == _OVER_ORIGINAL
        target = OverOriginal() if over_original else NewVm(placement=VmPlacement(name=_restored_name(made)))
        return self._stage.engine.execute(
            StartRestore(
                standby=self._stage.standby,
                target_path=_TARGET,
                point=made.point.point.id,
                platform=self._stage.platform,
                target=target,
            )
        )

    def _compare_restored(self, made: MadePoint, vm: VmId) -> None:
        details = self._stage.engine.ask(DescribeVm(platform=self._stage.platform, vm=vm))
        pairs = zip(made.point.point.disks, details.disks, strict=True)
        for number, (source, restored) in enumerate(pairs):
            expected = self._stage.frozen_copy(made.vm, made.task, source.key)
            copy = self._stage.export_live_disk(restored.path, self._scratch(f"{vm}-{number}.raw"))
            difference = compare_files(expected, copy)
            compared_by = ["byte by byte"]
            if self._qemu is not None:
                compared_by.append("qemu-img compare")
                if difference is None and not qemu_finds_equal(self._qemu, expected, copy):
                    difference = 0
            copy.unlink()
            self._pronounce(
                Verdict(
                    vm_name=made.vm_name,
                    what=f"restored as {_restored_name(made)}",
                    disk=source.label,
                    capacity_bytes=source.capacity_bytes,
                    first_difference=difference,
                    compared_by=tuple(compared_by),
                )
            )

    def _scratch(self, name: str) -> Path:
        folder = self._stage.root / "restored"
        make_private_folders(folder)
        return folder / name

    def _pronounce(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self._screen.verdict(verdict)


def _restored_name(made: MadePoint) -> str:
    return made.vm_name if made.vm_name == _OVER_ORIGINAL else f"{made.vm_name}-restored"


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0
