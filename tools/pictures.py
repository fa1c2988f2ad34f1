"""Small pictures: a palette of the colours that matter most, chosen from the picture itself."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage, QImageWriter
from PySide6.QtWidgets import QWidget

_COLOURS = 256
Pixels = NDArray[np.uint32]


def save_picture(widget: QWidget, file: Path) -> None:
    """Write what a widget shows, as a PNG with a palette.

    Raises:
        OSError: the file cannot be written.
    """
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    writer = QImageWriter(str(file), b"png")
    writer.setCompression(100)
    if not writer.write(with_palette(image)):
        raise OSError(f"{file}: {writer.errorString()}")


def with_palette(image: QImage) -> QImage:
    """Return a picture of at most 256 colours: every other as the nearest of them."""
    width, height = image.width(), image.height()
    flat = np.frombuffer(image.constBits(), dtype=np.uint32).reshape(height, image.bytesPerLine() // 4)
    colours, places, counts = np.unique(flat[:, :width], return_inverse=True, return_counts=True)
    kept = _palette(colours, counts)
    nearest = _nearest(colours, kept)
    bytes_per_line = (width + 3) // 4 * 4
    indexes = np.zeros((height, bytes_per_line), dtype=np.uint8)
    indexes[:, :width] = nearest[places].reshape(height, width)
    small = QImage(indexes.tobytes(), width, height, bytes_per_line, QImage.Format.Format_Indexed8)
    small.setColorTable([int(colour) | 0xFF000000 for colour in kept])
    # The bytes belong to Python until here; the copy owns its own.
    return small.copy()


def _palette(colours: Pixels, counts: NDArray[np.intp]) -> Pixels:
    """Return the most frequent colours, and of the others those that are farthest from all that is kept."""
    order = np.argsort(counts)[::-1]
    kept = list(order[: _COLOURS // 2])
    points = _channels(colours)
    distance = np.full(len(colours), np.iinfo(np.int32).max, dtype=np.int32)
    for place in kept:
        distance = np.minimum(distance, ((points - points[place]) ** 2).sum(axis=-1))
    while len(kept) < min(_COLOURS, len(colours)):
        place = int(np.argmax(distance))
        kept.append(place)
        distance = np.minimum(distance, ((points - points[place]) ** 2).sum(axis=-1))
    return colours[kept]


def _channels(values: Pixels) -> NDArray[np.int32]:
    return np.stack([(values >> shift & 0xFF).astype(np.int32) for shift in (16, 8, 0)], axis=-1)


def _nearest(colours: Pixels, kept: Pixels) -> NDArray[np.uint8]:
    wanted, offered = _channels(colours), _channels(kept)
    chosen = np.empty(len(colours), dtype=np.uint8)
    for start in range(0, len(colours), 1024):
        part = wanted[start : start + 1024, None, :] - offered[None, :, :]
        chosen[start : start + 1024] = np.argmin((part * part).sum(axis=-1), axis=1)
    return chosen
