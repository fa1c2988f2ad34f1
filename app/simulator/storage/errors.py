"""What can go wrong with simulated datastores and disks.

These are not operational errors: they never reach the operator. The VM part turns them into vim faults, the NFC
server into error answers, the HTTPS server into status codes.
"""


class StorageError(Exception):
    """Base of the errors of simulated storage."""


class InvalidDatastorePath(StorageError):
    """The path is not ``[datastore] directory/file``, or leaves its datastore."""


class DatastoreNotFound(StorageError):
    """There is no datastore of that name."""


class DiskNotFound(StorageError):
    """There is no disk at that path."""


class DiskForbidden(StorageError):
    """The disk belongs to another VM."""


class DiskExists(StorageError):
    """Something is in the way of a new disk or file."""


class DatastoreFull(StorageError):
    """The datastore has no space left for what is to be written."""

    def __init__(self, datastore: str, needed_bytes: int) -> None:
        super().__init__(f"[{datastore}] has no space for {needed_bytes} more bytes")
        self.datastore = datastore
        self.needed_bytes = needed_bytes


class DatastoreLost(StorageError, OSError):
    """The server that keeps the datastore does not answer, or does not know the file any more."""


class DiskTooLarge(StorageError):
    """The file system below the datastore holds no file of this size."""

    def __init__(self, name: str, size_bytes: int) -> None:
        super().__init__(f"the file system below the datastore holds no file of {size_bytes} bytes ({name})")
        self.size_bytes = size_bytes


class DiskFrozen(StorageError):
    """The disk is the parent of another one, so that it must not change."""


class DiskClosed(StorageError):
    """The disk was closed, merged into its parent or deleted; it has to be opened again."""


class DiskInUse(StorageError):
    """The disk is held open (by a running VM, or a reader over NFC)."""


class HostNotServing(StorageError):
    """The host that would open the disk is in maintenance mode."""


class DiskCorrupt(StorageError):
    """The files of a disk are not what they should be."""


class ChangeIdUnknown(StorageError):
    """The change id is of another generation, or of a time that never was."""
