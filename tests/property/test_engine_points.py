"""Whatever guests write and whatever fails, every restore point is the disk as it was at its moment."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.contract.points import ListPoints
from app.contract.restore import NewVm
from app.contract.tasks import CancelTask
from app.domain.changetracking import ChangeTracking
from app.domain.ids import PointId, VmId
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import VerificationState
from app.domain.vms import VmPlacement
from tests.support.engine_lab import CHUNK, QUICK, EngineLab, text_of
from tests.support.local_disks import BLOCK
from tests.support.local_host import LocalHost

CAPACITIES = {2000: 5 * CHUNK + 3 * 512, 2001: 2 * CHUNK}
KEYS = tuple(CAPACITIES)
STEPS = ("create_snapshot", "snapshot_created", "save_configuration", "changed_extents", "read", "remove_snapshot")
HAPPENINGS = ("lose tracking", "reset tracking", "foreign snapshot", "revert", "resize", "replace disk")


@dataclass(frozen=True)
class Write:
    """The guest writes random bytes, or zeros."""

    key: int
    start: float
    length: int
    zeros: bool
    seed: int


@dataclass(frozen=True)
class Backup:
    """A backup; perhaps the guest writes while it runs, perhaps it is cancelled or breaks at a step."""

    kind: BackupKind
    tracking: ChangeTracking
    trouble: str
    step: str
    nth: int


@dataclass(frozen=True)
class Happening:
    """Something else that a VM goes through."""

    what: str
    key: int


_writes = st.builds(
    Write,
    key=st.sampled_from(KEYS),
    start=st.floats(0, 1),
    length=st.sampled_from([1, 511, 4096, BLOCK, BLOCK + 1, CHUNK, 2 * CHUNK]),
    zeros=st.booleans(),
    seed=st.integers(0, 1 << 30),
)
_backups = st.builds(
    Backup,
    kind=st.sampled_from(list(BackupKind)),
    tracking=st.sampled_from([ChangeTracking.AUTOMATIC] * 3 + [ChangeTracking.OFF]),
    trouble=st.sampled_from(["none"] * 4 + ["write", "cancel", "break", "no removal", "half snapshot"]),
    step=st.sampled_from(STEPS),
    nth=st.integers(1, 12),
)
_happenings = st.builds(
    Happening,
    what=st.sampled_from(
        ["lose tracking", "reset tracking", "foreign snapshot", "revert", "resize", "replace disk"]
    ),
    key=st.sampled_from(KEYS),
)
_stories = st.lists(st.one_of(_writes, _writes, _backups, _backups, _happenings), min_size=3, max_size=14)


class Story:
    """Plays a story and keeps, per point, what the disks held when its snapshot was taken."""

    def __init__(self, lab: EngineLab) -> None:
        self.lab = lab
        self.host: LocalHost = lab.host
        self.vm: VmId = lab.host.add_vm("web", CAPACITIES.values())
        self.oracle: dict[PointId, dict[int, bytes]] = {}
        self.frozen: dict[int, bytes] = {}
        self.foreign: list[str] = []

    def play(self, event: Write | Backup | Happening) -> None:
        if isinstance(event, Write):
            self.write(event)
        elif isinstance(event, Backup):
            self.backup(event)
        else:
            self.happen(event)

    def write(self, event: Write) -> None:
        capacity = self.host.vm(self.vm).disks[event.key].capacity_bytes
        start = min(int(event.start * capacity), capacity - 1)
        length = min(event.length, capacity - start)
        data = bytes(length) if event.zeros else Random(event.seed).randbytes(length)
        self.host.write(self.vm, event.key, start, data)

    def contents(self) -> dict[int, bytes]:
        return {key: self.host.content(self.vm, key) for key in self.host.vm(self.vm).disks}

    # --- backups -------------------------------------------------------------------------------------------

    def backup(self, event: Backup) -> None:
        before = {point.id for point in self.lab.points()}
        faults = self.host.faults
        faults.on_call = self.hook(event)
        if event.trouble == "no removal":
            faults.removal_failures = event.nth
        if event.trouble == "half snapshot":
            faults.half_snapshots = 1
        report = self.lab.finished(self.lab.start_backup(self.vm, event.kind, tracking=event.tracking))
        faults.on_call, faults.fail_read_at, faults.removal_failures, faults.half_snapshots = None, None, 0, 0
        faults.lost_tracking.clear()
        new = [point for point in self.lab.points() if point.id not in before]
        if report.task.state is TaskState.COMPLETED:
            (point,) = new
            self.oracle[point.id] = self.frozen
            assert point.kind is not BackupKind.FULL or point.parent is None
        else:
            assert new == [], "a task that did not complete left a point"
            assert event.trouble in ("cancel", "break", "half snapshot"), text_of(report)
        assert self.host.our_snapshots() == []
        assert list(self.lab.catalog.snapshot_journal.open_entries()) == []

    def hook(self, event: Backup) -> Callable[[str], None]:
        seen = dict.fromkeys([event.step, "snapshot_created"], 0)

        def on_call(call: str) -> None:
            if call == "snapshot_created":
                self.frozen = self.contents()
                if event.trouble == "write":
                    self.host.write(self.vm, KEYS[0], event.nth * 1000, os.urandom(5000))
            if call != event.step:
                return
            seen[call] += 1
            if seen[call] == min(event.nth, 3 if call == "read" else 1):
                self.strike(event)

        return on_call

    def strike(self, event: Backup) -> None:
        if event.trouble == "cancel":
            for row in self.lab.engine.manager.unfinished():
                self.lab.engine.execute(CancelTask(task=row.id))
        elif event.trouble == "break":
            self.host.faults.fail_read_at = 0

    # --- other things ----------------------------------------------------------------------------------------

    def happen(self, event: Happening) -> None:
        disk = self.host.vm(self.vm).disks[event.key]
        if event.what == "lose tracking":
            self.host.faults.lost_tracking.add(event.key)
        elif event.what == "reset tracking" and disk.tracking.enabled:
            disk.tracking.start()
        elif event.what == "foreign snapshot":
            self.foreign.append(self.host.take_snapshot(self.vm, "somebody else's"))
        elif event.what == "revert" and self.foreign:
            newest = self.foreign[-1]
            if self.host.vm(self.vm).snapshots[newest].disks.keys() == self.host.vm(self.vm).disks.keys():
                self.host.revert(self.vm, newest)  # type: ignore[arg-type]
        elif event.what == "resize" and not self.foreign:
            self.host.resize(self.vm, event.key, disk.capacity_bytes + CHUNK // 2)
        elif event.what == "replace disk" and not self.foreign:
            disk.uuid = f"other than {disk.uuid}"
            self.host.write(self.vm, event.key, 0, os.urandom(100))
            if disk.tracking.enabled:
                disk.tracking.start()

    # --- the end -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        points = self.lab.points()
        assert {point.id for point in points} == self.oracle.keys() == set(self.lab.listed())
        for point in points:
            for key, expected in self.oracle[point.id].items():
                assert self.lab.content(point.id, key) == expected, (point.id, point.kind, key)
        assert list(self.host.vm(self.vm).snapshots) == self.foreign
        if points:
            self.restore_and_verify(points[len(points) // 2].id)

    def restore_and_verify(self, point: PointId) -> None:
        chosen = self.lab.point(point)
        report = self.lab.restore(chosen, NewVm(placement=VmPlacement(name="copy")))
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        copy = self.host.named("copy")
        for key, expected in self.oracle[point].items():
            assert self.host.content(copy, key) == expected
        assert self.lab.verify(chosen).task.state is TaskState.COMPLETED
        known = {row.point.id: row.verification for row in self.lab.engine.ask(ListPoints())}
        assert known[point] is VerificationState.WHOLE


@pytest.mark.timeout(280)
@settings(max_examples=max(20, settings().max_examples // 10))
@given(_stories, st.integers(0, 2**16))
def test_every_point_is_the_disk_at_its_moment(story: list[Write | Backup | Happening], seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        quick = replace(QUICK, audit_blocks=4)
        with EngineLab(Path(directory), settings=quick, seed=seed) as lab:
            told = Story(lab)
            for event in story:
                told.play(event)
            told.check()
