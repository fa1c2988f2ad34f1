"""Leases: who uses the repository, and who must wait.

A lease is a small file in ``locks/`` with a counter that its owner raises every few seconds. No clocks are
compared: a process that meets a lease watches its content for :data:`EXPIRY_S` on its own
stopwatch, and only a counter that stood still all that time belongs to a dead owner. On the owner's own machine
a process that has ended is noticed at once.

Shared leases go together; an exclusive one goes with no other. Both sides write their lease first and look at
the others afterwards, so of two that exclude each other at least one sees the other and steps back.
"""

import os
import platform
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil
from blake3 import blake3

from app.core.clock import Clock
from app.core.durable import rename, sync_directory, unlink
from app.core.processmarks import process_namespace
from app.domain.errors import StandbyFull
from app.repository.documents import decode_document, encode_document, is_newer, newer_documents
from app.repository.errors import LeaseLost, RepositoryBusy
from app.repository.files import (
    Displaced,
    open_regular,
    read_bounded,
    refuse_links,
    storage_errors,
    write_new,
)
from app.repository.layout import LEASE_SUFFIX, SCRATCH_SUFFIX, Layout
from app.repository.processes import boot_mark, is_same_process, process_mark
from app.repository.reasons import purpose_of
from app.repository.reserve import SpaceReserve
from app.repository.waiting import WaitingMark

HEARTBEAT_S = 10.0
EXPIRY_S = 120.0
_SUSPICIOUS_S = 2.5 * HEARTBEAT_S
_SETTLE_S = 0.1
_LONGEST_LEASE_BYTES = 16 * 1024
_LEASE_FORMAT = 1
_ATTEMPTS = 3

T = TypeVar("T")

_held: set[str] = set()
"""Leases that this process holds; any other file that names this process is left over from a failed release."""


