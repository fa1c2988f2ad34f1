"""The names and contents of a volume, as they are now and as they are stored.

The names are one immutable value (:mod:`app.nfs.names`); whoever reads takes it as it is, whoever changes puts
another one in its place, once that is durable. Changes exclude each other; reading excludes nothing.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.core.durable import unlink
from app.core.heldfolder import HeldFolder
from app.core.nfs3 import MOST_NAME_BYTES, Status
from app.core.privatefiles import make_folders_on_standby
from app.nfs.content import FileContent, FileStorage, OpenFiles, PlainFile
from app.nfs.errors import NfsError, refusal_of
from app.nfs.names import Content, NameFile, Names, NamesDamaged, Node
from app.nfs.trouble import Doing, Trouble

GENERATION_BYTES: Final = 8
_NAMES_FILE: Final = "names"
_FILES_FOLDER: Final = "files"


def stored_names(folder: Path) -> Names | None:
    """Return the names that are stored in the folder of a volume, None where there are none. Writes nothing.

    Raises:
        NamesDamaged: they are not what was stored.
        OSError: they cannot be read.
    """
    return NameFile(folder / _NAMES_FILE).load()


class Tree:
    """What a volume consists of. Thread: any; who changes it holds :attr:`lock`.

    Attributes:
        folder: where its files are.
        names: all names at this moment.
        contents: the bytes behind each file, by its id.
        lock: excludes changes from each other.
        trouble: what the standby refuses.
        now_ns: returns the time, as nanoseconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        disks: Mapping[str, FileContent],
        files: OpenFiles,
        now_ns: Callable[[], int],
        trouble: Trouble,
    ) -> None:
        """Open what is stored, or begin with an empty root.

        Raises:
            NamesDamaged: what is stored is not what was stored.
            OSError: the system refused.
        """
        self.disks = disks
        self.now_ns = now_ns
        self.lock = threading.Lock()
        self.trouble = trouble
        self.folder = folder / _FILES_FOLDER
        self._store = NameFile(folder / _NAMES_FILE)
        make_folders_on_standby(self.folder)
        self._held = HeldFolder(self.folder)
        self._storage = FileStorage(self._held, files, trouble)
        try:
            self._load()
        except BaseException:
            self._held.close()
            raise

    def _load(self) -> None:
        found = self._store.load()
        if found is None:
            found = Names.new(secrets.token_bytes(GENERATION_BYTES), self.now_ns())
            self._store.store(found)
        self.names = found
        self.contents = {
            node.id: self._content_of(node) for node in found.nodes.values() if node.content != Content.FOLDER
        }
        self._remove_strays()

    def _content_of(self, node: Node) -> FileContent:
        if node.content == Content.DISK:
            if node.disk not in self.disks:
                raise NamesDamaged(f"there is no disk {node.disk}")
            return self.disks[node.disk]
        path = self._path(node.id)
        try:
            return PlainFile(path, self._storage, self.now_ns)
        except FileNotFoundError as error:
            raise NamesDamaged(f"the file of {node.name!r} is missing: {path}") from error

    def _remove_strays(self) -> None:
        """Delete files of ours that no name leads to: of what was made or removed when the server was killed."""
        for path in self.folder.iterdir():
            if path.name.isdigit() and int(path.name) not in self.contents:
                with suppress(OSError):
                    unlink(path)

    def _path(self, node: int) -> Path:
        return self.folder / str(node)

    def create_file(self, node: int, data: bytes) -> PlainFile:
        """Make the file behind a node, durably.

        Raises:
            OSError: the system refused.
        """
        try:
            return PlainFile.create(self._path(node), self._storage, data)
        except OSError as error:
            self.trouble.note(Doing.WRITING, error)
            raise

    def check_place(self) -> None:
        """Make sure that the folder of the volume is still under its path.

        Raises:
            OSError: another one is there, or none.
        """
        self._held.check()

    def commit(self, names: Names) -> None:
        """Put other names in the place of these, once they are durable.

        Raises:
            OSError: the system refused; nothing has changed.
        """
        try:
            self._held.check()  # else the names of another folder would be replaced
            self._store.store(names)
        except OSError as error:
            self.trouble.note(Doing.WRITING, error)
            raise
        self.trouble.note_success(Doing.WRITING)
        self.names = names

    def commit_or_refuse(self, names: Names) -> None:
        """Do :meth:`commit` for a client.

        Raises:
            NfsError: the system refused; nothing has changed.
        """
        try:
            self.commit(names)
        except OSError as error:
            raise refusal_of(error) from error

    def let_go(self, node: Node) -> None:
        """Delete the file behind a node that has no name any more; what was written to a disk stays."""
        content = self.contents.pop(node.id, None)
        if isinstance(content, PlainFile):
            content.remove()

    def close(self) -> None:
        """Let go of open files; disks are closed by whoever opened them."""
        for content in tuple(self.contents.values()):
            if isinstance(content, PlainFile):
                content.close()
        self._held.close()

    def content(self, node: Node) -> FileContent:
        """Return the bytes of a file.

        Raises:
            NfsError: it is a folder, or gone.
        """
        found = self.contents.get(node.id)
        if found is None:
            raise NfsError(Status.ISDIR if node.content == Content.FOLDER else Status.STALE)
        return found

    # --- what may be asked for -----------------------------------------------------------------------------------

    def there(self, folder: Node, name: bytes) -> Node | None:
        """Return what has a name that may be given, in a folder that is there.

        Raises:
            NfsError: it may not, or is not.
        """
        check_name(name)
        check_folder(folder)
        self.check_present(folder)
        return self.names.child(folder.id, name)

    def present(self, folder: Node, name: bytes) -> Node:
        """Return what has a name in a folder.

        Raises:
            NfsError: nothing has.
        """
        node = self.there(folder, name)
        if node is None:
            raise NfsError(Status.NOENT)
        return node

    def check_present(self, node: Node) -> None:
        """Make sure that a node is still there.

        Raises:
            NfsError: it is not.
        """
        if node.id not in self.names.nodes:
            raise NfsError(Status.STALE)


def check_folder(node: Node) -> None:
    """Make sure that a node is a folder.

    Raises:
        NfsError: it is not.
    """
    if node.content != Content.FOLDER:
        raise NfsError(Status.NOTDIR)


def check_length(name: bytes) -> None:
    """Make sure that a name is not too long.

    Raises:
        NfsError: it is.
    """
    if len(name) > MOST_NAME_BYTES:
        raise NfsError(Status.NAMETOOLONG)


def check_name(name: bytes) -> None:
    """Make sure that a file may have a name.

    Raises:
        NfsError: it may not.
    """
    check_length(name)
    if not name or b"/" in name or b"\0" in name:
        raise NfsError(Status.INVAL)
    if name in (b".", b".."):
        raise NfsError(Status.EXIST)
