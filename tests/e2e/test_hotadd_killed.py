"""The engine is killed while disks are attached to its machine: the next start detaches them, and only them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from app.cli.demo.stage import Stage, open_host, open_simulator, register
from app.contract.restore import NewVm, StartRestore
from app.contract.tasks import StartBackup
from app.core.passphrases import PASSPHRASE_VARIABLE
from app.domain.ids import PointId, VmId
from app.domain.states import BackupKind, TransportMode
from app.domain.vms import VmPlacement
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.machine import Machine
from tests.support.attaching import CONSOLE, attach_as_another, disk_path, guest_of, machine_named, places_of
from tests.support.stage import DEADLINE_S, MIB, RULE, assert_points_are_exact, back_up, our_snapshots, vm_named
from tests.support.waiting import wait_until

PASSPHRASE = "only for tests"
ROOT = Path(__file__).parents[2]
WEB = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=64 * MIB), DiskSpec(capacity_bytes=8 * MIB)))
OFF = VmSpec(name="off-01", disks=(DiskSpec(capacity_bytes=8 * MIB),), powered_on=False)


@dataclass(frozen=True)
class Killed:
    """An installation whose engine is killed and started again."""

    stage: Stage
    home: Path

    @property
    def simulator(self) -> VSphereSimulator:
        return self.stage.simulator

    @property
    def console(self) -> Machine:
        return machine_named(self.simulator, "console")

    def start_backup(self) -> "subprocess.Popen[str]":
        request = StartBackup(
            platform=self.stage.platform,
            vm=VmId(machine_named(self.simulator, "web-01").moid),
            vm_name="web-01",
            standby=self.stage.standby,
            rule_name=RULE,
            kind=BackupKind.FULL,
            transports=(TransportMode.HOTADD,),
        )
        return self._start(request)

    def start_restore(self, point: PointId) -> "subprocess.Popen[str]":
        return self._start(
            StartRestore(
                standby=self.stage.standby,
                point=point,
                platform=self.stage.platform,
                target=NewVm(placement=VmPlacement(name="web-01-again")),
                transports=(TransportMode.HOTADD,),
            )
        )

    def _start(self, request: StartBackup | StartRestore) -> "subprocess.Popen[str]":
        arguments = [str(self.home), msgspec.json.encode(request).decode(), str(self.simulator.guest_root)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.engine_process", *arguments],
            cwd=ROOT,
            env={**os.environ, PASSPHRASE_VARIABLE: PASSPHRASE},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        return process

    def back_up(self) -> PointId:
        """Back up before anything is killed; return the point."""
        with open_host(self.home, PASSPHRASE, machine_root=self.simulator.guest_root) as host:
            stage = replace(self.stage, engine=host.engine)
            return back_up(stage, vm_named(stage, "web-01"), BackupKind.FULL).point.id

    def names(self) -> list[str]:
        return [vm.name for vm in self.simulator.world.inventory.vms.values()]

    def start_again_and_check(self, before: object) -> None:
        """Start an engine: it detaches and removes what is left, and backs up as if nothing had been."""
        with open_host(self.home, PASSPHRASE, machine_root=self.simulator.guest_root) as host:
            assert host.engine.wait_until_idle(DEADLINE_S)
            wait_until(lambda: places_of(self.console) == before, what="detaching at the start", deadline_s=60)
            wait_until(lambda: not our_snapshots(self.stage), what="our snapshot's removal", deadline_s=60)
            assert not host.engine.services.catalog.attachment_journal.open_entries()
            stage = replace(self.stage, engine=host.engine)
            vm = vm_named(stage, "web-01")
            assert_points_are_exact(stage, vm.id, [back_up(stage, vm, BackupKind.FULL)])


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    with open_simulator(tmp_path, SimulatorSpec(vms=(WEB, OFF, CONSOLE))) as simulator:
        home = tmp_path / "standfast"
        with open_host(home, PASSPHRASE, machine_root=simulator.guest_root) as host:
            made = Killed(register(tmp_path, simulator, host.engine), home)
        yield made


def test_a_kill_between_attaching_and_detaching_leaves_nothing(killed: Killed) -> None:
    before = places_of(killed.console)
    process = killed.start_backup()
    wait_until(lambda: places_of(killed.console) != before, what="an attached disk", deadline_s=60)
    end(process)
    assert places_of(killed.console) != before
    killed.start_again_and_check(before)
    assert not guest_of(killed.simulator).torn_out


def test_a_kill_while_attaching_leaves_nothing_though_it_is_done_afterwards(killed: Killed) -> None:
    before = places_of(killed.console)
    process = killed.start_backup()
    wait_until(lambda: our_snapshots(killed.stage), what="the snapshot", deadline_s=60)
    killed.simulator.faults.hang_task("ReconfigVM_Task")
    wait_until(lambda: killed.simulator.faults.calls("ReconfigVM_Task") > 1, what="the attaching", deadline_s=60)
    end(process)
    killed.simulator.faults.release()
    wait_until(lambda: killed.console.lent, what="the disk that no one waits for", deadline_s=60)
    killed.start_again_and_check(before)


def test_a_kill_while_a_restore_writes_leaves_neither_disk_nor_vm(killed: Killed) -> None:
    before, names, point = places_of(killed.console), killed.names(), killed.back_up()
    process = killed.start_restore(point)
    wait_until(
        lambda: any(lent.is_writable for lent in list(killed.console.lent.values())),
        what="a disk that is written",
        deadline_s=60,
    )
    end(process)
    assert "web-01-again" in killed.names()
    killed.start_again_and_check(before)
    assert killed.names() == names
    assert not guest_of(killed.simulator).torn_out


def test_a_disk_of_others_stays_when_ours_is_detached(killed: Killed) -> None:
    foreign = disk_path(machine_named(killed.simulator, "off-01"))
    attach_as_another(killed.simulator, foreign)
    before = places_of(killed.console)
    process = killed.start_backup()
    wait_until(lambda: places_of(killed.console) != before, what="an attached disk", deadline_s=60)
    end(process)
    assert len(killed.console.lent) == 2
    killed.start_again_and_check(before)
    assert [str(lent.disk.path) for lent in killed.console.lent.values()] == [foreign]
