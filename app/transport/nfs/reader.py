"""Reading a disk from the NFS server of its datastore, several reads in flight.

The disk is read as its files are, through all parents of the snapshot that froze it. The ESXi hosts do not know of
it: what keeps the files still is the snapshot alone, or that the VM is switched off.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from app.core.access import DiskAddress, NfsDatastores, NfsFile
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.oncrpc import CallRefused
from app.core.tasklog import TaskLog
from app.core.xdr import XdrError, padding
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport.ahead import Pull, ReadAhead
from app.transport.attempt import Attempt, Recovery
from app.transport.chain.chain import ChainOpener, DiskChain, beside
from app.transport.chain.layers import ChainUnreadable, DataFile
from app.transport.errors import (
    DiskSizeDiffers,
    FileNotReadable,
    LinkClosed,
    LinkFailure,
    MalformedAnswer,
    ModeNotOffered,
    ProtocolViolated,
)
from app.transport.nfs import wire
from app.transport.nfs.export import NfsExport, OpenNfsFile
from app.transport.nfs.rpc import Record, RpcConnection
from app.transport.nfs.wire import NfsRefusal, ReadHead
from app.transport.options import TransportOptions
from app.transport.reasons import IS_ENCRYPTED, NOT_ON_NFS, PARENT_ELSEWHERE

_VOLUMES: Final = "/vmfs/volumes/"


class _Awaited:
    """A piece of a request that the server was asked for."""

    __slots__ = ("file", "offset", "pull", "view")

    def __init__(self, pull: Pull, view: memoryview, file: OpenNfsFile, offset: int) -> None:
        self.pull = pull
        self.view = view
        self.file = file
        self.offset = offset

    def rest(self, done: int) -> "_Awaited":
        """Return what is left after some bytes came."""
        return _Awaited(self.pull, self.view[done:], self.file, self.offset + done)


class NfsReader:
    """A disk that is open for reading over NFS 3.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(
        self,
        datastores: NfsDatastores,
        disk: DiskAddress,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> None:
        """Find the disk's files on the server, and read their headers.

        Raises:
            OperationalError: it cannot be read like that.
            TaskCancelled: cancelled meanwhile.
        """
        self._attempt = Attempt(path=disk.path, mode=TransportMode.NFS, operation=Done.READ)
        self._options = options
        self._cancel = cancel
        self._disk = disk
        self._recovery = Recovery(self._attempt, options.reconnect, log, cancel)
        self._awaited: dict[int, _Awaited] = {}
        self._connection: RpcConnection | None = None
        self._open_bytes = 0
        self._reading = self._closed = False
        place = self._place(datastores)
        self._export = NfsExport(place, self._attempt, options=options, log=log, cancel=cancel)
        try:
            self._chain = self._open_chain(place)
        except BaseException:
            self._export.close()
            raise

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: NFS."""
        return self._attempt.mode

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return self._options.window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several in flight, and yield each, in order, when it is filled.

        Raises:
            DiskAccessFailed: the disk cannot be read, after reconnecting was tried.
            ValueError: a request reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        if self._reading:
            raise RuntimeError("the disk is being read already")
        if self._closed:
            raise ValueError("the disk is closed")
        ahead = ReadAhead(
            requests,
            capacity_bytes=self.capacity_bytes,
            window=self.window,
            budget_bytes=self._options.transfer_buffer_bytes,
            cancel=self._cancel,
        )
        self._reading = True
        try:
            yield from ahead.filled(lambda: self._ask_ahead(ahead), self._receive_or_recover)
        finally:
            self._reading = False
            if self._awaited:  # no one wants these answers any more
                self._hang_up()

    def allocated_extents(self) -> list[Extent] | None:
        """Return None: NFS 3 does not show where a file's holes are."""
        return None

    def close(self) -> None:
        """Close all connections; never raises."""
        self._closed = True
        self._hang_up()
        self._export.close()

    # ---- opening ---------------------------------------------------------------------------------------------

    def _place(self, datastores: NfsDatastores) -> NfsFile:
        if self._disk.is_encrypted:
            raise self._attempt.error(FileNotReadable, detail=IS_ENCRYPTED)
        place = datastores.nfs_file(self._disk.vm, self._disk.path)
        if place is None:
            datastore = self._disk.path.partition("] ")[0].removeprefix("[")
            raise self._attempt.error(ModeNotOffered, detail=NOT_ON_NFS.fill(datastore=datastore))
        return place

    def _open_chain(self, place: NfsFile) -> DiskChain:
        def resolve(child: str, hint: str) -> str:
            return parent_path(place, child, hint)

        try:
            chain = ChainOpener(self._export.open, resolve).open(place.path)
        except ChainUnreadable as reason:
            raise self._attempt.error(FileNotReadable, detail=reason) from reason
        if chain.capacity_bytes != self.capacity_bytes:
            raise self._attempt.error(
                DiskSizeDiffers, actual_bytes=chain.capacity_bytes, expected_bytes=self.capacity_bytes
            )
        return chain

    # ---- reading ---------------------------------------------------------------------------------------------

    def _ask_ahead(self, ahead: ReadAhead) -> None:
        while (pull := ahead.next_within(self._open_bytes)) is not None:
            pieces = list(self._pieces(pull))
            self._open_bytes += sum(len(piece.view) for piece in pieces)
            self._send_or_recover(pieces)

    def _pieces(self, pull: Pull) -> Iterator[_Awaited]:
        """Fill what is zeros, and yield what the server has to be asked for."""
        position = 0
        try:
            for place in self._chain.places(pull.offset, pull.offset + len(pull.view)):
                view = pull.view[position : position + place.length_bytes]
                position += place.length_bytes
                if place.file is None:
                    view[:] = bytes(len(view))
                    pull.missing_bytes -= len(view)
                else:
                    yield from self._cut(pull, view, place.file, place.file_offset)
        except ChainUnreadable as reason:
            raise self._attempt.error(FileNotReadable, detail=reason) from reason

    def _cut(self, pull: Pull, view: memoryview, file: DataFile, offset: int) -> Iterator[_Awaited]:
        assert isinstance(file, OpenNfsFile)
        longest = self._export.most_read_bytes
        for start in range(0, len(view), longest):
            yield _Awaited(pull, view[start : start + longest], file, offset + start)

    def _send_or_recover(self, pieces: list[_Awaited]) -> None:
        try:
            self._send(pieces)
        except LinkFailure as failure:
            self._recover(failure, pieces)

    def _send(self, pieces: list[_Awaited]) -> None:
        """Ask for pieces, and take out of the list what was sent."""
        while pieces:
            if self._connection is None:
                self._connection = self._export.connect()
            piece = pieces[0]
            request = wire.read_request(piece.file.handle, piece.offset, len(piece.view))
            self._awaited[self._connection.send(wire.READ, request)] = piece
            del pieces[0]

    def _receive_or_recover(self) -> None:
        try:
            self._receive()
        except LinkFailure as failure:
            self._recover(failure, [])
        except MalformedAnswer as error:
            self._hang_up()
            raise self._attempt.error(ProtocolViolated, detail=error) from error
        except BaseException:
            self._hang_up()
            raise

    def _receive(self) -> None:
        missing, refusal = self._receive_reply()
        if refusal is not None:
            if not refusal.may_pass:
                raise self._export.refused(refusal) from refusal
            self._recovery.pause_after(refusal)
        if missing is not None:
            self._send_or_recover([missing])

    def _receive_reply(self) -> tuple[_Awaited | None, NfsRefusal | None]:
        """Take one reply from the connection; return what has to be asked again, and why the server refused it.

        Raises:
            DiskAccessFailed: the server does not carry out calls.
            LinkFailure, MalformedAnswer, TaskCancelled: the connection is of no use any more.
        """
        if self._connection is None:
            raise LinkFailure("no connection")
        try:
            xid, record = self._connection.receive()
        except CallRefused as refusal:
            raise self._export.refused(refusal) from refusal
        awaited = self._awaited.pop(xid, None)
        if awaited is None:
            raise MalformedAnswer(f"a reply to call {xid}, which was not sent")
        try:
            count = self._take(awaited, record)
        except NfsRefusal as refusal:
            return awaited, refusal
        except BaseException as error:
            self._awaited[xid] = awaited
            if isinstance(error, XdrError):
                raise MalformedAnswer(str(error)) from error
            raise
        self._open_bytes -= count
        awaited.pull.missing_bytes -= count
        self._recovery.progressed()
        return (awaited.rest(count) if count < len(awaited.view) else None), None

    @staticmethod
    def _take(awaited: _Awaited, record: Record) -> int:
        """Receive the data into its place; return how much came."""
        try:
            head = ReadHead.decode(record)
        except NfsRefusal:
            record.pass_over()
            raise
        if not 0 < head.count <= len(awaited.view):
            raise XdrError(f"{head.count} bytes where {len(awaited.view)} were asked")
        record.take_into(awaited.view[: head.count])
        record.take(padding(head.count))
        record.pass_over()
        return head.count

    def _recover(self, failure: LinkFailure, unsent: list[_Awaited]) -> None:
        """Connect again and ask for everything that is missing.

        Raises:
            DiskAccessFailed: that does not work.
            TaskCancelled: cancelled meanwhile.
        """
        missing = unsent
        while True:
            missing = [*self._take_what_came(failure), *missing]
            self._hang_up()
            self._open_bytes = sum(len(piece.view) for piece in missing)
            try:
                self._recovery.pause_after(failure)
                if self._disk.has_moved():
                    raise self._attempt.failed(failure) from failure
                self._send(missing)
            except LinkFailure as again:
                failure = again
            else:
                return

    def _take_what_came(self, failure: LinkFailure) -> list[_Awaited]:
        """Take the replies that came before the connection ended; return what has to be asked again.

        Whoever sends learns of the end first. Without this, a server that ends connections often would seem to
        answer nothing at all.
        """
        missing = []
        if isinstance(failure, LinkClosed):  # so nothing here waits
            with contextlib.suppress(LinkFailure, MalformedAnswer):
                while self._awaited:
                    again, _ = self._receive_reply()
                    missing += [again] if again is not None else []
        return [*self._awaited.values(), *missing]

    def _hang_up(self) -> None:
        self._awaited.clear()
        self._open_bytes = 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def parent_path(place: NfsFile, child: str, hint: str) -> str:
    """Return the path of a parent's descriptor on the same export.

    Args:
        place: what the datastore is called on the hosts.
        child: path of the child's descriptor, from the root of the export.
        hint: what the child says of its parent: a name beside it, or a path on a host.

    Raises:
        ChainUnreadable: it lies elsewhere.
    """
    if hint.startswith(_VOLUMES):
        volume, _, path = hint.removeprefix(_VOLUMES).partition("/")
        if volume not in place.volumes or not _is_below(path):
            raise ChainUnreadable(PARENT_ELSEWHERE.fill(path=hint))
        return path
    path = beside(child, hint)
    if not hint or hint.startswith("/") or not _is_below(path):
        raise ChainUnreadable(PARENT_ELSEWHERE.fill(path=hint or "?"))
    return path


def _is_below(path: str) -> bool:
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")
