"""Which file an export writes, and the scratch file that it alone may touch.

A claim is a locked file next to the target, which the system frees when its process dies; the scratch file has a
name that nobody else makes. Whoever holds the claim may therefore remove scratch files that earlier exports of
this target left behind, and nothing else in the folder.
"""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from app.core.durable import sync_directory
from app.core.processlock import ProcessLock
from app.engine.export.errors import ExportExists, ExportFailed, ExportUnderWay

_CLAIM_SUFFIX: Final = ".standfast-export"
_SCRATCH_SUFFIX: Final = ".standfast-part"
_OF_SCRATCH: Final = re.compile(rf"[0-9a-f]{{32}}{re.escape(_SCRATCH_SUFFIX)}(?:\.log)?")
_TOKEN_BYTES: Final = 16
_HOLDER: Final = re.compile(rb"[0-9]{0,20}")
"""What our own claims hold: the number of a process, for people."""


class ExportClaim:
    """The right to make one file. Thread: one at a time.

    Attributes:
        target: the file.
        scratch: where its content is gathered; only this claim's owner touches it.
    """

    def __init__(self, target: Path) -> None:
        """Claim a file, and remove what a dead export of it left behind.

        Raises:
            ExportExists: the file is there already, or a file of somebody else lies in the place of the claim.
            ExportUnderWay: another export writes it right now.
            ExportFailed: the folder cannot be written.
        """
        self.target = target
        self._is_released = False
        self._path = target.with_name(f".{target.name}{_CLAIM_SUFFIX}")
        try:
            self._lock = self._take()
        except OSError as error:
            raise ExportFailed(file=target, detail=error.strerror or error) from error
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
            os.link(self.scratch, self.target)
        except FileExistsError as error:
            raise ExportExists(file=self.target) from error
        except OSError:  # a file system without hard links
            if os.path.lexists(self.target):
                raise ExportExists(file=self.target) from None
            self.scratch.rename(self.target)
        sync_directory(self.target.parent)

    def release(self) -> None:
        """Remove the scratch file and let others claim the target; a second call does nothing. Never raises."""
        if self._is_released:
            return
        self._is_released = True
        with suppress(OSError):
            self.scratch.unlink(missing_ok=True)
        if os.name != "nt":  # Windows lets nobody remove a file that is open
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        self._lock.release()
        if os.name == "nt":
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _take(self) -> ProcessLock:
        while True:
            with suppress(FileNotFoundError), self._path.open("rb") as there:
                if _HOLDER.fullmatch(there.read(64)) is None:
                    raise ExportExists(file=self._path)
            lock = ProcessLock.take(self._path)
            if lock is None:
                raise ExportUnderWay(file=self.target)
            if lock.holds(self._path):
                return lock
            lock.release()  # its last holder removed the file between our opening and our locking it

    def _new_scratch(self) -> Path:
        token = secrets.token_hex(_TOKEN_BYTES)
        return self.target.with_name(f".{self.target.name}.{token}{_SCRATCH_SUFFIX}")

    def _remove_leftovers(self) -> None:
        begin = f".{self.target.name}."
        with suppress(OSError):
            for path in list(self.target.parent.iterdir()):
                if path.name.startswith(begin) and _OF_SCRATCH.fullmatch(path.name.removeprefix(begin)):
                    path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
