"""One disk of a restore point into one file."""

import re
import shutil
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from app.core.cancel import CancelToken
from app.core.childprocess import child_flags, decode_output
from app.core.durable import unlink
from app.core.privatefiles import PRIVATE_UMASK, create_private
from app.core.progress import Progress
from app.core.rawfile import RawFileWriter
from app.domain.images import ImageFormat
from app.domain.reasons import reason_of
from app.domain.restore_point import PointDisk
from app.engine.export.claims import ExportClaim
from app.engine.export.errors import ConverterMissing, ExportFailed
from app.engine.export.formats import format_of
from app.engine.reasons import CONVERTER_FAILED
from app.nbd.exports import Export
from app.nbd.server import NbdServer
from app.repository import PointReader

_PERCENT: Final = re.compile(r"\(\s*([0-9.]+)/100%\)")
_LOOK_EVERY_S: Final = 0.1


def export_disk(
    reader: PointReader,
    disk: PointDisk,
    target: Path,
    image: ImageFormat,
    *,
    progress: Progress,
    cancel: CancelToken,
    claim: ExportClaim | None = None,
) -> None:
    """Write a disk into a new file; the progress is advanced by the disk's capacity.

    Args:
        reader: the restore point.
        disk: which disk of it.
        target: the file.
        image: its format.
        progress: is advanced.
        cancel: ends it.
        claim: on the target, when the caller holds one; it is released all the same.

    Raises:
        ExportExists: the file is there already; it was not touched.
        ExportUnderWay: another export writes it.
        ConverterMissing: the format needs a program that is not installed.
        ExportFailed: the file could not be written; nothing is left of it.
        OperationalError: the restore point cannot be read; nothing is left of the file.
        TaskCancelled: cancelled; nothing is left of the file.
    """
    with claim or ExportClaim(target) as held:
        try:
            if image is ImageFormat.RAW:
                _write_raw(reader, disk, held.scratch, progress, cancel)
            else:
                _convert(reader, disk, held.scratch, image, progress, cancel)
            held.finish()
        except OSError as error:
            raise ExportFailed(file=target, detail=reason_of(error)) from error


def _write_raw(
    reader: PointReader, disk: PointDisk, target: Path, progress: Progress, cancel: CancelToken
) -> None:
    def refused(error: OSError) -> ExportFailed:
        return ExportFailed(file=target, detail=reason_of(error))

    with closing(RawFileWriter(target, disk.capacity_bytes, failure=refused)) as file:
        reader.copy_disk(disk.key, file, write_zeros=False, progress=progress, cancel=cancel)
        file.sync()


def _convert(
    reader: PointReader,
    disk: PointDisk,
    target: Path,
    image: ImageFormat,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    program = shutil.which("qemu-img")
    if program is None:
        raise ConverterMissing(format=image.value)
    details = format_of(image)
    options = ["-o", details.options] if details.options else []
    compress = ["-c"] if image is ImageFormat.QCOW2 else []
    with NbdServer([Export("disk", disk.label, lambda: reader.open_disk(disk.key))]) as server:
        source = ["-f", "raw", server.address("disk")]
        command = [program, "convert", "-p", *compress, "-O", details.driver, *options, *source, str(target)]
        _run(command, disk.capacity_bytes, target, progress, cancel)


def _run(command: list[str], capacity_bytes: int, target: Path, progress: Progress, cancel: CancelToken) -> None:
    """Run ``qemu-img`` to its end, its percentage as progress, and end it when this ends for whatever reason."""
    # Its output goes to a file next to the target: a pipe that is not emptied would stop it.
    notes = target.with_name(f"{target.name}.log")
    reported = 0
    try:
        with create_private(notes) as out:
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                creationflags=child_flags(),
                umask=PRIVATE_UMASK,  # it makes the image itself
            )
        try:
            while process.poll() is None:
                time.sleep(_LOOK_EVERY_S)
                cancel.check()
                done = _done_bytes(notes, capacity_bytes)
                progress.advance(done_bytes=max(0, done - reported))
                reported = max(reported, done)
        finally:  # whatever ends this: what goes on writing would write into a file that is given up
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            said = decode_output(notes.read_bytes()).strip()
            detail = CONVERTER_FAILED.fill(status=process.returncode, details=said)
            raise ExportFailed(file=target, detail=detail)
        progress.advance(done_bytes=capacity_bytes - reported)
    finally:
        with suppress(OSError):
            unlink(notes, missing_ok=True)


def _done_bytes(notes: Path, capacity_bytes: int) -> int:
    found = _PERCENT.findall(notes.read_text(encoding="utf-8", errors="replace")[-200:])
    return int(capacity_bytes * float(found[-1]) / 100) if found else 0
