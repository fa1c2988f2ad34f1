"""Cleaning up behind a restore that did not end."""

import logging
from collections.abc import Callable
from dataclasses import replace

from app.core.hypervisor import Hypervisor, MarkedVms
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.tasks import RestorePhase, RestoreTrace
from app.engine import messages
from app.engine.ports import RestoreJournal
from app.engine.reasons import ENDED_RIGHT_THEN
from app.engine.restore.order import take_over_order
from app.engine.restore.templates import mark_as_template

_log = logging.getLogger(__name__)


def close_trace(journal: RestoreJournal, trace: RestoreTrace) -> None:
    """Take a restore that left nothing out of the journal; an entry that stays for now does no harm."""
    try:
        journal.closed(trace.task)
    except OperationalError as error:
        _log.error("the restore journal could not be written: %s", error)


def remove_created(hypervisor: Hypervisor, trace: RestoreTrace, journal: RestoreJournal, log: TaskLog) -> None:
    """Delete the VM that an unfinished restore created; one that stays is kept in the journal. Never raises."""
    assert trace.created is not None
    try:
        hypervisor.power_off(trace.created)
        hypervisor.destroy_vm(trace.created)
        close_trace(journal, trace)
    except OperationalError as error:
        log.error(messages.LEFT_VM_NOT_REMOVED, name=trace.created_as, detail=error)
    else:
        log.info(messages.LEFT_VM_REMOVED, name=trace.created_as)


def settle(
    hypervisor: Hypervisor,
    trace: RestoreTrace,
    journal: RestoreJournal,
    log: TaskLog,
    taken: Callable[[VmId, VmId], None],
) -> None:
    """Bring what a restore left behind at a crash to a state that the operator can understand.

    A VM still being filled is removed. A swap that had begun is finished, for the new VM was proven before;
    the original is then kept aside and named in the log, never removed by this. A VM that may or may not have
    been created is removed only where it carries the restore's mark, never by its name alone.

    Args:
        hypervisor: a session on the platform.
        trace: what the restore wrote down.
        journal: where it did.
        log: the log of its task.
        taken: called with the old and the new id when the new VM is in the original's place.

    Raises:
        OperationalError: the platform failed; the journal keeps the entry.
    """
    if trace.created is None:
        _settle_unknown(hypervisor, trace, journal, log)
    elif trace.phase is RestorePhase.CREATING:
        _remove_marked(hypervisor, trace, journal, log)
    else:
        _finish_swap(hypervisor, trace, journal, log, taken)


def _remove_marked(hypervisor: Hypervisor, trace: RestoreTrace, journal: RestoreJournal, log: TaskLog) -> None:
    """Remove the VM that a restore created, by its id and name or by its mark: the id may be another VM's now."""
    if any((vm.id, vm.name) == (trace.created, trace.created_as) for vm in hypervisor.list_vms()):
        remove_created(hypervisor, trace, journal, log)
    else:
        _settle_unknown(hypervisor, trace, journal, log)


def _settle_unknown(hypervisor: Hypervisor, trace: RestoreTrace, journal: RestoreJournal, log: TaskLog) -> None:
    found = hypervisor.find_marked(trace.created_as, trace.task) if isinstance(hypervisor, MarkedVms) else None
    if found is not None:
        trace = replace(trace, created=found)
        journal.note(trace)
        remove_created(hypervisor, trace, journal, log)
        return
    if any(vm.name == trace.created_as for vm in hypervisor.list_vms()):
        log.warning(messages.LEFT_VM_UNSURE, name=trace.created_as)
    close_trace(journal, trace)


def _finish_swap(
    hypervisor: Hypervisor,
    trace: RestoreTrace,
    journal: RestoreJournal,
    log: TaskLog,
    taken: Callable[[VmId, VmId], None],
) -> None:
    names = {vm.id: vm.name for vm in hypervisor.list_vms()}
    created, replaced = trace.created, trace.replaced
    assert created is not None
    if replaced is not None and names.get(replaced) == trace.name:
        # The rename of the original had not happened: nothing of it was changed but its power state.
        _remove_marked(hypervisor, trace, journal, log)
        log.warning(messages.ORIGINAL_LEFT_OFF, name=trace.name, detail=ENDED_RIGHT_THEN)
        return
    if names.get(created) == trace.created_as:
        hypervisor.rename_vm(created, trace.name)
    kept = names.get(replaced, "-") if replaced is not None else "-"
    log.warning(messages.SWAP_FINISHED, name=trace.name, kept=kept)
    if replaced is not None:
        taken(replaced, created)
        if replaced in names:
            take_over_order(hypervisor, created, replaced, trace.name, log)
    if trace.phase is RestorePhase.SWAPPING_TEMPLATE:
        mark_as_template(hypervisor, created, trace.name, log)
    close_trace(journal, trace)
