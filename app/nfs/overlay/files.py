"""The files of an overlay's folder: their names, and which of them are open. Thread: any."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.core.durable import is_scratch_of, rename, scratch_path_for, sync_directory, unlink
from app.core.heldfolder import HeldFolder
from app.core.positioned import PositionedFile
from app.core.privatefiles import open_on_standby

_SEGMENT_NAME: Final = re.compile(r"(\d{8})\.seg")
_MARK_NAME: Final = re.compile(r"(\d{8})\.begun")
_SCRATCH_NAME: Final = re.compile(r"\.(\d{8}\.seg)\..+")
_SPILL_NAME: Final = "map.cache"
LOCK_NAME: Final = "overlay.lock"


class OverlayFiles:
    """Finds, makes, opens and deletes the segments of one overlay; those opened first are closed first.

    Nothing is opened, made or deleted by its name once the path leads to another folder than at the beginning.
    """

    def __init__(self, folder: Path, open_segments: int) -> None:
        """Take the folder that is there now.

        Raises:
            OSError: there is none, or the system refused.
        """
        self.folder = folder
        self._held = HeldFolder(folder)
        self._most = open_segments
        self._lock = threading.Lock()
        self._open: OrderedDict[int, PositionedFile] = OrderedDict()
        self.known = self._open.get
        """Returns a segment that is open, at the cost of one look into a dictionary."""

    def check_place(self) -> None:
        """Make sure that the path still leads to the folder of this overlay.

        Raises:
            OSError: it does not, or the system refused.
        """
        self._held.check()

    def path(self, number: int) -> Path:
        """Return the path of a segment."""
        return self.folder / f"{number:08d}.seg"

    def numbers(self) -> list[int]:
        """Return the numbers of the segments that are there, in order.

        Raises:
            OSError: the folder cannot be read.
        """
        return sorted(self._numbered(_SEGMENT_NAME))

    def last_begun(self) -> int:
        """Return the number of the newest segment that is known to have been part of the log, 0 for none.

        Raises:
            OSError: the folder cannot be read.
        """
        return max(self._numbered(_MARK_NAME), default=0)

    def _numbered(self, name: re.Pattern[str]) -> list[int]:
        return [int(match[1]) for match in map(name.fullmatch, os.listdir(self.folder)) if match]  # noqa: PTH208 - only names

    def remove_scratch(self) -> None:
        """Delete segments that a crash left before they were part of the log.

        Raises:
            OSError: the system refused.
        """
        for name in os.listdir(self.folder):  # noqa: PTH208 - only names
            match = _SCRATCH_NAME.fullmatch(name)
            if match and is_scratch_of(self.folder / match[1], name):
                unlink(self.folder / name, missing_ok=True)

    def open(self, number: int) -> PositionedFile:
        """Return a segment, opened for reading unless it is open.

        Raises:
            OSError: it cannot be opened; FileNotFoundError when it was deleted meanwhile, and only then.
        """
        file = self.known(number)
        if file is None:
            with self._lock:
                file = self.known(number)
                if file is None:
                    file = self._opened(number, os.O_RDONLY)
                    self._keep(number, file)
        return file

    def open_for_writing(self, number: int) -> PositionedFile:
        """Open a segment for reading and writing.

        Raises:
            OSError: it cannot be opened.
        """
        return self._opened(number, os.O_RDWR)

    def _opened(self, number: int, flags: int) -> PositionedFile:
        """Open a segment of this overlay: another folder may have one of the same name, or none."""
        try:
            file = PositionedFile(open_on_standby(self.path(number), flags))
        except FileNotFoundError:
            self._held.check()
            raise
        self._held.check()
        return file

    def _keep(self, number: int, file: PositionedFile) -> None:
        self._open[number] = file
        while len(self._open) > self._most:
            self._open.popitem(last=False)

    def create_scratch(self, number: int) -> tuple[Path, PositionedFile]:
        """Create the file of a new segment under a name that is not part of the log.

        Raises:
            OSError: the system refused.
        """
        self._held.check()
        path = scratch_path_for(self.path(number))
        return path, PositionedFile(open_on_standby(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))

    def publish(self, number: int, scratch: Path) -> PositionedFile:
        """Make a new segment part of the log, durably, and open it for writing. Its file must be closed.

        Raises:
            OSError: the system refused; it may be part of the log all the same.
        """
        self._held.check()
        rename(scratch, self.path(number))
        sync_directory(self.folder)
        file = self.open_for_writing(number)
        with self._lock:
            self._keep(number, file)
        with suppress(OSError):  # what is written is as safe without it, its loss is only not noticed
            self._mark(number)
        return file

    def _mark(self, number: int) -> None:
        earlier = [mark for mark in self._numbered(_MARK_NAME) if mark != number]
        os.close(open_on_standby(self._mark_path(number), os.O_WRONLY | os.O_CREAT))
        sync_directory(self.folder)
        for mark in earlier:
            unlink(self._mark_path(mark), missing_ok=True)

    def _mark_path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.begun"

    def delete(self, numbers: Collection[int]) -> None:
        """Delete segments durably, also those that readers still hold open.

        Raises:
            OSError: the system refused, or a reader on Windows did not let go for too long.
        """
        self._held.check()
        with self._lock:
            for number in numbers:
                self._open.pop(number, None)
        for number in numbers:
            unlink(self.path(number), missing_ok=True)
        sync_directory(self.folder)

    def create_spill(self) -> PositionedFile:
        """Create the file of the map's pages, in the place of one that a crash left.

        Raises:
            OSError: the system refused.
        """
        path = self.folder / _SPILL_NAME
        unlink(path, missing_ok=True)
        return PositionedFile(open_on_standby(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))

    def delete_spill(self) -> None:
        """Delete the file of the map's pages.

        Raises:
            OSError: the system refused.
        """
        self._held.check()
        unlink(self.folder / _SPILL_NAME, missing_ok=True)

    def close(self) -> None:
        """Close all segments, each as soon as no read is under way."""
        self._held.close()
        with self._lock:
            self._open.clear()
