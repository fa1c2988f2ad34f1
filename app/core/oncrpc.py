"""ONC RPC version 2 (RFC 5531): calls, replies, and the records in which they travel over TCP."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from app.core.xdr import XdrEncoder, XdrError, XdrSource, padding

RPC_VERSION: Final = 2
MARK_BYTES: Final = 4
"""Before each piece of a record: its length, and in the highest bit whether it is the last one (section 11)."""
LAST_FRAGMENT: Final = 0x8000_0000
MOST_AUTH_BYTES: Final = 400
"""Of a credential or a verifier (section 8.2)."""


_CALL: Final = struct.Struct(">8I")
"""Up to the length of the credential."""
_AUTH: Final = struct.Struct(">2I")
_ACCEPTED: Final = struct.Struct(">6I")


class MessageType(IntEnum):
    """Section 9."""

    CALL = 0
    REPLY = 1


class AuthFlavor(IntEnum):
    """Section 8.2, and appendix A for SYS."""

    NONE = 0
    SYS = 1


class AcceptStatus(IntEnum):
    """How a call ended that the server accepted (section 9)."""

    SUCCESS = 0
    PROG_UNAVAIL = 1
    PROG_MISMATCH = 2
    PROC_UNAVAIL = 3
    GARBAGE_ARGS = 4
    SYSTEM_ERR = 5


class RejectStatus(IntEnum):
    """Why a call was not accepted (section 9)."""

    RPC_MISMATCH = 0
    AUTH_ERROR = 1


class AuthStatus(IntEnum):
    """Why a credential was refused (section 9)."""

    BADCRED = 1
    REJECTEDCRED = 2


class CallRefused(Exception):
    """The server did not carry a call out; the text tells why in the words of the protocol."""

    def __init__(self, reason: str, *, is_about_credentials: bool = False) -> None:
        self.is_about_credentials = is_about_credentials
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """What is called."""

    program: int
    version: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SysCredential:
    """Who calls, as Unix knows it; nothing proves it (appendix A)."""

    machine: str
    uid: int = 0
    gid: int = 0
    gids: tuple[int, ...] = field(default=())

    def encode(self) -> bytes:
        """Return it as a credential of the flavor SYS."""
        body = XdrEncoder().u32(0).opaque(self.machine.encode("ascii", "replace")[:255])
        body.u32(self.uid, self.gid, len(self.gids), *self.gids)
        return XdrEncoder().u32(AuthFlavor.SYS).opaque(body.done()).done()


NO_CREDENTIAL: Final = XdrEncoder().u32(AuthFlavor.NONE).opaque(b"").done()


def encode_call(xid: int, procedure: Procedure, credential: bytes, arguments: bytes) -> bytes:
    """Return a call as a record of one piece."""
    body = XdrEncoder().u32(xid, MessageType.CALL, RPC_VERSION)
    body.u32(procedure.program, procedure.version, procedure.number)
    body.raw(credential).raw(NO_CREDENTIAL).raw(arguments)
    message = body.done()
    return XdrEncoder().u32(LAST_FRAGMENT | len(message)).raw(message).done()


@dataclass(slots=True)
class CallHead:
    """The beginning of a call, as a server receives it."""

    xid: int
    rpc_version: int
    program: int
    version: int
    procedure: int
    flavor: int
    """Of the credential."""
    end: int
    """Where the arguments begin."""

    @classmethod
    def decode(cls, message: memoryview) -> Self:
        """Take it from a message, for each of which a server does this.

        Raises:
            XdrError: it is no call.
        """
        try:
            xid, kind, rpc, program, version, procedure, flavor, length = _CALL.unpack_from(message)
            if kind != MessageType.CALL:
                raise XdrError(f"a message of type {kind} where a call was due")
            verifier_at = _CALL.size + length + padding(length)
            _, verifier_bytes = _AUTH.unpack_from(message, verifier_at)
        except struct.error as error:
            raise XdrError(str(error)) from error
        if length > MOST_AUTH_BYTES or verifier_bytes > MOST_AUTH_BYTES:
            raise XdrError(f"a credential of {max(length, verifier_bytes)} bytes")
        end = verifier_at + _AUTH.size + verifier_bytes + padding(verifier_bytes)
        if end > len(message):
            raise XdrError("a call ends before its arguments")
        return cls(xid, rpc, program, version, procedure, flavor, end)


def accepted(xid: int, status: AcceptStatus = AcceptStatus.SUCCESS) -> bytes:
    """Return the beginning of the reply to a call that was accepted, without a mark; the results follow."""
    return _ACCEPTED.pack(xid, MessageType.REPLY, 0, AuthFlavor.NONE, 0, status)


def mismatch(xid: int, lowest: int, highest: int) -> bytes:
    """Return the reply to a call of a version of a program that is not served."""
    return accepted(xid, AcceptStatus.PROG_MISMATCH) + XdrEncoder().u32(lowest, highest).done()


def rpc_mismatch(xid: int) -> bytes:
    """Return the reply to a call of another version of the protocol itself."""
    denied = XdrEncoder().u32(xid, MessageType.REPLY, 1, RejectStatus.RPC_MISMATCH, RPC_VERSION, RPC_VERSION)
    return denied.done()


def auth_refused(xid: int, status: AuthStatus) -> bytes:
    """Return the reply to a call with a credential that is not taken."""
    return XdrEncoder().u32(xid, MessageType.REPLY, 1, RejectStatus.AUTH_ERROR, status).done()


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """The beginning of a reply."""

    xid: int
    refusal: CallRefused | None
    """Why nothing follows; None: the results follow."""

    @classmethod
    def decode(cls, decoder: XdrSource) -> Self:
        """Take it from what was received.

        Raises:
            XdrError: it is no reply.
        """
        xid, kind, is_denied = decoder.u32(), decoder.u32(), decoder.u32()
        if kind != MessageType.REPLY or is_denied > 1:
            raise XdrError(f"a message of type {kind} where a reply was due")
        if is_denied:
            return cls(xid, _rejection(decoder))
        decoder.u32()  # the flavor of the verifier
        decoder.opaque(MOST_AUTH_BYTES)
        status = decoder.u32()
        return cls(xid, None if status == AcceptStatus.SUCCESS else CallRefused(_name(AcceptStatus, status)))


def _rejection(decoder: XdrSource) -> CallRefused:
    status = decoder.u32()
    if status == RejectStatus.AUTH_ERROR:
        return CallRefused(f"AUTH_ERROR {decoder.u32()}", is_about_credentials=True)
    return CallRefused(_name(RejectStatus, status))


def _name(kind: type[IntEnum], value: int) -> str:
    known = {member.value: member.name for member in kind}
    return known.get(value, f"status {value}")
