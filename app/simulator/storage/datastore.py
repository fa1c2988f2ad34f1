"""Datastores: directories that hold the files of VMs, with a capacity that can run out."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.simulator.storage.errors import InvalidDatastorePath, StorageError
from app.simulator.storage.places import StoredPath, allocated_bytes, make_folders, write_bytes
from app.simulator.storage.space import BookedSpace, Space

DatastoreKind = Literal["VMFS", "NFS", "vsan"]

TWIN_MARK = "\ue000"
"""Behind the name of a datastore that is in another datacenter under the same name; never goes over the wire."""
_PATH = re.compile(r"\[(?P<datastore>.+?)\](?: (?P<relative>.*))?", re.DOTALL)
_FORBIDDEN = re.compile(r'[\x00-\x1f\\:*?"<>|]')


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """A place on a datastore: ``[ds1] web-01/web-01.vmdk``."""

    datastore: str
    relative: str
    """Parts joined by ``/``; empty for the datastore itself. Never leaves the datastore."""

    @classmethod
    def parse(cls, text: str) -> "DatastorePath":
        """Read ``[datastore] directory/file``.

        Raises:
            InvalidDatastorePath: it is not of that form, or climbs out of the datastore.
        """
        match = _PATH.fullmatch(text.strip())
        if match is None:
            raise InvalidDatastorePath(f"not a datastore path: {text!r}")
        return cls.of(match["datastore"], match["relative"] or "")

    @classmethod
    def of(cls, datastore: str, relative: str) -> "DatastorePath":
        """Join a datastore and a path inside it, checking that it stays inside.

        Raises:
            InvalidDatastorePath: it climbs out, or holds characters that no file name may have.
        """
        parts = [part for part in relative.split("/") if part not in ("", ".")]
        if relative.startswith("/") or ".." in parts or _FORBIDDEN.search(relative):
            raise InvalidDatastorePath(f"not a path inside a datastore: {relative!r}")
        return cls(datastore, "/".join(parts))

    def __str__(self) -> str:
        return f"[{self.datastore}] {self.relative}".rstrip()

    @property
    def name(self) -> str:
        """The last part."""
        return self.relative.rpartition("/")[2]

    @property
    def directory(self) -> str:
        """Everything before the last part; empty at the top."""
        return self.relative.rpartition("/")[0]

    def sibling(self, name: str) -> "DatastorePath":
        """Return another file in the same directory.

        Raises:
            InvalidDatastorePath: the name is not one part.
        """
        return DatastorePath.of(self.datastore, f"{self.directory}/{name}".lstrip("/"))


class SimDatastore:
    """A datastore: a directory with a name, a kind and a capacity.

    Space is booked, not measured: disks book whole capacities (thick) or grains (thin, deltas) before they write,
    other files their length. A directory on a server has the server's space, which is measured.

    Thread: any.
    """

    def __init__(
        self,
        name: str,
        root: StoredPath,
        capacity_bytes: int = 0,
        kind: DatastoreKind = "VMFS",
        *,
        is_full: Callable[[], bool] | None = None,
        space: Space | None = None,
    ) -> None:
        """Open the directory, creating it when it is missing.

        Args:
            name: as in ``[name] directory/file``.
            root: the directory.
            capacity_bytes: what can be booked in all.
            kind: what the API says of it.
            is_full: asked before each booking; True refuses it (the fault script's full datastore).
            space: that of a directory on a server, which is there already.
        """
        self.name = name
        self.root = root
        self.kind: DatastoreKind = kind
        self._resolved_root: Path | None = None
        if isinstance(root, Path):
            make_folders(root)
            self._resolved_root = root.resolve()
        self._space = space or BookedSpace(name, capacity_bytes, self._taken(), is_full)

    def _taken(self) -> dict[str, int]:
        return {self.relative(file): allocated_bytes(file) for file in self.root.rglob("*") if file.is_file()}

    @property
    def capacity_bytes(self) -> int:
        """What can be booked in all."""
        return self._space.capacity_bytes

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it is a folder of this machine, not of a server."""
        return isinstance(self.root, Path)

    @property
    def used_bytes(self) -> int:
        """Booked space."""
        return self._space.used_bytes

    @property
    def free_bytes(self) -> int:
        """Space that can still be booked."""
        return self._space.free_bytes

    def path(self, relative: str) -> DatastorePath:
        """Return a path on this datastore.

        Raises:
            InvalidDatastorePath: it leaves the datastore.
        """
        return DatastorePath.of(self.name, relative)

    def resolve(self, path: DatastorePath | str) -> StoredPath:
        """Return where a path on this datastore is, whether there is something or not.

        Raises:
            InvalidDatastorePath: it is of another datastore, or leads out of this one.
        """
        path = DatastorePath.parse(path) if isinstance(path, str) else path
        if path.datastore != self.name:
            raise InvalidDatastorePath(f"{path} is not on [{self.name}]")
        file = self.root / path.relative
        if (
            isinstance(file, Path)
            and self._resolved_root is not None
            and not file.resolve().is_relative_to(self._resolved_root)
        ):
            raise InvalidDatastorePath(f"{path} leads out of the datastore")
        return file

    def relative(self, file: StoredPath) -> str:
        """Return the path inside the datastore of a file below its root."""
        root = self.root.as_posix().rstrip("/")
        return file.as_posix().removeprefix(root).lstrip("/")

    def book(self, relative: str, more_bytes: int) -> None:
        """Book more space for a file, or with a negative number give some back.

        Raises:
            DatastoreFull: there is not that much left.
        """
        self._space.book(relative, more_bytes)

    def set_booking(self, relative: str, size_bytes: int) -> None:
        """Correct what a file that exists has booked, whatever the capacity."""
        self._space.set_booking(relative, size_bytes)

    def release(self, relative: str) -> None:
        """Release all space of a file."""
        self._space.release(relative)

    @contextmanager
    def giving_back(self, relative: str) -> Iterator[None]:
        """Release all space of a file when it cannot be made inside the block."""
        try:
            yield
        except (StorageError, OSError):
            self.release(relative)
            raise

    def booked_bytes(self, relative: str) -> int:
        """Return the space that one file has booked."""
        return self._space.booked_bytes(relative)

    def write_file(self, relative: str, data: bytes) -> None:
        """Create or replace a small file, with its directories.

        Raises:
            DatastoreFull: it does not fit.
            InvalidDatastorePath: it leaves the datastore.
        """
        file = self.resolve(self.path(relative))
        self.book(relative, len(data) - self.booked_bytes(relative))
        make_folders(file.parent)
        write_bytes(file, data)

    def delete_file(self, relative: str) -> None:
        """Delete a file; one that is not there is fine.

        Raises:
            InvalidDatastorePath: it leaves the datastore.
        """
        self.resolve(self.path(relative)).unlink(missing_ok=True)
        self.release(relative)
