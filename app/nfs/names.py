"""The names of a volume: a tree of folders and files that is replaced as a whole, and stored so.

Ids are never used twice, so that a handle means one file for ever; so does the id as a cookie of a listing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

import msgspec
from blake3 import blake3

from app.core.durable import replace_durably
from app.core.nfs3 import FileType

ROOT: Final = 16
"""The id of a volume's root; those below stand for ``.`` and ``..`` in listings."""
MOST_NODES: Final = 65_536
_MAGIC: Final = b"SFnames1"
_LONGEST_BYTES: Final = 64 << 20


class NamesDamaged(Exception):
    """The stored names are not what was stored."""


class Content(IntEnum):
    """What is behind a node."""

    FOLDER = 0
    FILE = 1
    """A file at the standby, named by the node's id."""
    DISK = 2
    """A disk of a restore point with what was written to it."""


class Node(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A file or folder; times are nanoseconds since 1970."""

    id: int
    parent: int
    name: bytes
    content: int
    mode: int
    owner: int = 0
    group: int = 0
    disk: str = ""
    """Of which disk of the restore point; only for :attr:`Content.DISK`."""
    verifier: bytes = b""
    """Of the exclusive CREATE that made it."""
    made_at_ns: int = 0
    written_at_ns: int = 0
    """Of a folder; a file has its own."""
    changed_at_ns: int = 0

    @property
    def kind(self) -> FileType:
        """What a client hears that it is."""
        return FileType.DIRECTORY if self.content == Content.FOLDER else FileType.REGULAR


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    generation: bytes
    next_id: int
    nodes: list[Node]
    is_prepared: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """All names of a volume at one moment; changing them returns others. Thread: any."""

    generation: bytes
    """8 random bytes that no other volume has."""
    next_id: int
    nodes: Mapping[int, Node]
    children: Mapping[int, Mapping[bytes, int]] = field(repr=False)
    is_prepared: bool = False
    """Whether everything was put there that is to be there before a host comes."""

    @classmethod
    def new(cls, generation: bytes, now_ns: int) -> Self:
        """Return a volume with a root and nothing in it."""
        root = Node(
            id=ROOT,
            parent=ROOT,
            name=b"",
            content=Content.FOLDER,
            mode=0o755,
            made_at_ns=now_ns,
            written_at_ns=now_ns,
            changed_at_ns=now_ns,
        )
        return cls(generation, ROOT + 1, {ROOT: root}, {ROOT: {}})

    def child(self, folder: int, name: bytes) -> Node | None:
        """Return what has a name in a folder."""
        found = self.children.get(folder, {}).get(name)
        return None if found is None else self.nodes[found]

    def within(self, node: int, folder: int) -> bool:
        """Return whether a node is a folder or below it."""
        while node != folder:
            parent = self.nodes[node].parent
            if parent == node:
                return False
            node = parent
        return True

    def with_node(self, node: Node) -> "Names":
        """Return them with a node that is new, or is changed but for its name and place."""
        nodes = {**self.nodes, node.id: node}
        if node.id in self.nodes:
            return replace(self, nodes=nodes)
        children = dict(self.children)
        children[node.parent] = {**children[node.parent], node.name: node.id}
        if node.content == Content.FOLDER:
            children[node.id] = {}
        return replace(self, next_id=max(self.next_id, node.id + 1), nodes=nodes, children=children)

    def without(self, node: int) -> "Names":
        """Return them without a file or an empty folder."""
        gone = self.nodes[node]
        nodes = {number: kept for number, kept in self.nodes.items() if number != node}
        children = {number: names for number, names in self.children.items() if number != node}
        children[gone.parent] = {name: number for name, number in children[gone.parent].items() if number != node}
        return replace(self, nodes=nodes, children=children)

    def with_moved(self, node: int, folder: int, name: bytes, now_ns: int) -> "Names":
        """Return them with a node in another place; what was there before is gone."""
        there = self.child(folder, name)
        others = self if there is None else self.without(there.id)
        before = others.nodes[node]
        moved = msgspec.structs.replace(before, parent=folder, name=name, changed_at_ns=now_ns)
        children = dict(others.children)
        children[before.parent] = {
            kept: number for kept, number in children[before.parent].items() if number != node
        }
        children[folder] = {**children[folder], name: node}
        return replace(others, nodes={**others.nodes, node: moved}, children=children)

    def prepared(self) -> "Names":
        """Return them as complete."""
        return replace(self, is_prepared=True)

    def touched(self, folder: int, now_ns: int) -> "Names":
        """Return them with a folder that was changed now; its time is another one than before in any case."""
        before = self.nodes[folder]
        at_ns = max(now_ns, before.written_at_ns + 1)
        return self.with_node(msgspec.structs.replace(before, written_at_ns=at_ns, changed_at_ns=at_ns))

    def encode(self) -> bytes:
        """Return what is stored of them."""
        body = msgspec.msgpack.encode(
            _Stored(self.generation, self.next_id, list(self.nodes.values()), self.is_prepared)
        )
        return _MAGIC + blake3(body).digest() + body

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Take what was stored.

        Raises:
            NamesDamaged: it is something else.
        """
        body = data[len(_MAGIC) + 32 :]
        if not data.startswith(_MAGIC) or blake3(body).digest() != data[len(_MAGIC) : len(_MAGIC) + 32]:
            raise NamesDamaged("the checksum does not match")
        try:
            stored = msgspec.msgpack.decode(body, type=_Stored)
        except msgspec.MsgspecError as error:
            raise NamesDamaged(str(error)) from error
        nodes = {node.id: node for node in stored.nodes}
        children: dict[int, dict[bytes, int]] = {
            node.id: {} for node in stored.nodes if node.content == Content.FOLDER
        }
        for node in stored.nodes:
            if node.id != ROOT:
                if node.parent not in children or node.name in children[node.parent]:
                    raise NamesDamaged(f"node {node.id} has no place")
                children[node.parent][node.name] = node.id
        if ROOT not in nodes or stored.next_id <= max(nodes):
            raise NamesDamaged("there is no root")
        return cls(stored.generation, stored.next_id, nodes, children, stored.is_prepared)


class NameFile:
    """Where the names of a volume are stored. Thread: one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Names | None:
        """Return the stored names, None where there are none yet.

        Raises:
            NamesDamaged: they are not what was stored.
            OSError: they cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(_LONGEST_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(data) > _LONGEST_BYTES:
            raise NamesDamaged("they are longer than any that were stored")
        return Names.decode(data)

    def store(self, names: Names) -> None:
        """Put names in the place of the stored ones, durably, at once and whole.

        Raises:
            OSError: the system refused; the ones before are still there.
        """
        replace_durably(self._path, names.encode())
