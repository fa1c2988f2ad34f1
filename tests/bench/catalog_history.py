"""Two years of history for the catalog's benchmark, made faster than it would have grown."""

import random
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from app.catalog import Catalog
from app.contract.tasks import StartBackup
from app.domain.ids import PointId, RuleId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit
from app.domain.restore_point import PointDisk, RestorePoint, VmFacts
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.states import BackupKind, TaskKind, TaskState
from app.domain.tasks import VerificationState
from app.engine import messages
from tests.support.engine_lab import EngineLab

NOW: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
VMS_PER_RULE: Final = 20
POINTS_PER_VM: Final = 30
NIGHT_S: Final = 10 * 3600
"""All backups of a day begin within so long."""
LINES: Final = (
    (messages.TASK_STARTED, {"what": "backup", "vm": "{vm}"}),
    (messages.CONFIGURATION_SAVED, {"files": "{vm}.vmx, {vm}.nvram"}),
    (messages.SNAPSHOT_CREATED, {"snapshot": "snapshot-{number}"}),
    (messages.PARENT_CHOSEN, {"parent": "rule_BAK_{vm}/{number}"}),
    (messages.CHANGES_FOUND, {"disk": "Hard disk 1", "bytes": "{number}", "parent": "rule_BAK_{vm}/{number}"}),
    (messages.AUDIT_PASSED, {"disk": "Hard disk 1", "blocks": "64"}),
    (
        messages.DISK_DONE,
        {"disk": "Hard disk 1", "read_bytes": "{number}", "mode": "nfc_ssl", "stored_bytes": "{number}"},
    ),
    (messages.SNAPSHOT_REMOVED, {"snapshot": "snapshot-{number}"}),
    (messages.POINT_COMMITTED, {"point": "rule_BAK_{vm}/{number}"}),
)
STAGES: Final = (
    TaskState.PENDING,
    TaskState.PREPARING,
    TaskState.SAVING_CONFIGURATION,
    TaskState.QUERYING_CHANGES,
    TaskState.CHECKING_DATA,
    TaskState.RUNNING,
)


@dataclass(frozen=True)
class Vm:
    """A VM of the made-up installation."""

    id: VmId
    name: str
    rule: RuleId
    rule_name: str


@dataclass
class Installation:
    """What was made, for the arguments of queries."""

    vms: list[Vm]
    tasks: list[TaskId] = field(default_factory=list)
    line_count: int = 0
    point_count: int = 0


