"""Somebody else takes snapshots and reverts the VM while it is backed up.

Whatever is done in whichever state: the point is of one moment or there is none, the next one is right too, nobody
else's snapshot is touched, and ours goes. The change ids count on over each revert, so that only the platform's
history tells.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyVmomi import vim

from app.cli.demo.stage import Stage
from app.contract.tasks import TaskDetails
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmSummary
from app.engine import messages
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.engine_lab import codes_of
from tests.support.other_client import OtherClient
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    at_state,
    back_up,
    explain,
    finished,
    known_point,
    our_snapshots,
    start_backup,
    vm_named,
)

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
READING = "reading"
STATES = [
    TaskState.PREPARING,
    TaskState.SAVING_CONFIGURATION,
    TaskState.QUERYING_CHANGES,
    TaskState.CHECKING_DATA,
    TaskState.RUNNING,
    READING,
    TaskState.REMOVING_SNAPSHOT,
]
"""The first one is before our snapshot, the last one after the last byte."""


class Others:
    """Somebody else, with a snapshot of theirs that is older than ours. Thread: the one that acts."""

    def __init__(self, stage: Stage, client: OtherClient, vm: VmSummary) -> None:
        self.stage = stage
        self.client = client
        self.vm = vm
        self.names = {"theirs"}
        self.older = client.take_snapshot(vm.id, "theirs")

    def take(self) -> None:
        """Take another snapshot, and let the guest write on."""
        self.client.take_snapshot(self.vm.id, "another of theirs")
        self.names.add("another of theirs")
        self._write()

    def revert_to_theirs(self) -> None:
        """Go back to the older snapshot, and write on from there."""
        self._revert(self.older)

    def revert_to_ours(self) -> None:
        """Go back to the snapshot of the backup, where there is one."""
        ours = [found for found in self._listed() if found.name.startswith(SNAPSHOT_PREFIX)]
        if ours:
            self._revert(vim.vm.Snapshot(ours[0].moid, self.older._stub))

    def take_and_revert(self) -> None:
        """Take a snapshot, write, and go back to it."""
        self.take()
        newest = next(found for found in self._listed() if found.name == "another of theirs")
        self._revert(vim.vm.Snapshot(newest.moid, self.older._stub))

    def _listed(self) -> list[Any]:
        return self.machine.every_snapshot()

    @property
    def machine(self) -> VirtualMachine:
        """The VM as the simulator itself knows it."""
        found = self.stage.simulator.world.get(vim.VirtualMachine(self.vm.id))
        assert isinstance(found, VirtualMachine)
        return found

    def _revert(self, snapshot: Any) -> None:
        self.client.done(lambda: snapshot.RevertToSnapshot_Task())
        self.client.done(lambda: self.client.vm(self.vm.id).PowerOnVM_Task())
        self._write()

    def _write(self) -> None:
        self.stage.simulator.world.guests.write_now(self.vm.id, MIB)


ACTS: dict[str, Callable[[Others], None]] = {
    "takes": Others.take,
    "reverts to theirs": Others.revert_to_theirs,
    "reverts to ours": Others.revert_to_ours,
    "takes and reverts": Others.take_and_revert,
}


@pytest.fixture
def vm(stage: Stage) -> VmSummary:
    found = vm_named(stage, "web-01")
    stage.simulator.faults.keep_cbt_over_revert(found.name)
    return found


@pytest.fixture
def client(stage: Stage) -> Iterator[OtherClient]:
    with OtherClient(stage.simulator) as connected:
        yield connected


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", STATES, ids=str)
def test_whatever_others_do_the_points_are_right_and_theirs_stay(
    stage: Stage, vm: VmSummary, client: OtherClient, state: TaskState | str, act: str
) -> None:
    guests = stage.simulator.world.guests
    first = back_up(stage, vm, FULL)  # tracking goes on before there is any snapshot of theirs
    others = Others(stage, client, vm)
    guests.write_now(vm.id, MIB)

    def meddle() -> None:
        ACTS[act](others)

    if state == READING:
        stage.simulator.faults.halt_reads(MIB // 2, action=meddle)
    else:
        assert isinstance(state, TaskState)
        at_state(stage, state, meddle)
    task = start_backup(stage, vm, INCREMENTAL)
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = [first, Made(task, known_point(stage, report))]
    guests.write_now(vm.id, MIB)
    made.append(back_up(stage, vm, INCREMENTAL))
    assert_points_are_exact(stage, vm.id, made)
    assert not our_snapshots(stage)
    assert {snapshot.name for snapshot in others.machine.every_snapshot()} == others.names
    assert not others.machine.consolidation_needed
    assert list(stage.engine.services.catalog.snapshot_journal.open_entries()) == []


def test_a_revert_while_changes_are_asked_for_is_seen_in_the_same_run(
    stage: Stage, vm: VmSummary, client: OtherClient
) -> None:
    back_up(stage, vm, FULL)
    others = Others(stage, client, vm)
    second = back_up(stage, vm, INCREMENTAL)
    stage.simulator.world.guests.write_now(vm.id, MIB)

    def revert_and_refuse() -> vim.fault.NotAuthenticated:
        others.revert_to_theirs()
        return vim.fault.NotAuthenticated()

    stage.simulator.faults.fail_call("QueryChangedDiskAreas", 1, revert_and_refuse)
    third = back_up(stage, vm, INCREMENTAL)
    report = stage.engine.ask(TaskDetails(task=third.task))
    assert messages.WHOLE_WENT_BACK.code in codes_of(report), explain(report)
    assert third.point.parent is None
    assert_points_are_exact(stage, vm.id, [second, third])


def test_tracking_that_was_switched_on_beside_a_snapshot_of_others_is_not_believed(
    stage: Stage, vm: VmSummary, client: OtherClient
) -> None:
    def snap_and_refuse() -> vim.fault.NotAuthenticated:
        client.take_snapshot(vm.id, "theirs")
        stage.simulator.world.guests.write_now(vm.id, MIB)
        return vim.fault.NotAuthenticated()

    stage.simulator.faults.fail_call("ReconfigVM_Task", 1, snap_and_refuse)
    made = [back_up(stage, vm, FULL)]
    report = stage.engine.ask(TaskDetails(task=made[0].task))
    assert "vsphere.cbt_has_snapshots" in codes_of(report), explain(report)
    assert messages.TRACKING_NOT_ON.code in codes_of(report), explain(report)
    assert messages.WHOLE_TRACKING_LIED.code not in codes_of(report), "nothing was left to the audit's luck"
    stage.simulator.world.guests.write_now(vm.id, MIB)
    made.append(back_up(stage, vm, INCREMENTAL))
    assert all(disk.read_whole for disk in made[1].point.disks), "nothing is known of what changed"
    assert_points_are_exact(stage, vm.id, made)
    machine = stage.simulator.world.get(vim.VirtualMachine(vm.id))
    assert isinstance(machine, VirtualMachine)
    assert [snapshot.name for snapshot in machine.every_snapshot()] == ["theirs"]
