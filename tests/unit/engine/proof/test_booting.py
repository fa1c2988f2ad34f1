"""A restore point is started without a network, looked at, and taken away again."""

import os

import pytest
from pyVmomi import vim

from app.contract.instant import ListInstantRecoveries
from app.contract.proofs import ListProofs, ReadProofPicture
from app.contract.tasks import CancelTask
from app.core.png import SIGNATURE
from app.domain.proofs import ProofKind, ProofOutcome
from app.domain.states import TaskKind, TaskState
from app.simulator.vm import screenshot
from tests.support.instant_lab import MIB
from tests.support.proof_lab import ProofLab


def test_a_point_whose_guest_tools_report_boots(with_tools: ProofLab) -> None:
    lab = with_tools
    point = lab.backup()
    report = lab.completed(lab.begin(point))
    assert report.task.kind is TaskKind.PROOF
    proof = lab.proof(point)
    assert proof is not None
    assert (proof.kind, proof.outcome) == (ProofKind.BOOTS, ProofOutcome.PROVEN)
    assert (proof.reason.kind.code, proof.task) == ("proof.tools_run", report.task.id)
    picture = lab.engine.ask(ReadProofPicture(standby=lab.standby, point=point.id))
    assert picture is not None
    assert picture.png.startswith(SIGNATURE)
    (row,) = lab.engine.ask(ListProofs())
    assert (row.vm_name, row.standby_name, row.proof) == ("web", "standby", proof)
    lab.check_nothing_left()


def test_a_guest_without_tools_boots_when_its_screen_stands_and_it_writes(lab: ProofLab) -> None:
    point = lab.backup()
    task = lab.begin(point)
    vm = lab.started_vm()
    lab.boot(vm)
    lab.write(vm.name, MIB, os.urandom(MIB))
    lab.completed(task)
    assert lab.reason(point) == "proof.screen_stands"
    lab.check_nothing_left()


def test_a_guest_that_only_shows_something_is_not_proven_and_its_picture_is_kept(lab: ProofLab) -> None:
    point = lab.backup()
    task = lab.submit(lab.spec(point, limit_s=20.0))
    lab.boot(lab.started_vm())
    report = lab.finished(task)
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code == "proof.not_proven"
    proof = lab.proof(point)
    assert proof is not None
    assert (proof.outcome, proof.has_picture) == (ProofOutcome.NOT_PROVEN, True)
    assert proof.reason.kind.code == "proof.console_still"
    lab.check_nothing_left()


def test_a_guest_whose_tools_stay_silent_is_not_proven_whatever_it_shows(with_tools: ProofLab) -> None:
    lab = with_tools
    lab.simulator.world.boot_s = 60.0
    point = lab.backup()
    assert lab.finished(lab.submit(lab.spec(point, limit_s=1.0))).task.state is TaskState.FAILED
    assert lab.reason(point) == "proof.tools_silent"
    lab.check_nothing_left()


def test_a_black_console_is_not_proven(lab: ProofLab) -> None:
    point = lab.backup()
    lab.finished(lab.submit(lab.spec(point, limit_s=6.0)))
    assert lab.reason(point) == "proof.console_black"
    lab.check_nothing_left()


def test_a_picture_that_cannot_be_read_proves_nothing(lab: ProofLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot, "png", lambda rows: SIGNATURE + b"nothing")
    point = lab.backup()
    task = lab.submit(lab.spec(point, limit_s=4.0))
    lab.write(lab.started_vm().name, MIB, os.urandom(MIB))
    lab.finished(task)
    assert lab.reason(point) == "proof.no_picture_read"


def test_the_vm_has_no_network_and_no_more_than_the_limits_and_is_in_no_list(lab: ProofLab) -> None:
    point = lab.backup()
    task = lab.submit(lab.spec(point, cpus=1, memory_mib=256))
    machine = lab.started_vm()
    hardware = machine.config.hardware
    cards = [device for device in hardware.device if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    assert cards
    for card in cards:
        assert card.connectable is not None
        assert (card.connectable.connected, card.connectable.startConnected) == (False, False)
    assert (hardware.numCPU, hardware.memoryMB) == (1, 256)
    assert lab.engine.ask(ListInstantRecoveries()) == ()
    lab.engine.execute(CancelTask(task=task))
    lab.finished(task)


def test_limits_give_no_vm_more_than_it_had(lab: ProofLab) -> None:
    had = lab.machine("web").config.hardware
    task = lab.submit(lab.spec(lab.backup(), cpus=64, memory_mib=1 << 20))
    hardware = lab.started_vm().config.hardware
    assert (hardware.numCPU, hardware.memoryMB) == (had.numCPU, had.memoryMB)
    lab.engine.execute(CancelTask(task=task))
    lab.finished(task)


def test_a_proof_that_is_stopped_leaves_nothing_and_says_nothing(lab: ProofLab) -> None:
    point = lab.backup()
    task = lab.begin(point)
    lab.started_vm()
    lab.engine.execute(CancelTask(task=task))
    assert lab.finished(task).task.state is TaskState.STOPPED
    assert lab.proof(point) is None
    lab.check_nothing_left()


def test_an_engine_that_ends_under_a_proof_leaves_nothing(lab: ProofLab) -> None:
    lab.begin(lab.backup())
    lab.started_vm()
    lab.leave()
    lab.open()
    assert lab.engine.wait_until_idle(60)
    lab.check_nothing_left()


def test_a_screen_that_is_there_from_the_beginning_is_the_firmwares(lab: ProofLab) -> None:
    lab.simulator.world.boot_s = 0.0
    point = lab.backup()
    task = lab.submit(lab.spec(point, limit_s=4.0))
    lab.write(lab.started_vm().name, MIB, os.urandom(MIB))
    lab.finished(task)
    assert lab.reason(point) == "proof.console_firmware"
    lab.check_nothing_left()
