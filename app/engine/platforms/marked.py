"""VMs of ours on a platform, found by the mark that they carry."""

from collections.abc import Iterable
from contextlib import suppress

from app.core.hypervisor import Hypervisor, MarkedVms
from app.domain.errors import VmNotFound
from app.domain.ids import VmId
from app.domain.vms import VmDetails


def find_by_mark(hypervisor: Hypervisor, mark: str, vm: VmId | None, names: Iterable[str]) -> VmDetails | None:
    """Return the VM that carries a mark; None where none does.

    Args:
        hypervisor: a session.
        mark: what it was created with.
        vm: its id, as far as it is known: looked for under the name that this one has now.
        names: others that it may have.

    Raises:
        OperationalError: the platform cannot be asked.
    """
    if not isinstance(hypervisor, MarkedVms):
        return None
    candidates = list(filter(None, names))
    if vm is not None:
        with suppress(VmNotFound):
            candidates.insert(0, hypervisor.vm_details(vm).summary.name)
    for name in dict.fromkeys(candidates):
        found = hypervisor.find_marked(name, mark)
        if found is not None:
            return hypervisor.vm_details(found)
    return None