class LeaseKind(Enum):
    """What a lease excludes."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


class _LeaseFile(msgspec.Struct, frozen=True):
    format: int
    id: str
    kind: str
    purpose: str
    host: str
    host_key: str
    process: int
    process_started: float
    """By the wall clock, for earlier versions; a step of the clock changes what the system says of it."""
    beat: str
    """Counter of fixed width, so that a sign of life overwrites the file in place."""
    process_mark: str | None = None
    """What distinguishes the process from others of its number; earlier versions did not write it."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """This process, as leases name it."""

    host: str
    host_key: str
    process: int
    started: float
    """By the wall clock; only earlier versions of the program look at it."""
    mark: str | None = None
    """See :func:`app.repository.processes.process_mark`."""

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """Return the identity of this process."""
        process = psutil.Process()
        parts = [platform.node(), hex(uuid.getnode())]
        if process_namespace():  # containers of one machine share its name, and do not see each other's processes
            parts.append(process_namespace())
        if boot_mark():
            parts.append(boot_mark())
        host_key = blake3("\n".join(parts).encode()).hexdigest()
        return cls(platform.node(), host_key, process.pid, process.create_time(), process_mark(process.pid))


class Leases:
    """Takes and gives back leases on one repository. Thread: any."""

    def __init__(self, layout: Layout, clock: Clock, identity: ProcessIdentity | None = None) -> None:
        self._layout = layout
        self._clock = clock
        self._identity = identity or ProcessIdentity.current()
        self._reserve = SpaceReserve(layout)
        self._watched: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def acquire(self, kind: LeaseKind, purpose: str, *, wait_s: float = 10.0) -> "Lease":
        """Take a lease, waiting for those that exclude it.

        An owner that shows signs of life is waited for ``wait_s``; one that missed several, until it counts as
        dead. Garbage collection is asked to let a shared lease in.

        Raises:
            RepositoryBusy: the lease of a living process excludes it.
            LinkRefused: one of the repository's directories is a link.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with storage_errors(self._layout.root):
            refuse_links(self._layout.directories)
        with WaitingMark(self._layout) as mark:
            return self._acquire(kind, purpose, wait_s, mark)

    def keep_reserve(self) -> None:
        """Make the space reserve where it is missing and there is room; the caller holds a lease. Never raises."""
        self._reserve.keep()

    def with_free_space(self, call: Callable[[], T]) -> T:
        """Do something that frees space in the end; where none is left for its beginning, the reserve is given up.

        Args:
            call: what is done, and done again from the start after the reserve was given up.

        Raises:
            StandbyFull: there is no room, and no reserve either.
            OperationalError: another one of ``call``.
        """
        try:
            return call()
        except StandbyFull:
            if not self._reserve.give_up():
                raise
            return call()

    def _acquire(self, kind: LeaseKind, purpose: str, wait_s: float, mark: WaitingMark) -> "Lease":
        deadline = self._clock.monotonic() + wait_s
        while True:
            lease = self.with_free_space(lambda: Lease(self._layout, kind, purpose, self._identity))
            opponent = None
            try:
                if kind is LeaseKind.EXCLUSIVE:  # a share may show a new file late; look a second time
                    opponent = self._opponent(lease)
                    if opponent is None:
                        self._clock.sleep(_SETTLE_S)
                if opponent is None:
                    opponent = self._opponent(lease)
                if opponent is None:
                    return lease
            except BaseException:
                lease.release()
                raise
            lease.release()
            if self._clock.monotonic() >= deadline and self._silent_s(opponent.id) < _SUSPICIOUS_S:
                raise RepositoryBusy(
                    path=self._layout.root,
                    owner=f"{opponent.host} ({opponent.process})",
                    purpose=purpose_of(opponent.purpose),
                )
            if kind is LeaseKind.SHARED:
                mark.show()
            self._clock.sleep(0.2 + 0.3 * (os.getpid() % 7) / 7)

    def is_alive(self, lease_id: str) -> bool:
        """Return whether a lease may still be used by its owner.

        A lease of a dead owner is removed, unless a newer program wrote it. A lease that no one has watched for
        long enough counts as alive.
        """
        path = self._layout.locks / f"{lease_id}{LEASE_SUFFIX}"
        try:
            data = read_bounded(path, _LONGEST_LEASE_BYTES)
        except FileNotFoundError:
            return False
        except (ValueError, Displaced):
            data = b""
        try:
            file = decode_document(data, _LeaseFile)
        except ValueError:
            file = None
        if (file is not None and self._has_ended(file)) or self._stood_still(lease_id, data):
            if not is_newer(data, _LEASE_FORMAT):
                self._remove(path)
            return False
        return True

    def _silent_s(self, lease_id: str) -> float:
        now = self._clock.monotonic()
        with self._lock:
            return now - self._watched.get(lease_id, (b"", now))[1]

    def _forget_all_but(self, lease_ids: set[str]) -> None:
        with self._lock:
            for lease_id in self._watched.keys() - lease_ids:
                del self._watched[lease_id]

    def _stood_still(self, lease_id: str, data: bytes) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            seen, since = self._watched.get(lease_id, (None, now))
            if seen != data:
                self._watched[lease_id] = (data, now)
                return False
            return now - since >= EXPIRY_S

    def _has_ended(self, file: _LeaseFile) -> bool:
        if file.host_key != self._identity.host_key:
            return False
        if file.process == self._identity.process:
            return file.id not in _held
        if file.process_mark is None:  # of an earlier version, which knew the wall clock only
            return not psutil.pid_exists(file.process)
        return is_same_process(file.process, file.process_mark) is False

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            unlink(path)

    def other_hosts(self) -> frozenset[str]:
        """Return the names of the machines on which other processes use the repository right now.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        with storage_errors(self._layout.root):
            ids = [path.stem for path in self._layout.locks.iterdir() if path.suffix == LEASE_SUFFIX]
            found = [self._read(lease) for lease in ids if lease not in _held and self.is_alive(lease)]
        return frozenset(file.host for file in found)

    def _opponent(self, own: "Lease") -> _LeaseFile | None:
        with storage_errors(self._layout.root):
            names = sorted(path.name for path in self._layout.locks.iterdir() if path.suffix == LEASE_SUFFIX)
            self._forget_all_but({name.removesuffix(LEASE_SUFFIX) for name in names})
            for name in names:
                lease_id = name.removesuffix(LEASE_SUFFIX)
                if lease_id == own.id or not self.is_alive(lease_id):
                    continue
                other = self._read(lease_id)
                if own.kind is LeaseKind.EXCLUSIVE or other.kind == LeaseKind.EXCLUSIVE.value:
                    return other
        return None

    def _read(self, lease_id: str) -> _LeaseFile:
        """Return a lease; one that cannot be read counts as exclusive until it was watched long enough."""
        try:
            path = self._layout.locks / f"{lease_id}{LEASE_SUFFIX}"
            return decode_document(read_bounded(path, _LONGEST_LEASE_BYTES), _LeaseFile)
        except (ValueError, FileNotFoundError, Displaced):
            exclusive = LeaseKind.EXCLUSIVE.value
            return _LeaseFile(1, lease_id, exclusive, "unreadable lease", "unknown", "", 0, 0.0, "")


class Lease:
    """A lease that this process holds; a thread of its own keeps it alive until :meth:`release`."""

    def __init__(self, layout: Layout, kind: LeaseKind, purpose: str, identity: ProcessIdentity) -> None:
        self.id = uuid.uuid4().hex
        self.kind = kind
        self._layout = layout
        self._purpose = purpose
        self._identity = identity
        self.path = layout.locks / f"{self.id}{LEASE_SUFFIX}"
        self._beat = 0
        self._lost = False
        self._on_lost: Callable[[Lease], None] | None = None
        self._ended = threading.Event()
        self._create()
        self._thread = threading.Thread(target=self._keep_alive, name=f"lease-{self.id[:8]}", daemon=True)
        self._thread.start()

    def _create(self) -> None:
        """Let the lease appear at once and whole: others must never meet half of one."""
        scratch = self.path.with_suffix(SCRATCH_SUFFIX)
        _held.add(self.id)
        try:
            with storage_errors(self._layout.root):
                for attempt in range(_ATTEMPTS):
                    try:
                        write_new(scratch, self._content())
                        rename(scratch, self.path)
                        break
                    except FileNotFoundError:  # garbage collection took it for a dead process's file
                        if attempt == _ATTEMPTS - 1:
                            raise
                sync_directory(self._layout.locks)
        except BaseException:
            _held.discard(self.id)
            for path in (scratch, self.path):
                with suppress(OSError):
                    unlink(path)
            raise

    def _content(self) -> bytes:
        identity = self._identity
        return encode_document(
            _LeaseFile(
                _LEASE_FORMAT,
                self.id,
                self.kind.value,
                self._purpose,
                identity.host,
                identity.host_key,
                identity.process,
                identity.started,
                f"{self._beat:012d}",
                identity.mark,
            )
        )

    def _keep_alive(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            self.beat()
            if self._on_lost is not None and self.is_lost():
                self._on_lost(self)

    def when_lost(self, call: "Callable[[Lease], None]") -> None:
        """Have something called, on the lease's own thread, at each beat after the lease was taken over."""
        self._on_lost = call

    def is_lost(self) -> bool:
        """Return whether another process took the lease over; False while the standby cannot be asked."""
        if not self._lost:
            with suppress(OSError):
                self._layout.settings.stat()
                self._lost = not self.path.exists()
        return self._lost

    def beat(self) -> None:
        """Show a sign of life; a standby that is away for a while is no reason to give up.

        The file is overwritten and never recreated: a lease that was taken over stays lost.
        """
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
        with suppress(OSError), os.fdopen(open_regular(self.path, flags), "r+b", buffering=0) as file:
            self._beat += 1
            file.write(self._content())
            os.fsync(file.fileno())

    def check(self) -> None:
        """Make sure that no other process took the lease over.

        Raises:
            LeaseLost: another process did.
            StandbyUnavailable: that cannot be determined.
        """
        with storage_errors(self._layout.root):
            self._layout.settings.stat()
            self._lost = self._lost or not self.path.exists()
            if self._lost:
                raise LeaseLost(path=self._layout.root)

    def release(self) -> None:
        """Give the lease back; never raises."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        _held.discard(self.id)
        with suppress(OSError):
            unlink(self.path)


def newer_leases(folder: Path) -> list[str]:
    """Return the names of the leases that a newer program wrote.

    Raises:
        OSError: the standby cannot be read.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == LEASE_SUFFIX)
    return newer_documents(paths, _LONGEST_LEASE_BYTES, _LEASE_FORMAT)


def is_readable_lease(path: Path) -> bool:
    """Return whether a lease is what its owner wrote; one that was given back meanwhile is.

    Raises:
        OSError: the standby cannot be read.
    """
    for _ in range(2):  # the owner may be writing it in this moment
        try:
            data = read_bounded(path, _LONGEST_LEASE_BYTES)
            if is_newer(data, _LEASE_FORMAT):
                return True
            decode_document(data, _LeaseFile)
        except FileNotFoundError:
            return True
        except (ValueError, Displaced):
            continue
        return True
    return False
