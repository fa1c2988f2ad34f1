"""Making a template of a restored VM that was one."""

from app.core.hypervisor import Hypervisor, KeepsTemplates
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.engine import messages


def mark_as_template(hypervisor: Hypervisor, vm: VmId, name: str, log: TaskLog) -> None:
    """Make a template of a restored VM, the last step of its restore. Never raises: the VM is whole as it is.

    Its hardware and its identity cannot be changed any more afterwards.
    """
    if not isinstance(hypervisor, KeepsTemplates):
        log.warning(messages.TEMPLATES_UNKNOWN, name=name)
        return
    try:
        hypervisor.mark_as_template(vm)
    except OperationalError as error:
        log.error(messages.NOT_MARKED_AS_TEMPLATE, name=name, detail=error)
    else:
        log.info(messages.MARKED_AS_TEMPLATE, name=name)
