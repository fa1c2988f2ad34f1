"""Power, names and removal of VMs."""

from typing import Any

from pyVmomi import vim, vmodl

from app.domain.errors import OperationalError, PowerOperationFailed
from app.domain.ids import VmId
from app.domain.vms import PowerState
from app.vsphere import tasks
from app.vsphere.errors import PlatformBusy, PlatformRefused, PlatformTaskTimedOut
from app.vsphere.faults import FAILURES, FOREIGN, fault_text, translate
from app.vsphere.inventory import power_state
from app.vsphere.names import escaped
from app.vsphere.properties import read
from app.vsphere.session import VSphereSession
from app.vsphere.tasks import Deadline, Waiting

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
        if self._state(vm) is PowerState.ON:
            return
        waiting = Waiting(
            operation="power on a VM",
            deadline=Deadline.after(self._session.clock, _POWER_S),
            on_idle=lambda: self._fail_on_question(vm),
        )
        self._change_power(vm, "on", lambda connection: connection.vm(vm).PowerOnVM_Task(), waiting)
        if self._state(vm) is not PowerState.ON:
            raise PowerOperationFailed(vm=vm, operation="on", detail="it went off again at once.")

    def power_off(self, vm: VmId) -> None:
        """Stop a VM hard and wait until it is off; one that is off already is fine.

        Raises:
            PowerOperationFailed: it does not stop.
        """
        if self._state(vm) is PowerState.OFF:
            return
        waiting = Waiting(operation="power off a VM", deadline=Deadline.after(self._session.clock, _POWER_S))
        self._change_power(vm, "off", lambda connection: connection.vm(vm).PowerOffVM_Task(), waiting)

    def rename(self, vm: VmId, name: str) -> None:
        """Give a VM another display name.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        waiting = Waiting(operation="rename a VM", deadline=Deadline.after(self._session.clock, _RENAME_S))
        tasks.run_task(
            self._session, lambda connection: connection.vm(vm).Rename_Task(newName=escaped(name)), waiting
        )

    def destroy(self, vm: VmId) -> None:
        """Delete a powered-off VM with its disks; one that is gone already is fine.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        waiting = Waiting(operation="delete a VM", deadline=Deadline.after(self._session.clock, _DESTROY_S))
        try:
            tasks.run_task(self._session, lambda connection: connection.vm(vm).Destroy_Task(), waiting)
        except vmodl.fault.ManagedObjectNotFound:
            return

    def _state(self, vm: VmId) -> PowerState:
        row = self._session.run(
            lambda connection: read(connection.query(), connection.vm(vm), "runtime.powerState")
        )
        return power_state(row.get("runtime.powerState"))

    def _change_power(self, vm: VmId, operation: str, start: Any, waiting: Waiting) -> None:
        try:
            tasks.run_task(self._session, start, waiting)
        except vim.fault.InvalidPowerState as fault:
            # Somebody else was quicker; only where he left it counts.
            if self._state(vm) is not (PowerState.ON if operation == "on" else PowerState.OFF):
                raise PowerOperationFailed(vm=vm, operation=operation, detail=fault_text(fault)) from fault
        except _QuestionPending as question:
            raise PowerOperationFailed(vm=vm, operation=operation, detail=f"it asks: {question}") from question
        except FAILURES as error:
            raise self._failure(error, vm, operation) from error

    def _failure(self, error: Exception, vm: VmId, operation: str) -> OperationalError:
        ours = error
        if isinstance(error, FOREIGN):
            ours = translate(error, self._session.attempt(f"power {operation} a VM", str(vm)))
        assert isinstance(ours, OperationalError)
        if isinstance(ours, _SHOWN_AS_POWER_FAILED):
            return PowerOperationFailed(vm=vm, operation=operation, detail=ours.params.get("detail", ours.message))
        return ours

    def _fail_on_question(self, vm: VmId) -> None:
        row = self._session.run(lambda connection: read(connection.query(), connection.vm(vm), "runtime.question"))
        question = row.get("runtime.question")
        if question is not None:
            raise _QuestionPending(question.text)
