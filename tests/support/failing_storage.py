"""A standby whose every change is a step at which the power can fail or the system refuse.

:class:`FailingStorage` stands between the program and the operating system for all paths below one directory. A
*power cut* raises :class:`PowerCut`, which no code catches, at one step and at every later one, so that nothing
reaches the standby any more; a write is torn in its middle. What was written and never synced is lost then, or
part of it is: files lose their unsynced tails, and directories forget their latest unsynced changes, as far back
as the dice say. Another instance of the program then finds what a computer finds after a reset.
"""

import io
import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

_stat, _remove, _move, _make, _remove_directory = os.stat, os.unlink, os.rename, os.mkdir, os.rmdir
"""The system's own, whatever stands before them later."""
_LONG_OF_WINDOWS = "\\\\?\\"
_WRITES = ("write", "writev", "pwrite", "pwritev")
_SYNCS = ("fsync", "fdatasync")
_READS = ("read", "pread", "preadv", "stat", "listdir", "scandir", "lstat")


class PowerCut(BaseException):
    """The power fails here."""


AtStep = Callable[[int, str], None]


def cut_at(number: int) -> AtStep:
    """Cut the power at a step and stay dead."""

    def at_step(count: int, _name: str) -> None:
        if count >= number:
            raise PowerCut

    return at_step


