"""READ, WRITE and COMMIT (RFC 1813, 3.3.6, 3.3.7 and 3.3.21), written for speed."""

import struct
from typing import Final

from app.core.disks import ReadRequest
from app.core.nfs3 import MOST_HANDLE_BYTES, Stability, Status
from app.core.xdr import XdrDecoder, XdrError, padding
from app.nfs.errors import NfsError
from app.nfs.places import HANDLE_BYTES, Caller, Places
from app.nfs.reply import HEAD_BYTES, Answer, changed, refused
from app.nfs.work import Workers

MOST_TRANSFER_BYTES: Final = 1 << 20
_INLINE_BYTES: Final = 64 << 10
"""What is longer is read and written on a thread, so that others are answered meanwhile."""
_OUR_HANDLE: Final = HANDLE_BYTES.to_bytes(4, "big")
_READ: Final = struct.Struct(f">I{HANDLE_BYTES}sQI")
_WRITE: Final = struct.Struct(f">I{HANDLE_BYTES}sQIII")
_READ_ANSWER: Final = struct.Struct(">I88sIII")
_WRITE_ANSWER: Final = struct.Struct(">II88sII8s")


class Transfers:
    """Moves bytes. Thread: the event loop's; what may wait is done on the workers' threads."""

    def __init__(self, places: Places, workers: Workers, verifier: bytes) -> None:
        """Prepare.

        Args:
            places: what is served.
            workers: do what may wait.
            verifier: another one at each start: a client that sees another one sends again what it did not know
                to be durable.
        """
        self._places = places
        self._workers = workers
        self._verifier = verifier

    def read(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer READ; the bytes go straight into the reply."""
        handle, offset, count = _read_arguments(arguments)
        place = self._places.at(caller, handle)
        content = place.volume.content(place.node)
        count = max(0, min(count, MOST_TRANSFER_BYTES, content.size_bytes - offset))
        start = HEAD_BYTES + _READ_ANSWER.size
        reply = bytearray(start + count + padding(count))
        view = memoryview(reply)[start : start + count]

        def finish(_: object = None) -> None:
            view.release()
            is_end = offset + count >= content.size_bytes
            attributes = place.volume.attributes_follow(place.node)
            _READ_ANSWER.pack_into(reply, HEAD_BYTES, Status.OK, attributes, count, is_end, count)
            place.volume.traffic.reads += 1
            place.volume.traffic.read_bytes += count
            answer(reply)

        if not count or (count <= _INLINE_BYTES and content.read_now(offset, view)):
            finish()
            return
        request = ReadRequest(offset, view)
        self._workers.read(content, request, finish, lambda status: answer(refused(status, place)))

    def write(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer WRITE, when the bytes are as durable as was asked for."""
        handle, offset, count, stable, data = _write_arguments(arguments)
        place = self._places.at(caller, handle)
        content = place.volume.content(place.node)

        def written(_: object = None) -> None:
            place.volume.traffic.writes += 1
            place.volume.traffic.written_bytes += count
            if stable == Stability.UNSTABLE:
                done(Status.OK)
            else:
                self._workers.sync(content, done)

        def done(status: Status) -> None:
            if status is not Status.OK:
                answer(changed(status, place))
                return
            attributes = place.volume.attributes(place.node).follow()
            committed = Stability.UNSTABLE if stable == Stability.UNSTABLE else Stability.FILE_SYNC
            answer(_WRITE_ANSWER.pack(Status.OK, 0, attributes, count, committed, self._verifier))

        if not count:
            done(Status.OK)
        elif count <= _INLINE_BYTES and content.write_now(offset, data):
            written()
        else:
            kept = memoryview(bytes(data))  # what was received is overwritten by what comes next
            self._workers.run(lambda: content.write(offset, kept), written, done)

    def commit(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer COMMIT, when all of the file is durable."""
        decoder = XdrDecoder(arguments)
        place = self._places.at(caller, decoder.opaque(MOST_HANDLE_BYTES))
        decoder.take(12)  # which part of it: it is all the same work
        content = place.volume.content(place.node)

        def done(status: Status) -> None:
            results = changed(status, place)
            answer(results + self._verifier if status is Status.OK else results)

        self._workers.sync(content, done)


def _refuse_other_handles(arguments: memoryview) -> None:
    """Make sure that a handle is as long as ours, so that what follows it has its place."""
    if arguments[:4] != _OUR_HANDLE:
        XdrDecoder(arguments).opaque(MOST_HANDLE_BYTES)
        raise NfsError(Status.BADHANDLE)


def _read_arguments(arguments: memoryview) -> tuple[bytes, int, int]:
    _refuse_other_handles(arguments)
    try:
        _, handle, offset, count = _READ.unpack_from(arguments)
    except struct.error as error:
        raise XdrError(str(error)) from error
    return handle, offset, count


def _write_arguments(arguments: memoryview) -> tuple[bytes, int, int, int, memoryview]:
    _refuse_other_handles(arguments)
    try:
        _, handle, offset, count, stable, data_bytes = _WRITE.unpack_from(arguments)
    except struct.error as error:
        raise XdrError(str(error)) from error
    data = arguments[_WRITE.size : _WRITE.size + count]
    if stable > Stability.FILE_SYNC or data_bytes != count or len(data) != count:
        raise XdrError(f"{len(data)} bytes where {count} were announced")
    if count > MOST_TRANSFER_BYTES:
        raise NfsError(Status.INVAL, "more than one WRITE may bring")
    return handle, offset, count, stable, data
