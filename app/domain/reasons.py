"""Our words for what the system, a network library or a web server reports.

Their own words are in English, or in the language of the machine, and often useless; they are kept as details of
the message. Every reason is a clause that stands inside a sentence.
"""

import errno
from collections.abc import Mapping
from typing import Final

from app.domain.messages import UNKNOWN, Message, MessageKind, Sayable

SYSTEM_ERROR: Final = MessageKind("reason.system", "the system reported the error {number}")
TIMED_OUT: Final = MessageKind("reason.timed_out", "no answer came in time")
NO_ANSWER: Final = MessageKind("reason.no_answer", "the connection was closed without an answer")
NOT_TEXT: Final = MessageKind("reason.not_text", "it contains characters that are not valid text")
NAME_UNKNOWN: Final = MessageKind("reason.name_unknown", "the name of the host is unknown")
NAME_LATER: Final = MessageKind("reason.name_later", "the name of the host cannot be looked up now")
NAME_FAILED: Final = MessageKind("reason.name_failed", "the name server failed")
NAME_WITHOUT_ADDRESS: Final = MessageKind("reason.name_without_address", "the name of the host has no address")

# --- the operating system ----------------------------------------------------------------------------------------

ABSENT: Final = MessageKind("system.absent", "it is not there")
DENIED: Final = MessageKind("system.denied", "this account has no right to do that")
EXISTS: Final = MessageKind("system.exists", "it is there already")
IS_DIRECTORY: Final = MessageKind("system.is_directory", "it is a directory, not a file")
NO_DIRECTORY: Final = MessageKind("system.no_directory", "it is not a directory")
NOT_EMPTY: Final = MessageKind("system.not_empty", "the directory is not empty")
DISK_FULL: Final = MessageKind("system.disk_full", "the disk is full")
QUOTA_USED_UP: Final = MessageKind("system.quota", "the quota of this account is used up")
READ_ONLY: Final = MessageKind("system.read_only", "the file system is mounted read-only")
TOO_LARGE: Final = MessageKind("system.too_large", "the file is too large for the file system")
NAME_TOO_LONG: Final = MessageKind("system.name_too_long", "the name is too long")
IO_FAILED: Final = MessageKind("system.io_failed", "the device reported a read or write error")
BUSY: Final = MessageKind("system.busy", "it is in use")
HELD_OPEN: Final = MessageKind("system.held_open", "another program has it open")
LOCKED: Final = MessageKind("system.locked", "another program has locked it")
TOO_MANY_FILES: Final = MessageKind("system.too_many_files", "too many files are open")
NO_MEMORY: Final = MessageKind("system.no_memory", "this machine has no memory left for it")
UNSUPPORTED: Final = MessageKind("system.unsupported", "the system does not support that here")
INVALID: Final = MessageKind("system.invalid", "the system does not take this value")
OTHER_DEVICE: Final = MessageKind("system.other_device", "it would have to move to another file system")
LINKS_LOOP: Final = MessageKind("system.links_loop", "its symbolic links lead in a circle")
STALE: Final = MessageKind("system.stale", "the share was mounted again or removed on its server")
NO_DEVICE: Final = MessageKind("system.no_device", "the device is not there any more")
INTERRUPTED: Final = MessageKind("system.interrupted", "the call was interrupted")
NO_PROGRAM: Final = MessageKind("system.no_program", "it is not a program that this system can run")
NOT_MOUNTED: Final = MessageKind("system.not_mounted", "the network path cannot be found")
SHARE_FAILED: Final = MessageKind("system.share_failed", "the connection to the share was lost")
LOGIN_REFUSED: Final = MessageKind("system.login_refused", "the file server refused the account or its password")

# --- the network -------------------------------------------------------------------------------------------------

REFUSED: Final = MessageKind("network.refused", "the connection was refused")
RESET: Final = MessageKind("network.reset", "the connection was reset by the other side")
ABORTED: Final = MessageKind("network.aborted", "the connection was aborted by this machine")
BROKEN: Final = MessageKind("network.broken", "the connection was closed by the other side")
FIREWALL: Final = MessageKind("network.firewall", "access was denied, by a firewall for example")
HOST_UNREACHABLE: Final = MessageKind("network.host_unreachable", "the host cannot be reached")
HOST_DOWN: Final = MessageKind("network.host_down", "the host is down")
NETWORK_UNREACHABLE: Final = MessageKind("network.unreachable", "the network cannot be reached")
NETWORK_DOWN: Final = MessageKind("network.down", "the network is down")
NETWORK_NOT_READY: Final = MessageKind("network.not_ready", "the network is not ready")
DROPPED: Final = MessageKind("network.dropped", "the network dropped the connection")
ADDRESS_IN_USE: Final = MessageKind("network.address_in_use", "the address is in use already")
ADDRESS_NOT_OURS: Final = MessageKind("network.address_not_ours", "the address does not belong to this machine")
ADDRESS_INVALID: Final = MessageKind("network.address_invalid", "the address cannot be used")
TOO_MANY_CONNECTIONS: Final = MessageKind("network.too_many", "too many connections are open")
NO_BUFFERS: Final = MessageKind("network.no_buffers", "there is no memory for another connection")
NOT_CONNECTED: Final = MessageKind("network.not_connected", "there is no connection")
WOULD_WAIT: Final = MessageKind("network.would_wait", "the operation would have to wait")
NO_HTTP: Final = MessageKind("network.no_http", "the answer is not HTTP")
BROKE_OFF: Final = MessageKind("network.broke_off", "the answer broke off in the middle")
NO_XML: Final = MessageKind("network.no_xml", "the answer is not XML")
NO_JSON: Final = MessageKind("network.no_json", "the text is not JSON")

