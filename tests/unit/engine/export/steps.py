"""Exporting the one disk of a restore point."""

from pathlib import Path

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.images import ImageFormat
from app.engine.export.files import export_disk
from app.repository import PointReader

MIB = 1024 * 1024
CAPACITY = 8 * MIB


def export(
    point: PointReader,
    target: Path,
    image: ImageFormat,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> None:
    """Write the first disk of a point into a file."""
    export_disk(
        point,
        point.point.disks[0],
        target,
        image,
        progress=progress or Progress(),
        cancel=cancel or CancelToken(),
    )
