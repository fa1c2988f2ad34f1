"""Creates a VM that the journal knows from before its first moment on, and that is removed unless it is filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.domain.errors import VmCreationFailed
from app.domain.tasks import RestoreTrace
from app.domain.vms import CreatedVm, SavedConfiguration, VmPlacement
from app.engine.ports import RestoreJournal
from app.engine.restore.cleanup import close_trace, remove_created


@contextmanager
def vm_or_nothing(
    hypervisor: Hypervisor,
    journal: RestoreJournal,
    context: TaskContext,
    trace: RestoreTrace,
    saved: SavedConfiguration,
    placement: VmPlacement,
) -> Iterator[tuple[RestoreTrace, CreatedVm]]:
    """Create a VM and give it with its trace to the block; when that fails, the VM is removed.

    Where it is not known whether it was created, the trace stays in the journal and is settled later.

    Args:
        hypervisor: a session on the platform.
        journal: where the trace is kept.
        context: of the task.
        trace: of a VM that is not there yet.
        saved: what it is created from.
        placement: where, with the task's mark.

    Raises:
        VmCreationFailed: it was not created, and nothing is left.
    """
    journal.note(trace)
    try:
        created = hypervisor.create_vm(saved, placement, log=context.log)
    except VmCreationFailed:
        close_trace(journal, trace)  # the port promises that nothing is left
        raise
    trace = replace(trace, created=created.id)
    try:
        journal.note(trace)
        yield trace, created
    except BaseException:
        with context.cancel.shield():
            remove_created(hypervisor, trace, journal, context.log)
        raise
