"""Reads ranges of an overlay over its base, with as few calls as possible. Thread: any, several at once."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.core.disks import ReadRequest
from app.domain.errors import OperationalError
from app.nfs.overlay.base import BaseDisk
from app.nfs.overlay.errors import OverlayDamaged, OverlayUnavailable
from app.nfs.overlay.format import GRAIN_BYTES, RECORD_HEADER_BYTES
from app.nfs.overlay.grainmap import IN_BASE, Positions, is_zero, place_of, segment_of
from app.nfs.overlay.store import GrainStore

_NO_WAIT: Final = getattr(os, "RWF_NOWAIT", None)
_MOST_PARTS: Final = 512
_NEXT_RECORD: Final = GRAIN_BYTES + RECORD_HEADER_BYTES


class OverlayReader:
    """Fills buffers from the log where it has the grains, and from the base where not."""

    def __init__(self, store: GrainStore, base: BaseDisk) -> None:
        self._store = store
        self._base = base
        self._header = memoryview(bytearray(RECORD_HEADER_BYTES))
        """Takes the headers between the grains of records that follow each other; no one reads it."""

    def read(self, requests: Sequence[ReadRequest]) -> None:
        """Fill buffers that are not empty, from within the disk; what the base has of all of them is read at once.

        Raises:
            OperationalError: the base cannot be read.
            OverlayDamaged: a segment is not as long as it was.
            OverlayUnavailable: the standby refused.
        """
        plans = [(request, self._positions(request)) for request in requests]
        self._read_base(plans)
        for request, found in plans:
            if any(found):
                self._read_rest(request, found)

    def _positions(self, request: ReadRequest) -> Positions:
        first = request.offset // GRAIN_BYTES
        end = (request.offset + len(request.buffer) - 1) // GRAIN_BYTES + 1
        return self._store.positions(first, end - first)

    def _read_base(self, plans: Sequence[tuple[ReadRequest, Positions]]) -> None:
        """Read what the base has; of a request that has several parts there also what is between them.

        That is one decoding of what lies together instead of many; what the log has is put over it afterwards.
        """
        wanted = [
            (request, parts)
            for request, found in plans
            if (parts := _parts_in_base(request, found) if any(found) else [request])
        ]
        spans = [_joined(request, parts) for request, parts in wanted]
        if not spans:
            return
        try:
            self._base.read(spans)
        except OperationalError:  # perhaps of bytes that nobody needs any more
            self._base.read([part for _, parts in wanted for part in parts])

    def _read_rest(self, request: ReadRequest, found: Positions) -> None:
        """Fill what the base does not have."""
        try:
            self._fill(request.offset, request.buffer, found)
        except FileNotFoundError as error:  # the segment was emptied and deleted meanwhile
            if self._positions(request) == found:
                raise OverlayDamaged(Path(error.filename), 0, "the segment is missing") from error
            self.read([request])

    def _fill(self, offset: int, view: memoryview, found: Positions) -> None:
        if len(found) == 1 and found[0] and not is_zero(found[0]):
            self._read_log(found[0], offset % GRAIN_BYTES, [view])
            return
        start = 0
        while start < len(found):
            stop = _end_of_run(found, start)
            if found[start] != IN_BASE:
                part = _cut(offset, view, start, stop)
                if is_zero(found[start]):
                    part[:] = bytes(len(part))
                else:
                    skipped = offset % GRAIN_BYTES if start == 0 else 0
                    self._read_log(found[start], skipped, self._parts(found[start:stop], part, skipped))
            start = stop

    def _parts(self, run: Positions, part: memoryview, skipped: int) -> list[memoryview]:
        """Cut a buffer where the header of another record is between two grains."""
        parts: list[memoryview] = []
        begin = 0
        for at in range(1, len(run)):
            if run[at] - run[at - 1] == _NEXT_RECORD:
                end = at * GRAIN_BYTES - skipped
                parts += part[begin:end], self._header
                begin = end
        parts.append(part[begin:])
        return parts

    def _read_log(self, position: int, skipped: int, parts: list[memoryview]) -> None:
        number, place = segment_of(position), place_of(position) + skipped
        files = self._store.files
        try:
            done = (files.known(number) or files.open(number)).read_into(place, parts)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise OverlayUnavailable(f"read {files.path(number)}, byte {place}: {error}") from error
        if done != sum(map(len, parts)):
            raise OverlayDamaged(files.path(number), place + done, "the segment ends here")

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Fill a small buffer where that needs no waiting; return whether it was filled.

        That is so where all of it is in memory, in one piece of the log, or in the base.
        """
        first = offset // GRAIN_BYTES
        count = (offset + len(view) - 1) // GRAIN_BYTES - first + 1
        found = self._store.positions_now(first, count)
        if found is None or _end_of_run(found, 0) < count:
            return False
        if found[0] == IN_BASE:
            return self._base.read_now(offset, view)
        if is_zero(found[0]):
            view[:] = bytes(len(view))
            return True
        file = self._store.files.known(segment_of(found[0]))
        if _NO_WAIT is None or file is None:
            return False
        skipped = offset % GRAIN_BYTES
        parts = self._parts(found, view, skipped)
        try:
            wanted = sum(map(len, parts))
            return os.preadv(file.descriptor, parts, place_of(found[0]) + skipped, _NO_WAIT) == wanted
        except OSError:  # not in memory, or a file system that cannot say
            return False


def _cut(offset: int, view: memoryview, start: int, stop: int) -> memoryview:
    """Return the part of a buffer that some of its grains are in; the first and the last may be there in part."""
    begin = max(0, start * GRAIN_BYTES - offset % GRAIN_BYTES)
    return view[begin : min(len(view), stop * GRAIN_BYTES - offset % GRAIN_BYTES)]


def _parts_in_base(request: ReadRequest, found: Positions) -> list[ReadRequest]:
    parts: list[ReadRequest] = []
    start = 0
    while start < len(found):
        stop = _end_of_run(found, start)
        if found[start] == IN_BASE:
            begin = max(0, start * GRAIN_BYTES - request.offset % GRAIN_BYTES)
            view = _cut(request.offset, request.buffer, start, stop)
            parts.append(ReadRequest(request.offset + begin, view))
        start = stop
    return parts


def _joined(request: ReadRequest, parts: Sequence[ReadRequest]) -> ReadRequest:
    """Return one request for all parts of another, and what is between them."""
    if len(parts) == 1:
        return parts[0]
    begin, end = parts[0].offset, parts[-1].offset + len(parts[-1].buffer)
    return ReadRequest(begin, request.buffer[begin - request.offset : end - request.offset])


def _end_of_run(found: Positions, start: int) -> int:
    """Return the end of the grains that one call reads, from ``start`` on."""
    first = found[start]
    stop = start + 1
    if first == IN_BASE or is_zero(first):
        is_same: Callable[[int], bool] = (lambda position: position == IN_BASE) if first == IN_BASE else is_zero
        while stop < len(found) and is_same(found[stop]):
            stop += 1
        return stop
    most = min(len(found), start + _MOST_PARTS)
    while stop < most and found[stop] - found[stop - 1] in (GRAIN_BYTES, _NEXT_RECORD):
        stop += 1
    return stop
