"""The calls that a reader makes of NFS 3, MOUNT 3 and PORTMAP 2; their numbers are in :mod:`app.core.nfs3`."""

from dataclasses import dataclass
from typing import Final, Self

from app.core.nfs3 import (
    ATTRIBUTE_BYTES,
    MOST_HANDLE_BYTES,
    MOUNT,
    MOUNT_VERSION,
    NFS,
    NFS_VERSION,
    PORTMAP,
    PORTMAP_VERSION,
    TCP_PROTOCOL,
    MountProcedure,
    NfsProcedure,
    PortmapProcedure,
    Status,
)
from app.core.oncrpc import Procedure
from app.core.xdr import XdrDecoder, XdrEncoder, XdrError, XdrSource
from app.domain.messages import Message
from app.transport.reasons import NFS_ANSWERED

_MOST_FLAVORS: Final = 64

GETPORT: Final = Procedure(program=PORTMAP, version=PORTMAP_VERSION, number=PortmapProcedure.GETPORT)
MOUNT_MNT: Final = Procedure(program=MOUNT, version=MOUNT_VERSION, number=MountProcedure.MNT)
MOUNT_UMNT: Final = Procedure(program=MOUNT, version=MOUNT_VERSION, number=MountProcedure.UMNT)
GETATTR: Final = Procedure(program=NFS, version=NFS_VERSION, number=NfsProcedure.GETATTR)
LOOKUP: Final = Procedure(program=NFS, version=NFS_VERSION, number=NfsProcedure.LOOKUP)
READ: Final = Procedure(program=NFS, version=NFS_VERSION, number=NfsProcedure.READ)
FSINFO: Final = Procedure(program=NFS, version=NFS_VERSION, number=NfsProcedure.FSINFO)


class NfsRefusal(Exception):
    """The server answered with an error."""

    def __init__(self, request: str, status: int) -> None:
        self.status = status
        known = {member.value: member.name for member in Status}
        super().__init__(f"{request}: {known.get(status, status)}")

    def said(self) -> Message:
        """Return it as a message, with the server's word as details."""
        return NFS_ANSWERED.fill(details=str(self))

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be answered later."""
        return self.status in (Status.JUKEBOX, Status.SERVERFAULT, Status.IO)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a server says of a file."""

    kind: int
    size_bytes: int

    @classmethod
    def decode(cls, decoder: XdrSource) -> Self:
        """Take ``fattr3``."""
        attributes = XdrDecoder(decoder.take(ATTRIBUTE_BYTES))
        kind = attributes.u32()
        attributes.take(16)  # mode, links, owner, group
        return cls(kind, attributes.u64())


def port_request(program: int, version: int) -> bytes:
    """Return the arguments of GETPORT."""
    return XdrEncoder().u32(program, version, TCP_PROTOCOL, 0).done()


def path_request(path: str) -> bytes:
    """Return the arguments of MNT and UMNT."""
    return XdrEncoder().opaque(path.encode("utf-8")).done()


def mounted_root(decoder: XdrSource) -> bytes:
    """Take the handle of an export's root from the results of MNT.

    Raises:
        NfsRefusal: it may not be mounted.
        XdrError: the answer is malformed.
    """
    _check("MNT", decoder.u32())
    root = _handle(decoder)
    if decoder.u32() > _MOST_FLAVORS:
        raise XdrError("too many kinds of credentials")
    return root


def handle_request(handle: bytes) -> bytes:
    """Return the arguments of GETATTR and FSINFO."""
    return XdrEncoder().opaque(handle).done()


def lookup_request(directory: bytes, name: str) -> bytes:
    """Return the arguments of LOOKUP."""
    return XdrEncoder().opaque(directory).opaque(name.encode("utf-8")).done()


def found(decoder: XdrSource) -> bytes:
    """Take the handle from the results of LOOKUP.

    Raises:
        NfsRefusal: there is no such file, or it may not be seen.
        XdrError: the answer is malformed.
    """
    _check("LOOKUP", decoder.u32())
    return _handle(decoder)


def facts(decoder: XdrSource) -> FileFacts:
    """Take what the results of GETATTR say of a file.

    Raises:
        NfsRefusal: it is gone.
        XdrError: the answer is malformed.
    """
    _check("GETATTR", decoder.u32())
    return FileFacts.decode(decoder)


def most_read_bytes(decoder: XdrSource) -> int:
    """Take from the results of FSINFO how much one READ may ask for (``rtmax``).

    Raises:
        NfsRefusal: the server does not say.
        XdrError: the answer is malformed.
    """
    _check("FSINFO", decoder.u32())
    _pass_attributes(decoder)
    return decoder.u32()


def read_request(handle: bytes, offset: int, count: int) -> bytes:
    """Return the arguments of READ."""
    return XdrEncoder().opaque(handle).u64(offset).u32(count).done()


READ_HEAD_BYTES: Final = 4 + 4 + ATTRIBUTE_BYTES + 4 + 4 + 4
"""Most bytes of the results of READ before the data."""


@dataclass(frozen=True, slots=True)
class ReadHead:
    """The results of READ up to the data."""

    count: int
    is_end: bool

    @classmethod
    def decode(cls, decoder: XdrSource) -> Self:
        """Take them.

        Raises:
            NfsRefusal: nothing was read.
            XdrError: the answer is malformed.
        """
        _check("READ", decoder.u32())
        _pass_attributes(decoder)
        count, is_end, length = decoder.u32(), decoder.boolean(), decoder.u32()
        if count != length:
            raise XdrError(f"{length} bytes of data where {count} were announced")
        return cls(count, is_end)


def _handle(decoder: XdrSource) -> bytes:
    handle = decoder.opaque(MOST_HANDLE_BYTES)
    if not handle:
        raise XdrError("an empty handle")
    return handle


def _pass_attributes(decoder: XdrSource) -> None:
    if decoder.boolean():
        decoder.take(ATTRIBUTE_BYTES)


def _check(request: str, status: int) -> None:
    if status != Status.OK:
        raise NfsRefusal(request, status)
