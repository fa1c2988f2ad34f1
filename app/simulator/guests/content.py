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
_SHARED_PAGES = 16


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
        self._shared: list[bytes] = []

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

    def _make_shared(self, n_bytes: int) -> bytes:
        """Return pages that the disks of all guests have in common, whatever their seed."""
        if not self._shared:
            shared = Random(_SHARED_SEED)  # noqa: S311 - content, not a secret
            self._shared = [shared.randbytes(_PAGE_BYTES) for _ in range(_SHARED_PAGES)]
        start = self._random.randrange(_SHARED_PAGES)
        n_pages = -(-n_bytes // _PAGE_BYTES)
        return b"".join(self._shared[(start + page) % _SHARED_PAGES] for page in range(n_pages))[:n_bytes]


def _text_page(random: Random) -> bytes:
    lines: list[bytes] = []
    size = 0
    while size < _PAGE_BYTES:
        words = " ".join(random.choices(_WORDS, k=12))
        line = f"2026-01-05T08:{random.randrange(60):02}:{random.randrange(60):02}Z {words}\n".encode()
        lines.append(line)
        size += len(line)
    return b"".join(lines)[:_PAGE_BYTES]
