"""The simulator's change tracking against an array of bytes: it may report too much, never too little.

Whatever is written, snapshotted, removed and reverted in whatever order, over the wire: each frozen disk and the
VM's present disk hold exactly what the array held at that moment, and the areas told since any earlier change id
cover every byte that differs.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyVmomi import vim, vmodl

from tests.unit.simulator.vm.lab import GRAIN, KIB, VmLab, disks, new_controller, new_disk, spec_of

CAPACITY = 12 * GRAIN + 24 * KIB
_names = itertools.count()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmLab]:
    with VmLab(Path(tmp_path_factory.mktemp("cbt")), spec_of()) as lab:
        yield lab


@dataclass(frozen=True)
class Write:
    offset: int
    data: bytes


@dataclass(frozen=True)
class Take:
    """Take a snapshot."""


@dataclass(frozen=True)
class Remove:
    index: int
    children: bool


@dataclass(frozen=True)
class Revert:
    index: int


@dataclass(frozen=True)
class PowerCycle:
    """Stop the VM hard and start it again."""


writes = st.builds(
    lambda offset, length, fill: Write(offset, bytes([fill]) * min(length, CAPACITY - offset)),
    st.integers(0, CAPACITY - 1),
    st.one_of(st.integers(1, 600), st.just(GRAIN), st.integers(1, 3 * GRAIN)),
    st.integers(0, 255),
)
steps = st.lists(
    st.one_of(
        writes,
        writes,
        writes,
        st.just(Take()),
        st.just(Take()),
        st.builds(Remove, st.integers(0, 5), st.booleans()),
        st.builds(Revert, st.integers(0, 5)),
        st.just(PowerCycle()),
    ),
    max_size=25,
)


@dataclass
class Moment:
    """What a snapshot held, and the change id it got."""

    content: bytes
    change_id: str
    reverts_before: int


@dataclass
class Oracle:
    """The array of bytes, and every moment that can be asked about."""

    lab: VmLab
    vm: Any
    name: str
    content: bytearray = field(default_factory=lambda: bytearray(CAPACITY))
    moments: dict[str, Moment] = field(default_factory=dict)
    alive: list[Any] = field(default_factory=list)
    reverts: int = 0

    def do(self, step: object) -> None:
        if isinstance(step, Write):
            self.lab.leaf(self.name).write(step.offset, step.data)
            self.content[step.offset : step.offset + len(step.data)] = step.data
        elif isinstance(step, Take):
            self._take()
        elif isinstance(step, PowerCycle):
            if self.vm.runtime.powerState == "poweredOn":
                self.lab.run(self.vm.PowerOffVM_Task())
            self.lab.run(self.vm.PowerOnVM_Task())
        elif self.alive and isinstance(step, Remove):
            self.lab.remove(self.alive[step.index % len(self.alive)], children=step.children)
            self._forget_removed()
        elif self.alive and isinstance(step, Revert):
            target = self.alive[step.index % len(self.alive)]
            self.lab.run(target.RevertToSnapshot_Task())
            self.content[:] = self.moments[target._moId].content
            self.reverts += 1

    def _take(self) -> None:
        snapshot = self.lab.snapshot(self.vm, f"s{len(self.moments)}")
        change_id = disks(snapshot)[0].backing.changeId
        assert change_id is not None
        self.alive.append(snapshot)
        self.moments[snapshot._moId] = Moment(bytes(self.content), change_id, self.reverts)
        self._check_areas(snapshot)

    def _forget_removed(self) -> None:
        left = {snapshot.moid for snapshot in self.lab.machine(self.name).every_snapshot()}
        self.alive = [snapshot for snapshot in self.alive if snapshot._moId in left]

    def _check_areas(self, snapshot: Any) -> None:
        self._check_covered(snapshot, bytes(CAPACITY), "*")
        for moment in self.moments.values():
            try:
                self._check_covered(snapshot, moment.content, moment.change_id)
            except vmodl.fault.InvalidArgument:
                assert moment.reverts_before < self.reverts, "an id was refused though nothing was reverted"
            else:
                assert moment.reverts_before == self.reverts, "an id from before a revert was accepted"

    def _check_covered(self, snapshot: Any, before: bytes, since: str) -> None:
        answer = self.vm.QueryChangedDiskAreas(snapshot, 2000, 0, since)
        assert (answer.startOffset, answer.length) == (0, CAPACITY)
        patched = bytearray(before)
        for area in answer.changedArea:
            assert 0 <= area.start < area.start + area.length <= CAPACITY
            patched[area.start : area.start + area.length] = self.content[area.start : area.start + area.length]
        assert patched == self.content, f"a change since {since} was not told"

    def check_content(self) -> None:
        machine = self.lab.machine(self.name)
        assert self.lab.leaf(self.name).read(0, CAPACITY) == self.content
        for snapshot in self.alive:
            frozen = machine.trees[2000].frozen[snapshot._moId]
            assert frozen.read(0, CAPACITY) == self.moments[snapshot._moId].content


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plan=steps, on=st.booleans())
def test_no_change_is_ever_missed_and_no_content_lost(lab: VmLab, plan: list[object], on: bool) -> None:
    name = f"vm{next(_names)}"
    vm = lab.create(name, new_controller(), new_disk(CAPACITY), changeTrackingEnabled=True)
    try:
        if on:
            lab.run(vm.PowerOnVM_Task())
        oracle = Oracle(lab, vm, name)
        for step in [*plan, Take()]:
            oracle.do(step)
            oracle.check_content()
        lab.run(vm.RemoveAllSnapshots_Task())
        oracle.alive.clear()
        oracle.check_content()
        assert not vm.runtime.consolidationNeeded
        directory = lab.file(f"[ds1] {name}")
        assert not [path.name for path in directory.iterdir() if "-0000" in path.name]
    finally:
        if vm.runtime.powerState != vim.VirtualMachine.PowerState.poweredOff:
            lab.run(vm.PowerOffVM_Task())
        lab.run(vm.Destroy_Task())
