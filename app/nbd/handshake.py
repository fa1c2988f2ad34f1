"""From the connection to the chosen export (``doc/proto.md``, "Fixed newstyle negotiation" and "Option types")."""

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from app.nbd.exports import Export
from app.nbd.wire import (
    ALLOCATION_CONTEXT,
    ALLOCATION_ID,
    EXPORT_FLAGS,
    LONGEST_OPTION_BYTES,
    LONGEST_REQUEST_BYTES,
    NBD_MAGIC,
    OPTION_BYTES,
    OPTION_MAGIC,
    HandshakeFlag,
    Info,
    Option,
    OptionReply,
    ProtocolBroken,
    TransmissionFlag,
    decode_option,
    option_reply,
)

_SMALLEST_BLOCK = 1
_PREFERRED_BLOCK = 64 * 1024
_NO_ZEROES_PADDING = 124


@dataclass(slots=True)
class Agreement:
    """What was agreed with a client."""

    export: Export | None = None
    structured: bool = False
    allocation: bool = False
    no_zeroes: bool = False


class Handshake:
    """Negotiates with one client. Thread: the event loop's."""

    def __init__(
        self,
        exports: Mapping[str, Export],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_private: bool,
    ) -> None:
        """Prepare.

        Args:
            exports: the disks by the names that clients ask for.
            reader: what the client sends.
            writer: what it gets.
            is_private: other users cannot come here; else nothing is listed, no name is guessed, and one client
                has one connection.
        """
        self._exports = exports
        self._is_private = is_private
        self._flags = int(EXPORT_FLAGS if is_private else EXPORT_FLAGS & ~TransmissionFlag.CAN_MULTI_CONN)
        self._reader = reader
        self._writer = writer
        self._agreement = Agreement()

    async def run(self) -> Agreement | None:
        """Return what was agreed, or None when the client went away in order.

        Raises:
            ProtocolBroken: the client does not speak the protocol.
            ConnectionError, asyncio.IncompleteReadError: it is gone.
        """
        flags = int(HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES)
        await self._send(struct.pack(">QQH", NBD_MAGIC, OPTION_MAGIC, flags))
        (client_flags,) = struct.unpack(">I", await self._reader.readexactly(4))
        if client_flags & ~flags:
            raise ProtocolBroken(f"unknown client flags {client_flags:#x}")
        self._agreement.no_zeroes = bool(client_flags & HandshakeFlag.NO_ZEROES)
        while True:
            kind, length_bytes = decode_option(await self._reader.readexactly(OPTION_BYTES))
            if length_bytes > LONGEST_OPTION_BYTES:
                raise ProtocolBroken(f"an option of {length_bytes} bytes")
            data = await self._reader.readexactly(length_bytes)
            if kind == Option.ABORT:
                await self._send(option_reply(kind, OptionReply.ACK))
                return None
            if await self._answer(kind, data):
                return self._agreement

    async def _answer(self, kind: int, data: bytes) -> bool:
        """Answer one option; return whether transmission begins."""
        if kind == Option.EXPORT_NAME:
            return await self._export_name(data)
        if kind in (Option.INFO, Option.GO):
            return await self._info(kind, data)
        if kind == Option.LIST:
            await self._list(data)
        elif kind == Option.STRUCTURED_REPLY:
            self._agreement.structured = not data
            reply = OptionReply.ERR_INVALID if data else OptionReply.ACK
            await self._send(option_reply(kind, reply))
        elif kind in (Option.LIST_META_CONTEXT, Option.SET_META_CONTEXT):
            await self._meta_context(kind, data)
        else:
            await self._send(option_reply(kind, OptionReply.ERR_UNSUPPORTED))
        return False

    async def _export_name(self, data: bytes) -> bool:
        export = self._find(data.decode("utf-8", "replace"))
        if export is None:
            raise ProtocolBroken("an export that is not offered")  # this option has no error answer
        self._agreement.export = export
        padding = b"" if self._agreement.no_zeroes else bytes(_NO_ZEROES_PADDING)
        await self._send(struct.pack(">QH", export.capacity_bytes, self._flags) + padding)
        return True

    async def _info(self, kind: int, data: bytes) -> bool:
        name = _name_in(data)
        export = None if name is None else self._find(name)
        if export is None:
            reply = OptionReply.ERR_INVALID if name is None else OptionReply.ERR_UNKNOWN
            await self._send(option_reply(kind, reply))
            return False
        about = struct.pack(">HQH", Info.EXPORT, export.capacity_bytes, self._flags)
        sizes = struct.pack(">HIII", Info.BLOCK_SIZE, _SMALLEST_BLOCK, _PREFERRED_BLOCK, LONGEST_REQUEST_BYTES)
        words = struct.pack(">H", Info.DESCRIPTION) + export.description.encode()[:4096]
        for payload in (about, sizes, words):
            await self._send(option_reply(kind, OptionReply.INFO, payload))
        await self._send(option_reply(kind, OptionReply.ACK))
        self._agreement.export = export
        return kind == Option.GO

    async def _list(self, data: bytes) -> None:
        if data:
            await self._send(option_reply(Option.LIST, OptionReply.ERR_INVALID))
            return
        if not self._is_private:
            await self._send(option_reply(Option.LIST, OptionReply.ERR_POLICY))
            return
        for public_name, export in self._exports.items():
            name = public_name.encode()
            payload = struct.pack(">I", len(name)) + name + export.description.encode()[:4096]
            await self._send(option_reply(Option.LIST, OptionReply.SERVER, payload))
        await self._send(option_reply(Option.LIST, OptionReply.ACK))

    async def _meta_context(self, kind: int, data: bytes) -> None:
        asked = _queries_in(data)
        if asked is None or not self._agreement.structured:
            await self._send(option_reply(kind, OptionReply.ERR_INVALID))
            return
        name, queries = asked
        if self._find(name) is None:
            await self._send(option_reply(kind, OptionReply.ERR_UNKNOWN))
            return
        listing = kind == Option.LIST_META_CONTEXT
        wildcards = ("", "base:") if listing else ()
        wanted = ALLOCATION_CONTEXT in queries or any(query in wildcards for query in queries)
        if wanted or (listing and not queries):
            payload = struct.pack(">I", 0 if listing else ALLOCATION_ID) + ALLOCATION_CONTEXT.encode()
            await self._send(option_reply(kind, OptionReply.META_CONTEXT, payload))
        if not listing:
            self._agreement.allocation = wanted
        await self._send(option_reply(kind, OptionReply.ACK))

    def _find(self, name: str) -> Export | None:
        """Return an export; where names are no secrets, the empty name means the only one."""
        if self._is_private and not name and len(self._exports) == 1:
            return next(iter(self._exports.values()))
        return self._exports.get(name)

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _name_in(data: bytes) -> str | None:
    """Return the export's name in the data of INFO and GO, or None when it is malformed."""
    if len(data) < 6:
        return None
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 6 + length:
        return None
    (requests,) = struct.unpack_from(">H", data, 4 + length)
    if len(data) != 6 + length + 2 * requests:
        return None
    return data[4 : 4 + length].decode("utf-8", "replace")


def _queries_in(data: bytes) -> tuple[str, list[str]] | None:
    """Return export and queries in the data of the meta context options, or None when it is malformed."""
    try:
        (length,) = struct.unpack_from(">I", data)
        name = data[4 : 4 + length].decode()
        (count,) = struct.unpack_from(">I", data, 4 + length)
        place, queries = 8 + length, []
        for _ in range(count):
            (size,) = struct.unpack_from(">I", data, place)
            queries.append(data[place + 4 : place + 4 + size].decode())
            place += 4 + size
    except (struct.error, UnicodeDecodeError):
        return None
    return (name, queries) if place == len(data) else None
