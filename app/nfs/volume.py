"""A volume: a tree of folders and files that a host mounts, and that outlives the server."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.nfs3 import FileType, Status
from app.nfs.attributes import Attributes
from app.nfs.content import FileContent, OpenFiles
from app.nfs.errors import NfsError
from app.nfs.names import ROOT, Node
from app.nfs.tree import GENERATION_BYTES, Tree, check_folder, check_length
from app.nfs.trouble import Trouble
from app.nfs.volumechanges import VolumeChanges

HANDLE_BYTES: Final = GENERATION_BYTES + 8
_FOLDER_BYTES: Final = 4096
_IDS_OF_A_MEMBER: Final = 1 << 32
"""More than a volume ever gives out."""
_MOST_ENCODED: Final = 256
"""Files whose attributes are kept as a client gets them."""


@dataclass(slots=True)
class Traffic:
    """What was moved since a volume was opened; counted by the event loop's thread."""

    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a volume is a folder of another one: a host mounts the outer one, and takes both for one."""

    outer: "Volume"
    number: int
    """What no other member of the outer volume has ever had; from 1 on."""


class Volume:
    """One volume. Thread: any; looking never waits for a disk.

    Attributes:
        clients: addresses of those who may use it.
        traffic: what was moved.
        changes: changes names and attributes; that may wait for the disk.
        members: volumes that are folders in its root, by their names there. Thread: the event loop's, which puts
            another mapping in its place.
        awaited: names of folders in its root that are to be members and cannot be shown yet, with the addresses
            of those who may use them: these are asked to wait. Thread: as ``members``.
        trouble: what the standby refuses.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clients: frozenset[str],
        disks: Mapping[str, FileContent],
        files: OpenFiles,
        now_ns: Callable[[], int] = time.time_ns,
        trouble: Trouble | None = None,
    ) -> None:
        """Open a volume, or begin an empty one.

        Args:
            folder: where its names and files are; made where it is missing.
            clients: addresses of those who may use it.
            disks: what is behind files that are disks, by the names that ``changes.add_disk`` gave them.
            files: keeps files open.
            now_ns: the time, as nanoseconds since 1970.
            trouble: learns what the standby refuses, as the disks' does; None: the volume has one of its own.

        Raises:
            NamesDamaged: what is stored there is not what was stored.
            OSError: the system refused.
        """
        self.clients = clients
        self.members: Mapping[bytes, Volume] = {}
        self._membership: Membership | None = None
        self.traffic = Traffic()
        self.awaited: Mapping[bytes, frozenset[str]] = {}
        self.trouble = trouble or Trouble()
        self._tree = Tree(folder, disks, files, now_ns, self.trouble)
        self._encoded: dict[int, tuple[Node, tuple[int, int, int] | None, bytes]] = {}
        self.changes = VolumeChanges(self._tree)

    @property
    def membership(self) -> Membership | None:
        """Where it is a folder of another volume itself."""
        return self._membership

    @membership.setter
    def membership(self, membership: Membership | None) -> None:
        self._membership = membership
        self._encoded.clear()

    @property
    def generation(self) -> bytes:
        """The first half of every handle."""
        return self._tree.names.generation

    @property
    def folder(self) -> Path:
        """Where its files are: whose space is the volume's space."""
        return self._tree.folder

    @property
    def is_new(self) -> bool:
        """Whether it was never complete: what a host finds there first may still be missing."""
        return not self._tree.names.is_prepared

    @property
    def has_failed(self) -> bool:
        """Whether a file takes nothing any more before the volume is opened again."""
        return any(content.has_failed for content in tuple(self._tree.contents.values()))

    def check_place(self) -> None:
        """Make sure that its folder is still under its path.

        Raises:
            OSError: another one is there, or none.
        """
        self._tree.check_place()

    def close(self) -> None:
        """Let go of its files; disks are closed by whoever opened them."""
        self._tree.close()

    def handle(self, node: Node) -> bytes:
        """Return the handle of a node, the same for ever."""
        return self._tree.names.generation + node.id.to_bytes(8, "big")

    def node(self, handle: bytes) -> Node:
        """Return the node of a handle of this volume.

        Raises:
            NfsError: it is gone.
        """
        found = self._tree.names.nodes.get(int.from_bytes(handle[GENERATION_BYTES:], "big"))
        if found is None:
            raise NfsError(Status.STALE)
        return found

    def root(self) -> Node:
        """Return the root."""
        return self._tree.names.nodes[ROOT]

    def content(self, node: Node) -> FileContent:
        """Return the bytes of a file.

        Raises:
            NfsError: it is a folder, or gone.
        """
        return self._tree.content(node)

    def attributes(self, node: Node) -> Attributes:
        """Return what a client hears of a node, from memory."""
        content = self._tree.contents.get(node.id)
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
            volume=self._file_system,
            node=self.file_id(node),
            read_at_ns=written_at_ns,
            written_at_ns=written_at_ns,
            changed_at_ns=max(written_at_ns, node.changed_at_ns),
        )

    @property
    def _file_system(self) -> int:
        """What files of one mounted volume have in common (``fsid``)."""
        outermost = self if self.membership is None else self.membership.outer
        return int.from_bytes(outermost.generation, "big")

    def has(self, name: bytes) -> bool:
        """Return whether something in its root has a name."""
        return self._tree.names.child(ROOT, name) is not None

    def file_id(self, node: Node) -> int:
        """Return the number of a file, which no other file of what a host mounts has (``fileid``)."""
        return node.id if self.membership is None else self.membership.number * _IDS_OF_A_MEMBER + node.id

    def attributes_follow(self, node: Node) -> bytes:
        """Return ``post_op_attr`` of a node, encoded again only when something of it has changed."""
        content = self._tree.contents.get(node.id)
        facts = None if content is None else (content.size_bytes, content.used_bytes, content.written_at_ns)
        known = self._encoded.get(node.id)
        if known is None or known[0] is not node or known[1] != facts:
            if len(self._encoded) >= _MOST_ENCODED:
                self._encoded.clear()
            known = self._encoded[node.id] = node, facts, self.attributes(node).follow()
        return known[2]

    def lookup(self, folder: Node, name: bytes) -> Node:
        """Return what has a name in a folder.

        Raises:
            NfsError: nothing has, or it is no folder.
        """
        check_folder(folder)
        if name == b".":
            return folder
        if name == b"..":
            return self._tree.names.nodes[folder.parent]
        check_length(name)
        found = self._tree.names.child(folder.id, name)
        if found is None:
            raise NfsError(Status.NOENT)
        return found

    def entries(self, folder: Node, after: int) -> list[Node]:
        """Return what is in a folder behind a cookie, in the order of the cookies, which are the ids.

        Raises:
            NfsError: it is no folder.
        """
        check_folder(folder)
        names = self._tree.names
        ids = sorted(number for number in names.children.get(folder.id, {}).values() if number > after)
        return [names.nodes[number] for number in ids]
