"""The one place where errors of pyVmomi, TLS, sockets and HTTP become ours, most specific first."""

import http.client
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from app.domain.errors import (
    LicenseRefused,
    LoginRefused,
    OperationalError,
    PlatformUnreachable,
    PrivilegeMissing,
    VmNotFound,
)
from app.domain.messages import Message
from app.domain.reasons import TIMED_OUT, certificate_reason, reason_of
from app.vsphere.answers import AnswerUnusable, StatusRefused
from app.vsphere.errors import (
    AnswerRefused,
    CertificateUntrusted,
    DatastoreFull,
    NotVSphere,
    OperationUnsupported,
    PlatformBusy,
    PlatformRefused,
)
from app.vsphere.faultwords import fault_reason
from app.vsphere.reasons import NOT_NAMED, NOT_SOAP, SESSION_ENDED
from app.vsphere.words import Operation

CONNECTION_FAILURES: tuple[type[Exception], ...] = (
    OSError,
    http.client.HTTPException,
    ExpatError,
    UnicodeError,
    AnswerUnusable,
)
"""What a lost or broken connection raises; ``ssl.SSLError`` and timeouts are ``OSError`` too."""

FOREIGN: tuple[type[Exception], ...] = (vmodl.MethodFault, *CONNECTION_FAILURES)
"""Everything that the platform or the way to it may raise."""

FAILURES: tuple[type[Exception], ...] = (*FOREIGN, OperationalError)
"""What a call may end with, translated or not."""


def is_outage(error: Exception) -> bool:
    """Return whether an error may pass on its own: the platform is away, restarts, or the way to it is broken.

    A certificate that is not the right one, or an answer that no platform gives, never passes by waiting.
    """
    if isinstance(error, PlatformUnreachable):
        return True
    final = (ssl.SSLCertVerificationError, AnswerUnusable)
    return isinstance(error, CONNECTION_FAILURES) and not isinstance(error, final)


