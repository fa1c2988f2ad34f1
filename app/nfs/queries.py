"""The procedures of NFS 3 that change nothing and move no bytes of files, answered from memory."""

import shutil
from typing import Final

from app.core.nfs3 import MOST_HANDLE_BYTES, MOST_NAME_BYTES, VERIFIER_BYTES, Access, FileType, Status
from app.core.xdr import XdrDecoder, XdrEncoder, padding
from app.nfs.content import LARGEST_FILE_BYTES
from app.nfs.errors import NfsError, refusal_of
from app.nfs.listings import ListingPlus, ListingShort
from app.nfs.places import Caller, Place, Places
from app.nfs.reply import Answer, attributes_after, refused
from app.nfs.transfers import MOST_TRANSFER_BYTES
from app.nfs.work import Workers

_PREFERRED_LISTING_BYTES: Final = 64 << 10
_SECTOR_BYTES: Final = 512
_MANY: Final = 1 << 32
_PROPERTIES: Final = 0x08 | 0x10
"""``FSF3_HOMOGENEOUS`` and ``FSF3_CANSETTIME``: no links, and times can be set (RFC 1813, 3.3.19)."""


def taken_name(decoder: XdrDecoder) -> bytes:
    """Take a name; one that is too long is a name all the same, and refused as that."""
    length = decoder.u32()
    name = bytes(decoder.take(length))
    decoder.take(padding(length))
    return name


class Queries:
    """Says what is there. Thread: the event loop's."""

    def __init__(self, places: Places, workers: Workers) -> None:
        self._places = places
        self._workers = workers

    def null(self, _caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        """Answer NULL."""
        answer(b"")

    def getattr(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer GETATTR."""
        place = self._place(caller, XdrDecoder(arguments))
        answer(XdrEncoder().u32(Status.OK).raw(place.volume.attributes(place.node).encode()).done())

    def lookup(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer LOOKUP."""
        decoder = XdrDecoder(arguments)
        folder, name = self._place(caller, decoder), taken_name(decoder)
        try:
            found = folder.child(name)
        except NfsError as error:
            answer(refused(error.status, folder))
            return
        encoder = XdrEncoder().u32(Status.OK).opaque(found.volume.handle(found.node))
        attributes = found.volume.attributes(found.node).follow()
        answer(encoder.raw(attributes).raw(attributes_after(folder)).done())

    def access(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer ACCESS: who may use a volume may do everything in it."""
        decoder = XdrDecoder(arguments)
        place = self._place(caller, decoder)
        is_folder = place.node.kind is FileType.DIRECTORY
        has = Access.READ | Access.MODIFY | Access.EXTEND
        has |= Access.LOOKUP | Access.DELETE if is_folder else Access.EXECUTE
        answer(XdrEncoder().u32(Status.OK).raw(attributes_after(place)).u32(decoder.u32() & has).done())

    def readlink(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer READLINK: nothing here is a link."""
        answer(refused(Status.INVAL, self._place(caller, XdrDecoder(arguments))))

    def readdir(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer READDIR."""
        decoder = XdrDecoder(arguments)
        place = self._place(caller, decoder)
        cookie, _, most_bytes = decoder.u64(), decoder.take(VERIFIER_BYTES), decoder.u32()
        _list(place, ListingShort(place, most_bytes), cookie, answer)

    def readdirplus(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer READDIRPLUS."""
        decoder = XdrDecoder(arguments)
        place = self._place(caller, decoder)
        cookie, _ = decoder.u64(), decoder.take(VERIFIER_BYTES)
        name_bytes, most_bytes = decoder.u32(), decoder.u32()
        _list(place, ListingPlus(place, most_bytes, name_bytes), cookie, answer)

    def fsstat(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer FSSTAT: the space of a volume is that of the standby."""
        place = self._place(caller, XdrDecoder(arguments))

        def look() -> tuple[int, int]:
            try:
                usage = shutil.disk_usage(place.volume.folder)
            except OSError as error:
                raise refusal_of(error) from error
            return usage.total, usage.free

        def done(space: tuple[int, int]) -> None:
            total, free = space
            encoder = XdrEncoder().u32(Status.OK).raw(attributes_after(place)).u64(total, free, free)
            answer(encoder.u64(_MANY, _MANY, _MANY).u32(0).done())

        self._workers.run(look, done, lambda status: answer(refused(status, place)))

    def fsinfo(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer FSINFO."""
        place = self._place(caller, XdrDecoder(arguments))
        encoder = XdrEncoder().u32(Status.OK).raw(attributes_after(place))
        for _ in ("read", "write"):
            encoder.u32(MOST_TRANSFER_BYTES, MOST_TRANSFER_BYTES, _SECTOR_BYTES)
        encoder.u32(_PREFERRED_LISTING_BYTES).u64(LARGEST_FILE_BYTES).u32(0, 1, _PROPERTIES)
        answer(encoder.done())

    def pathconf(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer PATHCONF: one name per file; long names are refused; owners stay; case matters and is kept."""
        place = self._place(caller, XdrDecoder(arguments))
        encoder = XdrEncoder().u32(Status.OK).raw(attributes_after(place))
        answer(encoder.u32(1, MOST_NAME_BYTES, 1, 1, 0, 1).done())

    def _place(self, caller: Caller, decoder: XdrDecoder) -> Place:
        return self._places.at(caller, decoder.opaque(MOST_HANDLE_BYTES))


def _list(place: Place, listing: ListingShort, cookie: int, answer: Answer) -> None:
    try:
        page = listing.page(cookie)
    except NfsError as error:
        answer(refused(error.status, place))
        return
    encoder = XdrEncoder().u32(Status.OK).raw(attributes_after(place))
    answer(encoder.raw(bytes(VERIFIER_BYTES)).raw(page).done())