_BY_NAME: Final[Mapping[str, MessageKind]] = {
    "ENOENT": ABSENT,
    "EACCES": DENIED,
    "EPERM": DENIED,
    "EEXIST": EXISTS,
    "EISDIR": IS_DIRECTORY,
    "ENOTDIR": NO_DIRECTORY,
    "ENOTEMPTY": NOT_EMPTY,
    "ENOSPC": DISK_FULL,
    "EDQUOT": QUOTA_USED_UP,
    "EROFS": READ_ONLY,
    "EFBIG": TOO_LARGE,
    "ENAMETOOLONG": NAME_TOO_LONG,
    "EIO": IO_FAILED,
    "EBUSY": BUSY,
    "ETXTBSY": HELD_OPEN,
    "EDEADLK": LOCKED,
    "ENOLCK": LOCKED,
    "EMFILE": TOO_MANY_FILES,
    "ENFILE": TOO_MANY_FILES,
    "ENOMEM": NO_MEMORY,
    "ENOTSUP": UNSUPPORTED,
    "EOPNOTSUPP": UNSUPPORTED,
    "ENOSYS": UNSUPPORTED,
    "EINVAL": INVALID,
    "EXDEV": OTHER_DEVICE,
    "ELOOP": LINKS_LOOP,
    "ESTALE": STALE,
    "ENODEV": NO_DEVICE,
    "ENXIO": NO_DEVICE,
    "EINTR": INTERRUPTED,
    "ENOEXEC": NO_PROGRAM,
    "ETIMEDOUT": TIMED_OUT,
    "ECONNREFUSED": REFUSED,
    "ECONNRESET": RESET,
    "ECONNABORTED": ABORTED,
    "EPIPE": BROKEN,
    "ESHUTDOWN": BROKEN,
    "EHOSTUNREACH": HOST_UNREACHABLE,
    "EHOSTDOWN": HOST_DOWN,
    "ENETUNREACH": NETWORK_UNREACHABLE,
    "ENETDOWN": NETWORK_DOWN,
    "ENETRESET": DROPPED,
    "EADDRINUSE": ADDRESS_IN_USE,
    "EADDRNOTAVAIL": ADDRESS_NOT_OURS,
    "ENOBUFS": NO_BUFFERS,
    "ENOTCONN": NOT_CONNECTED,
    "EAGAIN": WOULD_WAIT,
    "EWOULDBLOCK": WOULD_WAIT,
}
_BY_NUMBER: Final = {getattr(errno, name): kind for name, kind in _BY_NAME.items() if hasattr(errno, name)}
_WINDOWS: Final = {
    5: DENIED,
    32: HELD_OPEN,
    33: LOCKED,
    53: NOT_MOUNTED,
    59: SHARE_FAILED,
    64: SHARE_FAILED,
    67: NOT_MOUNTED,
    112: DISK_FULL,
    121: TIMED_OUT,
    1326: LOGIN_REFUSED,
    10004: INTERRUPTED,
    10013: FIREWALL,
    10022: ADDRESS_INVALID,
    10024: TOO_MANY_CONNECTIONS,
    10035: WOULD_WAIT,
    10048: ADDRESS_IN_USE,
    10049: ADDRESS_NOT_OURS,
    10050: NETWORK_DOWN,
    10051: NETWORK_UNREACHABLE,
    10052: DROPPED,
    10053: ABORTED,
    10054: RESET,
    10055: NO_BUFFERS,
    10057: NOT_CONNECTED,
    10058: BROKEN,
    10060: TIMED_OUT,
    10061: REFUSED,
    10064: HOST_DOWN,
    10065: HOST_UNREACHABLE,
    10091: NETWORK_NOT_READY,
    11001: NAME_UNKNOWN,
    11002: NAME_LATER,
    11003: NAME_FAILED,
    11004: NAME_WITHOUT_ADDRESS,
}
"""Errors of Windows and its sockets. Sources: Microsoft, "System Error Codes", "Windows Sockets Error Codes"."""
_NAME_LOOKUP: Final = {-2: NAME_UNKNOWN, -3: NAME_LATER, -4: NAME_FAILED, -5: NAME_WITHOUT_ADDRESS}
"""Errors of ``getaddrinfo`` of the GNU C library."""
_BY_CLASS: Final = {
    "BadStatusLine": NO_HTTP,
    "BrokenPipeError": BROKEN,
    "ConnectionAbortedError": ABORTED,
    "ConnectionRefusedError": REFUSED,
    "ConnectionResetError": RESET,
    "EOFError": BROKE_OFF,
    "ExpatError": NO_XML,
    "FileExistsError": EXISTS,
    "FileNotFoundError": ABSENT,
    "IncompleteRead": BROKE_OFF,
    "IsADirectoryError": IS_DIRECTORY,
    "JSONDecodeError": NO_JSON,
    "LineTooLong": NO_HTTP,
    "MemoryError": NO_MEMORY,
    "NotADirectoryError": NO_DIRECTORY,
    "PermissionError": DENIED,
    "RemoteDisconnected": NO_ANSWER,
    "TimeoutError": TIMED_OUT,
    "UnicodeError": NOT_TEXT,
    "gaierror": NAME_LATER,
}

