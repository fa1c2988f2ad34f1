"""A volume: a tree of folders and files that a host mounts, and that outlives the server.

The names are one immutable value (:mod:`app.nfs.names`); whoever reads takes it as it is, whoever changes puts
another one in its place, once that is durable. Changes exclude each other; reading excludes nothing.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from app.core.durable import unlink
from app.core.nfs3 import MOST_NAME_BYTES, FileType, Status
from app.core.privatefiles import make_folders_on_standby
from app.nfs.attributes import Attributes, WantedAttributes
from app.nfs.content import FileContent, OpenFiles, PlainFile
from app.nfs.errors import NfsError, refusal_of
from app.nfs.names import MOST_NODES, ROOT, Content, NameFile, Names, NamesDamaged, Node

GENERATION_BYTES: Final = 8
HANDLE_BYTES: Final = GENERATION_BYTES + 8
_NAMES_FILE: Final = "names"
_FILES_FOLDER: Final = "files"
_FOLDER_BYTES: Final = 4096
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755


@dataclass(frozen=True, slots=True)
class Exclusive:
    """An exclusive CREATE, with the verifier by which it is known when it is sent again."""

    verifier: bytes


@dataclass(slots=True)
class Traffic:
    """What was moved since a volume was opened; counted by the event loop's thread."""

    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0


