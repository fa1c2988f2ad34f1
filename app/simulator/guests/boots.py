"""Guests that boot: for a while a VM runs, and its guest does not answer yet."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from app.simulator.guests.blocks import SECTOR_BYTES
from app.simulator.guests.workload import GuestVm
from app.simulator.storage import StorageError

_log = logging.getLogger(__name__)

_RETRY_S: Final = 0.25


class Boots:
    """The guests that boot at the moment. Thread: any; each boot has one of its own until it is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[str, threading.Event] = {}
        self._threads: set[threading.Thread] = set()

    def begin(self, vm: GuestVm, seconds: float, done: Callable[[], None]) -> None:
        """Let a guest boot, which reads the beginning of its disks; call ``done`` when it has."""
        ended = threading.Event()

        def boot() -> None:
            if not ended.wait(seconds):
                _read_disks(vm, ended)
            if not ended.is_set():
                done()
            with self._lock:
                self._threads.discard(thread)

        thread = threading.Thread(target=boot, name=f"boot-{vm.moid}")
        self.end(vm.moid)
        with self._lock:
            self._ended[vm.moid] = ended
            self._threads.add(thread)
        thread.start()

    def end(self, moid: str) -> None:
        """Let a guest boot no further; who has booted is not touched."""
        with self._lock:
            ended = self._ended.pop(moid, None)
        if ended is not None:
            ended.set()

    def stop(self) -> None:
        """End every boot and wait until its thread is gone."""
        with self._lock:
            threads = list(self._threads)
            for ended in self._ended.values():
                ended.set()
        for thread in threads:
            thread.join()


def _read_disks(vm: GuestVm, ended: threading.Event) -> None:
    """Read the first sector of each disk, as often as it takes."""
    for tree in vm.trees.values():
        while tree.leaf is not None and not ended.is_set():
            try:
                tree.leaf.read(0, SECTOR_BYTES)
            except StorageError as error:
                _log.info("the guest of %s cannot read its disk: %s", vm.name, error)
                ended.wait(_RETRY_S)
            else:
                break
