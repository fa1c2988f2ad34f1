"""Power: on, off, suspended, and the question that a moved VM asks before it starts."""

import uuid
from functools import partial

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.progress import TaskProgress
from app.simulator.vm import files, layout, running_files
from app.simulator.vm.config import extra_value, with_devices
from app.simulator.vm.devices import connect_info
from app.simulator.vm.identity import location_id, new_mac
from app.simulator.vm.lending import is_lent
from app.simulator.vm.machine import Machine, Question
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import Device, changed
from app.simulator.vm.views import tools_run

_device = vim.vm.device
_CHOICES = (
    ("0", "button.uuid.cancel", "Cancel"),
    ("1", "button.uuid.movedTheVM", "I Moved It"),
    ("2", "button.uuid.copiedTheVM", "I Copied It"),
)
_ANSWER_CHECK_S = 0.05


def wrong_state(vm: Machine, wanted: str) -> vim.fault.InvalidPowerState:
    """Build the refusal of an operation that needs another power state."""
    words = {"poweredOn": "Powered on", "poweredOff": "Powered off", "suspended": "Suspended"}
    return vim.fault.InvalidPowerState(
        msg=f"The attempted operation cannot be performed in the current state ({words[vm.power_state]}).",
        requestedState=wanted,
        existingState=vm.power_state,
    )


# ---- what others use too -------------------------------------------------------------------------------


def start(vm: Machine) -> None:
    """Start a VM that is off or suspended.

    Raises:
        vmodl.MethodFault: a disk is missing or in use, or there is no space for its swap file.
    """
    _check_disks(vm)
    with as_vim_faults(str(files.home_of(vm.config))):
        vm.apply_tracking()
    running_files.begin(vm)
    boots = vm.power_state == "poweredOff"
    with vm.world.lock:
        vm.has_booted = not (boots and vm.world.boot_s)
        vm.set_power("poweredOn")
        vm.set_config(_noted(vm, _connected(vm.config.hardware.device, connected=True)))
    vm.world.guests.started(vm)
    _boot(vm)


def _boot(vm: Machine) -> None:
    if not vm.has_booted:
        vm.world.boots.begin(vm, vm.world.boot_s, partial(vm.finish_boot, vm.boot_time))


def stop(vm: Machine, state: str) -> None:
    """Stop a VM; one that does not run only gets the state."""
    if vm.is_running:
        vm.world.boots.end(vm.moid)
        vm.world.guests.stopped(vm)
        running_files.end(vm)
    with vm.world.lock:
        vm.set_power(state)
        vm.set_config(_noted(vm, _connected(vm.config.hardware.device, connected=False)))


def _noted(vm: Machine, devices: list[Device]) -> vim.vm.ConfigInfo:
    """Return the configuration with other devices, as written just now."""
    now = vm.world.now()
    return changed(with_devices(vm.config, devices), modified=now, changeVersion=now.isoformat())


def _connected(devices: list[Device], *, connected: bool) -> list[Device]:
    """Connect or disconnect the cards that are connected at power on."""
    return [
        changed(device, connectable=connect_info(connected=connected))
        if isinstance(device, _device.VirtualEthernetCard)
        and device.connectable is not None
        and device.connectable.startConnected
        else device
        for device in devices
    ]


def _check_disks(vm: Machine) -> None:
    if not vm.has_files:
        return
    others = [
        running
        for running in vm.world.inventory.vms.values()
        if running is not vm and running.is_running and running.has_files
    ]
    for tree in vm.trees.values():
        leaf = tree.leaf
        if leaf is None:
            continue
        if not leaf.datastore.resolve(leaf.extent_path).exists():
            raise vim.fault.FileNotFound(msg=f"File {leaf.path} was not found.", file=str(leaf.path))
        if is_lent(leaf, vm.world.inventory.vms) or any(other.uses_file(leaf.path) for other in others):
            raise vim.fault.FileLocked(msg=f"{leaf.path} is used by another VM.", file=str(leaf.path))
    home = files.home_of(vm.config)
    if not files.datastore_of(vm.world, home).free_bytes:
        raise vim.fault.NoDiskSpace(
            msg=f"Insufficient disk space on datastore '{home.datastore}' for the swap file.",
            file=str(home).removesuffix(".vmx") + ".vswp",
            datastore=home.datastore,
        )


# ---- tasks ---------------------------------------------------------------------------------------------


def power_on(vm: Machine, call: Call, host: vim.HostSystem | None) -> vim.Task:
    """Start a VM in a task; it stays running while the VM asks something."""
    target = vm.world.inventory.host_of(host)

    def run(progress: TaskProgress) -> None:
        if vm.is_running:
            raise wrong_state(vm, "poweredOn")
        if vm.config.template:
            raise vmodl.fault.NotSupported(msg="A template cannot be powered on.")
        if vm.moved_here:
            _ask_where_it_comes_from(vm, progress)
        progress.report(50)
        if target is not None and target is not vm.host:
            vm.set_host(target)
        start(vm)
        layout.save_configuration(vm)
        vm.post(vim.event.VmPoweredOnEvent, f"{vm.name} on {vm.host.name} is powered on.", call.user)

    return vm.start(call, "PowerOnVM_Task", run)


