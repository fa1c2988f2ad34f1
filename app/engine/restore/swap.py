"""Putting a restored, proven VM into the place of the original."""

from collections.abc import Callable
from dataclasses import replace

from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor, KeptIdentity
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.messages import Message, listed
from app.domain.tasks import RestorePhase, RestoreTrace
from app.domain.vms import PowerState, SavedConfiguration
from app.engine import messages
from app.engine.ports import RestoreJournal
from app.engine.restore.cleanup import close_trace, remove_created
from app.engine.restore.order import take_over_order
from app.engine.restore.original import Original
from app.engine.restore.target import RestoreTarget
from app.engine.restore.templates import mark_as_template


class Swap:
    """Renames the original aside, gives its name to the new VM, and removes the original last.

    Until the original is renamed, a failure or a cancel takes the new VM away again; from there on the swap is
    shielded and goes to its end, and what cannot be finished is said in the log. Thread: the task's.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        journal: RestoreJournal,
        context: TaskContext,
        trace: RestoreTrace,
        target: RestoreTarget,
        saved: SavedConfiguration,
        taken: Callable[[VmId, VmId], None],
        original: Original,
        lacking: tuple[Message, ...],
    ) -> None:
        """Prepare.

        Args:
            hypervisor: a session on the platform.
            journal: where each step is written down before it is done.
            context: the surroundings of the task.
            trace: what is written down so far.
            target: what takes whose place.
            saved: the configuration that the new VM was made of.
            taken: called with the old and the new id once the new VM has its name.
            original: the VM whose place is taken, to be looked at before each change.
            lacking: what the new VM lacks of the identity as long as the original exists.
        """
        self._hypervisor = hypervisor
        self._journal = journal
        self._context = context
        self._trace = trace
        self._target = target
        self._saved = saved
        self._taken = taken
        self._original = original
        self._lacking = lacking
        self._powered_off = False

    def run(self, *, is_template: bool = False) -> None:
        """Swap.

        Args:
            is_template: whether the new VM becomes a template in the end.

        Raises:
            OperationalError: the original could not be moved aside; it has its name, and the new VM is gone.
            TaskCancelled: cancelled before anything of the original was changed; the new VM is gone.
        """
        try:
            self._context.cancel.check()
            self._set_original_aside(RestorePhase.SWAPPING_TEMPLATE if is_template else RestorePhase.SWAPPING)
        except BaseException:
            with self._context.cancel.shield():
                self._give_up()
            raise
        with self._context.cancel.shield():
            created = self._take_its_place()
            if is_template:
                mark_as_template(self._hypervisor, created, self._target.name, self._context.log)
            close_trace(self._journal, self._trace)

    def _set_original_aside(self, phase: RestorePhase) -> None:
        original = self._target.replaced
        assert original is not None
        self._original.check()
        self._hypervisor.power_off(original.id)
        self._powered_off = True
        self._context.log.info(messages.ORIGINAL_POWERED_OFF)
        self._original.check()
        self._journal.note(replace(self._trace, phase=phase))
        self._hypervisor.rename_vm(original.id, self._target.kept_name)
        self._original.renamed(self._target.kept_name)
        self._context.log.info(messages.ORIGINAL_KEPT_AS, name=self._target.kept_name)

    def _take_its_place(self) -> VmId:
        original, created = self._target.replaced, self._trace.created
        assert original is not None
        assert created is not None
        try:
            self._hypervisor.rename_vm(created, self._target.name)
        except OperationalError:
            self._hypervisor.rename_vm(original.id, self._target.name)
            self._give_up()
            raise
        self._taken(original.id, created)
        take_over_order(self._hypervisor, created, original.id, self._target.name, self._context.log)
        try:
            self._original.check()
            self._hypervisor.destroy_vm(original.id)
        except OperationalError as error:
            self._context.log.error(messages.ORIGINAL_NOT_REMOVED, name=self._target.kept_name, detail=error)
            self._report_lacking()
        else:
            self._context.log.info(messages.ORIGINAL_REMOVED, name=self._target.name)
            self._become_original(created)
        return created

    def _become_original(self, created: VmId) -> None:
        """Give the new VM the identity that the platform kept for the original as long as it existed."""
        if not isinstance(self._hypervisor, KeptIdentity):
            self._report_lacking()
            return
        try:
            lacking = self._hypervisor.give_identity(created, self._saved)
        except OperationalError as error:
            self._context.log.warning(messages.IDENTITY_NOT_KEPT, name=self._target.name, detail=error)
            self._report_lacking()
            return
        if lacking:
            self._context.log.warning(messages.IDENTITY_NOT_KEPT, name=self._target.name, detail=listed(lacking))
        else:
            self._context.log.info(messages.IDENTITY_KEPT, name=self._target.name)

    def _report_lacking(self) -> None:
        for warning in self._lacking:
            self._context.log.warning(messages.VM_NOT_AS_IT_WAS, detail=warning)

    def _give_up(self) -> None:
        """Take the new VM away and let the original run again if it did."""
        remove_created(self._hypervisor, self._trace, self._journal, self._context.log)
        original = self._target.replaced
        assert original is not None
        if not self._powered_off or original.power_state is not PowerState.ON:
            return
        try:
            self._hypervisor.power_on(original.id)
            self._context.log.info(messages.POWERED_ON, name=original.name)
        except OperationalError as error:
            self._context.log.error(messages.ORIGINAL_LEFT_OFF, name=original.name, detail=error)
