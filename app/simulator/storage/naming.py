"""Names and numbers that new disks get."""

import uuid
from random import Random
from typing import Final

from app.simulator.storage.datastore import DatastorePath
from app.simulator.storage.descriptor import DeltaKind, Geometry
from app.simulator.storage.errors import DiskNotFound

_FLAT_SUFFIX: Final = "-flat.vmdk"
_DELTA_SUFFIXES: Final[dict[DeltaKind, str]] = {"vmfsSparse": "-delta.vmdk", "seSparse": "-sesparse.vmdk"}
_TRACKING_SUFFIX: Final = "-ctk.vmdk"
DATA_SUFFIXES: Final = (_FLAT_SUFFIX, *_DELTA_SUFFIXES.values())
"""Ends of the names of files that hold the data of a disk."""
EXTENT_SUFFIXES: Final = (*DATA_SUFFIXES, _TRACKING_SUFFIX)
"""Ends of the names of all files of a disk that are not its descriptor."""


class DiskNames:
    """Makes content ids and UUIDs that follow from a seed.

    Thread: guarded by its owner.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - names of simulated things, not secrets

    def cid(self) -> str:
        """Return a content id, 8 hex digits."""
        return f"{self.random.getrandbits(31):08x}"

    def long_id(self) -> str:
        """Return a long content id, 32 hex digits."""
        return f"{self.random.getrandbits(128):032x}"

    def ddb(self, capacity_bytes: int, adapter: str, disk_uuid: str | None, *, thin: bool) -> dict[str, str]:
        """Return the disk data base of a new flat disk."""
        digits = (disk_uuid or f"6000c29{self.random.getrandbits(100):025x}").replace("-", "").replace(" ", "")
        spaced = uuid.UUID(digits).bytes.hex(" ")
        return {
            "adapterType": adapter,
            **geometry_ddb(capacity_bytes),
            "longContentID": self.long_id(),
            **({"thinProvisioned": "1"} if thin else {}),
            "toolsVersion": "12352",
            "uuid": f"{spaced[:23]}-{spaced[24:]}",
            "virtualHWVersion": "19",
        }


def geometry_ddb(capacity_bytes: int) -> dict[str, str]:
    """Return the entries of the disk data base that follow from the capacity."""
    geometry = Geometry.of(capacity_bytes)
    return {
        "geometry.cylinders": str(geometry.cylinders),
        "geometry.heads": str(geometry.heads),
        "geometry.sectors": str(geometry.sectors),
    }


def extent_name(path: DatastorePath, delta: DeltaKind | None) -> str:
    """Return the name of the data file of a disk; ``delta`` is None for a flat one.

    Raises:
        DiskNotFound: the path is not that of a descriptor.
    """
    return _stem(path) + (_FLAT_SUFFIX if delta is None else _DELTA_SUFFIXES[delta])


def tracking_name(path: DatastorePath) -> str:
    """Return the name of the change tracking file of a disk.

    Raises:
        DiskNotFound: the path is not that of a descriptor.
    """
    return _stem(path) + _TRACKING_SUFFIX


def _stem(path: DatastorePath) -> str:
    """Return a descriptor's name without ``.vmdk``.

    Raises:
        DiskNotFound: it is not the name of a descriptor.
    """
    if not path.name.endswith(".vmdk") or path.name == ".vmdk":
        raise DiskNotFound(f"{path} is not the name of a disk")
    return path.name.removesuffix(".vmdk")
