"""The three programs: which procedure answers a call, and what is answered where none does (RFC 5531)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from app.core.nfs3 import (
    MOST_PATH_BYTES,
    MOUNT,
    MOUNT_VERSION,
    NFS,
    NFS_VERSION,
    PORTMAP,
    PORTMAP_VERSION,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
    MountProcedure,
    NfsProcedure,
    PortmapProcedure,
    Status,
)
from app.core.oncrpc import (
    RPC_VERSION,
    AcceptStatus,
    AuthFlavor,
    AuthStatus,
    CallHead,
    accepted,
    auth_refused,
    mismatch,
    rpc_mismatch,
)
from app.core.xdr import XdrDecoder, XdrEncoder, XdrError
from app.nfs.attributes import NOT_SAID
from app.nfs.changes import Changes
from app.nfs.errors import NfsError
from app.nfs.places import Caller, Places
from app.nfs.queries import Queries
from app.nfs.repeats import RepeatedRequests
from app.nfs.reply import Answer
from app.nfs.transfers import MOST_TRANSFER_BYTES, Transfers
from app.nfs.work import status_of

_log = logging.getLogger(__name__)

Procedure = Callable[[Caller, memoryview, Answer], None]
_PORTMAP_PORT: Final = 111
_NFS: Final = NFS.to_bytes(4, "big")
_READ: Final = NfsProcedure.READ.to_bytes(4, "big")
_LARGE_BYTES: Final = 32 << 10
_OPTIONAL_PARTS: Final = {
    NfsProcedure.GETATTR: 0,
    NfsProcedure.LOOKUP: 1,
    NfsProcedure.ACCESS: 1,
    NfsProcedure.READLINK: 1,
    NfsProcedure.READ: 1,
    NfsProcedure.READDIR: 1,
    NfsProcedure.READDIRPLUS: 1,
    NfsProcedure.FSSTAT: 1,
    NfsProcedure.FSINFO: 1,
    NfsProcedure.PATHCONF: 1,
    NfsProcedure.RENAME: 4,
    NfsProcedure.LINK: 3,
}
"""How many attribute structures follow the status of a refusal; two where nothing else is said."""


_ONCE: Final = frozenset(
    {
        NfsProcedure.SETATTR,
        NfsProcedure.CREATE,
        NfsProcedure.MKDIR,
        NfsProcedure.REMOVE,
        NfsProcedure.RMDIR,
        NfsProcedure.RENAME,
    }
)


def _refused_nfs(number: int, status: Status) -> bytes:
    parts = _OPTIONAL_PARTS.get(NfsProcedure(number), 2)
    return XdrEncoder().u32(status).raw(NOT_SAID * parts).done()


def _refused_plainly(_number: int, status: Status) -> bytes:
    return XdrEncoder().u32(status).done()


@dataclass(frozen=True, slots=True)
class Program:
    """A program of one version."""

    number: int
    version: int
    procedures: Mapping[int, Procedure]
    refused: Callable[[int, Status], bytes]
    """Makes the answer of a procedure that was refused before it knew what it is about."""
    once: frozenset[int] = frozenset()
    """What must not be done twice; what is sent again gets the answer of then, whatever has changed since."""
    repeats: RepeatedRequests = field(default_factory=RepeatedRequests)

    def call(self, caller: Caller, number: int, arguments: memoryview, answer: Answer) -> bytes | None:
        """Have a call answered; return the whole reply instead where there is no answer.

        ``answer`` gets the results, now or later.
        """
        procedure = self.procedures.get(number)
        if procedure is None:
            return accepted(caller.xid, AcceptStatus.PROC_UNAVAIL)
        try:
            if number not in self.once:
                self._do(procedure, caller, number, arguments, answer)
            else:
                do = partial(self._do, procedure, caller, number, arguments)
                self.repeats.once(caller.address, caller.xid, number, arguments, do, answer)
        except XdrError as error:
            _log.debug("a call of procedure %d was not understood: %s", number, error)
            return accepted(caller.xid, AcceptStatus.GARBAGE_ARGS)
        return None

    def _do(
        self, procedure: Procedure, caller: Caller, number: int, arguments: memoryview, answer: Answer
    ) -> None:
        try:
            procedure(caller, arguments, answer)
        except XdrError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug ends one call, not the server; it is logged
            answer(self.refused(number, status_of(error)))


def nfs_program(queries: Queries, transfers: Transfers, changes: Changes) -> Program:
    """Return NFS 3."""
    procedures: dict[int, Procedure] = {
        NfsProcedure.NULL: queries.null,
        NfsProcedure.GETATTR: queries.getattr,
        NfsProcedure.SETATTR: changes.setattr,
        NfsProcedure.LOOKUP: queries.lookup,
        NfsProcedure.ACCESS: queries.access,
        NfsProcedure.READLINK: queries.readlink,
        NfsProcedure.READ: transfers.read,
        NfsProcedure.WRITE: transfers.write,
        NfsProcedure.CREATE: changes.create,
        NfsProcedure.MKDIR: changes.mkdir,
        NfsProcedure.SYMLINK: changes.make_special,
        NfsProcedure.MKNOD: changes.make_special,
        NfsProcedure.REMOVE: changes.remove,
        NfsProcedure.RMDIR: changes.rmdir,
        NfsProcedure.RENAME: changes.rename,
        NfsProcedure.LINK: changes.link,
        NfsProcedure.READDIR: queries.readdir,
        NfsProcedure.READDIRPLUS: queries.readdirplus,
        NfsProcedure.FSSTAT: queries.fsstat,
        NfsProcedure.FSINFO: queries.fsinfo,
        NfsProcedure.PATHCONF: queries.pathconf,
        NfsProcedure.COMMIT: transfers.commit,
    }
    return Program(NFS, NFS_VERSION, procedures, _refused_nfs, _ONCE)


def mount_program(places: Places) -> Program:
    """Return MOUNT 3; who has mounted what is not noted, and what there is to mount is not told."""

    def nothing(_caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        answer(b"")

    def empty_list(_caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        answer(XdrEncoder().u32(0).done())

    def mnt(caller: Caller, arguments: memoryview, answer: Answer) -> None:
        try:
            place = places.mounted(caller, XdrDecoder(arguments).opaque(MOST_PATH_BYTES))
        except NfsError as error:
            _log.info("%s may not mount what it asked for: %s", caller.address, error.status.name)
            if error.status is Status.JUKEBOX:  # MOUNT knows no "later" (RFC 1813, 5.1.5)
                raise NfsError(Status.SERVERFAULT, str(error)) from error
            raise
        handle = place.volume.handle(place.node)
        _log.info("%s has mounted a volume", caller.address)
        answer(XdrEncoder().u32(Status.OK).opaque(handle).u32(2, AuthFlavor.SYS, AuthFlavor.NONE).done())

    procedures: dict[int, Procedure] = {
        MountProcedure.NULL: nothing,
        MountProcedure.MNT: mnt,
        MountProcedure.DUMP: empty_list,
        MountProcedure.UMNT: nothing,
        MountProcedure.UMNTALL: nothing,
        MountProcedure.EXPORT: empty_list,
    }
    return Program(MOUNT, MOUNT_VERSION, procedures, _refused_plainly)


def portmap_program(port: Callable[[], int]) -> Program:
    """Return PORTMAP 2, which knows the three programs and takes no others; NFS and MOUNT are at ``port``."""

    def known() -> list[tuple[int, int, int, int]]:
        both = ((NFS, NFS_VERSION, TCP_PROTOCOL, port()), (MOUNT, MOUNT_VERSION, TCP_PROTOCOL, port()))
        own = ((PORTMAP, PORTMAP_VERSION, protocol, _PORTMAP_PORT) for protocol in (TCP_PROTOCOL, UDP_PROTOCOL))
        return [*own, *both]

    def null(_caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        answer(b"")

    def refuse(_caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        answer(XdrEncoder().u32(0).done())

    def getport(_caller: Caller, arguments: memoryview, answer: Answer) -> None:
        decoder = XdrDecoder(arguments)
        wanted = tuple(decoder.u32() for _ in range(3))
        found = next((number for *what, number in known() if tuple(what) == wanted), 0)
        answer(XdrEncoder().u32(found).done())

    def dump(_caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        encoder = XdrEncoder()
        for mapping in known():
            encoder.u32(1, *mapping)
        answer(encoder.u32(0).done())

    procedures: dict[int, Procedure] = {
        PortmapProcedure.NULL: null,
        PortmapProcedure.SET: refuse,
        PortmapProcedure.UNSET: refuse,
        PortmapProcedure.GETPORT: getport,
        PortmapProcedure.DUMP: dump,
    }
    return Program(PORTMAP, PORTMAP_VERSION, procedures, _refused_plainly)


def large_reply_bytes(message: memoryview) -> int:
    """Return about how long the reply to a call will be where that is much: of a READ of many bytes; else 0."""
    if message[12:16] != _NFS or message[20:24] != _READ:
        return 0
    count = int.from_bytes(message[-4:], "big")
    return min(count, MOST_TRANSFER_BYTES) if count >= _LARGE_BYTES else 0


class Programs:
    """Answers calls of several programs. Thread: the event loop's."""

    def __init__(self, *programs: Program) -> None:
        self._programs = {program.number: program for program in programs}

    def call(
        self, address: str, message: memoryview, answer: Callable[[int, bytes | bytearray], None]
    ) -> bytes | None:
        """Have a call answered; return the whole reply instead where that is known now.

        Args:
            address: who calls.
            message: the call, without marks.
            answer: gets the number of the call and the results, now or later.

        Raises:
            XdrError: it is no call.
        """
        head = CallHead.decode(message)
        if head.rpc_version != RPC_VERSION:
            return rpc_mismatch(head.xid)
        program = self._programs.get(head.program)
        if program is None:
            return accepted(head.xid, AcceptStatus.PROG_UNAVAIL)
        if head.version != program.version:
            return mismatch(head.xid, program.version, program.version)
        if head.flavor not in (AuthFlavor.NONE, AuthFlavor.SYS):
            return auth_refused(head.xid, AuthStatus.REJECTEDCRED)
        caller, xid = Caller(address, head.xid), head.xid
        return program.call(caller, head.procedure, message[head.end :], lambda results: answer(xid, results))
