"""Lists the files of datastores for clients (HostDatastoreBrowser)."""

import fnmatch
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from pyVmomi import VmomiSupport, vim

from app.simulator.calls import Call
from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.index import DatacenterParts
from app.simulator.objects import SimObject
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath, SimDatastore, StorageError
from app.simulator.storage.naming import DATA_SUFFIXES, EXTENT_SUFFIXES
from app.simulator.storage.places import StoredPath, present_entries
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.world import World, WorldObject

_browser = vim.host.DatastoreBrowser
SearchSpec = _browser.SearchSpec
_KINDS: tuple[tuple[str, type[_browser.Query], type[_browser.FileInfo]], ...] = (
    (".vmx", _browser.VmConfigQuery, _browser.VmConfigInfo),
    (".vmdk", _browser.VmDiskQuery, _browser.VmDiskInfo),
    (".nvram", _browser.VmNvramQuery, _browser.VmNvramInfo),
    (".log", _browser.VmLogQuery, _browser.VmLogInfo),
    (".iso", _browser.IsoImageQuery, _browser.IsoImageInfo),
    (".vmsn", _browser.VmSnapshotQuery, _browser.VmSnapshotInfo),
)
_RESULTS: Any = VmomiSupport.GetVmodlType("vim.host.DatastoreBrowser.SearchResults[]")


class DatastoreBrowser(WorldObject):
    """Looks into one datastore, or into all.

    Attributes:
        only: the one datastore; None for all.
    """

    vim_type = _browser
    volatile: ClassVar[frozenset[str]] = frozenset({"datastore"})

    def __init__(
        self, world: World, moid: str, only: Datastore | None = None, compute: SimObject | None = None
    ) -> None:
        super().__init__(world, moid, supportedType=[kind() for _, kind, _ in _KINDS])
        self.only = only
        self.compute = compute

    def _parts(self) -> DatacenterParts:
        parts: DatacenterParts = self.world.inventory.parts_of(self.only or self.compute)
        return parts

    def read(self, name: str, session: Any = None) -> Any:
        """Return a property; the datastores are the present ones."""
        if name == "datastore":
            return [datastore.ref for datastore in self._datastores()]
        return super().read(name, session)

    def _datastores(self) -> list[Datastore]:
        return [self.only] if self.only is not None else self.world.inventory.datastores_in(self._parts())

    def SearchDatastore_Task(
        self, call: Call, *, datastorePath: str, searchSpec: SearchSpec | None = None
    ) -> vim.Task:
        """List a directory."""
        datastore, path = self._checked(call, datastorePath)

        def search(_: TaskProgress) -> _browser.SearchResults:
            return _listing(datastore, path, searchSpec or SearchSpec())

        return call.start_task(datastore, "SearchDatastore_Task", search)

    def SearchDatastoreSubFolders_Task(
        self, call: Call, *, datastorePath: str, searchSpec: SearchSpec | None = None
    ) -> vim.Task:
        """List a directory and everything below it."""
        datastore, path = self._checked(call, datastorePath)

        def search(_: TaskProgress) -> Any:
            root = datastore.storage.resolve(path)
            below = sorted(entry for entry in root.rglob("*") if entry.is_dir())
            directories = [
                path,
                *(datastore.storage.path(datastore.storage.relative(folder)) for folder in below),
            ]
            results = [_listing(datastore, directory, searchSpec or SearchSpec()) for directory in directories]
            return _RESULTS(results)

        return call.start_task(datastore, "SearchDatastoreSubFolders_Task", search)

    def _checked(self, call: Call, text: str) -> tuple[Datastore, DatastorePath]:
        with as_vim_faults(text):
            path = DatastorePath.parse(self._parts().key_of(text))
        datastore = next((known for known in self._datastores() if known.name == path.datastore), None)
        if datastore is None:
            raise vim.fault.InvalidDatastore(msg=f"Invalid datastore '{path.datastore}'.", name=path.datastore)
        call.require("Datastore.Browse", datastore)
        return datastore, path


def _listing(datastore: Datastore, path: DatastorePath, spec: SearchSpec) -> _browser.SearchResults:
    with as_vim_faults(str(path)):
        directory = datastore.storage.resolve(path)
    if not directory.is_dir():
        raise vim.fault.FileNotFound(msg=f"File {path} was not found.", file=str(path))
    files: list[_browser.FileInfo] = []
    for entry in present_entries(directory):
        with suppress(FileNotFoundError):  # it was removed meanwhile
            files.extend(_infos(datastore.storage, entry, spec))
    if spec.sortFoldersFirst:
        files.sort(key=lambda info: not isinstance(info, _browser.FolderInfo))
    return _browser.SearchResults(datastore=datastore.ref, folderPath=str(path), file=files)


def _infos(storage: SimDatastore, entry: StoredPath, spec: SearchSpec) -> Iterator[_browser.FileInfo]:
    patterns = spec.matchPattern or ["*"]
    folded = (entry.name.lower(), [pattern.lower() for pattern in patterns])
    name, patterns = folded if spec.searchCaseInsensitive else (entry.name, list(patterns))
    if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
        return
    kind = _kind_of(entry, spec)
    if kind is None:
        return
    fields: dict[str, Any] = {"path": entry.name}
    details = spec.details
    if details is not None and details.fileSize:
        fields["fileSize"] = _size_bytes(storage, entry)
    if details is not None and details.modification:
        fields["modification"] = datetime.fromtimestamp(entry.stat().st_mtime, UTC)
    if details is not None and details.fileOwner:
        fields["owner"] = "root"
    yield kind(**fields)


def _kind_of(entry: StoredPath, spec: SearchSpec) -> type[_browser.FileInfo] | None:
    """Without a query every file is listed; a query for disks hides their data files."""
    wanted = tuple(type(query) for query in spec.query)
    if entry.is_dir():
        is_wanted = not wanted or _browser.FolderQuery in wanted
        return _browser.FolderInfo if is_wanted else None
    if entry.name.endswith(EXTENT_SUFFIXES):
        return None if wanted else _browser.FileInfo
    for suffix, query, info in _KINDS:
        if entry.name.endswith(suffix):
            return info if not wanted or query in wanted else None
    return None if wanted else _browser.FileInfo


def _size_bytes(storage: SimDatastore, entry: StoredPath) -> int:
    """Return the size of a file; a disk's is the space that it takes."""
    if entry.is_dir():
        return 0
    if not entry.name.endswith(".vmdk") or entry.name.endswith(EXTENT_SUFFIXES):
        return entry.stat().st_size
    stem = entry.name.removesuffix(".vmdk")
    for suffix in DATA_SUFFIXES:
        data = entry.with_name(stem + suffix)
        if data.exists():
            try:
                return storage.booked_bytes(storage.relative(data))
            except StorageError:
                return data.stat().st_size
    return entry.stat().st_size