class Volume:
    """One volume. Thread: any; what changes it may wait for the disk."""

    def __init__(
        self,
        folder: Path,
        *,
        clients: frozenset[str],
        disks: Mapping[str, FileContent],
        files: OpenFiles,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open a volume, or begin an empty one.

        Args:
            folder: where its names and files are; made where it is missing.
            clients: addresses of those who may use it.
            disks: what is behind files that are disks, by the names that :meth:`add_disk` gave them.
            files: keeps files open.
            now_ns: the time, as nanoseconds since 1970.

        Raises:
            NamesDamaged: what is stored there is not what was stored.
            OSError: the system refused.
        """
        self.clients = clients
        self.traffic = Traffic()
        self._disks = disks
        self._files = files
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._folder = folder / _FILES_FOLDER
        make_folders_on_standby(self._folder)
        self._store = NameFile(folder / _NAMES_FILE)
        found = self._store.load()
        if found is None:
            found = Names.new(secrets.token_bytes(GENERATION_BYTES), now_ns())
            self._store.store(found)
        self._names = found
        self._contents = {
            node.id: self._content_of(node) for node in found.nodes.values() if node.content != Content.FOLDER
        }
        self._remove_strays()

    def _content_of(self, node: Node) -> FileContent:
        if node.content == Content.DISK:
            if node.disk not in self._disks:
                raise NamesDamaged(f"there is no disk {node.disk}")
            return self._disks[node.disk]
        try:
            return PlainFile(self._path(node.id), self._files, self._now_ns)
        except FileNotFoundError as error:
            raise NamesDamaged(f"the file of {node.name!r} is missing: {self._path(node.id)}") from error

    def _remove_strays(self) -> None:
        """Delete files of ours that no name leads to: of what was made or removed when the server was killed."""
        for path in self._folder.iterdir():
            if path.name.isdigit() and int(path.name) not in self._contents:
                with suppress(OSError):
                    unlink(path)

    def _path(self, node: int) -> Path:
        return self._folder / str(node)

    @property
    def generation(self) -> bytes:
        """The first half of every handle."""
        return self._names.generation

    @property
    def folder(self) -> Path:
        """Where its files are: whose space is the volume's space."""
        return self._folder

    def close(self) -> None:
        """Let go of its files; disks are closed by whoever opened them."""
        for content in tuple(self._contents.values()):
            if isinstance(content, PlainFile):
                content.close()

    # --- looking -------------------------------------------------------------------------------------------------

    def handle(self, node: Node) -> bytes:
        """Return the handle of a node, the same for ever."""
        return self._names.generation + node.id.to_bytes(8, "big")

    def node(self, handle: bytes) -> Node:
        """Return the node of a handle of this volume.

        Raises:
            NfsError: it is gone.
        """
        found = self._names.nodes.get(int.from_bytes(handle[GENERATION_BYTES:], "big"))
        if found is None:
            raise NfsError(Status.STALE)
        return found

    def root(self) -> Node:
        """Return the root."""
        return self._names.nodes[ROOT]

    def content(self, node: Node) -> FileContent:
        """Return the bytes of a file.

        Raises:
            NfsError: it is a folder, or gone.
        """
        found = self._contents.get(node.id)
        if found is None:
            raise NfsError(Status.ISDIR if node.content == Content.FOLDER else Status.STALE)
        return found

    def attributes(self, node: Node) -> Attributes:
        """Return what a client hears of a node, from memory."""
        content = self._contents.get(node.id)
        size, used, written_at_ns = _FOLDER_BYTES, _FOLDER_BYTES, node.written_at_ns
        if content is not None:
            size, used, written_at_ns = content.size_bytes, content.used_bytes, content.written_at_ns
        return Attributes(
            kind=node.kind,
            mode=node.mode,
            links=1 if node.kind is FileType.REGULAR else 2,
            owner=node.owner,
            group=node.group,
            size_bytes=size,
            used_bytes=used,
            volume=int.from_bytes(self._names.generation, "big"),
            node=node.id,
            read_at_ns=written_at_ns,
            written_at_ns=written_at_ns,
            changed_at_ns=max(written_at_ns, node.changed_at_ns),
        )

    def lookup(self, folder: Node, name: bytes) -> Node:
        """Return what has a name in a folder.

        Raises:
            NfsError: nothing has, or it is no folder.
        """
        self._check_folder(folder)
        if name == b".":
            return folder
        if name == b"..":
            return self._names.nodes[folder.parent]
        _check_length(name)
        found = self._names.child(folder.id, name)
        if found is None:
            raise NfsError(Status.NOENT)
        return found

    def entries(self, folder: Node, after: int) -> list[Node]:
        """Return what is in a folder behind a cookie, in the order of the cookies, which are the ids.

        Raises:
            NfsError: it is no folder.
        """
        self._check_folder(folder)
        names = self._names
        ids = sorted(number for number in names.children.get(folder.id, {}).values() if number > after)
        return [names.nodes[number] for number in ids]

    def find(self, path: bytes) -> Node:
        """Return what is at a path below the root.

        Raises:
            NfsError: there is nothing.
        """
        node = self.root()
        for name in filter(None, path.split(b"/")):
            node = self.lookup(node, name)
        return node

    def _check_folder(self, node: Node) -> None:
        if node.content != Content.FOLDER:
            raise NfsError(Status.NOTDIR)

    # --- changing ------------------------------------------------------------------------------------------------

    def create(
        self, folder: Node, name: bytes, wanted: WantedAttributes, *, how: Exclusive | None, is_guarded: bool
    ) -> Node:
        """Make a file; one that is there is only taken where that is asked for.

        Raises:
            NfsError: something of that name is there, or the system refused.
        """
        with self._lock:
            there = self._there(folder, name)
            if there is not None:
                if how is not None and there.verifier == how.verifier:
                    return there
                if how is not None or is_guarded or there.content == Content.FOLDER:
                    raise NfsError(Status.EXIST)
            else:
                there = self._made(folder, name, Content.FILE, wanted, b"" if how is None else how.verifier)
        if wanted.size_bytes is not None:
            self.resize(there, wanted.size_bytes)
        return there

    def make_folder(self, folder: Node, name: bytes, wanted: WantedAttributes) -> Node:
        """Make a folder.

        Raises:
            NfsError: something of that name is there, or the system refused.
        """
        with self._lock:
            if self._there(folder, name) is not None:
                raise NfsError(Status.EXIST)
            return self._made(folder, name, Content.FOLDER, wanted)

    def add_disk(self, folder: Node, name: bytes, disk: str) -> Node:
        """Give a disk a name; one that has it already keeps it.

        Raises:
            NfsError: something else has that name, or the system refused.
        """
        with self._lock:
            there = self._there(folder, name)
            if there is not None and there.disk != disk:
                raise NfsError(Status.EXIST)
            return there or self._made(folder, name, Content.DISK, WantedAttributes(), disk=disk)

    def folders(self, names: Iterable[str]) -> Node:
        """Return the folder at a path below the root; those that are missing are made.

        Raises:
            NfsError: something else is in the way, or the system refused.
        """
        folder = self.root()
        for name in names:
            with self._lock:
                there = self._there(folder, name.encode())
                folder = there or self._made(folder, name.encode(), Content.FOLDER, WantedAttributes())
        return folder

    def add_file(self, folder: Node, name: bytes, data: bytes) -> Node:
        """Make a file with content, whole or not at all; one that is there already stays as it is.

        Raises:
            NfsError: the system refused.
        """
        with self._lock:
            there = self._there(folder, name)
            return there or self._made(folder, name, Content.FILE, WantedAttributes(), data=data)

    def _there(self, folder: Node, name: bytes) -> Node | None:
        _check_name(name)
        self._check_folder(folder)
        self._check_present(folder)
        return self._names.child(folder.id, name)

    def _made(
        self,
        folder: Node,
        name: bytes,
        content: Content,
        wanted: WantedAttributes,
        verifier: bytes = b"",
        *,
        disk: str = "",
        data: bytes = b"",
    ) -> Node:
        names, now_ns = self._names, self._now_ns()
        if len(names.nodes) >= MOST_NODES:
            raise NfsError(Status.NOSPC, "too many files")
        mode = _FOLDER_MODE if content == Content.FOLDER else _FILE_MODE
        node = Node(
            id=names.next_id,
            parent=folder.id,
            name=name,
            content=content,
            mode=mode if wanted.mode is None else wanted.mode,
            owner=wanted.owner or 0,
            group=wanted.group or 0,
            disk=disk,
            verifier=verifier,
            made_at_ns=now_ns,
            written_at_ns=now_ns,
            changed_at_ns=now_ns,
        )
        made: FileContent | None = None
        try:
            if content == Content.FILE:
                made = PlainFile.create(self._path(node.id), self._files, data)
            elif content == Content.DISK:
                made = self._disks[disk]
            if made is not None:
                self._contents[node.id] = made
            self._commit(names.with_node(node).touched(folder.id, now_ns))
        except BaseException as error:
            self._contents.pop(node.id, None)
            if isinstance(made, PlainFile):
                made.remove()
            if isinstance(error, OSError):
                raise refusal_of(error) from error
            raise
        return node

    def set_attributes(self, node: Node, wanted: WantedAttributes) -> Node:
        """Set what a client asks for; return the node as it is then.

        Raises:
            NfsError: it is gone, or the system refused.
        """
        if wanted.size_bytes is not None:
            self.resize(node, wanted.size_bytes)
        with self._lock:
            self._check_present(node)
            known = self._names.nodes[node.id]
            changed = msgspec.structs.replace(
                known,
                mode=known.mode if wanted.mode is None else wanted.mode,
                owner=known.owner if wanted.owner is None else wanted.owner,
                group=known.group if wanted.group is None else wanted.group,
                changed_at_ns=max(self._now_ns(), known.changed_at_ns + 1),
            )
            self._commit_or_refuse(self._names.with_node(changed))
            return changed

    def resize(self, node: Node, size_bytes: int) -> None:
        """Cut a file, or lengthen it, durably.

        Raises:
            NfsError: it is a folder or a disk, or the system refused.
        """
        content = self.content(node)
        if size_bytes == content.size_bytes:
            return
        if node.content == Content.DISK:
            raise NfsError(Status.INVAL, "a disk keeps its size")
        content.resize(size_bytes)
        content.sync()

    def remove(self, folder: Node, name: bytes) -> None:
        """Remove a file; what was written to a disk stays where it is.

        Raises:
            NfsError: there is none, it is a folder, or the system refused.
        """
        with self._lock:
            node = self._present(folder, name)
            if node.content == Content.FOLDER:
                raise NfsError(Status.ISDIR)
            self._commit_or_refuse(self._names.without(node.id).touched(folder.id, self._now_ns()))
            self._let_go(node)

    def remove_folder(self, folder: Node, name: bytes) -> None:
        """Remove an empty folder.

        Raises:
            NfsError: there is none, it is a file, something is in it, or the system refused.
        """
        with self._lock:
            if name == b".":
                raise NfsError(Status.INVAL)
            node = self._present(folder, name)
            if node.content != Content.FOLDER:
                raise NfsError(Status.NOTDIR)
            if self._names.children[node.id]:
                raise NfsError(Status.NOTEMPTY)
            self._commit_or_refuse(self._names.without(node.id).touched(folder.id, self._now_ns()))

    def rename(self, folder: Node, name: bytes, to_folder: Node, to_name: bytes) -> None:
        """Give a file or folder another name or place, at once; a file or empty folder that is there goes.

        Raises:
            NfsError: RFC 1813, 3.3.14, says what may not be.
        """
        with self._lock:
            node = self._present(folder, name)
            there = self._there(to_folder, to_name)
            if there is not None and there.id == node.id:
                return
            if there is not None:
                self._check_replaceable(node, there)
            if node.content == Content.FOLDER and self._names.within(to_folder.id, node.id):
                raise NfsError(Status.INVAL, "a folder into itself")
            now_ns = self._now_ns()
            moved = self._names.with_moved(node.id, to_folder.id, to_name, now_ns)
            self._commit_or_refuse(moved.touched(folder.id, now_ns).touched(to_folder.id, now_ns))
            if there is not None and there.content != Content.FOLDER:
                self._let_go(there)

    def _check_replaceable(self, node: Node, there: Node) -> None:
        if (node.content == Content.FOLDER) != (there.content == Content.FOLDER):
            raise NfsError(Status.EXIST)
        if there.content == Content.FOLDER and self._names.children[there.id]:
            raise NfsError(Status.NOTEMPTY)

    def _present(self, folder: Node, name: bytes) -> Node:
        node = self._there(folder, name)
        if node is None:
            raise NfsError(Status.NOENT)
        return node

    def _check_present(self, node: Node) -> None:
        if node.id not in self._names.nodes:
            raise NfsError(Status.STALE)
        if node.content == Content.FOLDER and node.id not in self._names.children:
            raise NfsError(Status.STALE)

    def _let_go(self, node: Node) -> None:
        content = self._contents.pop(node.id, None)
        if isinstance(content, PlainFile):
            content.remove()

    def _commit(self, names: Names) -> None:
        self._store.store(names)
        self._names = names

    def _commit_or_refuse(self, names: Names) -> None:
        try:
            self._commit(names)
        except OSError as error:
            raise refusal_of(error) from error


def _check_length(name: bytes) -> None:
    if len(name) > MOST_NAME_BYTES:
        raise NfsError(Status.NAMETOOLONG)


def _check_name(name: bytes) -> None:
    _check_length(name)
    if not name or b"/" in name or b"\0" in name:
        raise NfsError(Status.INVAL)
    if name in (b".", b".."):
        raise NfsError(Status.EXIST)
