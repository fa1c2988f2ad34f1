"""The one place that turns errors of simulated storage into vim faults."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyVmomi import vim, vmodl

from app.simulator.storage import (
    DatastoreFull,
    DatastoreLost,
    DatastoreNotFound,
    DiskCorrupt,
    DiskExists,
    DiskFrozen,
    DiskInUse,
    DiskNotFound,
    InvalidDatastorePath,
    StorageError,
)


@contextmanager
def as_vim_faults(path: str = "") -> Iterator[None]:
    """Raise vim faults in place of storage errors inside the block.

    Args:
        path: the file that the fault names.

    Raises:
        vmodl.MethodFault: what a host answers with in the same case.
    """
    try:
        yield
    except StorageError as error:
        raise vim_fault(error, path) from error


def vim_fault(error: StorageError, path: str = "") -> vmodl.MethodFault:
    """Return the fault for a storage error."""
    text = str(error)
    if isinstance(error, DatastoreFull):
        return vim.fault.NoDiskSpace(
            msg=f"Insufficient disk space on datastore '{error.datastore}'.", file=path, datastore=error.datastore
        )
    if isinstance(error, DatastoreNotFound):
        return vim.fault.InvalidDatastore(msg=text, name=path)
    if isinstance(error, InvalidDatastorePath):
        return vim.fault.InvalidDatastorePath(msg=f"Invalid datastore path '{path}'.", datastorePath=path)
    kinds: tuple[tuple[type[StorageError], type[vim.fault.FileFault]], ...] = (
        (DiskNotFound, vim.fault.FileNotFound),
        (DiskExists, vim.fault.FileAlreadyExists),
        (DiskInUse, vim.fault.FileLocked),
        (DiskFrozen, vim.fault.FileLocked),
        (DiskCorrupt, vim.fault.FileFault),
        (DatastoreLost, vim.fault.CannotAccessFile),
    )
    kind = next((fault for storage, fault in kinds if isinstance(error, storage)), vim.fault.FileFault)
    return kind(msg=text, file=path)
