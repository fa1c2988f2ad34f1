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
from app.domain.messages import Message, listed
from app.domain.states import PLAIN_MODES, TransportMode
from app.transport import messages
from app.transport.errors import (
    BackupNetworkBlocked,
    FileForbidden,
    FileNotReadable,
    HostCertificateMismatch,
    HostInMaintenance,
    HostNameUnresolved,
    ModeNotOffered,
    NoTransportForNow,
    PortBlocked,
    ServiceRefused,
    TicketRefused,
)
from app.transport.reasons import NO_MODE_ALLOWED
from app.transport.vddk.needs import without_library

_ENCRYPTED_MODES = frozenset({TransportMode.NFC_SSL, TransportMode.NBD_SSL})
NATIVE_MODES = frozenset({TransportMode.NFC, TransportMode.NFC_SSL})


T = TypeVar("T")
Opener = Callable[[], T]


def negotiate(
    path: str,
    preferred: Iterable[TransportMode],
    openers: Mapping[TransportMode, Opener[T]],
    *,
    allows_plain: bool,
    log: TaskLog,
    cancel: CancelToken,
) -> tuple[TransportMode, T]:
    """Open a disk over the first mode that works.

    Each mode that was preferred but is not taken leaves a line with its reason in the log. An opener raises
    :class:`~app.domain.errors.OperationalError` for what stands in the way; modes without an opener need VDDK.

    A plain mode follows on an encrypted one only where the host itself said, over a connection on which it had
    proven who it is, that it does not offer that: an attacker who can break encrypted connections must not be
    able to make the data travel in the open.

    Raises:
        NoTransportAvailable: none works; the reasons are in the message.
        HostCertificateMismatch, CertificateChanged: someone else answers in the place of the host or of the
            platform; no other mode is tried.
        PlatformUnreachable, LoginRefused: the platform itself cannot be asked: that says nothing about a mode.
        TaskCancelled: cancelled meanwhile.
    """
    reasons: list[Message] = []
    in_maintenance: HostInMaintenance | None = None
    may_pass = is_suspicious = False
    for mode in dict.fromkeys(preferred):
        cancel.check()
        opener = openers.get(mode)
        if opener is None:
            reason = without_library(mode)
        elif mode in PLAIN_MODES and (is_suspicious or not allows_plain):
            kind = messages.PLAIN_AFTER_FAILURE if allows_plain else messages.PLAIN_NOT_ALLOWED
            reason = kind.fill(mode=mode.name)
        elif in_maintenance is not None and mode in NATIVE_MODES:
            reason = explain(mode, in_maintenance)  # it was waited for already
        else:
            try:
                return mode, opener()
            except (PlatformUnreachable, LoginRefused, HostCertificateMismatch, CertificateChanged):
                raise
            except OperationalError as error:
                reason = explain(mode, error)
                in_maintenance = error if isinstance(error, HostInMaintenance) else in_maintenance
                is_suspicious = is_suspicious or (mode in _ENCRYPTED_MODES and not _is_no_offer(error))
                may_pass = may_pass or error.retryable
        log.warning(reason.kind, **dict(reason.params))
        reasons.append(reason)
    failure = NoTransportForNow if may_pass else NoTransportAvailable
    raise failure(path=path, reasons=listed(reasons) or NO_MODE_ALLOWED)


def _is_no_offer(error: OperationalError) -> bool:
    """Return whether the host or the platform itself said that it does not offer a mode."""
    return isinstance(error, ServiceRefused | ModeNotOffered)


def explain(mode: TransportMode, error: OperationalError) -> Message:
    """Return the line that says why a mode is not taken."""
    params = error.params
    detail = params.get("detail", "")
    if isinstance(error, BackupNetworkBlocked):
        place = {name: params[name] for name in ("host", "known_as", "port")}
        return messages.BACKUP_NETWORK_BLOCKED.fill(mode=mode.name, reason=detail, **place)
    if isinstance(error, HostNameUnresolved):
        place = {name: params[name] for name in ("host", "addresses", "port")}
        return messages.HOST_NAME_UNRESOLVED.fill(mode=mode.name, reason=detail, **place)
    if isinstance(error, HostInMaintenance):
        return messages.HOST_IN_MAINTENANCE.fill(mode=mode.name, host=params["host"], reason=detail)
    if isinstance(error, PortBlocked):
        return messages.PORT_BLOCKED.fill(mode=mode.name, host=params["host"], port=params["port"], reason=detail)
    if isinstance(error, TicketRefused):
        return messages.TICKET_REFUSED.fill(mode=mode.name, reason=detail)
    if isinstance(error, FileNotReadable | FileForbidden):
        return messages.HTTPS_NOT_POSSIBLE.fill(mode=mode.name, reason=detail)
    if isinstance(error, ModeNotOffered):
        return messages.NOT_OFFERED.fill(mode=mode.name, reason=detail)
    return messages.OPEN_FAILED.fill(mode=mode.name, reason=error)
