"""Power, names and removal of VMs."""

import contextlib
from collections.abc import Callable
from typing import Any

from pyVmomi import vim, vmodl

from app.domain.errors import OperationalError, PowerOperationFailed
from app.domain.ids import VmId
from app.domain.vms import PowerState
from app.domain.words import PowerChange
from app.vsphere import tasks
from app.vsphere.errors import PlatformBusy, PlatformRefused, PlatformTaskTimedOut
from app.vsphere.faults import FAILURES, FOREIGN, translate
from app.vsphere.faultwords import fault_reason
from app.vsphere.inventory import power_state
from app.vsphere.names import escaped
from app.vsphere.properties import read
from app.vsphere.questions import Answers, MovedOrCopied
from app.vsphere.reasons import ASKS, OFF_AGAIN
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_POWER_S = 600.0
_RENAME_S = 120.0
_DESTROY_S = 900.0
_SHOWN_AS_POWER_FAILED = (PlatformRefused, PlatformBusy, PlatformTaskTimedOut)


class _QuestionPending(Exception):
    """The VM waits for an answer before it goes on."""


class VmControl:
    """Powers, renames and deletes VMs over one session. Thread: any."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session

    def power_on(self, vm: VmId) -> None:
        """Start a VM and wait until it runs; one that runs already is fine.

        Raises:
            PowerOperationFailed: it does not start, or asks a question that only a person can answer.
        """
        self._start(vm, lambda: self._fail_on_question(vm))

    def start_moved(self, vm: VmId, *, was_copied: bool) -> None:
        """Start a VM and tell the platform, where it asks, whether it was moved or copied.

        Raises:
            PowerOperationFailed: it does not start, or asks another question.
            OperationalError: the account may not answer.
        """
        origin = MovedOrCopied.COPIED if was_copied else MovedOrCopied.MOVED
        answers = Answers(self._session, vm, origin)
        self._start(vm, lambda: self._fail_on_question(vm, answers))

    def _start(self, vm: VmId, on_idle: Callable[[], None]) -> None:
        if self._state(vm) is PowerState.ON:
            return
        waiting = Waiting(
            operation=Operation.POWER_ON,
            deadline=Deadline.after(self._session.clock, _POWER_S),
            on_idle=on_idle,
            instead=lambda connection: True if _power(connection, vm) is PowerState.ON else None,
        )
        self._change_power(vm, PowerChange.ON, lambda connection: connection.vm(vm).PowerOnVM_Task(), waiting)
        if self._state(vm) is not PowerState.ON:
            raise PowerOperationFailed(vm=vm, operation=PowerChange.ON, detail=OFF_AGAIN)

    def power_off(self, vm: VmId) -> None:
        """Stop a VM hard and wait until it is off; one that is off already is fine.

        Raises:
            PowerOperationFailed: it does not stop.
        """
        if self._state(vm) is PowerState.OFF:
            return
        waiting = Waiting(
            operation=Operation.POWER_OFF,
            deadline=Deadline.after(self._session.clock, _POWER_S),
            instead=lambda connection: True if _power(connection, vm) is PowerState.OFF else None,
        )
        self._change_power(vm, PowerChange.OFF, lambda connection: connection.vm(vm).PowerOffVM_Task(), waiting)

    def shut_down_guest(self, vm: VmId) -> bool:
        """Ask the system in a VM to shut down; return False when no tools run in it.

        Source: ``VirtualMachine.ShutdownGuest`` of the vSphere Web Services reference; it returns at once.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        try:
            self._session.run(lambda connection: connection.vm(vm).ShutdownGuest())
        except vim.fault.ToolsUnavailable:
            return False
        return True

    def rename(self, vm: VmId, name: str) -> None:
        """Give a VM another display name.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        waiting = Waiting(
            operation=Operation.RENAME_VM,
            deadline=Deadline.after(self._session.clock, _RENAME_S),
            instead=lambda connection: True if _name(connection, vm) == escaped(name) else None,
        )
        tasks.run_task(
            self._session, lambda connection: connection.vm(vm).Rename_Task(newName=escaped(name)), waiting
        )

    def mark_as_template(self, vm: VmId) -> None:
        """Make a template of a powered-off VM; one that is a template already is fine.

        Source: ``VirtualMachine.MarkAsTemplate`` of the vSphere Web Services reference. A single host knows no
        templates and refuses.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """

        def mark(connection: Connection) -> None:
            machine = connection.vm(vm)
            if not read(connection.query(), machine, "config.template").get("config.template"):
                machine.MarkAsTemplate()

        self._session.run(mark)

    def destroy(self, vm: VmId) -> None:
        """Delete a powered-off VM with its disks; one that is gone already is fine.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        destroy_vm(self._session, vm, Deadline.after(self._session.clock, _DESTROY_S))

    def _state(self, vm: VmId) -> PowerState:
        return self._session.run(lambda connection: _power(connection, vm))

    def _change_power(self, vm: VmId, operation: PowerChange, start: Any, waiting: Waiting) -> None:
        try:
            tasks.run_task(self._session, start, waiting)
        except vim.fault.InvalidPowerState as fault:
            # Someone else was quicker; only the state they left counts.
            if self._state(vm) is not (PowerState.ON if operation is PowerChange.ON else PowerState.OFF):
                raise PowerOperationFailed(vm=vm, operation=operation, detail=fault_reason(fault)) from fault
        except _QuestionPending as question:
            raise PowerOperationFailed(
                vm=vm, operation=operation, detail=ASKS.fill(question=str(question))
            ) from question
        except FAILURES as error:
            raise self._failure(error, vm, operation) from error

    def _failure(self, error: Exception, vm: VmId, operation: PowerChange) -> OperationalError:
        ours = error
        if isinstance(error, FOREIGN):
            asked = Operation.POWER_ON if operation is PowerChange.ON else Operation.POWER_OFF
            ours = translate(error, self._session.attempt(asked, str(vm)))
        assert isinstance(ours, OperationalError)
        if isinstance(ours, _SHOWN_AS_POWER_FAILED):
            return PowerOperationFailed(vm=vm, operation=operation, detail=ours.params.get("detail", ours))
        return ours

    def _fail_on_question(self, vm: VmId, answers: Answers | None = None) -> None:
        row = self._session.run(lambda connection: read(connection.query(), connection.vm(vm), "runtime.question"))
        question = row.get("runtime.question")
        if question is not None and (answers is None or not answers.give(question)):
            raise _QuestionPending(question.text)