class Builder:
    """Fills an empty catalog with history, faster than it would have grown. Thread: one."""

    def __init__(self, catalog: Catalog, file: Path, lab: EngineLab, days: int, now: datetime = NOW) -> None:
        self._catalog = catalog
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._lab = lab
        self._days = days
        self._now = now
        self._chance = random.Random(4)
        self._line = 0

    def build(self, vm_count: int) -> Installation:
        """Make everything; the indices are made last, which is quicker."""
        made = Installation(self._rules(vm_count))
        self._connection.execute("PRAGMA synchronous=OFF")
        for vm in made.vms:
            self._points(vm)
        self._catalog.points.forget_tallies()
        made.point_count = len(made.vms) * POINTS_PER_VM
        find = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indices = self._connection.execute(find).fetchall()
        for name, _ in indices:
            self._connection.execute(f"DROP INDEX {name}")
        subjects = self._subjects(made.vms)
        for day in range(self._days, 0, -1):
            self._connection.execute("BEGIN")
            self._day(made, subjects, self._now - timedelta(days=day))
            self._connection.execute("COMMIT")
        for _, statement in indices:
            self._connection.execute(statement)
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        made.line_count = self._line
        return made

    def _rules(self, vm_count: int) -> list[Vm]:
        vms: list[Vm] = []
        at = (self._now - timedelta(hours=10)).time()
        plan = Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(at,))
        for first in range(0, vm_count, VMS_PER_RULE):
            rule, name = RuleId(str(uuid.UUID(int=first + 1))), f"rule {first // VMS_PER_RULE:02}"
            here = [
                Vm(VmId(f"vm-{1000 + number}"), f"server{number:04}", rule, name)
                for number in range(first, min(vm_count, first + VMS_PER_RULE))
            ]
            self._catalog.rules.add(
                BackupRule(
                    id=rule,
                    name=name,
                    platform=self._lab.platform,
                    standby=self._lab.standby,
                    target_path=name,
                    vms=tuple(ProtectedVm(vm=vm.id, name=vm.name) for vm in here),
                    policy=PeriodicPolicy(plans=(plan,)),
                ),
                created_at=self._now - timedelta(days=self._days),
                considered_until=self._now,
            )
            vms += here
        return vms

    def _points(self, vm: Vm) -> None:
        chain = f"{vm.rule_name}_BAK_{vm.id}_vc.example"
        facts = VmFacts(
            vm=vm.id,
            name=vm.name,
            platform_address="vc.example",
            instance_uuid=str(uuid.uuid4()),
            datacenter="dc",
            datastore="ds-1",
            host="esx-1",
            hostname=vm.name,
            guest="Debian 12",
        )
        disks = tuple(
            PointDisk(
                key=key,
                label=f"Hard disk {key - 1999}",
                uuid=str(uuid.uuid4()),
                capacity_bytes=100 << 30,
                path=f"[ds-1] {vm.name}/{vm.name}_{key}.vmdk",
                change_id=f"{uuid.uuid4()}/77",
                root="ab" * 32,
                read_bytes=3 << 30,
                stored_bytes=1 << 30,
                read_whole=False,
            )
            for key in (2000, 2001)
        )
        points = [
            RestorePoint(
                id=PointId(f"{chain}/{number:06}"),
                chain=chain,
                rule_name=vm.rule_name,
                created_at=self._now - timedelta(days=POINTS_PER_VM - number, hours=10),
                kind=BackupKind.INCREMENTAL,
                parent=PointId(f"{chain}/{number - 1:06}") if number else None,
                facts=facts,
                disks=disks,
                configuration_files=(f"{vm.name}.vmx",),
                consistent=True,
                tool_version="0.4",
            )
            for number in range(POINTS_PER_VM)
        ]
        rows = [
            (
                self._lab.standby,
                f"{vm.rule_name}/{vm.id}",
                point.id,
                point.chain,
                point.rule_name,
                facts.platform_address,
                self._lab.platform,
                vm.id,
                vm.name,
                _text(point.created_at),
                point.sequence,
                point.capacity_bytes,
                point.stored_bytes,
                msgspec.json.encode(point),
                VerificationState.UNKNOWN.value,
            )
            for point in points
        ]
        self._connection.execute("BEGIN")
        self._insert("points", _POINT_COLUMNS, rows)
        self._connection.execute("COMMIT")

    def _subjects(self, vms: list[Vm]) -> dict[tuple[str, str], int]:
        pairs = {("", ""): ""} | {(vm.rule, ""): "" for vm in vms} | {(vm.rule, vm.id): vm.name for vm in vms}
        keys = {pair: number for number, pair in enumerate(pairs, 1)}
        self._connection.execute("DELETE FROM subjects")
        self._connection.executemany(
            "INSERT INTO subjects (id, rule_id, vm, vm_name) VALUES (?, ?, ?, ?)",
            [(keys[pair], *pair, name) for pair, name in pairs.items()],
        )
        return keys

    def _day(self, made: Installation, subjects: dict[tuple[str, str], int], evening: datetime) -> None:
        figures: dict[int, list[int]] = {}
        hours: dict[tuple[int, int, int], int] = {}
        tasks: list[tuple[Any, ...]] = []
        stages: list[tuple[Any, ...]] = []
        lines: list[tuple[Any, ...]] = []
        failed_tasks: list[tuple[Any, ...]] = []
        young = self._now - evening < timedelta(days=31)
        for number, vm in enumerate(made.vms):
            start = evening + timedelta(seconds=70 * number % NIGHT_S)
            failed = self._chance.random() < 0.02
            read = self._chance.randrange(1 << 28, 8 << 30)
            task = TaskId(str(uuid.UUID(int=self._chance.getrandbits(128))))
            made.tasks.append(task)
            end = start + timedelta(seconds=600)
            tasks.append(self._task(task, vm, start, end, read, failed=failed))
            stages += [(task, state.value, _text(start + timedelta(seconds=2))) for state in STAGES]
            stages.append((task, "failed" if failed else "completed", _text(end)))
            lines += self._lines(task, vm, start, failed=failed)
            if failed and self._chance.random() < 0.1:
                failed_tasks.append((task, vm.rule, vm.id))
            at_s = int(start.timestamp())
            for pair in ((vm.rule, vm.id), (vm.rule, ""), ("", "")):
                key = subjects[pair]
                total = figures.setdefault(key, [0, 0, 0])
                total[0] += not failed
                total[1] += failed
                total[2] += read
                hours[key, 3600, at_s - at_s % 3600] = hours.get((key, 3600, at_s - at_s % 3600), 0) + read
                for minute in range(10 if young else 0):
                    slot = (key, 60, at_s - at_s % 60 + 60 * minute)
                    hours[slot] = hours.get(slot, 0) + read // 10
        self._insert("tasks", _TASK_COLUMNS, tasks)
        self._insert("task_stages", ("task_id", "state", "at"), stages)
        self._insert("log", _LOG_COLUMNS, lines)
        self._insert("unviewed_errors", ("task_id", "rule_id", "vm"), failed_tasks)
        day = evening.date().isoformat()
        self._insert(
            "day_figures",
            ("subject_id", "day", "succeeded", "failed", "read_bytes", "stored_bytes"),
            [(key, day, *value, value[2] // 3) for key, value in figures.items()],
        )
        self._insert(
            "traffic",
            ("subject_id", "slice_s", "at_s", "read_bytes", "written_bytes"),
            [(*slot, value, value // 3) for slot, value in hours.items()],
        )

    def _task(
        self, task: TaskId, vm: Vm, start: datetime, end: datetime, read: int, *, failed: bool
    ) -> tuple[Any, ...]:
        request = StartBackup(
            platform=self._lab.platform,
            vm=vm.id,
            vm_name=vm.name,
            standby=self._lab.standby,
            rule=vm.rule,
            rule_name=vm.rule_name,
        )
        error = ("vsphere.unreachable", '{"address":"vc.example"}') if failed else (None, None)
        return (
            task,
            TaskKind.BACKUP.value,
            (TaskState.FAILED if failed else TaskState.COMPLETED).value,
            vm.id,
            vm.name,
            self._lab.platform,
            self._lab.standby,
            vm.rule_name,
            vm.rule,
            vm.rule_name,
            0,
            "esx-1",
            msgspec.json.encode(request).decode(),
            _text(start),
            _text(start),
            _text(end),
            *(read, read, read, read // 3, 1.0, 1.0, 1.0),
            *error,
        )

    def _lines(self, task: TaskId, vm: Vm, start: datetime, *, failed: bool) -> Iterator[tuple[Any, ...]]:
        for step, (kind, params) in enumerate(LINES):
            self._line += 1
            values = {name: value.format(vm=vm.name, number=self._line) for name, value in params.items()}
            yield self._log_line(task, vm, start + timedelta(seconds=step), LogLevel.NORMAL, kind.code, values)
        self._line += 1
        end = start + timedelta(seconds=600)
        if failed:
            words = {"code": "vsphere.unreachable", "message": "vc.example does not answer", "hint": "Look at it."}
            yield self._log_line(task, vm, end, LogLevel.ERROR, messages.TASK_FAILED.code, words)
        else:
            done = {"seconds": "600.0"}
            yield self._log_line(task, vm, end, LogLevel.NORMAL, messages.TASK_COMPLETED.code, done)

    def _log_line(
        self, task: TaskId, vm: Vm, at: datetime, level: LogLevel, code: str, params: dict[str, str]
    ) -> tuple[Any, ...]:
        text = msgspec.json.encode(params).decode()
        return (_text(at), int(level), "backup", vm.name, code, text, task, vm.rule, vm.id)

    def _insert(self, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


_POINT_COLUMNS: Final = (
    "standby_id",
    "target_path",
    "id",
    "chain",
    "rule_name",
    "platform_address",
    "origin",
    "vm",
    "vm_name",
    "created_at",
    "sequence",
    "capacity_bytes",
    "stored_bytes",
    "body",
    "verification",
)
_TASK_COLUMNS: Final = (
    "id",
    "kind",
    "state",
    "vm",
    "vm_name",
    "platform_id",
    "standby_id",
    "target_path",
    "rule_id",
    "rule_name",
    "priority",
    "host",
    "request",
    "created_at",
    "started_at",
    "ended_at",
    "total_bytes",
    "done_bytes",
    "read_bytes",
    "written_bytes",
    "source_busy_s",
    "processing_busy_s",
    "target_busy_s",
    "error_code",
    "error_params",
)
_LOG_COLUMNS: Final = ("at", "level", "action", "subject", "code", "params", "task_id", "rule_id", "vm")


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
