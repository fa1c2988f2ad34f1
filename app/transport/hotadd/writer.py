"""Writing a disk that is attached to the VM that this program runs in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.core.cancel import CancelToken
from app.domain.messages import Message
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.transport.ahead import check_on_disk
from app.transport.hotadd.held import HeldDisk
from app.transport.hotadd.output import DirectOutput
from app.transport.options import TransportOptions
from app.transport.reasons import EARLIER_WRITES_LOST, WRITE_TOO_SLOW

WRITE_TIMEOUT_S: Final = 300.0
"""For one write to a local device: longer than a SCSI timeout of 30 s with its retries, as storage may be slow."""


class HotAddWriter:
    """A disk that is attached, writable, for as long as it is open.

    A write that fails is not sent again, for the kernel has done that: the disk counts as not written, and every
    further write fails.

    Thread: one at a time.
    """

    def __init__(self, held: HeldDisk, *, options: TransportOptions, cancel: CancelToken) -> None:
        """Open the device of an attached disk, which is this writer's from now on.

        Raises:
            OperationalError: it cannot be written like that; it is not attached any more.
            TaskCancelled: cancelled meanwhile; likewise.
        """
        self._held = held
        self._options = options
        self._cancel = cancel
        self._lost: Message | None = None
        self._output: DirectOutput | None = None
        with held.opening(self.close):
            self._output = DirectOutput(held.device, held.disk.capacity_bytes, cancel)
            held.refuse_other_size(self._output.size_bytes())

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._held.disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: HOTADD."""
        return self._held.attempt.mode

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; ``data`` has to stay unchanged until :meth:`flush` returns.

        Raises:
            DiskAccessFailed: the disk cannot be written.
            ValueError: the range reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        view = memoryview(data).cast("B")
        check_on_disk(offset, offset + len(view), self.capacity_bytes)
        with self._usable() as output:
            output.write(
                offset,
                view,
                budget_bytes=self._options.transfer_buffer_bytes,
                patience_s=WRITE_TIMEOUT_S,
                cancel=self._cancel,
            )

    def flush(self) -> None:
        """Wait until everything written is on the disk.

        Raises:
            DiskAccessFailed: something is not.
            ValueError: the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        with self._usable() as output:
            output.flush(patience_s=WRITE_TIMEOUT_S, cancel=self._cancel)

    @contextmanager
    def _usable(self) -> Iterator[DirectOutput]:
        """Give the device, unless something written to it was lost; a failure inside the block loses it."""
        if self._output is None:
            raise ValueError("the disk is closed")
        if self._lost is not None:
            raise self._held.attempt.failed(EARLIER_WRITES_LOST.fill(reason=self._lost))
        self._cancel.check()
        try:
            yield self._output
        except OSError as error:
            failed = self._held.failure(error, WRITE_TOO_SLOW.fill(seconds=f"{WRITE_TIMEOUT_S:g}"))
            self._lost = reason_of(failed)
            raise failed from error

    def close(self) -> None:
        """Let the guest forget the device, close it, and detach the disk; never raises.

        The guest forgets it first: a device that is closed after writing is looked at anew by udev, which may find
        volume groups or arrays of the restored VM and let this system use them. Unflushed writes may be lost.
        """
        output, self._output = self._output, None
        self._held.let_go()
        if output is not None:
            output.close()
        self._held.detach()
