"""From the name of an export to open files: the port mapper, the mount, and the way down the directories."""

import contextlib
import socket
from collections.abc import Callable
from typing import Final, TypeVar

from app.core.access import NfsFile
from app.core.cancel import CancelToken
from app.core.nfs3 import MOUNT, NFS, PORTMAP_PORT, FileType, Status
from app.core.oncrpc import NO_CREDENTIAL, CallRefused, Procedure, SysCredential
from app.core.tasklog import TaskLog
from app.core.xdr import XdrError
from app.domain.errors import DiskAccessFailed
from app.transport.attempt import Attempt, Recovery
from app.transport.errors import (
    ExportRefused,
    FileNotReadable,
    LinkFailure,
    LinkUnreachable,
    MalformedAnswer,
    PortBlocked,
    ProtocolViolated,
)
from app.transport.nfs import wire
from app.transport.nfs.rpc import Record, RpcConnection
from app.transport.nfs.wire import NfsRefusal
from app.transport.options import MIB, TransportOptions
from app.transport.reasons import NFS_ANSWERED, NFS_NOT_OFFERED, NO_SUCH_FILE

T = TypeVar("T")
_MOST_READ_BYTES: Final = MIB
_NOT_ALLOWED: Final = frozenset({Status.PERM, Status.ACCES})
_GONE: Final = frozenset({Status.NOENT, Status.STALE, Status.BADHANDLE})


