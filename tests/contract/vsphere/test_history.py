"""Reverts of a VM are found in the platform's history, by whatever user, and whatever the clocks show."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from app.contract.transports import ProbedMode
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.hypervisor import MarkedHistory, RevertHistory
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.restore_point import HistoryMark
from app.engine.doctor.platform import Looks, examine_platform
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, Flavour, SimulatorSpec, UserSpec, VmSpec
from app.vsphere import history
from app.vsphere.errors import HistoryIncomplete
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.session import Connection
from app.vsphere.tasks import Deadline, Waiting, run_task
from app.vsphere.words import Operation
from tests.contract.vsphere.conftest import QUICK
from tests.contract.vsphere.platforms import Target
from tests.support.fakes import RecordingTaskLog, TurnableClock
from tests.support.simulated import platform_of

DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
LATER = timedelta(minutes=2)
"""More than what the clocks' difference is allowed to be wrong by."""


def spec(flavour: Flavour) -> SimulatorSpec:
    user = "administrator@vsphere.local" if flavour is Flavour.VCENTER else "root"
    return SimulatorSpec(
        flavour=flavour,
        hosts=("esx01.lab",),
        users=(UserSpec(name=user, password="secret-1"),),
        vms=(VmSpec(name="web-01", disks=(DISK,)), VmSpec(name="web-02", disks=(DISK,))),
    )


@pytest.fixture(params=[Flavour.VCENTER, Flavour.ESXI], ids=lambda flavour: flavour.value)
def simulator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VSphereSimulator]:
    with VSphereSimulator(spec(request.param), tmp_path / "vs") as simulator:
        yield simulator


def logged_in(simulator: VSphereSimulator, clock: Any = None) -> VSphereHypervisor:
    platform = platform_of(simulator)
    return VSphereFactory(clock or SystemClock(), timings=QUICK).connect(platform, simulator.password)


def frozen_once(vsphere: VSphereHypervisor, vm: VmId) -> SnapshotId:
    """Take a snapshot, as a backup does before the moment that matters."""
    log = RecordingTaskLog()
    return vsphere.create_snapshot(vm, TaskId("t"), quiesce=False, log=log, cancel=CancelToken()).snapshot


def revert(vsphere: VSphereHypervisor, vm: VmId, snapshot: SnapshotId | None) -> None:
    """Bring a VM back as someone else would; None: to the current snapshot."""
    session = vsphere.session
    waiting = Waiting(operation=Operation.ANSWER, deadline=Deadline.after(SystemClock(), 30))

    def start(connection: Connection) -> Any:
        if snapshot is None:
            return connection.vm(vm).RevertToCurrentSnapshot_Task()
        return connection.object(vim.vm.Snapshot, snapshot).RevertToSnapshot_Task()

    run_task(session, start, waiting)


def named(vsphere: VSphereHypervisor, name: str) -> VmId:
    return next(vm.id for vm in vsphere.list_vms() if vm.name == name)


@pytest.mark.parametrize("to_current", [False, True])
def test_a_revert_is_reported_for_the_vm_that_was_reverted_and_no_other(
    simulator: VSphereSimulator, *, to_current: bool
) -> None:
    with logged_in(simulator) as vsphere:
        assert isinstance(vsphere, RevertHistory)
        vm, other = named(vsphere, "web-01"), named(vsphere, "web-02")
        snapshots = {machine: frozen_once(vsphere, machine) for machine in (vm, other)}
        moment = datetime.now(UTC)
        assert not vsphere.reverted_since(vm, moment)
        revert(vsphere, vm, None if to_current else snapshots[vm])
        assert vsphere.reverted_since(vm, moment)
        assert not vsphere.reverted_since(other, moment)
        assert not vsphere.reverted_since(vm, datetime.now(UTC) + LATER)


def test_the_clocks_of_both_sides_may_differ(simulator: VSphereSimulator) -> None:
    ours = TurnableClock(datetime(2020, 1, 1, tzinfo=UTC))
    with logged_in(simulator, ours) as vsphere:
        vm = named(vsphere, "web-01")
        snapshot = frozen_once(vsphere, vm)
        moment = ours.now()
        assert not vsphere.reverted_since(vm, moment)
        revert(vsphere, vm, snapshot)
        assert vsphere.reverted_since(vm, moment)
        assert not vsphere.reverted_since(vm, moment + LATER)