def power_off(vm: Machine, call: Call) -> vim.Task:
    """Stop a VM hard, in a task."""

    def run(_: TaskProgress) -> None:
        if vm.power_state == "poweredOff":
            raise wrong_state(vm, "poweredOff")
        stop(vm, "poweredOff")
        vm.post(vim.event.VmPoweredOffEvent, f"{vm.name} on {vm.host.name} is powered off.", call.user)

    return vm.start(call, call.method, run)


def suspend(vm: Machine, call: Call) -> vim.Task:
    """Suspend a running VM, in a task."""

    def run(_: TaskProgress) -> None:
        if not vm.is_running:
            raise wrong_state(vm, "suspended")
        stop(vm, "suspended")
        vm.post(vim.event.VmSuspendedEvent, f"{vm.name} on {vm.host.name} is suspended.", call.user)

    return vm.start(call, call.method, run)


def reset(vm: Machine, call: Call) -> vim.Task:
    """Stop a running VM hard and start it again, in a task."""

    def run(_: TaskProgress) -> None:
        if not vm.is_running:
            raise wrong_state(vm, "poweredOn")
        stop(vm, "poweredOff")
        start(vm)
        vm.post(vim.event.VmResettingEvent, f"{vm.name} on {vm.host.name} is reset.", call.user)

    return vm.start(call, call.method, run)


def terminate(vm: Machine, call: Call) -> None:
    """Stop a VM at once.

    Raises:
        vim.fault.InvalidState: it does not run.
    """
    if vm.power_state == "poweredOff":
        raise wrong_state(vm, "poweredOff")
    stop(vm, "poweredOff")
    vm.post(vim.event.VmPoweredOffEvent, f"{vm.name} on {vm.host.name} was terminated.", call.user)


def shutdown_guest(vm: Machine, call: Call) -> None:
    """Ask the guest to shut down, which it does at once.

    Raises:
        vim.fault.InvalidPowerState: the VM does not run.
        vim.fault.ToolsUnavailable: the tools do not run.
        vim.fault.TaskInProgress: the VM is busy.
    """
    _check_guest(vm)
    stop(vm, "poweredOff")
    vm.post(vim.event.VmGuestShutdownEvent, f"Guest OS shut down for {vm.name}.", call.user)


def reboot_guest(vm: Machine, call: Call) -> None:
    """Ask the guest to restart.

    Raises:
        vim.fault.InvalidPowerState, vim.fault.ToolsUnavailable, vim.fault.TaskInProgress: as above.
    """
    _check_guest(vm)
    with vm.world.lock:
        vm.has_booted = not vm.world.boot_s
        vm.set_power("poweredOn")
    _boot(vm)
    vm.post(vim.event.VmGuestRebootEvent, f"Guest OS reboot for {vm.name}.", call.user)


def _check_guest(vm: Machine) -> None:
    vm.refuse_while_busy()
    if not vm.is_running:
        raise wrong_state(vm, "poweredOn")
    if not tools_run(vm):
        raise vim.fault.ToolsUnavailable(
            msg="Cannot complete operation because VMware Tools is not running in this virtual machine."
        )


# ---- the question --------------------------------------------------------------------------------------


def _ask_where_it_comes_from(vm: Machine, progress: TaskProgress) -> None:
    action = (extra_value(vm.config, "uuid.action") or "").lower()
    choice = {"keep": "1", "create": "2", "change": "2"}.get(action) or _ask(vm, progress)
    if choice == "0":
        raise vim.fault.InvalidState(msg="The power on was canceled by the answer to a question.")
    made = changed(vm.config, locationId=location_id(files.home_of(vm.config)))
    if choice == "2":
        made = changed(made, uuid=str(uuid.uuid4()))
        cards = [
            changed(device, macAddress=new_mac(vm.world)[0])
            if isinstance(device, _device.VirtualEthernetCard) and device.addressType != "manual"
            else device
            for device in made.hardware.device
        ]
        made = with_devices(made, cards)
    vm.moved_here = False
    vm.set_config(made)


def _ask(vm: Machine, progress: TaskProgress) -> str:
    """Ask, and wait for the answer."""
    text = (
        "This virtual machine might have been moved or copied. In order to configure certain management and "
        "networking features, VMware ESX needs to know if this virtual machine was moved or copied. If you don't "
        'know, answer "I Copied It".'
    )
    info = vim.vm.QuestionInfo(
        id=str(vm.world.new_number()),
        text=f"msg.uuid.altered:{text}",
        choice=vim.option.ChoiceOption(
            choiceInfo=[
                vim.ElementDescription(key=key, label=label, summary=summary) for key, label, summary in _CHOICES
            ],
            defaultIndex=2,
        ),
        message=[vim.vm.Message(id="msg.uuid.altered", text=text)],
    )
    question = Question(info)
    vm.set_question(question)
    vm.post(vim.event.VmMessageEvent, f"Message on {vm.name}: {text}")
    try:
        while not question.answered.wait(_ANSWER_CHECK_S):
            progress.check()
    finally:
        vm.set_question(None)
    return question.answer or "0"


def answer(vm: Machine, question_id: str, choice: str) -> None:
    """Answer a VM's question.

    Raises:
        vmodl.fault.InvalidArgument: it asks no such question, or there is no such answer.
    """
    with vm.world.lock:
        question = vm.question
        if question is None or question.info.id != question_id:
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: questionId", invalidProperty="questionId"
            )
        if choice not in {key for key, _, _ in _CHOICES}:
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: answerChoice", invalidProperty="answerChoice"
            )
        question.answer = choice
        question.answered.set()
