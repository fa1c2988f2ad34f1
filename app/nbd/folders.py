"""Private folders for sockets, and the removal of those whose maker was killed.

Each folder holds a note of the process that made it: its number, when it began, in which start of the system and
among which processes. A folder is removed only when it is ours and that process is proven to be gone; where that
cannot be determined, such as outside of Linux or for a process of another container, it stays.
"""

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from app.core.privatefiles import create_private_text
from app.core.processmarks import boot_id, process_namespace, start_ticks

_log = logging.getLogger(__name__)

SOCKET_NAME: Final = "nbd.sock"
NOTE_NAME: Final = "maker"
_PREFIX: Final = "standfast-nbd-"
_LONGEST_SOCKET_PATH: Final = 100
"""``sun_path`` holds 108 bytes on Linux and 104 on macOS, with the final zero."""
_LONGEST_NOTE_BYTES: Final = 1000


class _Maker(NamedTuple):
    """The process that made a folder; empty parts are not known."""

    pid: int
    ticks: str
    boot: str
    namespace: str

    @classmethod
    def current(cls) -> Self:
        pid = os.getpid()
        return cls(pid, start_ticks(pid) or "", boot_id(), process_namespace())

    @classmethod
    def decode(cls, text: str) -> Self | None:
        parts = text.split("\n")
        if len(parts) != len(cls._fields) or not parts[0].isascii() or not parts[0].isdigit():
            return None
        return cls(int(parts[0]), *parts[1:])

    def encode(self) -> str:
        return "\n".join(str(part) for part in self)

    def is_gone(self) -> bool:
        """Return whether it is proven that the process has ended."""
        now = boot_id()
        if not (self.ticks and self.boot and now):
            return False
        if self.boot != now:
            return True
        if not self.namespace or self.namespace != process_namespace():
            return False
        try:
            ticks = start_ticks(self.pid)
        except ProcessLookupError:
            return True
        return ticks is not None and ticks != self.ticks


def make_private_folder() -> Path:
    """Make a folder of mode 0700 whose path is short enough for a socket in it.

    Raises:
        OSError: there is no place for one.
    """
    room = _LONGEST_SOCKET_PATH - len(f"/{_PREFIX}12345678/{SOCKET_NAME}")
    for above in _places():
        if len(os.fsencode(above)) <= room and os.access(above, os.W_OK):
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
            try:
                with create_private_text(folder / NOTE_NAME, encoding="utf-8") as note:
                    note.write(_Maker.current().encode())
            except OSError:
                remove_private_folder(folder)
                raise
            return folder
    raise OSError("there is no folder for a socket; TMPDIR names one")


def remove_private_folder(folder: Path) -> None:
    """Remove a folder that this process made; never raises."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned_folders() -> int:
    """Remove the folders of this user whose makers are gone; return how many. Never raises."""
    if not hasattr(os, "O_NOFOLLOW"):  # Windows has no such folders
        return 0
    removed = 0
    for above in _places():
        with suppress(OSError):
            for path in sorted(above.glob(f"{_PREFIX}*")):
                removed += _remove_if_abandoned(path)
    return removed


def _places() -> Iterator[Path]:
    """Yield the folders in which there may be one for a socket, best first."""
    named = (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")  # noqa: S108 - mkdtemp makes it
    yield from dict.fromkeys(Path(name) for name in named if Path(name).is_absolute())


def _remove_if_abandoned(path: Path) -> bool:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # a link, a file, or someone else's
        return False
    try:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != stat.S_IRWXU:
            return False
        maker = _maker_of(folder)
        with os.scandir(folder) as entries:
            is_ours_only = {entry.name for entry in entries} <= {SOCKET_NAME, NOTE_NAME}
        if maker is None or not is_ours_only or not maker.is_gone():
            return False
        with suppress(FileNotFoundError):
            os.unlink(SOCKET_NAME, dir_fd=folder)
        os.unlink(NOTE_NAME, dir_fd=folder)
        path.rmdir()
    except OSError as error:
        _log.info("the folder %s of a process that is gone stays: %s", path, error)
        return False
    finally:
        os.close(folder)
    _log.info("removed %s, whose process is gone", path)
    return True


def _maker_of(folder: int) -> _Maker | None:
    with suppress(OSError, ValueError):
        note = os.open(NOTE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(note, "rb") as file:
            return _Maker.decode(file.read(_LONGEST_NOTE_BYTES).decode("utf-8"))
    return None