def test_a_revert_since_a_mark_is_found_whatever_our_clock_shows(simulator: VSphereSimulator) -> None:
    ours = TurnableClock(datetime(2020, 1, 1, tzinfo=UTC))
    with logged_in(simulator, ours) as vsphere:
        assert isinstance(vsphere, MarkedHistory)
        vm, other = named(vsphere, "web-01"), named(vsphere, "web-02")
        snapshots = {machine: frozen_once(vsphere, machine) for machine in (vm, other)}
        revert(vsphere, other, snapshots[other])
        mark = vsphere.history_mark()
        assert mark.event_key is not None
        ours.turn(timedelta(days=4000).total_seconds())
        assert not vsphere.reverted_since(vm, mark)
        assert not vsphere.reverted_since(other, mark), "that was before the mark, in the same second"
        revert(vsphere, vm, snapshots[vm])
        assert vsphere.reverted_since(vm, mark)
        assert not vsphere.reverted_since(other, mark)
        assert not vsphere.reverted_since(vm, vsphere.history_mark())


def test_a_mark_that_does_not_fit_the_history_means_that_anything_may_have_happened(
    simulator: VSphereSimulator,
) -> None:
    with logged_in(simulator) as vsphere:
        vm = named(vsphere, "web-01")
        mark = vsphere.history_mark()
        assert mark.event_key is not None
        assert mark.event_at is not None
        assert not vsphere.reverted_since(vm, mark)
        assert vsphere.reverted_since(vm, replace(mark, platform="set up anew"))
        assert vsphere.reverted_since(vm, replace(mark, event_key=mark.event_key + 1000)), "counted from the start"
        assert vsphere.reverted_since(vm, replace(mark, at=mark.at + LATER)), "the platform's clock went back"


@pytest.mark.parametrize("flavour", list(Flavour), ids=lambda flavour: flavour.value)
def test_a_mark_whose_event_is_another_one_now_means_that_anything_may_have_happened(
    flavour: Flavour, tmp_path: Path
) -> None:
    theirs = TurnableClock(datetime.now(UTC))
    with VSphereSimulator(spec(flavour), tmp_path / "vs", clock=theirs) as simulator, logged_in(simulator) as ours:
        vm = named(ours, "web-01")
        first = ours.history_mark()
        theirs.turn(10 * history.SECOND.total_seconds())
        frozen_once(ours, vm)
        newer = ours.history_mark()
        assert first.event_key is not None
        assert newer.event_key is not None
        assert newer.event_key > first.event_key
        assert not ours.reverted_since(vm, first)
        assert not ours.reverted_since(vm, newer)
        assert ours.reverted_since(vm, replace(newer, event_key=first.event_key))


def test_a_mark_that_is_older_than_the_history_is_reported(simulator: VSphereSimulator) -> None:
    with logged_in(simulator) as vsphere:
        vm = named(vsphere, "web-01")
        long_ago = HistoryMark(at=datetime.now(UTC) - timedelta(days=30), platform=vsphere.history_mark().platform)
        with pytest.raises(HistoryIncomplete, match="holds nothing from before"):
            vsphere.reverted_since(vm, long_ago)


def test_a_long_history_is_read_to_its_end(simulator: VSphereSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with logged_in(simulator) as vsphere:
        vm = named(vsphere, "web-01")
        snapshot = frozen_once(vsphere, vm)
        moment = datetime.now(UTC)
        revert(vsphere, vm, snapshot)
        machine = simulator.world.get(vim.VirtualMachine(vm))
        for _ in range(1100):
            simulator.world.events.post(vim.event.VmGuestRebootEvent, "The guest starts anew.", vm=machine)
        assert vsphere.reverted_since(vm, moment)
        assert simulator.faults.calls("ReadNextEvents") > 1
        monkeypatch.setattr(history, "_MOST_PAGES", 1)
        with pytest.raises(HistoryIncomplete, match="more than 1000 events"):
            vsphere.reverted_since(vm, moment)


def test_a_history_that_does_not_reach_back_is_not_believed(simulator: VSphereSimulator) -> None:
    with logged_in(simulator) as vsphere, pytest.raises(HistoryIncomplete, match="holds nothing from before"):
        vsphere.reverted_since(named(vsphere, "web-01"), datetime.now(UTC) - timedelta(days=30))


def test_a_time_without_reverts_is_reported_as_such(vsphere: VSphereHypervisor, target: Target) -> None:
    vm = vsphere.list_vms()[0].id
    snapshot = frozen_once(vsphere, vm)
    try:
        assert not vsphere.reverted_since(vm, datetime.now(UTC) + LATER)
    finally:
        vsphere.remove_snapshot(vm, snapshot, deadline_s=30)


@pytest.mark.parametrize(("hours", "code"), [(0, "doctor.clock_agrees"), (8, "doctor.clock_differs")])
def test_the_doctor_compares_the_clocks(simulator: VSphereSimulator, hours: int, code: str) -> None:
    with logged_in(simulator) as vsphere:
        platform = vsphere.session.platform

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    looks = Looks(
        probe=lambda _host, _port: None,
        serving=lambda: None,
        resolve=lambda _host: (),
        trial=lambda _session, _disk, mode: ProbedMode(mode=mode),
        now=now,
    )
    findings = examine_platform(platform, lambda: logged_in(simulator), looks).findings
    assert code in [finding.code for finding in findings]
