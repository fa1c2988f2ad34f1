"""Reading a disk's plain file over HTTPS (protocols page *vSphere facts*, "Reading without VDDK over HTTPS").

Several keep-alive connections carry one range each; they are read in the order of the requests, while the
others fill their sockets' buffers. What cannot be read this way is refused at once, with the reason: deltas of
snapshots, encrypted disks, disks of object stores, formats other than a plain file.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from app.core.access import DatastoreFiles, DiskAddress, FilesOfVms
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.patience import Patience
from app.core.tasklog import TaskLog
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.domain.words import Done
from app.transport import descriptor
from app.transport.ahead import Pull, ReadAhead
from app.transport.attempt import Attempt
from app.transport.chain.descriptor import LONGEST_BYTES, DiskDescriptor, is_descriptor
from app.transport.chain.layers import ChainUnreadable
from app.transport.datastore_file import DatastoreFile
from app.transport.errors import DiskSizeDiffers, FileNotReadable, LinkFailure, MalformedAnswer
from app.transport.http_range import RangeConnection, UnexpectedStatus
from app.transport.options import TransportOptions
from app.transport.reasons import IS_DELTA, IS_ENCRYPTED


class HttpsReader:
    """A disk that is open for reading over HTTPS.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(
        self,
        files: DatastoreFiles,
        disk: DiskAddress,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
        patience: Patience | None = None,
    ) -> None:
        """Find the disk's file and look whether ranges of it can be fetched.

        Raises:
            OperationalError: they cannot.
            TaskCancelled: cancelled meanwhile.
        """
        self._disk = disk
        self._options = options
        self._cancel = cancel
        self._attempt = Attempt(path=disk.path, mode=TransportMode.HTTPS, operation=Done.READ)
        self._fetches: deque[_Fetch] = deque()
        self._reading = False
        self._closed = False
        if disk.is_encrypted:
            raise self._attempt.error(FileNotReadable, detail=IS_ENCRYPTED)
        if disk.is_delta or descriptor.looks_like_delta(disk.path):
            raise self._attempt.error(FileNotReadable, detail=IS_DELTA)

        of_vm = files.files_of(disk.vm) if isinstance(files, FilesOfVms) else files

        def file(path: str) -> DatastoreFile:
            return DatastoreFile(
                of_vm, path, self._attempt, options=options, log=log, cancel=cancel, patience=patience
            )

        self._file = file(self._find_data(file(disk.path)))
        try:
            _, file_bytes = self._file.fetch_start(memoryview(bytearray(1)))
            self._check_size(file_bytes)
        except BaseException:
            self.close()
            raise

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: HTTPS."""
        return self._attempt.mode

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return self._options.https_connections

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
            while True:
                self._ask_ahead(ahead)
                if not ahead.pulled:
                    return
                self._complete(self._fetches[0])
                self._fetches.popleft()
                yield ahead.pulled.popleft().finish()
        finally:
            self._reading = False
            self._abandon()

    def allocated_extents(self) -> list[Extent] | None:
        """Return None: a plain file does not show over HTTPS where its holes are."""
        return None

    def close(self) -> None:
        """Close all connections; never raises."""
        self._closed = True
        self._abandon()
        self._file.close()

    def _find_data(self, descriptor_file: DatastoreFile) -> str:
        """Return the datastore path of the file that holds the disk's bytes."""
        path = self._disk.path
        try:
            text = _fetch_descriptor(descriptor_file)
            if text is None:
                return descriptor.sibling(path, descriptor.flat_name(path))
            extent = descriptor.FlatExtent.of(DiskDescriptor.parse(path, text))
        except ChainUnreadable as reason:
            raise self._attempt.error(FileNotReadable, detail=reason) from reason
        finally:
            descriptor_file.close()
        self._check_size(extent.length_bytes)
        return descriptor.sibling(path, extent.file_name)

    def _check_size(self, actual_bytes: int) -> None:
        if actual_bytes != self.capacity_bytes:
            raise self._attempt.error(
                DiskSizeDiffers, actual_bytes=actual_bytes, expected_bytes=self.capacity_bytes
            )

    def _ask_ahead(self, ahead: ReadAhead) -> None:
        open_bytes = sum(fetch.pull.missing_bytes for fetch in self._fetches)
        while (pull := ahead.next_within(open_bytes)) is not None:
            open_bytes += pull.missing_bytes
            fetch = _Fetch(pull)
            self._fetches.append(fetch)
            try:
                fetch.ask(self._file)
            except LinkFailure:
                continue  # it is asked again, with the patience that is due, when its turn comes

    def _complete(self, fetch: "_Fetch") -> None:
        """Take the answer to the oldest request, over as many connections as it needs.

        Raises:
            OperationalError, TaskCancelled: it cannot be had.
        """
        while fetch.pull.missing_bytes:
            try:
                fetch.ask(self._file)
                fetch.receive(self._file, self.capacity_bytes)
            except (LinkFailure, MalformedAnswer, UnexpectedStatus) as failure:
                connection, fetch.connection = fetch.connection, None
                self._file.overcome(failure, connection)

    def _abandon(self) -> None:
        """Close the connections whose answers no one waits for any more."""
        while self._fetches:
            self._fetches.popleft().close()


def _fetch_descriptor(file: DatastoreFile) -> str | None:
    """Return a disk's descriptor, or None where the server does not give it out as a file."""
    buffer = memoryview(bytearray(LONGEST_BYTES))
    try:
        size, file_bytes = file.fetch_start(buffer)
    except FileNotReadable:
        return None
    text = bytes(buffer[:size]).decode("utf-8", "replace")
    return text if size == file_bytes and is_descriptor(text) else None


class _Fetch:
    """A request on its way, and the connection that carries it."""

    def __init__(self, pull: Pull) -> None:
        self.pull = pull
        self.connection: RangeConnection | None = None

    def ask(self, file: DatastoreFile) -> None:
        """Ask for what is missing, unless that is under way."""
        if self.connection is None and self.pull.missing_bytes:
            self.connection = file.ask(self._position, self.pull.missing_bytes)

    def receive(self, file: DatastoreFile, capacity_bytes: int) -> None:
        """Receive what was asked for, and give the connection back."""
        connection = self.connection
        assert connection is not None
        missing = self.pull.missing_bytes
        head = connection.receive_head(self._position, missing)
        if head.length_bytes != missing or head.file_bytes != capacity_bytes:
            raise MalformedAnswer(
                f"{head.length_bytes} bytes of a file of {head.file_bytes} where {missing} bytes of "
                f"{capacity_bytes} were asked"
            )
        view = self.pull.view[len(self.pull.view) - missing :]
        while view:
            count = connection.receive_body(view)
            self.pull.missing_bytes -= count
            view = view[count:]
        file.give_back(connection, head)
        self.connection = None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    @property
    def _position(self) -> int:
        """Where on the disk the next missing byte is."""
        return self.pull.offset + len(self.pull.view) - self.pull.missing_bytes