def is_unavailable(error: Exception) -> bool:
    """Return whether the platform's web server said that no one behind it took the request (HTTP status 503)."""
    return isinstance(error, StatusRefused) and error.status == http.client.SERVICE_UNAVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was tried, to be named in the error."""

    address: str
    port: int = 443
    user: str = ""
    operation: Operation = Operation.ANSWER
    target: str = ""
    """What it was tried on, such as the name or id of a VM; empty: the platform itself."""


@contextmanager
def translated(attempt: Attempt) -> Iterator[None]:
    """Turn foreign errors of the block into ours; everything else passes.

    Raises:
        OperationalError: the one that fits best, with the foreign error as its cause.
    """
    try:
        yield
    except FOREIGN as error:
        raise translate(error, attempt) from error


def translate(error: Exception, attempt: Attempt) -> OperationalError:
    """Return our error for a foreign one.

    Raises:
        TypeError: the error is not one of :data:`FOREIGN`, so it is a bug and not for the operator.
    """
    for kind in type(error).__mro__:
        build = _BUILDERS.get(kind)
        if build is not None:
            return build(error, attempt)
    raise TypeError(f"not an error of the platform: {type(error).__name__}")


def error_reason(error: Exception) -> Message:
    """Return what any error of the platform or the way to it means, translated or not."""
    return fault_reason(error) if isinstance(error, vmodl.MethodFault) else reason_of(error)


_Builder = Callable[[Any, Attempt], OperationalError]


def _unreachable(error: Exception, attempt: Attempt) -> OperationalError:
    return PlatformUnreachable(address=attempt.address, port=attempt.port, detail=error_reason(error))


def _timed_out(error: Exception, attempt: Attempt) -> OperationalError:
    return PlatformUnreachable(
        address=attempt.address, port=attempt.port, detail=TIMED_OUT.fill(details=str(error))
    )


def _untrusted(error: ssl.SSLCertVerificationError, attempt: Attempt) -> OperationalError:
    return CertificateUntrusted(address=attempt.address, detail=certificate_reason(error))


def _not_vsphere(error: Exception, attempt: Attempt) -> OperationalError:
    return NotVSphere(address=attempt.address, detail=NOT_SOAP.fill(details=str(error)))


def _unusable(error: Exception, attempt: Attempt) -> OperationalError:
    return AnswerRefused(address=attempt.address, detail=reason_of(error))


def _login_refused(_error: Exception, attempt: Attempt) -> OperationalError:
    return LoginRefused(address=attempt.address, user=attempt.user)


def _session_lost(_error: Exception, attempt: Attempt) -> OperationalError:
    return PlatformUnreachable(address=attempt.address, port=attempt.port, detail=SESSION_ENDED)


def _no_permission(error: Any, attempt: Attempt) -> OperationalError:
    missing = [error.privilegeId] if getattr(error, "privilegeId", None) else []
    for entry in getattr(error, "missingPrivileges", None) or ():
        missing += [privilege for privilege in entry.privilegeIds or () if privilege not in missing]
    target = attempt.target or _reference_text(getattr(error, "object", None)) or attempt.address
    return PrivilegeMissing(privilege=", ".join(missing) or NOT_NAMED, target=target)


def _license(_error: Exception, attempt: Attempt) -> OperationalError:
    return LicenseRefused(address=attempt.address, operation=attempt.operation)


def _gone(error: Any, attempt: Attempt) -> OperationalError:
    lost = getattr(error, "obj", None)
    if lost is None or isinstance(lost, vim.VirtualMachine) or type(lost).__name__ == "vmodl.ManagedObject":
        return VmNotFound(vm=attempt.target or _reference_text(lost) or NOT_NAMED, address=attempt.address)
    return _refused(error, attempt)


def _unsupported(error: Exception, attempt: Attempt) -> OperationalError:
    return OperationUnsupported(address=attempt.address, operation=attempt.operation, detail=error_reason(error))


def _busy(error: Exception, attempt: Attempt) -> OperationalError:
    return PlatformBusy(address=attempt.address, operation=attempt.operation, detail=error_reason(error))


def _full(error: Exception, attempt: Attempt) -> OperationalError:
    return DatastoreFull(address=attempt.address, operation=attempt.operation, detail=error_reason(error))


def _refused(error: Exception, attempt: Attempt) -> OperationalError:
    return PlatformRefused(address=attempt.address, operation=attempt.operation, detail=error_reason(error))


def _reference_text(reference: object) -> str:
    return str(getattr(reference, "_moId", "") or "")


_BUILDERS: dict[type, _Builder] = {
    ssl.SSLCertVerificationError: _untrusted,
    TimeoutError: _timed_out,
    OSError: _unreachable,
    http.client.HTTPException: _unreachable,
    UnicodeError: _unreachable,  # a name that cannot be a server's, or an answer that is no text
    ExpatError: _not_vsphere,
    AnswerUnusable: _unusable,
    vim.fault.InvalidLogin: _login_refused,
    vim.fault.PasswordExpired: _login_refused,
    vim.fault.NotAuthenticated: _session_lost,
    vim.fault.NoPermission: _no_permission,
    vim.fault.RestrictedVersion: _license,
    vim.fault.LicenseEntityNotFound: _license,
    vmodl.fault.NotEnoughLicenses: _license,
    vim.fault.VMotionNotLicensed: _license,
    vmodl.fault.ManagedObjectNotFound: _gone,
    vmodl.fault.MethodNotFound: _unsupported,
    vmodl.fault.NotSupported: _unsupported,
    vmodl.fault.NotImplemented: _unsupported,
    vim.fault.MigrationFeatureNotSupported: _unsupported,
    vim.fault.TaskInProgress: _busy,
    vim.fault.ConcurrentAccess: _busy,
    vmodl.fault.HostCommunication: _busy,
    vmodl.fault.HostNotConnected: _busy,
    vmodl.fault.HostNotReachable: _busy,
    vim.fault.FileLocked: _busy,
    vim.fault.NoDiskSpace: _full,
    vim.fault.InsufficientStorageSpace: _full,
    vmodl.MethodFault: _refused,
}
