"""Which file an export writes, and the scratch file that it alone may touch.

A claim is a locked file next to the target, which the system frees when its process dies; the scratch file has a
name that nothing else makes. The holder of a target's claim may therefore remove scratch files that earlier
exports of this target left behind. Those of other targets in the folder go too, when their claim can be taken and
nothing was written for an hour: the lock of another machine may not be seen on a share. Nothing else is touched.
"""

import os
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from app.core.durable import rename_to_new, sync_directory, unlink
from app.core.processlock import ProcessLock
from app.domain.reasons import reason_of
from app.engine.export.errors import ExportExists, ExportFailed, ExportUnderWay

_CLAIM_SUFFIX: Final = ".standfast-export"
_SCRATCH_SUFFIX: Final = ".standfast-part"
_OF_SCRATCH: Final = re.compile(rf"\.(.+)\.[0-9a-f]{{32}}{re.escape(_SCRATCH_SUFFIX)}(?:\.log)?", re.DOTALL)
_OF_CLAIM: Final = re.compile(rf"\.(.+){re.escape(_CLAIM_SUFFIX)}", re.DOTALL)
_TOKEN_BYTES: Final = 16
_HOLDER: Final = re.compile(rb"[0-9]{0,20}")
"""What our own claims hold: the number of a process, for people."""
_QUIET_S: Final = 3600.0


class ExportClaim:
    """The right to make one file. Thread: one at a time.

    Attributes:
        target: the file.
        scratch: where its content is gathered; only this claim's owner touches it.
    """

    def __init__(self, target: Path) -> None:
        """Claim a file, and remove what a dead export of it left behind.

        Raises:
            ExportExists: the file is there already, or a file of another program is in the place of the claim.
            ExportUnderWay: another export writes it right now.
            ExportFailed: the folder cannot be written.
        """
        self.target = target
        self._is_released = False
        self._path = _claim_of(target)
        try:
            self._lock = _take(target)
        except OSError as error:
            raise ExportFailed(file=target, detail=reason_of(error)) from error
        self.scratch = self._new_scratch()
        try:
            if os.path.lexists(target):
                raise ExportExists(file=target)
            self._remove_leftovers()
        except BaseException:
            self.release()
            raise

    def finish(self) -> None:
        """Put the scratch file in its place, durably.

        Raises:
            ExportExists: a file of that name came meanwhile; it was not touched.
            OSError: the system refused.
        """
        try:
            rename_to_new(self.scratch, self.target)
        except FileExistsError as error:
            raise ExportExists(file=self.target) from error
        sync_directory(self.target.parent)

    def release(self) -> None:
        """Remove the scratch file and let others claim the target; a second call does nothing. Never raises."""
        if self._is_released:
            return
        self._is_released = True
        with suppress(OSError):
            unlink(self.scratch, missing_ok=True)
        _give_back(self._path, self._lock)

    def _new_scratch(self) -> Path:
        token = secrets.token_hex(_TOKEN_BYTES)
        return self.target.with_name(f".{self.target.name}.{token}{_SCRATCH_SUFFIX}")

    def _remove_leftovers(self) -> None:
        with suppress(OSError):
            found: dict[str, list[Path]] = {}
            for path in self.target.parent.iterdir():
                name = _OF_SCRATCH.fullmatch(path.name) or _OF_CLAIM.fullmatch(path.name)
                if name is not None:
                    found.setdefault(name[1], []).append(path)
            for path in found.pop(self.target.name, []):
                if path != self._path:
                    unlink(path)
            for name_of_other, paths in found.items():
                _remove_dead(self.target.with_name(name_of_other), paths)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def _claim_of(target: Path) -> Path:
    return target.with_name(f".{target.name}{_CLAIM_SUFFIX}")


def _take(target: Path) -> ProcessLock:
    path = _claim_of(target)
    while True:
        with suppress(FileNotFoundError), path.open("rb") as there:
            if _HOLDER.fullmatch(there.read(64)) is None:
                raise ExportExists(file=path)
        lock = ProcessLock.take(path)
        if lock is None:
            raise ExportUnderWay(file=target)
        if lock.holds(path):
            return lock
        lock.release()  # its last holder removed the file between our opening and our locking it


def _give_back(claim: Path, lock: ProcessLock) -> None:
    if os.name != "nt":  # Windows removes no file that is open
        with suppress(OSError):
            unlink(claim, missing_ok=True)
    lock.release()
    if os.name == "nt":
        with suppress(OSError):
            unlink(claim, missing_ok=True)


def _remove_dead(target: Path, paths: Sequence[Path]) -> None:
    """Remove what an export of another target left, when its maker is certainly gone."""
    with suppress(OSError, ExportExists, ExportUnderWay):
        latest = max(path.lstat().st_mtime for path in paths)
        if time.time() - latest < _QUIET_S:
            return
        lock = _take(target)
        try:
            for path in paths:
                if path != _claim_of(target):
                    unlink(path, missing_ok=True)
        finally:
            _give_back(_claim_of(target), lock)
