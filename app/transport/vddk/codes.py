"""The library's error numbers in words.

Sources: the list ``VIX_ERROR`` in the public header of VixDiskLib, and the chapter on errors of the *Virtual Disk
Programming Guide*: the lowest 16 bits are the code. Numbers that are not here are shown as they are, with the
library's own text under the details. Which of them may pass is our own choice: those of the network, and of what
is locked or busy.
"""

from typing import Final

from app.domain.messages import MessageKind

FAILED: Final = MessageKind("vddk.failed", "it failed without a closer reason")
NO_MEMORY: Final = MessageKind("vddk.no_memory", "there is not enough memory for it")
NOT_THERE: Final = MessageKind("vddk.not_there", "a file or a part of the library is not there")
BUSY: Final = MessageKind("vddk.busy", "something else uses the disk or the VM")
NOT_SUPPORTED: Final = MessageKind("vddk.not_supported", "this is not possible here")
FILE_TROUBLE: Final = MessageKind("vddk.file_trouble", "a file on the datastore could not be read or written")
STORE_FULL: Final = MessageKind("vddk.store_full", "the datastore is full")
NO_ACCESS: Final = MessageKind(
    "vddk.no_access", "the disk cannot be reached in this way, or the account may not open it"
)
LOCKED: Final = MessageKind("vddk.locked", "another program or host holds the disk open")
NO_LICENSE: Final = MessageKind("vddk.no_license", "the licence of the platform does not allow it")
LOGIN: Final = MessageKind("vddk.login", "the platform did not accept the account or the certificate's thumbprint")
NO_PRIVILEGE: Final = MessageKind("vddk.no_privilege", "the account has no privilege for it")
VM_GONE: Final = MessageKind("vddk.vm_gone", "the VM is not there")
ENDED_EARLY: Final = MessageKind("vddk.ended_early", "the disk ended before its size")
NO_CONNECTION: Final = MessageKind("vddk.no_connection", "the host cannot be reached; port 902 may be closed")
CONNECTION_LOST: Final = MessageKind("vddk.connection_lost", "the connection to the host was lost")
HOST_OVERLOADED: Final = MessageKind("vddk.host_overloaded", "the host takes no more connections for disks now")
WRONG_CALL: Final = MessageKind("vddk.wrong_call", "the library did not understand the request")
BROKEN_CHAIN: Final = MessageKind("vddk.broken_chain", "the disk or its snapshots are damaged")
ENCRYPTED: Final = MessageKind("vddk.encrypted", "the disk is encrypted, and there is no key for it")
NOT_STARTED: Final = MessageKind("vddk.not_started", "the library could not start one of its parts")
UNKNOWN_NUMBER: Final = MessageKind("vddk.unknown_number", "its reason is under the details")

_WORDS: Final = {
    **dict.fromkeys((1,), FAILED),
    **dict.fromkeys((2,), NO_MEMORY),
    **dict.fromkeys((3, 1000, 16000, 16001, 16007, 16054), WRONG_CALL),
    **dict.fromkeys((4, 25, 2000), NOT_THERE),
    **dict.fromkeys((5, 31), BUSY),
    **dict.fromkeys((6, 20, 16011, 16013, 16066), NOT_SUPPORTED),
    **dict.fromkeys((7, 16002), FILE_TROUBLE),
    **dict.fromkeys((8,), STORE_FULL),
    **dict.fromkeys((11, 13), NO_ACCESS),
    **dict.fromkeys((15, 13014), LOCKED),
    **dict.fromkeys((32, 16064), NO_LICENSE),
    **dict.fromkeys((35, 3047), LOGIN),
    **dict.fromkeys((3014,), NO_PRIVILEGE),
    **dict.fromkeys((4000,), VM_GONE),
    **dict.fromkeys((14005,), ENDED_EARLY),
    **dict.fromkeys((14006, 14007, 14008, 14009, 18000), NO_CONNECTION),
    **dict.fromkeys((26, 34, 36, 14010, 14011, 14014), CONNECTION_LOST),
    **dict.fromkeys((14015, 16027), HOST_OVERLOADED),
    **dict.fromkeys((16003, 16006, 16008, 16012, 16028, 16030, 16063, 16067), BROKEN_CHAIN),
    **dict.fromkeys((30, 16014, 16017, 16052), ENCRYPTED),
    **dict.fromkeys((16053, 16065), NOT_STARTED),
}
_MAY_PASS: Final = frozenset({BUSY, LOCKED, NO_CONNECTION, CONNECTION_LOST, HOST_OVERLOADED, NO_MEMORY})


def words_of(code: int) -> MessageKind:
    """Return what an error code means."""
    return _WORDS.get(code, UNKNOWN_NUMBER)


def may_pass(code: int) -> bool:
    """Return whether trying again may help."""
    return words_of(code) in _MAY_PASS
