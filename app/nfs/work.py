"""What may wait for a disk, on threads, and back to the event loop; one sync serves all who wait for one."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from app.core.disks import ReadRequest
from app.core.nfs3 import Status
from app.domain.errors import OperationalError, StandbyUnavailable
from app.nfs.content import FileContent
from app.nfs.errors import NfsError

_log = logging.getLogger(__name__)

_THREADS: Final = 4
_SYNC_THREADS: Final = 4
_SMALL_BYTES: Final = 64 << 10
_MOST_TOGETHER: Final = 16
"""Small reads of a turn that one thread fills: dividing them costs more, because threads wait for each other."""
Result = TypeVar("Result")
Failed = Callable[[Status], None]


def status_of(error: BaseException) -> Status:
    """Return what to answer upon an error.

    A standby that is away is waited for (``JUKEBOX``): the guest stands still, and goes on when it is back.
    """
    if isinstance(error, NfsError):
        return error.status
    if isinstance(error, StandbyUnavailable):
        return Status.JUKEBOX
    if not isinstance(error, OperationalError | OSError):
        _log.error("an NFS procedure failed", exc_info=error)
        return Status.SERVERFAULT
    return Status.IO


@dataclass(slots=True)
class _Read:
    content: FileContent
    request: ReadRequest
    done: Callable[[None], None]
    failed: Failed


def _fill(content: FileContent, batch: list[_Read]) -> list[tuple[_Read, Status]]:
    """Fill some buffers together; where that fails each by itself, so that each gets its own outcome."""
    try:
        content.read_together([read.request for read in batch])
    except NfsError as error:
        if len(batch) == 1:
            return [(batch[0], error.status)]
        return [outcome for read in batch for outcome in _fill(content, [read])]
    except Exception as error:  # noqa: BLE001 - a bug ends these reads, not the server; it is logged
        return [(read, status_of(error)) for read in batch]
    return [(read, Status.OK) for read in batch]


class Workers:
    """Runs what may wait. Thread: the event loop's, which also gets the results; the work has its own threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="nfs-work")
        self._syncs = ThreadPoolExecutor(_SYNC_THREADS, thread_name_prefix="nfs-sync")
        self._reads: list[_Read] = []
        self._waiting: dict[FileContent, list[Callable[[Status], None]]] = {}
        self._syncing: dict[FileContent, list[Callable[[Status], None]]] = {}

    def run(self, work: Callable[[], Result], done: Callable[[Result], None], failed: Failed) -> None:
        """Do some work on a thread, then call one of the two on the event loop."""
        self._pool.submit(work).add_done_callback(partial(self._hand_over, done, failed))

    def _hand_over(self, done: Callable[[Result], None], failed: Failed, future: "Future[Result]") -> None:
        error = future.exception()
        try:
            if error is None:
                self._loop.call_soon_threadsafe(done, future.result())
            else:
                self._loop.call_soon_threadsafe(failed, status_of(error))
        except RuntimeError:  # the loop has ended, and with it the connection that wanted to know
            return

    def read(
        self, content: FileContent, request: ReadRequest, done: Callable[[None], None], failed: Failed
    ) -> None:
        """Fill a buffer; those that come in one turn of the loop are filled together, which costs less."""
        if not self._reads:
            self._loop.call_soon(self._read_together)
        self._reads.append(_Read(content, request, done, failed))

    def _read_together(self) -> None:
        reads, self._reads = self._reads, []
        by_content: dict[FileContent, list[_Read]] = {}
        for read in reads:
            by_content.setdefault(read.content, []).append(read)
        for content, wanted in by_content.items():
            small = [read for read in wanted if len(read.request.buffer) <= _SMALL_BYTES]
            large = [read for read in wanted if len(read.request.buffer) > _SMALL_BYTES]
            batches = [small[start : start + _MOST_TOGETHER] for start in range(0, len(small), _MOST_TOGETHER)]
            for batch in (*batches, *([read] for read in large)):
                self.run(partial(_fill, content, batch), self._read_done, lambda _status: None)

    def _read_done(self, outcomes: list[tuple["_Read", Status]]) -> None:
        for read, status in outcomes:
            if status is Status.OK:
                read.done(None)
            else:
                read.failed(status)

    def sync(self, content: FileContent, done: Callable[[Status], None]) -> None:
        """Call ``done`` when all that was written to a file before this is durable, or cannot be made so."""
        self._waiting.setdefault(content, []).append(done)
        if content not in self._syncing:
            self._sync_next(content)

    def _sync_next(self, content: FileContent) -> None:
        self._syncing[content] = self._waiting.pop(content)
        future = self._syncs.submit(content.sync)
        future.add_done_callback(
            partial(self._hand_over, lambda _: self._synced(content, Status.OK), partial(self._synced, content))
        )

    def _synced(self, content: FileContent, status: Status) -> None:
        served = self._syncing.pop(content)
        if content in self._waiting:
            self._sync_next(content)
        for done in served:
            done(status)

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        self._pool.shutdown()
        self._syncs.shutdown()
