"""What is to be served: a file for each recovery, which outlives every process."""

import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from app.core.durable import replace_durably, sync_directory, unlink
from app.core.privatefiles import make_private_folder

EXPORTS_FOLDER: Final = "exports"
_FORMAT: Final = 1
_SUFFIX: Final = ".json"
_LONGEST_BYTES: Final = 16 << 20
_SECRET_BYTES: Final = 16
_ID: Final = re.compile(r"[0-9a-f]{32}")


def new_export_id() -> str:
    """Return an id that nobody has."""
    return secrets.token_hex(_SECRET_BYTES)


class ServedDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A disk of the restore point, and where a host finds it."""

    key: int
    path: str
    """Below the recovery's folder, with forward slashes; its folders are made."""


class ServedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A small file that a host finds beside the disks: configuration, a descriptor, the firmware's memory.

    It is made once, when the volume is new, and is the host's from then on.
    """

    path: str
    """Below the volume, with forward slashes; its folders are made."""
    data: bytes


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """One recovery as the server needs to know it; the secret name is not shown."""

    format: int = _FORMAT
    id: str
    """32 digits."""
    name: str
    """Of the share, which is the path that is mounted: only those know it who may."""
    place: str
    """The folder of this recovery in the share."""
    number: int
    """What no other recovery of the share ever had; from 1 on."""
    clients: tuple[str, ...]
    """Addresses of those who may use it."""
    address: str
    """Of this machine, to which they connect."""
    repository: str
    """Folder of the repository."""
    repository_id: str
    point: str
    folder: str
    """Where names, files and overlays are kept, at the standby."""
    disks: tuple[ServedDisk, ...]
    is_paused: bool = False
    """Whether nothing of it is open at the moment: its folder is not in the share."""
    publication: str = msgspec.field(default_factory=new_export_id)
    """Another one each time the recovery is started: what was seen of an earlier start does not count."""
    is_begun: bool = False
    """Whether it was served before, so that what its VM wrote must be there; what was served here is remembered
    besides."""
    files: tuple[ServedFile, ...] = ()

    def __repr__(self) -> str:
        return f"Export(id={self.id!r}, point={self.point!r}, clients={self.clients!r}, name=…)"


def new_export_name() -> str:
    """Return 128 random bits as the name of a share."""
    return secrets.token_hex(_SECRET_BYTES)


class ExportUnreadable(Exception):
    """The file of an export is not what was written."""


class ExportFolder:
    """The files of all exports. Thread: any; one process changes them at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, export: Export) -> None:
        """Store an export durably, at once and whole; one of its id is replaced.

        Raises:
            ValueError: that is no id.
            OSError: the system refused.
        """
        with suppress(FileExistsError):
            make_private_folder(self._path)
        replace_durably(self._file(export.id), msgspec.json.encode(export))

    def remove(self, export_id: str) -> None:
        """Forget an export durably; one that is not there is fine.

        Raises:
            ValueError: that is no id.
            OSError: the system refused.
        """
        with suppress(FileNotFoundError):
            unlink(self._file(export_id))
            sync_directory(self._path)

    def read(self, export_id: str) -> Export | None:
        """Return an export, None when there is none.

        Raises:
            ValueError: that is no id.
            ExportUnreadable: its file is not what was written, or of a newer program.
            OSError: the system refused.
        """
        try:
            with self._file(export_id).open("rb") as file:
                data = file.read(_LONGEST_BYTES)
        except FileNotFoundError:
            return None
        try:
            export = msgspec.json.decode(data, type=Export)
        except msgspec.MsgspecError as error:
            raise ExportUnreadable(str(error)) from error
        if export.id != export_id or export.format > _FORMAT:
            raise ExportUnreadable("another export, or one of a newer program")
        return export

    def ids(self) -> Iterator[str]:
        """Yield the ids of all exports.

        Raises:
            OSError: the system refused.
        """
        try:
            paths = sorted(self._path.iterdir())
        except FileNotFoundError:
            return
        for path in paths:
            if path.suffix == _SUFFIX and _ID.fullmatch(path.stem):
                yield path.stem

    def _file(self, export_id: str) -> Path:
        if not _ID.fullmatch(export_id):
            raise ValueError(f"not the id of an export: {export_id!r}")
        return self._path / f"{export_id}{_SUFFIX}"
