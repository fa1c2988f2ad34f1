"""Changes the names and attributes of a volume. What is answered as done is durable."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from app.core.nfs3 import Status
from app.nfs.attributes import WantedAttributes
from app.nfs.errors import NfsError, refusal_of
from app.nfs.names import MOST_NODES, ROOT, Content, Node
from app.nfs.tree import Tree

_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755


@dataclass(frozen=True, slots=True)
class Exclusive:
    """An exclusive CREATE, with the verifier by which it is known when it is sent again."""

    verifier: bytes


class VolumeChanges:
    """Changes a volume. Thread: any; one change at a time."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def create(
        self, folder: Node, name: bytes, wanted: WantedAttributes, *, how: Exclusive | None, is_guarded: bool
    ) -> Node:
        """Make a file; one that is there is only taken where that is asked for.

        Raises:
            NfsError: something of that name is there, or the system refused.
        """
        with self._tree.lock:
            there = self._tree.there(folder, name)
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
        with self._tree.lock:
            if self._tree.there(folder, name) is not None:
                raise NfsError(Status.EXIST)
            return self._made(folder, name, Content.FOLDER, wanted)

    def add_disk(self, folder: Node, name: bytes, disk: str) -> Node:
        """Give a disk a name; one that has one, perhaps another that the host gave it, keeps that.

        Raises:
            NfsError: something else has that name, or the system refused.
        """
        with self._tree.lock:
            known = next((node for node in self._tree.names.nodes.values() if node.disk == disk), None)
            if known is not None:
                return known
            if self._tree.there(folder, name) is not None:
                raise NfsError(Status.EXIST)
            return self._made(folder, name, Content.DISK, WantedAttributes(), disk=disk)

    def folders(self, names: Iterable[str]) -> Node:
        """Return the folder at a path below the root; those that are missing are made.

        Raises:
            NfsError: something else is in the way, or the system refused.
        """
        folder = self._tree.names.nodes[ROOT]
        for name in names:
            with self._tree.lock:
                there = self._tree.there(folder, name.encode())
                folder = there or self._made(folder, name.encode(), Content.FOLDER, WantedAttributes())
        return folder

    def add_file(self, folder: Node, name: bytes, data: bytes) -> Node:
        """Make a file with content, whole or not at all; one that is there already stays as it is.

        Raises:
            NfsError: the system refused.
        """
        with self._tree.lock:
            there = self._tree.there(folder, name)
            return there or self._made(folder, name, Content.FILE, WantedAttributes(), data=data)

    def end_preparation(self) -> None:
        """Note that everything is there; from then on it is the host's.

        Raises:
            NfsError: the system refused.
        """
        with self._tree.lock:
            self._tree.commit_or_refuse(self._tree.names.prepared())

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
        names, now_ns = self._tree.names, self._tree.now_ns()
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
        try:
            if content == Content.FILE:
                self._tree.contents[node.id] = self._tree.create_file(node.id, data)
            elif content == Content.DISK:
                self._tree.contents[node.id] = self._tree.disks[disk]
            self._tree.commit(names.with_node(node).touched(folder.id, now_ns))
        except BaseException as error:
            # The file stays: perhaps the names are stored all the same. If not, the next start removes it.
            self._tree.contents.pop(node.id, None)
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
        with self._tree.lock:
            self._tree.check_present(node)
            known = self._tree.names.nodes[node.id]
            changed = msgspec.structs.replace(
                known,
                mode=known.mode if wanted.mode is None else wanted.mode,
                owner=known.owner if wanted.owner is None else wanted.owner,
                group=known.group if wanted.group is None else wanted.group,
                changed_at_ns=max(self._tree.now_ns(), known.changed_at_ns + 1),
            )
            self._tree.commit_or_refuse(self._tree.names.with_node(changed))
            return changed

    def resize(self, node: Node, size_bytes: int) -> None:
        """Cut a file, or lengthen it, durably.

        Raises:
            NfsError: it is a folder or a disk, or the system refused.
        """
        content = self._tree.content(node)
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
        with self._tree.lock:
            node = self._tree.present(folder, name)
            if node.content == Content.FOLDER:
                raise NfsError(Status.ISDIR)
            self._tree.commit_or_refuse(self._tree.names.without(node.id).touched(folder.id, self._tree.now_ns()))
            self._tree.let_go(node)

    def remove_folder(self, folder: Node, name: bytes) -> None:
        """Remove an empty folder.

        Raises:
            NfsError: there is none, it is a file, something is in it, or the system refused.
        """
        with self._tree.lock:
            if name == b".":
                raise NfsError(Status.INVAL)
            node = self._tree.present(folder, name)
            if node.content != Content.FOLDER:
                raise NfsError(Status.NOTDIR)
            if self._tree.names.children[node.id]:
                raise NfsError(Status.NOTEMPTY)
            self._tree.commit_or_refuse(self._tree.names.without(node.id).touched(folder.id, self._tree.now_ns()))

    def rename(self, folder: Node, name: bytes, to_folder: Node, to_name: bytes) -> None:
        """Give a file or folder another name or place, at once; a file or empty folder that is there goes.

        Raises:
            NfsError: RFC 1813, 3.3.14, says what may not be.
        """
        with self._tree.lock:
            node = self._tree.present(folder, name)
            there = self._tree.there(to_folder, to_name)
            if there is not None and there.id == node.id:
                return
            if there is not None:
                self._check_replaceable(node, there)
            if node.content == Content.FOLDER and self._tree.names.within(to_folder.id, node.id):
                raise NfsError(Status.INVAL, "a folder into itself")
            now_ns = self._tree.now_ns()
            moved = self._tree.names.with_moved(node.id, to_folder.id, to_name, now_ns)
            self._tree.commit_or_refuse(moved.touched(folder.id, now_ns).touched(to_folder.id, now_ns))
            if there is not None and there.content != Content.FOLDER:
                self._tree.let_go(there)

    def _check_replaceable(self, node: Node, there: Node) -> None:
        if (node.content == Content.FOLDER) != (there.content == Content.FOLDER):
            raise NfsError(Status.EXIST)
        if there.content == Content.FOLDER and self._tree.names.children[there.id]:
            raise NfsError(Status.NOTEMPTY)
