"""Reads and writes PNG files with the standard library, as far as pictures of a VM's console need it.

Read are pictures of 8 bits per sample without interlacing: grey, RGB and palette, with and without alpha; colours
become grey. Source: the PNG specification (third edition), parts 9 (filtering), 10 (compression) and 11 (chunks).
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_LONGEST_SIDE: Final = 8192
_MOST_CHUNKS: Final = 100_000
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Bytes of a pixel by its kind of colour."""


class PngUnreadable(ValueError):
    """A file is no PNG picture, or one of a kind that is not read."""


@dataclass(frozen=True, slots=True)
class GreyPicture:
    """A picture in shades of grey: a byte for each pixel, row by row."""

    width: int
    height: int
    pixels: bytes

    def row(self, number: int) -> bytes:
        """Return a row, the topmost being 0."""
        return self.pixels[number * self.width : (number + 1) * self.width]


def read_png(data: bytes, *, limit_bytes: int) -> GreyPicture:
    """Read a picture.

    Args:
        data: the file.
        limit_bytes: how large it may be when it is unpacked.

    Raises:
        PngUnreadable: it is none, damaged, too large, or of a kind that is not read.
    """
    header, palette, packed = _parts(data)
    if len(header) != 13:
        raise PngUnreadable("its header is not whole")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or interlaced or colour not in _SAMPLES:
        raise PngUnreadable("it is of a kind that is not read")
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise PngUnreadable("its size cannot be")
    samples = _SAMPLES[colour]
    stride = width * samples
    size = height * (stride + 1)
    if size > limit_bytes:
        raise PngUnreadable("it is too large")
    unpacked = _unpacked(packed, size)
    greys = _greys_of(palette) if colour == 3 else b""
    rows = (_grey(row, colour, greys) for row in _unfiltered(unpacked, height, stride, samples))
    return GreyPicture(width, height, b"".join(rows))


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the header, the palette and the packed pixels."""
    if not data.startswith(SIGNATURE):
        raise PngUnreadable("it does not begin as a PNG file")
    found: dict[bytes, list[bytes]] = {b"IHDR": [], b"PLTE": [], b"IDAT": []}
    position = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        if len(data) - position < 12:
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data) or kind == b"IEND":
            break
        if kind in found:
            found[kind].append(data[position + 8 : end])
        position = end + 4
    return b"".join(found[b"IHDR"]), b"".join(found[b"PLTE"]), b"".join(found[b"IDAT"])


def _unpacked(packed: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(packed, size)
    except zlib.error as error:
        raise PngUnreadable("its pixels cannot be unpacked") from error
    if len(unpacked) != size:
        raise PngUnreadable("pixels are missing")
    return unpacked


def _unfiltered(data: bytes, height: int, stride: int, samples: int) -> Iterator[bytes]:
    above = bytearray(stride)
    for number in range(height):
        start = number * (stride + 1)
        row = bytearray(data[start + 1 : start + 1 + stride])
        _unfilter(data[start], row, above, samples)
        yield bytes(row)
        above = row


def _unfilter(kind: int, row: bytearray, above: bytearray, samples: int) -> None:
    if kind == 1:
        for x in range(samples, len(row)):
            row[x] = (row[x] + row[x - samples]) & 0xFF
    elif kind == 2:
        row[:] = bytes((one + other) & 0xFF for one, other in zip(row, above, strict=True))
    elif kind == 3:
        for x in range(len(row)):
            left = row[x - samples] if x >= samples else 0
            row[x] = (row[x] + ((left + above[x]) >> 1)) & 0xFF
    elif kind == 4:
        for x in range(len(row)):
            left, corner = (row[x - samples], above[x - samples]) if x >= samples else (0, 0)
            row[x] = (row[x] + _paeth(left, above[x], corner)) & 0xFF
    elif kind:
        raise PngUnreadable("a row is filtered in a way that is not known")


def _paeth(left: int, above: int, corner: int) -> int:
    to_left, to_above = abs(above - corner), abs(left - corner)
    to_corner = abs(left + above - 2 * corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner


def _greys_of(palette: bytes) -> bytes:
    colours = [_grey_of(*palette[at : at + 3]) for at in range(0, len(palette) - 2, 3)][:256]
    return bytes(colours).ljust(256, b"\0")


def _grey(row: bytes, colour: int, greys: bytes) -> bytes:
    if colour == 3:
        return row.translate(greys)
    if colour in (2, 6):
        step = _SAMPLES[colour]
        return bytes(map(_grey_of, row[0::step], row[1::step], row[2::step]))
    return row[:: _SAMPLES[colour]]


def _grey_of(red: int, green: int, blue: int) -> int:
    return (red + 2 * green + blue) >> 2


def write_png(picture: GreyPicture) -> bytes:
    """Return a picture as a PNG file."""
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + picture.row(number) for number in range(picture.height))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    )


def shrunk(picture: GreyPicture, width: int) -> GreyPicture:
    """Return a picture that is not wider than so many pixels, by leaving pixels out."""
    if picture.width <= width:
        return picture
    columns: Sequence[int] = [x * picture.width // width for x in range(width)]
    height = max(1, picture.height * width // picture.width)
    rows = (picture.row(y * picture.height // height) for y in range(height))
    return GreyPicture(width, height, b"".join(bytes(row[x] for x in columns) for row in rows))
