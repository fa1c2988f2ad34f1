"""CRC-32C (Castagnoli), as ext4 and XFS use it; source: RFC 3720, appendix B.4."""

from typing import Final

_POLYNOMIAL: Final = 0x82F63B78


def _entry(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ (_POLYNOMIAL if number & 1 else 0)
    return number


_TABLE: Final = tuple(_entry(number) for number in range(256))


def crc32c(data: bytes, seed: int = 0xFFFFFFFF) -> int:
    """Return the remainder without its final complement, as a seed for more data."""
    for byte in data:
        seed = _TABLE[(seed ^ byte) & 0xFF] ^ (seed >> 8)
    return seed
