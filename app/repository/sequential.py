"""Reading ahead for whoever reads a disk piece by piece, one request after the other."""

from collections.abc import Generator, Iterator
from typing import Final

from app.core.disks import ReadRequest
from app.domain.errors import OperationalError
from app.repository.sidebyside import WINDOW, SideBySide

_PIECE_BYTES: Final = 128 * 1024
_BEGINS_AFTER_BYTES: Final = 512 * 1024
_BEGINS_AFTER_REQUESTS: Final = 3
"""So many bytes and requests in one run are no accident: who reads at random, or with several readers in turn,
hardly ever pays for what they do not want."""


class SequentialAhead:
    """Notices that requests follow each other, and has what comes next decoded before it is asked for.

    What was read ahead and is not wanted is dropped. Thread: one at a time.
    """

    def __init__(self, beside: SideBySide, capacity_bytes: int) -> None:
        self._beside = beside
        self._capacity_bytes = capacity_bytes
        self._pieces: Generator[ReadRequest, None, None] | None = None
        self._piece: ReadRequest | None = None
        self._next_offset = self._run_bytes = self._run_requests = 0

    def fill(self, request: ReadRequest) -> bool:
        """Fill a request from what was read ahead; False: it was not, and the caller has to."""
        if request.offset != self._next_offset:
            self.stop()
            self._begin_run()
        filled = self._pieces is not None and self._fill(request)
        self._next_offset = request.offset + len(request.buffer)
        self._run_bytes += len(request.buffer)
        self._run_requests += 1
        is_run = self._run_bytes >= _BEGINS_AFTER_BYTES and self._run_requests >= _BEGINS_AFTER_REQUESTS
        if self._pieces is None and is_run:
            self._pieces = self._beside.in_order(self._requests(self._next_offset))
        return filled

    def _begin_run(self) -> None:
        self._run_bytes = self._run_requests = 0

    def stop(self) -> None:
        """Forget what was read ahead."""
        self._piece = None
        if self._pieces is not None:
            self._pieces.close()
            self._pieces = None

    def _fill(self, request: ReadRequest) -> bool:
        position, end = request.offset, request.offset + len(request.buffer)
        while position < end:
            piece = self._piece_at(position)
            if piece is None:
                return False
            inside = position - piece.offset
            part = piece.buffer[inside : inside + end - position]
            request.buffer[position - request.offset :][: len(part)] = part
            position += len(part)
        return True

    def _piece_at(self, position: int) -> ReadRequest | None:
        """Return the piece that holds a place, None when it cannot be had."""
        piece = self._piece
        if piece is None or position >= piece.offset + len(piece.buffer):
            assert self._pieces is not None
            try:
                piece = self._piece = next(self._pieces, None)
            except OperationalError:  # perhaps of bytes that nobody asks for
                piece = None
            if piece is None:
                self.stop()
                self._begin_run()
        return piece

    def _requests(self, start: int) -> Iterator[ReadRequest]:
        buffers = [memoryview(bytearray(_PIECE_BYTES)) for _ in range(WINDOW + 2)]
        number = 0
        while start < self._capacity_bytes:
            end = min((start // _PIECE_BYTES + 1) * _PIECE_BYTES, self._capacity_bytes)
            yield ReadRequest(start, buffers[number % len(buffers)][: end - start])
            start, number = end, number + 1
