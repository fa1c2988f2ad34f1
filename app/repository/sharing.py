"""The part of a process in a repository: one shared lease for all that it does there at the same time.

Writers need the lease. Readers should have it, because garbage collection waits for it; they go on without one
where the standby cannot be written, since a restore from a read-only or full disk must be possible.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from app.domain.errors import OperationalError, StandbyFull
from app.repository.leases import Lease

_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_WINDOWS_NOT_WRITABLE = frozenset({5, 19})
"""ERROR_ACCESS_DENIED and ERROR_WRITE_PROTECT."""


def is_not_writable(error: OperationalError) -> bool:
    """Return whether an error says only that the standby cannot be written: it may still be read."""
    if isinstance(error, StandbyFull):
        return True
    cause = error.__cause__
    return isinstance(cause, OSError) and (
        cause.errno in _NOT_WRITABLE or getattr(cause, "winerror", None) in _WINDOWS_NOT_WRITABLE
    )


class SharedLease:
    """One shared lease for all that a process does in a repository at the same time. Thread: any.

    A lease that was taken over, because the machine slept or the share was away, is replaced: by the next
    caller, and for the readers that are still there as soon as the loss is noticed. Writers keep the lease
    that they began with; theirs is lost, and they notice it before they commit.
    """

    def __init__(
        self,
        acquire: Callable[[], Lease],
        on_release: Callable[[Lease], None],
        acquire_at_once: Callable[[], Lease],
    ) -> None:
        """Prepare.

        Args:
            acquire: takes a lease, and waits a while for those that exclude it.
            on_release: is called with a lease that no one uses any more, before it is given back.
            acquire_at_once: takes a lease without waiting.
        """
        self._acquire = acquire
        self._acquire_at_once = acquire_at_once
        self._on_release = on_release
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._users = 0

    def enter(self) -> Lease:
        """Take part in the lease.

        Raises:
            RepositoryBusy, StandbyFull, StandbyUnavailable: it cannot be had.
        """
        with self._lock:
            lease = self._current(self._acquire)
            self._users += 1
            return lease

    def enter_reading(self) -> OperationalError | None:
        """Take part for reading, without a lease where the standby cannot be written.

        Returns:
            Why there is no lease; then nothing keeps garbage collection by others from running meanwhile.

        Raises:
            RepositoryBusy, StandbyUnavailable: the repository cannot be read now.
        """
        with self._lock:
            problem: OperationalError | None = None
            try:
                self._current(self._acquire)
            except OperationalError as error:
                if not is_not_writable(error):
                    raise
                problem = error
            self._users += 1
            return problem

    @contextmanager
    def held(self) -> Iterator[Lease]:
        """Take part in the lease for a while.

        Raises:
            RepositoryBusy, StandbyFull, StandbyUnavailable: it cannot be had.
        """
        lease = self.enter()
        try:
            yield lease
        finally:
            self.leave()

    @contextmanager
    def held_for_reading(self) -> Iterator[None]:
        """Take part for reading for a while, without a lease where the standby cannot be written.

        Raises:
            RepositoryBusy, StandbyUnavailable: the repository cannot be read now.
        """
        self.enter_reading()
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Take part no more; the last one gives the lease back."""
        with self._lock:
            self._users -= 1
            if self._users or self._lease is None:
                return
            lease, self._lease = self._lease, None
            self._give_back(lease)

    def _current(self, acquire: Callable[[], Lease]) -> Lease:
        lease = self._lease
        if lease is not None and lease.is_lost():
            self._lease = None
            self._give_back(lease)
        if self._lease is None:
            self._lease = acquire()
            self._lease.when_lost(self._renew)
        return self._lease

    def _renew(self, lost: Lease) -> None:
        """Take a new lease for those who are still there; called on the thread of the lost one, and again."""
        if not self._lock.acquire(timeout=0):  # someone enters or leaves: that is looked after there
            return
        try:
            if self._lease is lost and self._users:
                with suppress(OperationalError):  # tried again at the next beat
                    self._current(self._acquire_at_once)
        finally:
            self._lock.release()

    def _give_back(self, lease: Lease) -> None:
        self._on_release(lease)
        lease.release()
