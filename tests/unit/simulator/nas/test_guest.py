"""Guests that boot from an NFS datastore, and the question that a VM asks that came from elsewhere."""

import struct
import threading
import zlib
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pyVmomi import vim, vmodl

from app.simulator.nas import NasFile
from app.simulator.storage import DatastorePath
from app.simulator.vm.identity import location_id
from tests.unit.simulator.nas.conftest import NFS, Labs, NasLab
from tests.unit.simulator.nas.test_running import VMX, put_vm, register
from tests.unit.simulator.vm.lab import DEADLINE_S

ELSEWHERE = 'uuid.location = "56 4d 00 00 00 00 00 00-00 00 00 00 00 00 00 01"\n'
ASKING = VMX.replace('uuid.action = "keep"\n', ELSEWHERE)
UUID = "564daabb-ccdd-eeff-0011-223344556677"


def asked(lab: NasLab, vm: Any) -> vim.vm.QuestionInfo:
    """Return the question, once it is asked."""
    machine = lab.machine(vm.name)
    lab.wait_until(lambda: machine.question is not None)
    found: vim.vm.QuestionInfo = vm.runtime.question
    return found


@pytest.mark.parametrize(("choice", "keeps"), [("1", True), ("2", False)])
def test_a_vm_from_elsewhere_asks_whether_it_was_moved_or_copied(
    lab: NasLab, tmp_path: Path, choice: str, keeps: bool
) -> None:
    put_vm(lab, tmp_path, ASKING)
    vm = register(lab)
    task = vm.PowerOnVM_Task()
    question = asked(lab, vm)
    assert question.message[0].id == "msg.uuid.altered"
    assert [(info.key, info.summary) for info in question.choice.choiceInfo] == [
        ("0", "Cancel"), ("1", "I Moved It"), ("2", "I Copied It"),
    ]  # fmt: skip
    assert (task.info.state, vm.runtime.powerState) == ("running", "poweredOff")
    with lab.refused(vmodl.fault.InvalidArgument):
        vm.AnswerVM(question.id, "7")
    vm.AnswerVM(question.id, choice)
    lab.run(task)
    assert (vm.config.uuid == UUID) is keeps
    assert vm.runtime.question is None
    lab.run(vm.PowerOffVM_Task())
    lab.run(vm.PowerOnVM_Task())
    lab.run(vm.PowerOffVM_Task())
    here = location_id(DatastorePath.of(NFS, "web/web.vmx"))
    assert vm.config.locationId == here


def test_cancelling_the_question_fails_the_power_on(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path, ASKING)
    vm = register(lab)
    before = lab.names("web")
    task = vm.PowerOnVM_Task()
    vm.AnswerVM(asked(lab, vm).id, "0")
    with lab.refused(vim.fault.InvalidState):
        lab.run(task)
    assert vm.runtime.powerState == "poweredOff"
    assert lab.names("web") == before


@pytest.mark.parametrize(("action", "keeps"), [("keep", True), ("create", False), ("change", False)])
def test_a_configuration_file_can_answer_beforehand(lab: NasLab, tmp_path: Path, action: str, keeps: bool) -> None:
    put_vm(lab, tmp_path, ASKING + f'uuid.action = "{action}"\n')
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    assert (vm.config.uuid == UUID) is keeps
    lab.run(vm.PowerOffVM_Task())


NEVER_S, SOON_S = 600.0, 0.05


@pytest.fixture
def booting(labs: Labs, tmp_path: Path) -> tuple[NasLab, Any]:
    """A VM that has been powered on and whose guest does not come to the end of its boot."""
    lab = labs.make(foreign_guests_have_tools=True, boot_s=NEVER_S)
    lab.mount()
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    return lab, vm


def boot_again(lab: NasLab, vm: Any, boot_s: float) -> None:
    lab.sim.world.boot_s = boot_s
    lab.run(vm.ResetVM_Task())


def wait_for_boot(lab: NasLab, vm: Any) -> None:
    machine = lab.machine(vm.name)
    lab.wait_until(lambda: machine.has_booted)


def test_the_tools_answer_once_the_guest_has_booted(booting: tuple[NasLab, Any]) -> None:
    lab, vm = booting
    assert (vm.guest.toolsRunningStatus, vm.guestHeartbeatStatus) == ("guestToolsNotRunning", "gray")
    boot_again(lab, vm, SOON_S)
    wait_for_boot(lab, vm)
    assert (vm.guest.toolsRunningStatus, vm.guestHeartbeatStatus) == ("guestToolsRunning", "green")
    assert vm.summary.guest.toolsRunningStatus == "guestToolsRunning"
    assert vm.guest.hostName == "web-from-a-point"
    boot_again(lab, vm, NEVER_S)
    assert vm.guest.toolsRunningStatus == "guestToolsNotRunning"
    lab.run(vm.PowerOffVM_Task())


def test_a_guest_does_not_boot_while_the_server_is_away(booting: tuple[NasLab, Any]) -> None:
    lab, vm = booting
    port, waiting, readinto = lab.site.server.port, threading.Event(), NasFile.readinto

    def read(file: NasFile, offset: int, target: memoryview) -> None:
        waiting.set()
        readinto(file, offset, target)

    machine = lab.machine(vm.name)
    with mock.patch.object(NasFile, "readinto", read):
        lab.site.stop()
        lab.sim.world.boots.begin(machine, SOON_S, partial(machine.finish_boot, machine.boot_time))
        assert waiting.wait(DEADLINE_S)
    assert not machine.has_booted
    lab.site.start(port)
    wait_for_boot(lab, vm)
    lab.run(vm.PowerOffVM_Task())


def pixels(data: bytes) -> set[int]:
    """Return the shades of grey in a PNG file."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack_from(">II", data, 16)
    start = data.index(b"IDAT") + 4
    [length] = struct.unpack_from(">I", data, start - 8)
    rows = zlib.decompress(data[start : start + length])
    assert len(rows) == height * (width + 1)
    return {shade for row in range(height) for shade in rows[row * (width + 1) + 1 : (row + 1) * (width + 1)]}


def test_a_screenshot_is_black_until_the_guest_has_booted(booting: tuple[NasLab, Any]) -> None:
    lab, vm = booting
    assert lab.run(vm.CreateScreenshot_Task()) == f"[{NFS}] web/web-1.png"
    assert pixels(lab.content("web/web-1.png")) == {0}
    boot_again(lab, vm, SOON_S)
    wait_for_boot(lab, vm)
    assert lab.run(vm.CreateScreenshot_Task()) == f"[{NFS}] web/web-2.png"
    assert len(pixels(lab.content("web/web-2.png"))) > 1
    lab.run(vm.PowerOffVM_Task())
    with lab.refused(vim.fault.InvalidPowerState):
        lab.run(vm.CreateScreenshot_Task())
    lab.run(vm.Destroy_Task())
    assert lab.names() == set()
