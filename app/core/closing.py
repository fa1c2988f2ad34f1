"""Taking the rights that other users have on a folder and all that is in it.

Earlier versions, and other programs, left repositories open to every user of the machine. Nothing here follows a
link, not even one that comes meanwhile, and no other file system is entered: everything is reached by descriptors.

Thread: any. May take long where a share does not answer.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.core.accesslists import restrict_access_list
from app.core.privatefiles import is_for_group
from app.domain.messages import Message
from app.domain.reasons import reason_of

MOST_NAMED: Final = 5
"""Paths that are kept of each kind; the others are only counted."""
_OTHERS: Final = 0o077
_DEEPEST: Final = 64
"""Far deeper than a repository; each folder on the way holds a descriptor."""
_OPENED: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | os.O_RDONLY
)
_FOLDER: Final = _OPENED | getattr(os, "O_DIRECTORY", 0)
_Refused = Callable[[Path, OSError], None]


class ModesNotKept(Exception):
    """A file system accepts other rights and does not keep them, as exFAT and many shares do."""


@dataclass(slots=True)
class NamedPaths:
    """A number of paths, the first few of them with why they were refused."""

    count: int = 0
    first: list[tuple[Path, Message | None]] = field(default_factory=list)

    def add(self, path: Path, detail: Message | None = None) -> None:
        """Count a path, and keep it when it is one of the first."""
        self.count += 1
        if len(self.first) < MOST_NAMED:
            self.first.append((path, detail))


@dataclass(slots=True)
class OpenEntries:
    """How much other users can use, in a folder."""

    count: int = 0
    """Files and folders, those with further names not among them."""
    linked: int = 0
    """Open files that have further names (hard links), perhaps somewhere else."""
    size_bytes: int = 0
    """Of all files, open or not."""
    is_complete: bool = True
    """False when the time was up, or something could not be looked at: there may be more."""

    def add(self, other: "OpenEntries") -> None:
        """Count what is in another folder as well."""
        self.count += other.count
        self.linked += other.linked
        self.size_bytes += other.size_bytes
        self.is_complete = self.is_complete and other.is_complete


@dataclass(slots=True)
class ClosingReport:
    """The result of closing a folder."""

    changed: int = 0
    refused: NamedPaths = field(default_factory=NamedPaths)
    """What could not be looked at or changed, each with the system's error."""
    linked: NamedPaths = field(default_factory=NamedPaths)
    """Open files that were left as they are because they have further names."""


def is_open_to_others(path: Path) -> bool:
    """Return whether a file or folder can be used by more users than it should be; False where that is not known.

    A folder for a group, and what is in it, may be used by that group.
    """
    if os.name == "nt":
        return False
    try:
        status = path.lstat()
        folder = path if stat.S_ISDIR(status.st_mode) else path.parent
        allowed = stat.S_IRWXG if is_for_group(folder) else 0
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(_surplus(status, allowed))


def find_open_entries(root: Path, *, goes_on: Callable[[], bool] = lambda: True) -> OpenEntries:
    """Count what other users can use in a folder, without changing anything.

    Args:
        root: the folder; on Windows, where access lists are inherited, it counts as one entry.
        goes_on: asked for every entry; counting ends when it says no.
    """
    found = OpenEntries()
    if os.name == "nt":
        found.count = 1
        return found

    def refused(_path: Path, _error: OSError) -> None:
        found.is_complete = False

    with closing(_walk(root, refused)) as entries:
        for entry in entries:
            if not goes_on():
                found.is_complete = False
                break
            found.size_bytes += entry.size_bytes
            if entry.surplus and entry.is_linked:
                found.linked += 1
            elif entry.surplus:
                found.count += 1
    return found