def refuse(number: int, error: int, times: int) -> AtStep:
    """Refuse some steps with a system error."""

    def at_step(count: int, _name: str) -> None:
        if number <= count < number + times:
            raise OSError(error, os.strerror(error))

    return at_step


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of names that is not durable yet, and how it is taken back."""

    directories: frozenset[int]
    undo: Callable[[], None]


def _mode(path: str) -> int | None:
    try:
        return _stat(path).st_mode
    except OSError:
        return None


class FailingStorage:
    """Watches one directory tree inside :meth:`watching`. Thread: any, as the program's."""

    def __init__(self, root: Path, at_step: AtStep, *, dice: random.Random, gone: bool = False) -> None:
        """Watch ``root``; with ``gone``, reading is a step as well."""
        self._root = os.path.realpath(root)
        self._grave = Path(f"{self._root}.grave")
        self._at_step = at_step
        self.dice = dice
        self._reads = _READS if gone else ()
        self.paths: dict[int, str] = {}
        self._closed_at_the_end: set[int] = set()
        """What a dead process would have closed, so that nobody closes it once more: the number is another's."""
        self._unsynced: dict[int, int] = {}
        self._changes: list[_Change] = []
        self.count = 0
        self.is_cut = False

    # --- where things are ----------------------------------------------------------------------------------------

    def _path(self, target: Any, dir_fd: int | None = None) -> str | None:
        """Return the real path of an argument below the root, None for others."""
        if isinstance(target, int):
            return self.paths.get(target)
        try:
            text = os.fsdecode(target).removeprefix(_LONG_OF_WINDOWS)
        except TypeError:
            return None
        if dir_fd is not None and not text.startswith(os.sep):
            text = f"{self.paths.get(dir_fd, os.sep)}{os.sep}{text}"
        inside = text == self._root or text.startswith(self._root + os.sep)
        return text if inside else None

    def step(self, name: str) -> None:
        self.count += 1
        try:
            self._at_step(self.count, name)
        except PowerCut:
            self.is_cut = True
            raise

    # --- the system's calls --------------------------------------------------------------------------------------

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> int:
            where = self._path(path, dir_fd)
            if where is None:
                return real(path, flags, *args, dir_fd=dir_fd, **kwargs)
            fresh = bool(flags & os.O_CREAT) and _mode(where) is None
            if fresh or self._reads:
                self.step("open")
            descriptor = real(path, flags, *args, dir_fd=dir_fd, **kwargs)
            self.paths[descriptor] = where
            if fresh:
                self._created(where)
            return descriptor

        return call

    def _created(self, where: str) -> None:
        self._unsynced[_stat(where).st_ino] = 0
        self._note(where, undo=lambda: _remove(where))

    def _note(self, *names: str, undo: Callable[[], None]) -> None:
        inodes = frozenset(_stat(name.rpartition(os.sep)[0]).st_ino for name in names)
        self._changes.append(_Change(inodes, undo))

    def _close(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(descriptor: int) -> None:
            if descriptor in self._closed_at_the_end:
                self._closed_at_the_end.discard(descriptor)
                return
            self.paths.pop(descriptor, None)
            real(descriptor)

        return call

    def _write(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(descriptor: int, data: Any, *args: Any) -> int:
            if descriptor not in self.paths:
                return real(descriptor, data, *args)
            parts = data if name in ("writev", "pwritev") else [data]
            try:
                self.step(name)
            except PowerCut:
                whole = b"".join(bytes(part) for part in parts)
                torn = whole[: self.dice.randrange(len(whole) + 1)]
                if self.dice.random() < 0.5:  # no one writes after the cut but the first that it meets
                    with suppress(OSError):
                        real(descriptor, [torn] if name in ("writev", "pwritev") else torn, *args)
                raise
            self.mark(descriptor)
            return real(descriptor, data, *args)

        return call

    def mark(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self._unsynced.setdefault(found.st_ino, found.st_size)

    def _sync(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(descriptor: int) -> None:
            if descriptor not in self.paths:
                return real(descriptor)
            self.step(name)
            inode = os.fstat(descriptor).st_ino
            self._unsynced.pop(inode, None)
            self._changes = [change for change in self._changes if inode not in change.directories]
            return None  # the dice decide what is lost, so the real disk need not be waited for

        return call

    def _rename(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, **kwargs: Any) -> None:
            old, new = self._path(source), self._path(target)
            if old is None or new is None:
                return real(source, target, **kwargs)
            self.step(name)
            kept = self._keep(new)
            real(source, target, **kwargs)

            def undo() -> None:
                real(new, old)
                if kept is not None:
                    real(kept, new)

            self._note(old, new, undo=undo)
            return None

        return call

    def _keep(self, path: str) -> str | None:
        """Keep a file that is about to go, should its going not last."""
        if not stat.S_ISREG(_mode(path) or 0):
            return None
        with suppress(FileExistsError):
            _make(self._grave)
        kept = str(self._grave / f"{self.count}-{self.dice.randrange(1 << 60)}")
        os.link(path, kept)
        return kept

    def _unlink(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *, dir_fd: int | None = None) -> None:
            where = self._path(path, dir_fd)
            if where is None:
                return real(path, dir_fd=dir_fd)
            self.step("unlink")
            kept = self._keep(where)
            real(path, dir_fd=dir_fd)
            if kept is not None:
                self._note(where, undo=lambda: _move(kept, where))
            return None

        return call

    def _mkdir(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *args: Any, **kwargs: Any) -> None:
            where = self._path(path)
            if where is None:
                return real(path, *args, **kwargs)
            if not stat.S_ISDIR(_mode(where) or 0):
                self.step("mkdir")
            real(path, *args, **kwargs)
            self._note(where, undo=lambda: _remove_directory(where))
            return None

        return call

    def _rmdir(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *, dir_fd: int | None = None) -> None:
            where = self._path(path, dir_fd)
            if where is None:
                return real(path, dir_fd=dir_fd)
            self.step("rmdir")
            real(path, dir_fd=dir_fd)
            self._note(where, undo=lambda: _make(where))
            return None

        return call

    def _truncate(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(target: Any, length: int) -> None:
            if self._path(target) is not None:
                self.step("truncate")
            real(target, length)

        return call

    def _read(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if args and self._path(args[0], kwargs.get("dir_fd")) is not None:
                self.step(name)
            return real(*args, **kwargs)

        return call

    def _open_file(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            where = None if isinstance(file, int) else self._path(file)
            if where is None:
                return real(file, mode, *args, **kwargs)
            writes = any(letter in mode for letter in "wxa+")
            fresh = writes and _mode(where) is None
            if fresh or (writes and "w" in mode) or self._reads:
                self.step("open")
            opened = real(file, mode, *args, **kwargs)
            if fresh:
                self._created(where)
            elif "w" in mode:
                self._unsynced[os.fstat(opened.fileno()).st_ino] = 0
            return _WatchedFile(opened, where, self) if writes else opened

        return call

    # --- the block -----------------------------------------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator["FailingStorage"]:
        """Watch inside the block; afterwards nothing that the program left open is open."""
        replacements: list[tuple[Any, str, Any]] = [
            (os, "open", self._open(os.open)),
            (os, "close", self._close(os.close)),
            (os, "unlink", self._unlink(os.unlink)),
            (os, "remove", self._unlink(os.remove)),
            (os, "mkdir", self._mkdir(os.mkdir)),
            (os, "rmdir", self._rmdir(os.rmdir)),
            (os, "truncate", self._truncate(os.truncate)),
            (os, "ftruncate", self._truncate(os.ftruncate)),
            (io, "open", self._open_file(io.open)),
        ]
        replacements += [(os, name, self._write(name, getattr(os, name))) for name in _WRITES if hasattr(os, name)]
        replacements += [(os, name, self._sync(name, getattr(os, name))) for name in _SYNCS if hasattr(os, name)]
        replacements += [(os, name, self._rename(name, getattr(os, name))) for name in ("rename", "replace")]
        with ExitStack() as stack:
            close = os.close
            for module, name, replacement in replacements:
                stack.enter_context(patch.object(module, name, replacement))
            for name in filter(partial(hasattr, os), self._reads):
                stack.enter_context(patch.object(os, name, self._read(name, getattr(os, name))))
            try:
                yield self
            finally:
                for descriptor in list(self.paths):
                    self.paths.pop(descriptor, None)
                    self._closed_at_the_end.add(descriptor)
                    with suppress(OSError):
                        close(descriptor)

    def lose_unsynced(self) -> None:
        """Do to the standby what a power failure does; afterwards this object is used up."""
        for change in reversed(self._changes[self.dice.randrange(len(self._changes) + 1) :]):
            with suppress(OSError):
                change.undo()
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = f"{folder}{os.sep}{name}"
                found = _stat(path)
                synced = self._unsynced.get(found.st_ino)
                if synced is not None and found.st_size > synced:
                    os.truncate(path, self.dice.randint(synced, found.st_size))


class _WatchedFile:
    """A file that was opened for writing."""

    def __init__(self, file: Any, where: str, storage: FailingStorage) -> None:
        self._file = file
        self._storage = storage
        self._descriptor: int = file.fileno()
        storage.paths[self._descriptor] = where

    def write(self, data: bytes) -> int:
        storage = self._storage
        try:
            storage.step("write")
        except PowerCut:
            self._file.write(bytes(data)[: storage.dice.randrange(len(data) + 1)])
            raise
        storage.mark(self._descriptor)
        return cast(int, self._file.write(data))

    def truncate(self, length: int) -> int:
        self._storage.step("truncate")
        return cast(int, self._file.truncate(length))

    def close(self) -> None:
        self._storage.paths.pop(self._descriptor, None)
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_WatchedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
