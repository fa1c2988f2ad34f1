"""A guest that writes and reads all the time, and knows what its disk must hold."""

import random
import threading
from types import TracebackType
from typing import Final, Protocol, Self

from app.simulator.storage import DatastoreFull
from tests.support.waiting import wait_until

_SPREAD: Final = 512
"""Blocks that are written again and again, so that most reads find what was written."""
_REFUSED_PAUSE_S: Final = 0.05


class GuestDisk(Protocol):
    """What a guest has of its disk; a call returns when the host has an answer."""

    @property
    def capacity_bytes(self) -> int:
        """How long it is."""
        ...

    def read(self, offset: int, length_bytes: int) -> bytes | bytearray:
        """Return bytes."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes, durably."""
        ...


class WritingGuest:
    """A guest's program, from ``with`` to its end. Thread: it has one of its own; looked at from any.

    Attributes:
        acknowledged: how many writes were answered as durable.
        reads: how many reads were answered.
        refused: how many writes were refused because the disk is full.
        failures: what else a read or a write ended with, and reads that gave something else than was written.
    """

    def __init__(self, disk: GuestDisk, *, seed: int = 1, block_bytes: int = 4096) -> None:
        self._disk = disk
        self._block = block_bytes
        self._dice = random.Random(seed)
        self._model = bytearray(disk.read(0, disk.capacity_bytes))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guest")
        self.acknowledged = self.refused = self.reads = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(60 if kind is None else 1)

    def stop(self, wait_s: float = 60) -> None:
        """Let it end when what it waits for has come."""
        self._stop.set()
        self._thread.join(wait_s)

    @property
    def expected(self) -> bytes:
        """What the disk must hold; to be asked for when it has stopped."""
        assert not self._thread.is_alive(), "the guest still waits for its disk"
        return bytes(self._model)

    def wait_for_writes(self, count: int = 20) -> None:
        """Wait until so many more writes were answered as durable."""
        wanted = self.acknowledged + count
        wait_until(lambda: self.acknowledged >= wanted or self.failures, deadline_s=60, what="the guest to go on")
        assert not self.failures, self.failures

    def _run(self) -> None:
        number = 0
        blocks = len(self._model) // self._block
        while not self._stop.is_set():
            number += 1
            self._write(self._dice.randrange(min(_SPREAD, blocks)), number)
            self._read(self._dice.randrange(blocks))

    def _place(self, block: int) -> slice:
        return slice(block * self._block, (block + 1) * self._block)

    def _write(self, block: int, number: int) -> None:
        data = (b"%08d %08d." % (block, number) * (self._block // 18 + 1))[: self._block]
        try:
            self._disk.write(block * self._block, data)
        except DatastoreFull:
            self.refused += 1
            self._stop.wait(_REFUSED_PAUSE_S)
        except Exception as error:  # noqa: BLE001 - whatever a guest would see as an error of its disk
            self.failures.append(f"write {number} of block {block}: {error!r}")
            self._stop.wait(_REFUSED_PAUSE_S)
        else:
            self._model[self._place(block)] = data
            self.acknowledged += 1

    def _read(self, block: int) -> None:
        try:
            found = self._disk.read(block * self._block, self._block)
        except Exception as error:  # noqa: BLE001 - as above
            self.failures.append(f"read of block {block}: {error!r}")
            return
        self.reads += 1
        if found != self._model[self._place(block)]:
            self.failures.append(f"block {block} is not what was written: {found[:32]!r}")