# --- TLS ---------------------------------------------------------------------------------------------------------

NO_TLS: Final = MessageKind("tls.not_spoken", "the other side does not speak TLS on this port")
TLS_VERSIONS: Final = MessageKind("tls.versions", "the two sides have no TLS version in common")
TLS_CIPHERS: Final = MessageKind("tls.ciphers", "the two sides have no TLS encryption in common")
TLS_ENDED: Final = MessageKind("tls.ended", "the connection ended in the middle of TLS")
TLS_CERTIFICATE_WANTED: Final = MessageKind(
    "tls.certificate_wanted", "the other side does not accept the certificate of this one"
)
TLS_FAILED: Final = MessageKind("tls.failed", "no encrypted connection (TLS) could be made")
CERTIFICATE_EXPIRED: Final = MessageKind("tls.certificate_expired", "it has expired")
CERTIFICATE_EARLY: Final = MessageKind("tls.certificate_early", "it is not valid yet: compare the clocks")
CERTIFICATE_SELF_SIGNED: Final = MessageKind("tls.certificate_self_signed", "it signs itself")
CERTIFICATE_ISSUER: Final = MessageKind(
    "tls.certificate_issuer", "this machine does not know the authority that issued it"
)
CERTIFICATE_NAME: Final = MessageKind("tls.certificate_name", "it was issued for another name or address")
CERTIFICATE_REVOKED: Final = MessageKind("tls.certificate_revoked", "it was revoked")
CERTIFICATE_REFUSED: Final = MessageKind("tls.certificate_refused", "its check failed")
CERTIFICATE: Final = MessageKind("tls.certificate", "the certificate is not trusted: {reason}")

_CERTIFICATES: Final = {
    9: CERTIFICATE_EARLY,
    10: CERTIFICATE_EXPIRED,
    18: CERTIFICATE_SELF_SIGNED,
    19: CERTIFICATE_ISSUER,
    2: CERTIFICATE_ISSUER,
    20: CERTIFICATE_ISSUER,
    21: CERTIFICATE_ISSUER,
    23: CERTIFICATE_REVOKED,
    62: CERTIFICATE_NAME,
    63: CERTIFICATE_NAME,
    64: CERTIFICATE_NAME,
    0x80092010: CERTIFICATE_REVOKED,
    0x800B0101: CERTIFICATE_EXPIRED,
    0x800B0109: CERTIFICATE_ISSUER,
    0x800B010A: CERTIFICATE_ISSUER,
    0x800B010C: CERTIFICATE_REVOKED,
    0x800B010F: CERTIFICATE_NAME,
}
"""Results of a verification. Source: OpenSSL, ``x509_vfy.h``; on Windows ``winerror.h``."""
_TLS: Final = (
    ("WRONG_VERSION_NUMBER", NO_TLS),
    ("HTTP_REQUEST", NO_TLS),
    ("HTTPS_PROXY_REQUEST", NO_TLS),
    ("UNKNOWN_PROTOCOL", NO_TLS),
    ("RECORD_LAYER_FAILURE", NO_TLS),
    ("PACKET_LENGTH_TOO_LONG", NO_TLS),
    ("PROTOCOL", TLS_VERSIONS),
    ("CIPHER", TLS_CIPHERS),
    ("HANDSHAKE_FAILURE", TLS_CIPHERS),
    ("EOF", TLS_ENDED),
    ("UNKNOWN_CA", TLS_CERTIFICATE_WANTED),
    ("ALERT_BAD_CERTIFICATE", TLS_CERTIFICATE_WANTED),
    ("ALERT_CERTIFICATE", TLS_CERTIFICATE_WANTED),
)
"""What OpenSSL's reasons contain, most specific first."""


