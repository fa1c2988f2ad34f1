"""A disk with all its layers: where each byte of it lies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.transport.chain.cowd import CowdLayer
from app.transport.chain.descriptor import LONGEST_BYTES, DiskDescriptor, Extent
from app.transport.chain.flat import FlatExtent, FlatLayer
from app.transport.chain.layers import ChainUnreadable, DataFile, Holds, Layer
from app.transport.chain.sesparse import SeSparseLayer
from app.transport.reasons import (
    CHAIN_TOO_LONG,
    NO_DESCRIPTOR,
    OTHER_FORMAT,
    PARENT_CHANGED,
    SIZES_DIFFER,
)

MOST_LAYERS: Final = 64
"""ESXi allows 32 snapshots on a disk."""
_FLAT_KINDS: Final = frozenset({"VMFS", "FLAT"})

OpenFile = Callable[[str], DataFile]
"""Opens a file by its path, which is relative to the root of what is read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where some bytes of the disk are in a row."""

    length_bytes: int
    file: DataFile | None
    """None: they are zeros."""
    file_offset: int = 0


class DiskChain:
    """A disk and its parents, the youngest layer first.

    Thread: one at a time.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Check that all layers are of one size.

        Raises:
            ChainUnreadable: they are not.
        """
        self._layers = tuple(layers)
        if len({layer.capacity_bytes for layer in layers}) != 1:
            raise ChainUnreadable(SIZES_DIFFER)

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._layers[0].capacity_bytes

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    def places(self, start: int, end: int) -> Iterator[Place]:
        """Yield where a range of the disk lies; the lengths add up to it.

        Raises:
            ChainUnreadable: the tables of a layer make no sense.
            OperationalError: they cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        return self._places(0, start, end)

    def _places(self, depth: int, start: int, end: int) -> Iterator[Place]:
        position = start
        for run in self._layers[depth].runs(start, end):
            after = position + run.length_bytes
            if run.holds is Holds.PARENT and depth + 1 < len(self._layers):
                yield from self._places(depth + 1, position, after)
            else:
                yield Place(run.length_bytes, run.file if run.holds is Holds.DATA else None, run.file_offset)
            position = after


class ChainOpener:
    """Follows a disk's descriptors from the youngest to the oldest.

    Thread: one at a time.
    """

    def __init__(self, open_file: OpenFile, resolve: Callable[[str, str], str]) -> None:
        """Prepare.

        Args:
            open_file: opens files.
            resolve: returns the path of a parent's descriptor, given the child's path and what that says of it;
                raises :class:`ChainUnreadable` where it lies elsewhere.
        """
        self._open_file = open_file
        self._resolve = resolve

    def open(self, path: str) -> DiskChain:
        """Open the disk whose descriptor is at a path.

        Raises:
            ChainUnreadable: its files are not what is understood here.
            OperationalError: they cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        layers: list[Layer] = []
        at: str | None = path
        expected: str | None = None
        while at is not None:
            if len(layers) == MOST_LAYERS:
                raise ChainUnreadable(CHAIN_TOO_LONG.fill(count=MOST_LAYERS))
            descriptor = self._descriptor(at)
            if expected is not None and descriptor.content_id != expected:
                raise ChainUnreadable(PARENT_CHANGED.fill(file=_name(at)))
            layers.append(self._layer(at, descriptor))
            expected, hint = descriptor.parent_content_id, descriptor.parent_hint
            at = None if hint is None else self._resolve(at, hint)
        return DiskChain(layers)

    def _descriptor(self, path: str) -> DiskDescriptor:
        file = self._open_file(path)
        if file.size_bytes > LONGEST_BYTES:
            raise ChainUnreadable(NO_DESCRIPTOR.fill(file=file.name))
        text = file.read(0, file.size_bytes).decode("utf-8", "replace")
        return DiskDescriptor.parse(file.name, text)

    def _layer(self, path: str, descriptor: DiskDescriptor) -> Layer:
        kinds = {extent.kind for extent in descriptor.extents}
        for extent in descriptor.extents:
            extent.refuse_elsewhere()
        if kinds <= _FLAT_KINDS:
            return FlatLayer([self._flat(path, extent) for extent in descriptor.extents])
        [extent, *more] = descriptor.extents
        if more or extent.kind not in ("VMFSSPARSE", "SESPARSE"):
            raise ChainUnreadable(OTHER_FORMAT.fill(format=", ".join(sorted(kinds))))
        file = self._open_file(beside(path, extent.file_name))
        layer = CowdLayer(file) if extent.kind == "VMFSSPARSE" else SeSparseLayer(file)
        if layer.capacity_bytes != extent.length_bytes:
            raise ChainUnreadable(SIZES_DIFFER)
        return layer

    def _flat(self, path: str, extent: Extent) -> FlatExtent:
        return FlatExtent(self._open_file(beside(path, extent.file_name)), extent.start_bytes, extent.length_bytes)


def beside(path: str, name: str) -> str:
    """Return the path of another file in the same directory."""
    head, slash, _ = path.rpartition("/")
    return f"{head}{slash}{name}"


def _name(path: str) -> str:
    return path.rpartition("/")[2]
