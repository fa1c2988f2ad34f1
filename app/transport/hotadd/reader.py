"""Reading a disk that is attached to the VM that this program runs in."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.transport.hotadd.held import HeldDisk
from app.transport.hotadd.input import DirectInput
from app.transport.options import TransportOptions
from app.transport.reasons import READ_TOO_SLOW

READ_TIMEOUT_S: Final = 120.0
"""For one read of a local device: longer than a SCSI timeout of 30 s with its retries."""


class HotAddReader:
    """A disk that is attached for as long as it is open.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(self, held: HeldDisk, *, options: TransportOptions, cancel: CancelToken) -> None:
        """Open the device of an attached disk, which is this reader's from now on.

        Raises:
            OperationalError: it cannot be read like that; it is not attached any more.
        """
        self._held = held
        self._options = options
        self._cancel = cancel
        self._file: DirectInput | None = None
        with held.opening(self.close):
            self._file = DirectInput(held.device, held.disk.capacity_bytes)
            held.refuse_other_size(self._file.size_bytes())

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._held.disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel: HOTADD."""
        return self._held.attempt.mode

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return self._options.window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several in flight, and yield each, in order, when it is filled.

        Raises:
            DiskAccessFailed: the disk cannot be read.
            ValueError: a request reaches beyond the capacity, or the disk is closed.
            TaskCancelled: the task was cancelled.
        """
        if self._file is None:
            raise ValueError("the disk is closed")
        reading = self._file.read_many(
            requests,
            window=self.window,
            budget_bytes=self._options.transfer_buffer_bytes,
            patience_s=READ_TIMEOUT_S,
            cancel=self._cancel,
        )
        with closing(reading):
            while True:
                try:
                    request = next(reading, None)
                except OSError as error:
                    raise self._held.failure(error, READ_TOO_SLOW.fill(seconds=f"{READ_TIMEOUT_S:g}")) from error
                if request is None:
                    return
                yield request

    def allocated_extents(self) -> list[Extent] | None:
        """Return None: a block device does not show which sectors were ever written."""
        return None

    def close(self) -> None:
        """Close the device, let the guest forget it, and detach the disk; never raises."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._held.detach()
