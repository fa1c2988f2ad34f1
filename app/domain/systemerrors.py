"""The words for an error of the operating system, also for those that the C library of Windows does not know."""

import os
from typing import Final

_NETWORK: Final = {
    10004: "the call was interrupted",
    10013: "access was denied, by a firewall for example",
    10022: "the address cannot be used",
    10024: "too many connections are open",
    10035: "the operation would have to wait",
    10048: "the address is in use already",
    10049: "the address does not belong to this machine",
    10050: "the network is down",
    10051: "the network cannot be reached",
    10052: "the network dropped the connection",
    10053: "the connection was aborted by this machine",
    10054: "the connection was reset by the other side",
    10055: "there is no memory for another connection",
    10057: "there is no connection",
    10058: "the connection was shut down",
    10060: "no answer came in time",
    10061: "the connection was refused",
    10064: "the host is down",
    10065: "the host cannot be reached",
    10091: "the network is not ready",
    11001: "the name of the host is unknown",
    11002: "the name of the host cannot be looked up now",
    11003: "the name server failed",
    11004: "the name of the host has no address",
}
"""Errors of Windows Sockets. Source: Microsoft, "Windows Sockets Error Codes"."""
_USELESS: Final = (
    "unknown error",
    "winsock error",
    "windows error 0x",
    "getaddrinfo failed",
    "<no description>",
)
"""How the texts begin that Python and C libraries have for a number that they do not know."""


def system_words(error: BaseException) -> str:
    """Return what went wrong, in words; never empty."""
    number = getattr(error, "winerror", None) or getattr(error, "errno", None)
    text = str(getattr(error, "strerror", None) or "").strip()
    if isinstance(number, int) and number in _NETWORK and (not text or text.lower().startswith(_USELESS)):
        return f"{_NETWORK[number]} ({number})"
    return text or str(error).strip() or type(error).__name__


def error_of_code(code: int) -> OSError:
    """Return the error for a number that a socket reports."""
    text = _NETWORK.get(code)
    return OSError(code, os.strerror(code) if text is None else f"{text} ({code})")
