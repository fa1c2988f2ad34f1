"""Where ranges of a disk are in the files of its chain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.simulator.storage.places import StoredFile


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of a disk that is in one piece in one file."""

    file: StoredFile
    file_offset: int
    length_bytes: int


def read_segments(segments: Iterable[Segment], target: memoryview) -> None:
    """Fill ``target`` from segments that are exactly as long.

    Raises:
        OSError: a file cannot be read.
    """
    position = 0
    for segment in segments:
        segment.file.readinto(segment.file_offset, target[position : position + segment.length_bytes])
        position += segment.length_bytes


def joined(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Join segments that follow each other in the same file."""
    last: Segment | None = None
    for segment in segments:
        if last is None:
            last = segment
        elif last.file is segment.file and last.file_offset + last.length_bytes == segment.file_offset:
            last = Segment(last.file, last.file_offset, last.length_bytes + segment.length_bytes)
        else:
            yield last
            last = segment
    if last is not None:
        yield last
