"""Power, the guest's part in it, and the question of a VM that was moved or copied."""

from typing import Any

from pyVmomi import vim, vmodl

from tests.unit.simulator.vm.lab import VmLab, device, disks


def state(vm: Any) -> str:
    return str(vm.runtime.powerState)


def test_power_goes_on_and_off_and_is_seen_everywhere(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    assert (state(vm), vm.runtime.bootTime) == ("poweredOff", None)
    lab.run(vm.PowerOnVM_Task())
    assert state(vm) == vm.summary.runtime.powerState == "poweredOn"
    assert vm.runtime.bootTime is not None
    assert device(vm, vim.vm.device.VirtualVmxnet3).connectable.connected
    lab.run(vm.PowerOffVM_Task())
    assert state(vm) == "poweredOff"
    assert not device(vm, vim.vm.device.VirtualVmxnet3).connectable.connected
    assert any("is powered on" in message for message in lab.events())


def test_what_the_power_state_forbids_is_refused(lab: VmLab) -> None:
    on, off = lab.vm("web-01"), lab.vm("archive-01")
    for task, existing in (
        (on.PowerOnVM_Task, "poweredOn"),
        (off.PowerOffVM_Task, "poweredOff"),
        (off.SuspendVM_Task, "poweredOff"),
        (off.ResetVM_Task, "poweredOff"),
        (on.Destroy_Task, "poweredOn"),
    ):
        with lab.refused(vim.fault.InvalidPowerState) as caught:
            lab.run(task())
        assert caught.value.existingState == existing
    with lab.refused(vim.fault.InvalidPowerState):
        on.UnregisterVM()
    with lab.refused(vim.fault.InvalidPowerState):
        on.MarkAsTemplate()


def test_a_suspended_vm_goes_on(lab: VmLab) -> None:
    vm = lab.vm("web-01")
    lab.run(vm.SuspendVM_Task())
    assert state(vm) == "suspended"
    lab.run(vm.PowerOnVM_Task())
    lab.run(vm.ResetVM_Task())
    assert state(vm) == "poweredOn"


def test_the_guest_shuts_down_only_when_its_tools_run(lab: VmLab) -> None:
    lab.vm("web-01").RebootGuest()
    lab.vm("web-01").ShutdownGuest()
    assert state(lab.vm("web-01")) == "poweredOff"
    lab.run(lab.vm("archive-01").PowerOnVM_Task())
    with lab.refused(vim.fault.ToolsUnavailable):
        lab.vm("archive-01").ShutdownGuest()


def test_the_guest_tells_what_its_tools_tell(lab: VmLab) -> None:
    guest = lab.vm("web-01").guest
    assert (guest.toolsRunningStatus, guest.hostName) == ("guestToolsRunning", "web-01.lab")
    assert guest.guestFullName == "Debian GNU/Linux 12 (64-bit)"
    assert guest.net[0].ipAddress == [guest.ipAddress]
    silent = lab.vm("archive-01").guest
    assert (silent.toolsRunningStatus, silent.hostName) == ("guestToolsNotRunning", None)


def test_a_vm_whose_disk_is_gone_does_not_start(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    lab.file("[ds1] archive-01/archive-01-flat.vmdk").unlink()
    with lab.refused(vim.fault.FileNotFound) as caught:
        lab.run(vm.PowerOnVM_Task())
    assert caught.value.file == "[ds1] archive-01/archive-01.vmdk"
    assert state(vm) == "poweredOff"


def test_a_full_datastore_has_no_room_for_the_swap_file(lab: VmLab) -> None:
    lab.sim.faults.fill_datastore("ds1")
    with lab.refused(vim.fault.NoDiskSpace):
        lab.run(lab.vm("archive-01").PowerOnVM_Task())


def test_several_vms_start_at_once(lab: VmLab) -> None:
    vm = lab.vm("archive-01")
    result = lab.run(lab.datacenter.PowerOnMultiVM_Task([vm], []))
    lab.run(result.attempted[0].task)
    assert state(vm) == "poweredOn"


def move_files(lab: VmLab) -> Any:
    """Register the VM again, from a copy of its files at another place."""
    vm = lab.vm("archive-01")
    lab.run(lab.si.content.virtualDiskManager.CopyVirtualDisk_Task(
        sourceName=disks(vm)[0].backing.fileName, destName="[ds2] copied/archive-01.vmdk"
    ))  # fmt: skip
    lab.run(lab.si.content.fileManager.CopyDatastoreFile_Task(
        sourceName="[ds1] archive-01/archive-01.vmx", destinationName="[ds2] copied/archive-01.vmx"
    ))  # fmt: skip
    lab.run(vm.Destroy_Task())
    folder = lab.datacenter.vmFolder
    return lab.run(folder.RegisterVM_Task("[ds2] copied/archive-01.vmx", "moved", False, lab.pool, None))


def test_a_vm_from_another_place_asks_before_it_starts(lab: VmLab) -> None:
    vm = move_files(lab)
    uuid = vm.config.uuid
    for answer, expected in (("0", "poweredOff"), ("1", "poweredOn")):
        task = vm.PowerOnVM_Task()
        lab.wait_until(lambda: lab.machine("moved").question is not None)
        question = vm.runtime.question
        assert "might have been moved or copied" in question.text
        assert [choice.summary for choice in question.choice.choiceInfo] == ["Cancel", "I Moved It", "I Copied It"]
        assert task.info.state == "running"
        with lab.refused(vmodl.fault.InvalidArgument):
            vm.AnswerVM("no such question", "1")
        with lab.refused(vmodl.fault.InvalidArgument):
            vm.AnswerVM(question.id, "9")
        vm.AnswerVM(question.id, answer)
        if answer == "0":
            with lab.refused(vim.fault.InvalidState):
                lab.run(task)
        else:
            lab.run(task)
        assert state(vm) == expected
        assert vm.runtime.question is None
    assert vm.config.uuid == uuid
    lab.run(vm.PowerOffVM_Task())
    lab.run(vm.PowerOnVM_Task())


def test_a_copied_vm_gets_an_identity_of_its_own(lab: VmLab) -> None:
    vm = move_files(lab)
    uuid, mac = vm.config.uuid, device(vm, vim.vm.device.VirtualVmxnet3).macAddress
    task = vm.PowerOnVM_Task()
    lab.wait_until(lambda: lab.machine("moved").question is not None)
    vm.AnswerVM(vm.runtime.question.id, "2")
    lab.run(task)
    assert vm.config.uuid != uuid
    assert device(vm, vim.vm.device.VirtualVmxnet3).macAddress != mac


def test_a_vm_that_says_so_in_its_settings_does_not_ask(lab: VmLab) -> None:
    vm = move_files(lab)
    uuid = vm.config.uuid
    lab.reconfigure(vm, extraConfig=[vim.option.OptionValue(key="uuid.action", value="keep")])
    lab.run(vm.PowerOnVM_Task())
    assert vm.config.uuid == uuid
