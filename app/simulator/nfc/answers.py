"""What a test lets a host answer to reads and writes over NFC: refusals, and lies about the data."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NfcRefusal:
    """What a host answers to a request that it refuses."""

    code: int
    text: str


class Spoil(Enum):
    """How the answer to a read is spoilt (protocols page *NFC*, section 4a.22)."""

    OUT_OF_RANGE = "a fragment reaches beyond the request"
    OVERLAP = "a fragment comes twice"
    WRONG_LENGTH = "more bytes follow than the fragment has"
    BAD_ZLIB = "what claims to be zlib is none"
    BAD_SKIPZ = "a run lies outside of its fragment"


@dataclass(slots=True)
class _Rule(Generic[T]):
    skip: int
    times: int
    what: T


class NfcAnswers:
    """The script of answers; each rule counts the requests of all connections from the moment it is made.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reads: list[_Rule[NfcRefusal]] = []
        self._writes: list[_Rule[NfcRefusal]] = []
        self._spoils: list[_Rule[Spoil]] = []
        self._held_back = 0
        self._unknown: frozenset[int] = frozenset()

    # ---- for tests -------------------------------------------------------------------------------------

    def refuse_read(self, nth: int = 1, *, times: int = 1, code: int = 6, text: str = "I/O failed") -> None:
        """Refuse reads, beginning with the nth from now."""
        with self._lock:
            self._reads.append(_Rule(nth - 1, times, NfcRefusal(code, text)))

    def refuse_write(self, nth: int = 1, *, times: int = 1, code: int = 6, text: str = "I/O failed") -> None:
        """Refuse writes, beginning with the nth from now."""
        with self._lock:
            self._writes.append(_Rule(nth - 1, times, NfcRefusal(code, text)))

    def spoil_read(self, how: Spoil, nth: int = 1) -> None:
        """Spoil the answer to a read, the nth from now."""
        with self._lock:
            self._spoils.append(_Rule(nth - 1, 1, how))

    def hold_back(self, reads: int) -> None:
        """Answer each read only once so many more have come, or none comes for a while."""
        with self._lock:
            self._held_back = reads

    def forget_packings(self, *packings: int) -> None:
        """Refuse requests whose data travel in one of these packings, as a host that does not know it."""
        self._unknown = frozenset(packings)

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._unknown = frozenset()
            self._reads, self._writes, self._spoils, self._held_back = [], [], [], 0

    # ---- for the server --------------------------------------------------------------------------------

    def read_refused(self) -> NfcRefusal | None:
        """Count a read; return how it is to be refused, None to carry it out."""
        return self._due(self._reads)

    def write_refused(self) -> NfcRefusal | None:
        """Count a write; return how it is to be refused, None to carry it out."""
        return self._due(self._writes)

    def read_spoilt(self) -> Spoil | None:
        """Count a read that is carried out; return how its answer is to be spoilt."""
        return self._due(self._spoils)

    def knows_packing(self, packing: int) -> bool:
        """Tell whether requests in a packing are carried out."""
        return packing not in self._unknown

    @property
    def held_back(self) -> int:
        """How many more reads have to come before one is answered."""
        return self._held_back

    def _due(self, rules: list[_Rule[T]]) -> T | None:
        if not rules:
            return None
        with self._lock:
            for rule in _counted(rules):
                rule.times -= 1
                if not rule.times:
                    rules.remove(rule)
                return rule.what
        return None


def _counted(rules: Iterable[_Rule[T]]) -> list[_Rule[T]]:
    """Count one request against every rule, and return those whose turn has come."""
    due = []
    for rule in rules:
        if rule.skip:
            rule.skip -= 1
        else:
            due.append(rule)
    return due
