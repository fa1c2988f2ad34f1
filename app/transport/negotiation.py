"""Choosing the transport mode: the first of the preferred ones that works, and a reason for each that does not."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from app.core.cancel import CancelToken
from app.core.tasklog import TaskLog
from app.domain.errors import (
    CertificateChanged,
    LoginRefused,
    NoTransportAvailable,
    OperationalError,
    PlatformUnreachable,
)
from app.domain.messages import Message
from app.domain.states import TransportMode
from app.transport import messages
from app.transport.errors import (
    FileForbidden,
    FileNotReadable,
    HostCertificateMismatch,
    ModeNotOffered,
    NoTransportForNow,
    PortBlocked,
    TicketRefused,
)

VDDK_MODES = frozenset({TransportMode.SAN, TransportMode.HOTADD, TransportMode.NBD, TransportMode.NBD_SSL})
NATIVE_MODES = frozenset({TransportMode.NFC, TransportMode.NFC_SSL})

DEFAULT_ORDER = (TransportMode.NFC_SSL, TransportMode.NFC, TransportMode.HTTPS)
"""For callers without a preference: encrypted before plain, port 902 before port 443."""

T = TypeVar("T")
Opener = Callable[[], T]


def negotiate(
    path: str,
    preferred: Iterable[TransportMode],
    openers: Mapping[TransportMode, Opener[T]],
    *,
    log: TaskLog,
    cancel: CancelToken,
) -> tuple[TransportMode, T]:
    """Open a disk over the first mode that works.

    Each mode that was preferred but is not taken leaves a line with its reason in the log. An opener raises
    :class:`~app.domain.errors.OperationalError` for what stands in the way; modes without an opener need VDDK.

    Raises:
        NoTransportAvailable: none works; the reasons are in the message.
        PlatformUnreachable, LoginRefused: the platform itself cannot be asked: that says nothing about a mode.
        TaskCancelled: cancelled meanwhile.
    """
    reasons: list[str] = []
    may_pass = False
    for mode in dict.fromkeys(preferred):
        cancel.check()
        opener = openers.get(mode)
        if opener is None:
            reason = messages.VDDK_NOT_INSTALLED.fill(mode=mode.name)
        else:
            try:
                return mode, opener()
            except (PlatformUnreachable, LoginRefused):
                raise
            except OperationalError as error:
                reason = explain(mode, error)
                may_pass = may_pass or error.retryable
        log.warning(reason.kind, **dict(reason.params))
        reasons.append(str(reason))
    kind = NoTransportForNow if may_pass else NoTransportAvailable
    raise kind(path=path, reasons=" ".join(reasons) or "no mode is allowed.")


def explain(mode: TransportMode, error: OperationalError) -> Message:
    """Return the line that says why a mode is not taken."""
    params = error.params
    detail = params.get("detail", "")
    if isinstance(error, PortBlocked):
        return messages.PORT_BLOCKED.fill(mode=mode.name, host=params["host"], port=params["port"], reason=detail)
    if isinstance(error, TicketRefused):
        return messages.TICKET_REFUSED.fill(mode=mode.name, reason=detail)
    if isinstance(error, HostCertificateMismatch | CertificateChanged):
        return messages.CERTIFICATE_MISMATCH.fill(mode=mode.name, reason=error)
    if isinstance(error, FileNotReadable | FileForbidden):
        return messages.HTTPS_NOT_POSSIBLE.fill(mode=mode.name, reason=detail)
    if isinstance(error, ModeNotOffered):
        return messages.NOT_OFFERED.fill(mode=mode.name, reason=detail)
    return messages.OPEN_FAILED.fill(mode=mode.name, reason=error)
