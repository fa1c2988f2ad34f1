"""Opening restore points for tasks, which say in their log what the operator should know of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.tasklog import TaskLog
from app.domain.ids import PointId
from app.engine import messages
from app.repository import PinPurpose, PointReader, Repository


@contextmanager
def opened_point(
    repository: Repository, point: PointId, purpose: PinPurpose, log: TaskLog
) -> Iterator[PointReader]:
    """Open a restore point for reading, pinned as long as it is open; a warning says when nothing keeps it.

    Raises:
        OperationalError: it cannot be read.
    """
    with repository.open_pinned(point, purpose) as reader:
        if reader.without_lease is not None:
            log.warning(messages.READ_WITHOUT_LEASE, detail=reader.without_lease)
        yield reader
