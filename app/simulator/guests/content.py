"""Seeded content as real disks have it: text that compresses, bytes that do not, duplicates, zeros."""

from enum import Enum
from random import Random

_WORDS = (
    "INFO", "WARN", "DEBUG", "server", "request", "accepted", "connection", "closed by peer", "timeout", "header",
    "order", "invoice", "customer", "shipped", "warehouse", "上海", "订单", "客户", "发货", "备份", "完成",
    "session", "user", "id", "value", "select", "from", "where", "insert into", "update", "commit", "cache",
    "miss", "hit", "queue", "worker", "started", "stopped in", "ms", "bytes",
)  # fmt: skip
_PAGE_BYTES = 64 << 10
_STAMP_BYTES = 4096
_SHARED_SEED = 20_260_105
_SHARED_PAGES = 24
SHARED_PAGE_BYTES = 1 << 20
"""Size of the pages that all guests have in common: large enough for any deduplication to notice."""


class Kind(Enum):
    """What bytes look like."""

    TEXT = "text"
    NOISE = "noise"
    SHARED = "shared"
    ZEROS = "zeros"


_WEIGHTS = {Kind.TEXT: 45, Kind.NOISE: 30, Kind.SHARED: 15, Kind.ZEROS: 10}


class ContentMaker:
    """Makes content that follows from a seed alone.

    Thread: one at a time.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._text = _text_page(random)

    def kind(self) -> Kind:
        """Choose what the next bytes look like."""
        return self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]

    def make(self, kind: Kind, n_bytes: int) -> bytes:
        """Return so many bytes of a kind."""
        if kind is Kind.ZEROS:
            return bytes(n_bytes)
        if kind is Kind.NOISE:
            return self._random.randbytes(n_bytes)
        if kind is Kind.SHARED:
            return self._make_shared(n_bytes)
        return self._make_text(n_bytes)

    def _make_text(self, n_bytes: int) -> bytes:
        """Return text of which no two pages are equal, so that it compresses but is not a duplicate."""
        start = self._random.randrange(_PAGE_BYTES)
        repeats = -(-(n_bytes + start) // _PAGE_BYTES)
        text = bytearray((self._text * repeats)[start : start + n_bytes])
        for offset in range(0, n_bytes - 32, _STAMP_BYTES):
            text[offset : offset + 32] = b"%032x" % self._random.getrandbits(128)
        return bytes(text)

    def system(self, n_bytes: int) -> bytes:
        """Return what every guest has, whatever its seed: the same system, installed everywhere."""
        return _shared_pages(0, n_bytes)

    def _make_shared(self, n_bytes: int) -> bytes:
        return _shared_pages(self._random.randrange(_SHARED_PAGES), n_bytes)


def _shared_pages(start: int, n_bytes: int) -> bytes:
    n_pages = -(-n_bytes // SHARED_PAGE_BYTES)
    pages = (_shared_page((start + page) % _SHARED_PAGES) for page in range(n_pages))
    return b"".join(pages)[:n_bytes]


def _shared_page(number: int) -> bytes:
    """Return a page of which half compresses."""
    random = Random(_SHARED_SEED + number)  # noqa: S311 - content, not a secret
    text = _text_page(random)
    half = SHARED_PAGE_BYTES // 2
    return random.randbytes(half) + text * (half // len(text))


def _text_page(random: Random) -> bytes:
    lines: list[bytes] = []
    size = 0
    while size < _PAGE_BYTES:
        words = " ".join(random.choices(_WORDS, k=12))
        line = f"2026-01-05T08:{random.randrange(60):02}:{random.randrange(60):02}Z {words}\n".encode()
        lines.append(line)
        size += len(line)
    return b"".join(lines)[:_PAGE_BYTES]