def close_to_others(
    root: Path, report: ClosingReport, *, on_size: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Take the rights that other users have on a folder and all that is in it; go on where something refuses.

    A root that is for a group stays so.

    Args:
        root: the folder.
        report: gets what was done, also when this ends early.
        on_size: called for every entry, with the bytes of a file; what it raises ends this.

    Raises:
        ModesNotKept: the file system does not keep rights.
        OSError: Windows refused.
    """
    if os.name == "nt":
        restrict_access_list(root)
        report.changed += 1
        return

    def refused(path: Path, error: OSError) -> None:
        report.refused.add(path, reason_of(error))

    with closing(_walk(root, refused)) as entries:
        for entry in entries:
            if entry.surplus and entry.is_linked:
                report.linked.add(entry.path)
            elif entry.surplus:
                try:
                    report.changed += entry.close()
                except FileNotFoundError:
                    pass  # it was removed meanwhile
                except OSError as error:
                    refused(entry.path, error)
            on_size(entry.size_bytes)


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    folder: int
    """Descriptor of the folder around it; of a folder, its own."""
    status: os.stat_result
    allowed: int

    @property
    def surplus(self) -> int:
        return _surplus(self.status, self.allowed)

    @property
    def size_bytes(self) -> int:
        return self.status.st_size if stat.S_ISREG(self.status.st_mode) else 0

    @property
    def is_linked(self) -> bool:
        return stat.S_ISREG(self.status.st_mode) and self.status.st_nlink > 1

    def close(self) -> bool:
        """Take the surplus rights; return whether there were some.

        Raises:
            ModesNotKept: they are there all the same.
            OSError: the system refused.
        """
        if stat.S_ISDIR(self.status.st_mode):
            return _close(self.folder, self.allowed)
        descriptor = os.open(self.path.name, _OPENED, dir_fd=self.folder)
        try:
            now = os.fstat(descriptor)
            is_same = os.path.samestat(now, self.status) and now.st_nlink == self.status.st_nlink
            return is_same and _close(descriptor, self.allowed)
        finally:
            os.close(descriptor)


def _close(descriptor: int, allowed: int) -> bool:
    status = os.fstat(descriptor)
    surplus = _surplus(status, allowed)
    if not surplus:
        return False
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~surplus)
    if _surplus(os.fstat(descriptor), allowed):
        raise ModesNotKept
    return True


def _surplus(status: os.stat_result, allowed: int) -> int:
    return stat.S_IMODE(status.st_mode) & _OTHERS & ~allowed


def _walk(root: Path, refused: _Refused) -> Generator[_Entry, None, None]:
    """Yield a folder, what is in it, and so on; an entry is good only until the next one."""
    try:
        descriptor = os.open(root, _FOLDER)
    except OSError as error:
        refused(root, error)
        return
    try:
        status = os.fstat(descriptor)
        is_for_its_group = bool(status.st_mode & stat.S_ISGID) and status.st_mode & stat.S_IRWXG == stat.S_IRWXG
        allowed = stat.S_IRWXG if is_for_its_group else 0
        yield from _Walk(status.st_dev, allowed, refused).below(root, descriptor, 0)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Walk:
    device: int
    allowed: int
    refused: _Refused

    def below(self, folder: Path, descriptor: int, depth: int) -> Iterator[_Entry]:
        yield _Entry(folder, descriptor, os.fstat(descriptor), self.allowed)
        try:
            with os.scandir(descriptor) as found:
                names = [entry.name for entry in found]
        except OSError as error:
            self.refused(folder, error)
            return
        for name in names:
            path = folder / name
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # it was removed meanwhile
            except OSError as error:
                self.refused(path, error)
                continue
            if status.st_dev != self.device:
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._inside(path, descriptor, depth + 1)
            elif stat.S_ISREG(status.st_mode):
                yield _Entry(path, descriptor, status, self.allowed)

    def _inside(self, path: Path, above: int, depth: int) -> Iterator[_Entry]:
        try:
            if depth > _DEEPEST:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            descriptor = os.open(path.name, _FOLDER, dir_fd=above)
        except FileNotFoundError:
            return
        except OSError as error:
            self.refused(path, error)
            return
        try:
            if os.fstat(descriptor).st_dev == self.device:
                yield from self.below(path, descriptor, depth)
        finally:
            os.close(descriptor)
