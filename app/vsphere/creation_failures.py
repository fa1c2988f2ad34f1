"""What the operator is told when a VM cannot be created or registered."""

from typing import Final

from app.domain.errors import OperationalError, VmCreationFailed
from app.vsphere.errors import (
    ConfigurationUnreadable,
    DatastoreFull,
    OperationUnsupported,
    PlatformBusy,
    PlatformRefused,
    PlatformTaskTimedOut,
)
from app.vsphere.faults import FOREIGN, error_reason, translate
from app.vsphere.session import VSphereSession
from app.vsphere.words import Operation

_SHOWN_SO: Final = (
    PlatformRefused,
    PlatformBusy,
    PlatformTaskTimedOut,
    OperationUnsupported,
    DatastoreFull,
    ConfigurationUnreadable,
)


def creation_failure(
    session: VSphereSession, error: Exception, name: str, operation: Operation = Operation.CREATE_VM
) -> OperationalError:
    """Return the error of a VM that was not created: what the platform refused, or what else went wrong."""
    ours = error
    if isinstance(error, FOREIGN):
        ours = translate(error, session.attempt(operation, name))
    assert isinstance(ours, OperationalError)
    if isinstance(ours, _SHOWN_SO):
        return VmCreationFailed(vm=name, detail=error_reason(error))
    return ours