class OpenNfsFile:
    """A file of an export; fulfils :class:`app.transport.chain.layers.DataFile`.

    Thread: one at a time.

    Attributes:
        handle: what the server calls it.
    """

    def __init__(self, export: "NfsExport", name: str, handle: bytes, size_bytes: int) -> None:
        self._export = export
        self.name = name
        self.handle = handle
        self.size_bytes = size_bytes

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return exactly so many bytes; meant for small pieces.

        Raises:
            DiskAccessFailed: they cannot be had.
            TaskCancelled: cancelled meanwhile.
        """
        data = bytearray(length_bytes)
        view, done = memoryview(data), 0
        while done < length_bytes:
            wanted = view[done : done + self._export.most_read_bytes]
            done += self._export.read_into(self.handle, offset + done, wanted)
        return bytes(data)


class NfsExport:
    """One export of an NFS server, mounted for reading.

    What is asked here is asked one after the other, over a connection that is made again when it breaks. Handles
    stay the same over that, as NFS 3 has no state.

    Thread: one at a time.

    Attributes:
        host: the server that answered.
        port: of its NFS program.
        most_read_bytes: how much one READ may ask for.
    """

    def __init__(
        self,
        place: NfsFile,
        attempt: Attempt,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> None:
        """Mount it.

        Raises:
            DiskAccessFailed: no server gives it out.
            TaskCancelled: cancelled meanwhile.
        """
        self._place = place
        self._attempt = attempt
        self._options = options
        self._cancel = cancel
        self._recovery = Recovery(attempt, options.reconnect, log, cancel)
        self._connection: RpcConnection | None = None
        self.credential = SysCredential(machine=socket.gethostname()).encode()
        self.host, self._root = self._mount_first()
        self.port = self._port(NFS)
        self.most_read_bytes = self._most_read_bytes()

    def connect(self) -> RpcConnection:
        """Return another connection to the NFS program, which belongs to the caller.

        Raises:
            LinkFailure: nobody answers.
            TaskCancelled: cancelled meanwhile.
        """
        return RpcConnection.connect(self.host, self.port, self.credential, self._options, self._cancel)

    def open(self, path: str) -> OpenNfsFile:
        """Open a file.

        Raises:
            DiskAccessFailed: it is not there, or cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        handle = self._root
        for name in filter(None, path.split("/")):
            request = wire.lookup_request(handle, name)
            handle = self._ask(wire.LOOKUP, request, wire.found)
        found = self._ask(wire.GETATTR, wire.handle_request(handle), wire.facts)
        name = path.rpartition("/")[2]
        if found.kind != FileType.REGULAR:
            raise self._attempt.error(FileNotReadable, detail=NO_SUCH_FILE.fill(file=name))
        return OpenNfsFile(self, name, handle, found.size_bytes)

    def read_into(self, handle: bytes, offset: int, target: memoryview) -> int:
        """Read once, at least a byte, and return how many.

        Raises:
            DiskAccessFailed: it cannot be read.
            TaskCancelled: cancelled meanwhile.
        """

        def take(record: Record) -> int:
            head = wire.ReadHead.decode(record)
            if not 0 < head.count <= len(target):
                raise XdrError(f"{head.count} bytes where {len(target)} were asked")
            record.take_into(target[: head.count])
            return head.count

        return self._ask(wire.READ, wire.read_request(handle, offset, len(target)), take)

    def refused(self, refusal: NfsRefusal | CallRefused) -> DiskAccessFailed:
        """Return the error for what the server refused."""
        detail = NFS_ANSWERED.fill(details=str(refusal))
        status = refusal.status if isinstance(refusal, NfsRefusal) else None
        is_denied = isinstance(refusal, CallRefused) and refusal.is_about_credentials
        if is_denied or status in _NOT_ALLOWED:
            return self._attempt.error(ExportRefused, host=self.host, export=self._place.export, detail=detail)
        if status in _GONE:
            name = self._place.path.rpartition("/")[2]
            return self._attempt.error(FileNotReadable, detail=NO_SUCH_FILE.fill(file=name))
        return self._attempt.failed(detail)

    def close(self) -> None:
        """Close the connection; never raises. Mounts are only the server's notes, and need no end."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ---- the beginning ---------------------------------------------------------------------------------------

    def _mount_first(self) -> tuple[str, bytes]:
        """Mount from the first server that answers; return which, and the root."""
        failure: DiskAccessFailed | None = None
        for host in self._place.servers:
            self.host = host
            try:
                return host, self._mount()
            except DiskAccessFailed as error:
                failure = failure or error
        raise failure or self._attempt.failed(NFS_NOT_OFFERED.fill(host="?"))

    def _mount(self) -> bytes:
        port = self._port(MOUNT)
        request = wire.path_request(self._place.export)
        return self._once(port, wire.MOUNT_MNT, request, wire.mounted_root)

    def _port(self, program: int) -> int:
        port = self._once(PORTMAP_PORT, wire.GETPORT, wire.port_request(program, 3), lambda record: record.u32())
        if not 0 < port < 1 << 16:
            raise self._attempt.failed(NFS_NOT_OFFERED.fill(host=self.host))
        return port

    def _once(self, port: int, procedure: Procedure, request: bytes, take: Callable[[Record], T]) -> T:
        """Ask a program over a connection of its own."""
        credential = NO_CREDENTIAL if port == PORTMAP_PORT else self.credential
        try:
            connection = RpcConnection.connect(self.host, port, credential, self._options, self._cancel)
            with contextlib.closing(connection):
                return self._taken(connection.ask(procedure, request), take)
        except LinkUnreachable as failure:
            raise self._attempt.error(PortBlocked, host=self.host, port=port, detail=failure) from failure
        except LinkFailure as failure:
            raise self._attempt.failed(failure) from failure
        except MalformedAnswer as error:
            raise self._attempt.error(ProtocolViolated, detail=error) from error
        except (NfsRefusal, CallRefused) as refusal:
            raise self.refused(refusal) from refusal

    def _most_read_bytes(self) -> int:
        most = self._ask(wire.FSINFO, wire.handle_request(self._root), wire.most_read_bytes)
        return max(512, min(_MOST_READ_BYTES, most) // 512 * 512)

    # ---- asking ----------------------------------------------------------------------------------------------

    def _ask(self, procedure: Procedure, request: bytes, take: Callable[[Record], T]) -> T:
        """Ask, as often as the connection breaks and the server wants to be asked later."""
        while True:
            try:
                if self._connection is None:
                    self._connection = self.connect()
                result = self._taken(self._connection.ask(procedure, request), take)
            except LinkFailure as failure:
                self.close()
                self._recovery.pause_after(failure)
            except NfsRefusal as refusal:
                if not refusal.may_pass:
                    raise self.refused(refusal) from refusal
                self._recovery.pause_after(refusal)
            except CallRefused as refusal:
                raise self.refused(refusal) from refusal
            except MalformedAnswer as error:
                self.close()
                raise self._attempt.error(ProtocolViolated, detail=error) from error
            except BaseException:
                self.close()
                raise
            else:
                self._recovery.progressed()
                return result

    @staticmethod
    def _taken(record: Record, take: Callable[[Record], T]) -> T:
        try:
            result = take(record)
        except NfsRefusal:
            record.pass_over()
            raise
        except XdrError as error:
            raise MalformedAnswer(str(error)) from error
        try:
            record.pass_over()
        except XdrError as error:
            raise MalformedAnswer(str(error)) from error
        return result