def _power(connection: Connection, vm: VmId) -> PowerState:
    row = read(connection.query(), connection.vm(vm), "runtime.powerState")
    return power_state(row.get("runtime.powerState"))


def destroy_vm(session: VSphereSession, vm: VmId, deadline: Deadline) -> None:
    """Delete a powered-off VM with its disks; one that is gone already is fine.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    waiting = Waiting(
        operation=Operation.DELETE_VM,
        deadline=deadline,
        instead=lambda connection: _nothing_while_there(connection, vm),
    )
    try:
        tasks.run_task(session, lambda connection: connection.vm(vm).Destroy_Task(), waiting)
    except vmodl.fault.ManagedObjectNotFound as error:
        if tasks.is_about_a_task(error):
            raise


def unregister_vm(session: VSphereSession, vm: VmId) -> None:
    """Remove a powered-off VM from the inventory and leave its files; one that is gone already is fine.

    Source: ``VirtualMachine.UnregisterVM`` of the vSphere Web Services reference; it is no task.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    with contextlib.suppress(vmodl.fault.ManagedObjectNotFound):
        session.run(lambda connection: connection.vm(vm).UnregisterVM())


def _nothing_while_there(connection: Connection, vm: VmId) -> None:
    """Return when a VM is there, for the wait for a deletion whose task is forgotten.

    Raises:
        vmodl.fault.ManagedObjectNotFound: it is gone.
    """
    _power(connection, vm)


def _name(connection: Connection, vm: VmId) -> str:
    return str(read(connection.query(), connection.vm(vm), "name").get("name") or "")
