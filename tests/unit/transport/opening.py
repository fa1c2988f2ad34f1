"""Opening disks in tests: quick options, and readers and writers that are always closed."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.access import AccessMode, DiskAddress, NfcTickets
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.retry import RetryPolicy
from app.core.tasklog import TaskLog
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.transport.nfc.channel import NfcChannel
from app.transport.nfc.dialer import NfcDialer
from app.transport.nfc.reader import NfcReader
from app.transport.nfc.writer import NfcWriter
from app.transport.options import Compression, TransportOptions
from tests.support.fakes import NullTaskLog

BOTH_MODES = (TransportMode.NFC, TransportMode.NFC_SSL)


def options(
    *,
    transfer_buffer_bytes: int = 1 << 20,
    compression: Compression = Compression.NONE,
    answer_timeout_s: float = 10.0,
    attempts: int = 3,
) -> TransportOptions:
    """Return options that fail fast."""
    return TransportOptions(
        transfer_buffer_bytes=transfer_buffer_bytes,
        compression=compression,
        connect_timeout_s=5.0,
        handshake_timeout_s=min(5.0, answer_timeout_s),
        answer_timeout_s=answer_timeout_s,
        close_timeout_s=0.3,
        reconnect=RetryPolicy(attempts=attempts, first_delay_s=0.01, longest_s=0.01),
    )


def channel(
    tickets: NfcTickets,
    disk: DiskAddress,
    *,
    access: AccessMode = AccessMode.READ,
    mode: TransportMode = TransportMode.NFC,
    tuned: TransportOptions | None = None,
    log: TaskLog | None = None,
    cancel: CancelToken | None = None,
) -> NfcChannel:
    """Open a disk."""
    return NfcChannel(
        NfcDialer(
            tickets,
            disk,
            access,
            mode,
            options=tuned or options(),
            log=log or NullTaskLog(),
            cancel=cancel or CancelToken(),
        )
    )


@contextmanager
def reading(
    tickets: NfcTickets,
    disk: DiskAddress,
    *,
    mode: TransportMode = TransportMode.NFC,
    tuned: TransportOptions | None = None,
    log: TaskLog | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[NfcReader]:
    """Open a disk for reading, and close it."""
    reader = NfcReader(channel(tickets, disk, mode=mode, tuned=tuned, log=log, cancel=cancel))
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def writing(
    tickets: NfcTickets,
    disk: DiskAddress,
    *,
    mode: TransportMode = TransportMode.NFC,
    tuned: TransportOptions | None = None,
    log: TaskLog | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[NfcWriter]:
    """Open a disk for writing, and close it."""
    writer = NfcWriter(
        channel(tickets, disk, access=AccessMode.WRITE, mode=mode, tuned=tuned, log=log, cancel=cancel)
    )
    try:
        yield writer
    finally:
        writer.close()


def requests(extents: list[Extent]) -> list[ReadRequest]:
    """Return a request with a buffer of its own for each extent."""
    return [
        ReadRequest(extent.start, memoryview(bytearray(b"\xcc" * extent.length_bytes)), tag=index)
        for index, extent in enumerate(extents)
    ]


def whole(capacity_bytes: int, step_bytes: int) -> list[Extent]:
    """Cut a disk into equal extents."""
    return [
        Extent(start, min(step_bytes, capacity_bytes - start)) for start in range(0, capacity_bytes, step_bytes)
    ]


def read_bytes(reader: NfcReader, offset: int, length_bytes: int) -> bytes:
    """Read one range."""
    (request,) = reader.read_many(requests([Extent(offset, length_bytes)]))
    return bytes(request.buffer)
