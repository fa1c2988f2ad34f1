"""The copy of a VM that ran from a restore point takes its place."""

from app.core.hypervisor import Hypervisor, KeptIdentity, MarkedVms
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError, VmNotFound
from app.domain.instant import InstantRecovery, Successor
from app.domain.messages import listed
from app.domain.vms import SavedConfiguration
from app.engine import messages as task_messages
from app.engine.instant import messages
from app.engine.instant.errors import CopyGone


def take_place(
    hypervisor: Hypervisor,
    recovery: InstantRecovery,
    successor: Successor,
    saved: SavedConfiguration | None,
    log: TaskLog,
) -> None:
    """Give the copy the name of the VM that it replaces, and its identity; doing it again is fine.

    Args:
        hypervisor: a session.
        recovery: whose VM is in the inventory no more.
        successor: the copy.
        saved: what it was made of; None where that is not known any more.
        log: of the task.

    Raises:
        CopyGone: it is not on the platform.
        OperationalError: the platform refuses, or cannot be asked.
    """
    name = _present_name(hypervisor, recovery, successor)
    if name == successor.created_as:
        hypervisor.rename_vm(successor.vm, recovery.name)
    _give_identity(hypervisor, recovery, successor, saved, log)
    log.info(messages.COPY_TAKES_PLACE, name=recovery.name)


def _present_name(hypervisor: Hypervisor, recovery: InstantRecovery, successor: Successor) -> str:
    """Return what the copy is called now; its id alone could be another VM's meanwhile.

    Raises:
        CopyGone: it is not on the platform.
    """
    try:
        name = hypervisor.vm_details(successor.vm).summary.name
    except VmNotFound as error:
        raise CopyGone(vm=recovery.name) from error
    is_ours = name in (successor.created_as, recovery.name) or (
        isinstance(hypervisor, MarkedVms) and hypervisor.find_marked(name, successor.mark) == successor.vm
    )
    if not is_ours:
        raise CopyGone(vm=recovery.name)
    return name


def _give_identity(
    hypervisor: Hypervisor,
    recovery: InstantRecovery,
    successor: Successor,
    saved: SavedConfiguration | None,
    log: TaskLog,
) -> None:
    if saved is None or not isinstance(hypervisor, KeptIdentity):
        log.warning(messages.OWN_IDENTITY, name=recovery.name)
        return
    try:
        lacking = hypervisor.give_identity(successor.vm, saved)
    except OperationalError as error:
        log.warning(task_messages.IDENTITY_NOT_KEPT, name=recovery.name, detail=error)
        return
    if lacking:
        log.warning(task_messages.IDENTITY_NOT_KEPT, name=recovery.name, detail=listed(lacking))
    else:
        log.info(task_messages.IDENTITY_KEPT, name=recovery.name)
