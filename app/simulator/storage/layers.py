"""The data files of disks: flat files, and deltas that hold only some grains.

A flat file ``x-flat.vmdk`` is the disk byte by byte, with holes: a disk above 16 TiB needs a file system
that holds such files (xfs, tmpfs; not ext4). A delta is a copy-on-write disk as ESX's own (``deltas.py``). What
was written survives the death of the process as file data do.
"""

from app.simulator.storage.deltas import DeltaFormat, delta_format
from app.simulator.storage.errors import DiskCorrupt
from app.simulator.storage.grains import GrainSet, grain_span
from app.simulator.storage.places import StoredFile, StoredPath, open_file


class FlatLayer:
    """The data file of a disk without parent. What it holds is what takes space in the file.

    Attributes:
        data_offset: where byte 0 of the disk is in the file.
        held: which grains take space.
    """

    data_offset = 0

    def __init__(self, file: StoredFile) -> None:
        self.file = file
        self.held = GrainSet()
        for extent in file.data_ranges():
            self.held.add(*grain_span(extent.start, extent.length_bytes))

    @classmethod
    def create(cls, path: StoredPath, capacity_bytes: int) -> "FlatLayer":
        """Create an empty file.

        Raises:
            FileExistsError: it is there already.
            DiskTooLarge: the file system holds no file of this size.
        """
        return cls(open_file(path, create_bytes=capacity_bytes))

    @classmethod
    def open(cls, path: StoredPath, capacity_bytes: int) -> "FlatLayer":
        """Open an existing file.

        Raises:
            DiskCorrupt: its size is not the disk's.
        """
        file = open_file(path)
        if file.size_bytes() != capacity_bytes:
            file.close()
            raise DiskCorrupt(f"{path.name} is not {capacity_bytes} bytes long")
        return cls(file)

    def hold(self, first_grain: int, end_grain: int) -> None:
        """Note that these grains take space."""
        self.held.add(first_grain, end_grain)

    def grow(self, capacity_bytes: int) -> None:
        """Make the disk larger; the new space is a hole."""
        self.file.resize(capacity_bytes)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class DeltaLayer:
    """The data file of a disk with a parent.

    Attributes:
        data_offset: where byte 0 of the disk is in the file.
        held: which grains it holds.
    """

    def __init__(self, file: StoredFile, form: DeltaFormat) -> None:
        self.file = file
        self._format = form
        self.data_offset = form.data_offset
        self.held = form.held(file)

    @classmethod
    def create(cls, path: StoredPath, capacity_bytes: int) -> "DeltaLayer":
        """Create a delta that holds nothing.

        Raises:
            FileExistsError: it is there already.
            DiskTooLarge: the file system holds no file of this size.
        """
        form = delta_format(capacity_bytes)
        file = open_file(path, create_bytes=form.data_offset + capacity_bytes)
        form.begin(file)
        return cls(file, form)

    @classmethod
    def open(cls, path: StoredPath, capacity_bytes: int) -> "DeltaLayer":
        """Open an existing delta.

        Raises:
            DiskCorrupt: it is not a delta of a disk of this size.
        """
        file, form = open_file(path), delta_format(capacity_bytes)
        try:
            form.check(file)
        except DiskCorrupt:
            file.close()
            raise
        return cls(file, form)

    def hold(self, first_grain: int, end_grain: int) -> None:
        """Note that this delta holds these grains; their data must be written before."""
        self._format.mark(self.file, first_grain, end_grain)
        self.held.add(first_grain, end_grain)

    def close(self) -> None:
        """Close the file."""
        self.file.close()