def reason_of(error: BaseException) -> Message:
    """Return why something failed, in our words, with those of the error as its details.

    An error that has words of ours says them itself.
    """
    if isinstance(error, Sayable):
        return error.said()
    if hasattr(error, "verify_code"):
        return CERTIFICATE.fill(reason=certificate_reason(error), details=_own_words(error))
    kind = _kind_of(error)
    if kind is not None:
        return kind.fill(details=_own_words(error))
    number = getattr(error, "winerror", None) or getattr(error, "errno", None)
    if isinstance(error, OSError) and isinstance(number, int):
        return SYSTEM_ERROR.fill(number=number, details=_own_words(error))
    return UNKNOWN.fill(details=_own_words(error))


def unknown(details: object) -> Message:
    """Return the reason for what only someone else has words for: they are in the details."""
    return UNKNOWN.fill(details=str(details))


def certificate_reason(error: BaseException) -> Message:
    """Return what is wrong with a certificate, of an ``ssl.SSLCertVerificationError``."""
    kind = _CERTIFICATES.get(getattr(error, "verify_code", 0), CERTIFICATE_REFUSED)
    return kind.fill(details=_own_words(error))


def _kind_of(error: BaseException) -> MessageKind | None:
    names = [base.__name__ for base in type(error).__mro__]
    if "SSLError" in names:
        return _tls_kind(error)
    by_number = _kind_of_number(error, is_lookup="gaierror" in names)
    if by_number is not None:
        return by_number
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)


def _kind_of_number(error: BaseException, *, is_lookup: bool) -> MessageKind | None:
    windows, number = getattr(error, "winerror", None), getattr(error, "errno", None)
    if not isinstance(error, OSError):
        return None
    if isinstance(windows, int) and windows in _WINDOWS:
        return _WINDOWS[windows]
    if not isinstance(number, int):
        return None
    if is_lookup:
        return _NAME_LOOKUP.get(number) or _WINDOWS.get(number)
    return _BY_NUMBER.get(number) or (_WINDOWS.get(number) if number > 10_000 else None)


def _tls_kind(error: BaseException) -> MessageKind:
    if type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError"):
        return TLS_ENDED
    reason = str(getattr(error, "reason", None) or "")
    return next((kind for part, kind in _TLS if part in reason), TLS_FAILED)


def _own_words(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


# --- HTTP --------------------------------------------------------------------------------------------------------

HTTP_STATUS: Final = MessageKind("http.status", "the server answered with the HTTP status {status}")
HTTP_STATUS_MEANING: Final = MessageKind(
    "http.status_meaning", "{meaning} (the server answered with the HTTP status {status})"
)
_HTTP: Final = {
    400: MessageKind("http.400", "the server does not understand the request"),
    401: MessageKind("http.401", "the server wants another login"),
    403: MessageKind("http.403", "the server forbids it"),
    404: MessageKind("http.404", "the server has nothing at this address"),
    405: MessageKind("http.405", "the server does not allow this kind of request"),
    407: MessageKind("http.407", "a proxy on the way wants a login"),
    408: MessageKind("http.408", "the server had waited too long for the request"),
    410: MessageKind("http.410", "what was at this address is gone for good"),
    413: MessageKind("http.413", "the request is too large for the server"),
    416: MessageKind("http.416", "the server does not have the range that was asked for"),
    429: MessageKind("http.429", "the server was asked too often"),
    500: MessageKind("http.500", "the server has an error of its own"),
    501: MessageKind("http.501", "the server does not offer this"),
    502: MessageKind("http.502", "a gateway on the way got no valid answer"),
    503: MessageKind("http.503", "the server is not available now"),
    504: MessageKind("http.504", "a gateway on the way got no answer in time"),
    507: MessageKind("http.507", "the server has no space left"),
}
HTTP_MOVED: Final = MessageKind("http.moved", "the server points to another address")


def http_reason(status: int, details: object = "") -> Message:
    """Return what the status of a web server's answer means.

    Args:
        status: the number.
        details: what else the server said; kept as details.
    """
    meaning = _HTTP.get(status) or (HTTP_MOVED if 300 <= status < 400 else None)
    if meaning is None:
        return HTTP_STATUS.fill(status=status, details=str(details))
    return HTTP_STATUS_MEANING.fill(status=status, meaning=meaning, details=str(details))
