"""When a restored VM is started together with others: when the original was."""

from app.core.hypervisor import Hypervisor, KeptOrder
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.engine import messages


def take_over_order(hypervisor: Hypervisor, created: VmId, original: VmId, name: str, log: TaskLog) -> None:
    """Give a new VM the place that the original, which is still there, has in an order; failures are logged."""
    if not isinstance(hypervisor, KeptOrder):
        return
    try:
        is_kept = hypervisor.take_over_order(created, original)
    except OperationalError as error:
        log.warning(messages.ORDER_NOT_KEPT, name=name, detail=error)
        return
    if is_kept:
        log.info(messages.ORDER_KEPT, name=name)
