"""The guests of all running VMs, each writing on a thread of its own."""

import logging
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from app.simulator.guests.guest import Guest
from app.simulator.storage import DatastoreFull, SimDisk, StorageError

_log = logging.getLogger(__name__)

_TICK_S = 0.05
_FULL_PAUSE_S = 0.25
_LONGEST_BACKLOG_S = 0.5


class DiskOfVm(Protocol):
    """A disk of a VM, whatever file it writes to."""

    @property
    def leaf(self) -> SimDisk | None:
        """What the VM writes to now; None when the disk was taken out."""
        ...


class GuestVm(Protocol):
    """A VM as its guest knows it; the simulator's VirtualMachine fulfils it."""

    @property
    def moid(self) -> str:
        """Its managed object id."""
        ...

    @property
    def name(self) -> str:
        """Its display name."""
        ...

    @property
    def workload_bytes_per_s(self) -> int:
        """What its guest writes each second by itself."""
        ...

    @property
    def trees(self) -> Mapping[int, DiskOfVm]:
        """Its disks by device key. Must not take the world's lock when the disks exist already."""
        ...


class GuestNotRunning(Exception):
    """The VM is not powered on, so nothing can be written by its guest."""


class GuestWorkload:
    """A guest and the thread that lets it write at the VM's rate.

    Thread: any.
    """

    def __init__(self, vm: GuestVm, seed: int) -> None:
        self.vm = vm
        self.guest = Guest(self._leaves, seed)
        self.written_bytes = 0
        self._pauses = 0
        self._busy = threading.RLock()
        self._state = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write, if the VM has a rate."""
        if self.vm.workload_bytes_per_s > 0:
            self._thread = threading.Thread(target=self._run, name=f"guest-{self.vm.moid}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; nothing is written afterwards."""
        with self._state:
            self._stopped = True
            self._state.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._busy:  # a write_now on another thread comes to its end
            pass

    def pause(self) -> None:
        """Pause between two changes of files; return when it is paused. Pauses add up."""
        with self._state:
            self._pauses += 1
        with self._busy:
            pass

    def resume(self) -> None:
        """Undo one pause."""
        with self._state:
            self._pauses = max(0, self._pauses - 1)
            self._state.notify_all()

    def write_now(self, n_bytes: int) -> int:
        """Change files until so many bytes of content are written, paused or not.

        Returns:
            how many were: less only when no disk can be written to.

        Raises:
            GuestNotRunning: it was stopped meanwhile.
            DatastoreFull: a datastore has no space left.
        """
        written = 0
        while written < n_bytes:
            with self._busy:
                if self._stopped:
                    raise GuestNotRunning(f"{self.vm.name} does not run")
                done = self.guest.change_something(n_bytes - written)
            if not done:
                break
            written += done
            self.written_bytes += done
        return written

    def _leaves(self) -> dict[int, SimDisk]:
        return {key: tree.leaf for key, tree in self.vm.trees.items() if tree.leaf is not None}

    def _run(self) -> None:
        last = time.monotonic()
        owed = 0.0
        while self._wait(_TICK_S):
            now = time.monotonic()
            rate = self.vm.workload_bytes_per_s
            owed = min(owed + rate * (now - last), rate * _LONGEST_BACKLOG_S)
            last = now
            try:
                while owed >= 1 and self._may_write():
                    with self._busy:
                        if not self._may_write():
                            break
                        done = self.guest.change_something(int(owed))
                    owed -= done or owed
                    self.written_bytes += done
            except DatastoreFull as error:
                _log.info("the guest of %s waits for space: %s", self.vm.name, error)
                self._wait(_FULL_PAUSE_S)
            except StorageError as error:
                _log.info("the guest of %s looks at its disks again: %s", self.vm.name, error)
                self.guest.remount()
                self._wait(_FULL_PAUSE_S)

    def _may_write(self) -> bool:
        with self._state:
            return not self._stopped and not self._pauses

    def _wait(self, seconds: float) -> bool:
        """Wait a while, and as long as it is paused; return False when it was stopped."""
        with self._state:
            self._state.wait_for(lambda: self._stopped, seconds)
            self._state.wait_for(lambda: self._stopped or not self._pauses)
            return not self._stopped


class Guests:
    """The guests of all VMs. VMs are named by themselves, their managed object id, or their display name.

    Lock order: a caller must not hold the world's lock in :meth:`pause`, :meth:`stopped` and :meth:`stop`, which
    wait for a guest.

    Thread: any.
    """

    def __init__(self, seed: int = 0) -> None:
        """Prepare to let guests run.

        Args:
            seed: what every guest does follows from it, its VM's id and how often that was started.
        """
        self._seed = seed
        self._lock = threading.Lock()
        self._running: dict[str, GuestWorkload] = {}
        self._starts: dict[str, int] = {}

    def started(self, vm: GuestVm) -> None:
        """Start the guest of a VM that was powered on."""
        with self._lock:
            if vm.moid in self._running:
                return
            count = self._starts[vm.moid] = self._starts.get(vm.moid, 0) + 1
            seed = zlib.crc32(f"{self._seed}/{vm.moid}/{count}".encode())
            workload = self._running[vm.moid] = GuestWorkload(vm, seed)
        workload.start()

    def stopped(self, vm: GuestVm | str) -> None:
        """Stop the guest of a VM that was powered off, reset or removed; nothing is written afterwards."""
        workload = self._find(vm)
        if workload is not None:
            workload.stop()
            with self._lock:
                self._running.pop(workload.vm.moid, None)

    def pause(self, vm: GuestVm | str) -> None:
        """Pause the guest between two changes of files; return when it is paused. Pauses add up."""
        workload = self._find(vm)
        if workload is not None:
            workload.pause()

    def resume(self, vm: GuestVm | str) -> None:
        """Undo one pause."""
        workload = self._find(vm)
        if workload is not None:
            workload.resume()

    @contextmanager
    def paused(self, vm: GuestVm | str) -> Iterator[None]:
        """Pause the guest inside the block."""
        self.pause(vm)
        try:
            yield
        finally:
            self.resume(vm)

    def write_now(self, vm: GuestVm | str, n_bytes: int) -> int:
        """Make the guest change files until so many bytes of content are written, paused or not.

        Returns:
            how many were: less only when no disk can be written to.

        Raises:
            GuestNotRunning: the VM is not powered on.
            DatastoreFull: a datastore has no space left.
        """
        return self.of(vm).write_now(n_bytes)

    def remount(self, vm: GuestVm | str) -> None:
        """Make a running guest look at its disks again, because their contents were exchanged."""
        workload = self._find(vm)
        if workload is not None:
            with self.paused(vm):
                workload.guest.remount()

    def of(self, vm: GuestVm | str) -> GuestWorkload:
        """Return the workload of a running VM.

        Raises:
            GuestNotRunning: the VM is not powered on.
        """
        workload = self._find(vm)
        if workload is None:
            raise GuestNotRunning(f"{vm if isinstance(vm, str) else vm.name} does not run")
        return workload

    def stop(self) -> None:
        """Stop every guest."""
        with self._lock:
            workloads = list(self._running.values())
            self._running.clear()
        for workload in workloads:
            workload.stop()

    def _find(self, vm: GuestVm | str) -> GuestWorkload | None:
        with self._lock:
            if not isinstance(vm, str):
                return self._running.get(vm.moid)
            found = self._running.get(vm)
            return found or next((guest for guest in self._running.values() if guest.vm.name == vm), None)
