"""LMDB environments whose map starts small and grows.

On Windows the file takes the size of the map at once, so the map is only as large as its content needs. It may be
changed only while no transaction of this process is open: the two wait for each other.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import lmdb

from app.core.privatefiles import PRIVATE_FILE

FIRST_MAP_BYTES = 16 * 1024 * 1024
_STEP_BYTES = 16 * 1024 * 1024
_Result = TypeVar("_Result")

_open: dict[str, tuple["Environment", int]] = {}
_open_lock = threading.Lock()
"""LMDB forbids that a process opens one environment twice; these are the open ones and how many use each."""


class Environment:
    """An open LMDB environment. Thread: any; no thread opens a transaction inside another one."""

    def __init__(self, path: str, map_bytes: int = FIRST_MAP_BYTES) -> None:
        """Open it.

        Raises:
            lmdb.Error: the local disk refuses, or the file is none of LMDB's.
        """
        self._handle = lmdb.open(
            path,
            map_size=map_bytes,
            max_dbs=5,
            max_readers=512,
            readahead=False,
            max_spare_txns=8,
            mode=PRIVATE_FILE,
        )
        self._changed = threading.Condition()
        self._transactions = 0
        self._resizing = False

    def map_bytes(self) -> int:
        """Return the size of the map."""
        return int(self._handle.info()["map_size"])

    def table(self, name: bytes, *, dupsort: bool = False) -> Any:  # noqa: ANN401 - LMDB has no types
        """Open a table; it is made when it is missing.

        Raises:
            lmdb.Error: the local disk refuses.
        """
        return self._retried(lambda: self._handle.open_db(name, dupsort=dupsort))

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Provide a transaction for reading.

        Raises:
            lmdb.Error: the local disk refuses.
        """
        transaction = self._retried(self._handle.begin, keep=True)
        try:
            with transaction:
                yield transaction
        finally:
            self._leave()

    def write(self, act: Callable[[Any], _Result]) -> _Result:
        """Do something in a transaction for writing; it is done again where the map was too small.

        Raises:
            lmdb.Error: the local disk refuses.
        """

        def attempt() -> _Result:
            with self._handle.begin(write=True) as transaction:
                return act(transaction)

        return self._retried(attempt)

    def close(self) -> None:
        """Release the files."""
        self._handle.close()

    def _retried(self, attempt: Callable[[], _Result], *, keep: bool = False) -> _Result:
        """Return what an attempt returns, growing the map as often as needed; ``keep`` the transaction counted."""
        while True:
            self._enter()
            kept = False
            try:
                result = attempt()
                kept = keep
                return result
            except lmdb.MapFullError:
                seen = self.map_bytes()
                size = seen + max(_STEP_BYTES, seen // 4)
            except lmdb.MapResizedError:  # another process made it larger
                seen, size = self.map_bytes(), 0
            finally:
                if not kept:
                    self._leave()
            self._resize(seen, size)

    def _enter(self) -> None:
        with self._changed:
            while self._resizing:
                self._changed.wait()
            self._transactions += 1

    def _leave(self) -> None:
        with self._changed:
            self._transactions -= 1
            self._changed.notify_all()

    def _resize(self, seen: int, size: int) -> None:
        """Change the map's size, unless another thread did since it was seen; 0 takes over another process's."""
        with self._changed:
            while self._resizing:
                self._changed.wait()
            if self.map_bytes() != seen:
                return
            self._resizing = True
            try:
                while self._transactions:
                    self._changed.wait()
                self._handle.set_mapsize(size)
            finally:
                self._resizing = False
                self._changed.notify_all()


def shared_environment(path: str) -> Environment:
    """Open an environment, or use the open one; every use ends with :func:`give_back_environment`.

    Raises:
        lmdb.Error: the local disk refuses, or the file is none of LMDB's.
    """
    with _open_lock:
        environment, users = _open.get(path) or (Environment(path), 0)
        _open[path] = (environment, users + 1)
        return environment


def give_back_environment(path: str) -> None:
    """End one use of an environment; the last one closes it."""
    with _open_lock:
        environment, users = _open.pop(path, (None, 0))
        if environment is None:
            return
        if users > 1:
            _open[path] = (environment, users - 1)
        else:
            environment.close()
