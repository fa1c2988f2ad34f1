"""Pictures are read as any PNG library reads them, and whatever is no picture is refused."""

import random
import struct
import time
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QColor, QImage

from app.core.png import SIGNATURE, GreyPicture, PngUnreadable, read_png, shrunk, write_png

LIMIT = 8 << 20


def png(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = ((b"IHDR", header), *chunks, (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def saved(image: QImage) -> bytes:
    """Return what Qt's PNG library writes, which chooses the filters itself."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


def painted(kind: QImage.Format, width: int = 61, height: int = 37) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    chance = random.Random(5)
    for y in range(height):
        for x in range(width):
            noise = chance.randrange(4)
            image.setPixelColor(x, y, QColor(x * 4 % 256, (x + y) * 2 % 256, (y * 7 + noise) % 256))
    return image.convertToFormat(kind)


@pytest.mark.parametrize(
    "kind",
    [
        QImage.Format.Format_RGB32,
        QImage.Format.Format_ARGB32,
        QImage.Format.Format_Indexed8,
        QImage.Format.Format_Grayscale8,
    ],
)
def test_what_another_library_wrote_has_the_pixels_that_it_paints(kind: QImage.Format) -> None:
    image = painted(kind)
    picture = read_png(saved(image), limit_bytes=LIMIT)
    assert (picture.width, picture.height) == (image.width(), image.height())
    for y in range(picture.height):
        for x, grey in enumerate(picture.row(y)):
            colour = image.pixelColor(x, y)
            assert abs(grey - (colour.red() + 2 * colour.green() + colour.blue()) / 4) <= 1


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 4), st.randoms(use_true_random=False))
def test_every_filter_is_undone(width: int, height: int, kind: int, chance: random.Random) -> None:
    rows = [chance.randbytes(width) for _ in range(height)]
    data = zlib.compress(b"".join(bytes([kind]) + row for row in filtered(rows, kind)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    assert read_png(png(header, (b"IDAT", data)), limit_bytes=LIMIT).pixels == b"".join(rows)


def filtered(rows: list[bytes], kind: int) -> Iterable[bytes]:
    """Filter rows of grey pixels as the specification says, straight from its table."""
    above = bytes(len(rows[0]))
    for row in rows:
        yield bytes(
            (row[x] - predicted(kind, row[x - 1] if x else 0, above[x], above[x - 1] if x else 0)) % 256
            for x in range(len(row))
        )
        above = row


def predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[kind]


def test_what_is_written_can_be_read_here_and_elsewhere() -> None:
    picture = GreyPicture(5, 3, bytes(range(0, 150, 10)))
    data = write_png(picture)
    assert read_png(data, limit_bytes=LIMIT) == picture
    image = QImage.fromData(data)
    assert [image.pixelColor(x, y).red() for y in range(3) for x in range(5)] == list(picture.pixels)


def test_a_large_picture_is_made_smaller() -> None:
    picture = shrunk(GreyPicture(1920, 1080, bytes(1920 * 1080)), 640)
    assert (picture.width, picture.height, len(picture.pixels)) == (640, 360, 640 * 360)
    assert shrunk(picture, 640) is picture


HEADER = struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 0)
PIXELS = zlib.compress(bytes(10))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        SIGNATURE,
        png(HEADER[:-1], (b"IDAT", PIXELS)),
        png(HEADER),
        png(HEADER, (b"IDAT", b"no zlib")),
        png(HEADER, (b"IDAT", zlib.compress(bytes(9)))),
        png(HEADER, (b"IDAT", zlib.compress(b"\x07" + bytes(9)))),
        png(struct.pack(">IIBBBBB", 4, 2, 16, 0, 0, 0, 0), (b"IDAT", PIXELS)),
        png(struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 1), (b"IDAT", PIXELS)),
        png(struct.pack(">IIBBBBB", 4, 2, 8, 5, 0, 0, 0), (b"IDAT", PIXELS)),
        png(struct.pack(">IIBBBBB", 0, 2, 8, 0, 0, 0, 0), (b"IDAT", PIXELS)),
        png(struct.pack(">IIBBBBB", 8192, 8192, 8, 0, 0, 0, 0), (b"IDAT", PIXELS)),
    ],
)
def test_what_is_no_picture_that_is_read_is_refused(data: bytes) -> None:
    with pytest.raises(PngUnreadable):
        read_png(data, limit_bytes=LIMIT)


def test_a_small_file_that_unpacks_to_very_much_takes_no_more_than_its_size() -> None:
    bomb = png(HEADER, (b"IDAT", zlib.compress(bytes(64 << 20))))
    began_s = time.monotonic()
    assert read_png(bomb, limit_bytes=LIMIT).pixels == bytes(8)
    assert time.monotonic() - began_s < 1


@given(st.binary(max_size=200), st.integers(0, 60))
def test_nothing_but_its_own_error_comes_of_a_damaged_file(noise: bytes, at: int) -> None:
    whole = write_png(GreyPicture(8, 8, bytes(range(64))))
    for data in (noise, SIGNATURE + noise, whole[:at] + noise + whole[at + len(noise) :], whole[:at]):
        try:
            read_png(data, limit_bytes=LIMIT)
        except PngUnreadable:
            continue
