"""Datastores: directories that hold the files of VMs, with a capacity that can run out."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.core.privatefiles import make_private_folders, write_private
from app.simulator.storage.errors import DatastoreFull, InvalidDatastorePath, StorageError
from app.simulator.storage.sparse import allocated_bytes

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
    other files their length.

    Thread: any.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        capacity_bytes: int,
        kind: DatastoreKind = "VMFS",
        *,
        is_full: Callable[[], bool] | None = None,
    ) -> None:
        """Open the directory, creating it when it is missing.

        Args:
            name: as in ``[name] directory/file``.
            root: the directory.
            capacity_bytes: what can be booked in all.
            kind: what the API says of it.
            is_full: asked before each booking; True refuses it (the fault script's full datastore).
        """
        self.name = name
        self.root = root
        self.capacity_bytes = capacity_bytes
        self.kind: DatastoreKind = kind
        self._is_full = is_full
        self._lock = threading.Lock()
        make_private_folders(root)
        self._resolved_root = root.resolve()
        self._booked = {
            file.relative_to(root).as_posix(): allocated_bytes(file) for file in root.rglob("*") if file.is_file()
        }
        self._used = sum(self._booked.values())

    @property
    def used_bytes(self) -> int:
        """Booked space."""
        return self._used

    @property
    def free_bytes(self) -> int:
        """Space that can still be booked."""
        return 0 if self._is_full is not None and self._is_full() else max(0, self.capacity_bytes - self._used)

    def path(self, relative: str) -> DatastorePath:
        """Return a path on this datastore.

        Raises:
            InvalidDatastorePath: it leaves the datastore.
        """
        return DatastorePath.of(self.name, relative)

    def resolve(self, path: DatastorePath | str) -> Path:
        """Return the file on this machine for a path on this datastore, which need not exist.

        Raises:
            InvalidDatastorePath: it is of another datastore, or leads out of this one.
        """
        path = DatastorePath.parse(path) if isinstance(path, str) else path
        if path.datastore != self.name:
            raise InvalidDatastorePath(f"{path} is not on [{self.name}]")
        file = self.root / path.relative
        if not file.resolve().is_relative_to(self._resolved_root):
            raise InvalidDatastorePath(f"{path} leads out of the datastore")
        return file

    def book(self, relative: str, more_bytes: int) -> None:
        """Book more space for a file, or with a negative number give some back.

        Raises:
            DatastoreFull: there is not that much left.
        """
        with self._lock:
            full = self._is_full is not None and self._is_full()
            if more_bytes > 0 and (full or self._used + more_bytes > self.capacity_bytes):
                raise DatastoreFull(self.name, more_bytes)
            self._booked[relative] = self._booked.get(relative, 0) + more_bytes
            self._used += more_bytes

    def set_booking(self, relative: str, size_bytes: int) -> None:
        """Correct what a file that exists has booked, whatever the capacity."""
        with self._lock:
            self._used += size_bytes - self._booked.get(relative, 0)
            self._booked[relative] = size_bytes

    def release(self, relative: str) -> None:
        """Release all space of a file."""
        with self._lock:
            self._used -= self._booked.pop(relative, 0)

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
        with self._lock:
            return self._booked.get(relative, 0)

    def write_file(self, relative: str, data: bytes) -> None:
        """Create or replace a small file, with its directories.

        Raises:
            DatastoreFull: it does not fit.
            InvalidDatastorePath: it leaves the datastore.
        """
        file = self.resolve(self.path(relative))
        self.book(relative, len(data) - self.booked_bytes(relative))
        make_private_folders(file.parent)
        write_private(file, data)

    def delete_file(self, relative: str) -> None:
        """Delete a file; one that is not there is fine.

        Raises:
            InvalidDatastorePath: it leaves the datastore.
        """
        self.resolve(self.path(relative)).unlink(missing_ok=True)
        self.release(relative)
