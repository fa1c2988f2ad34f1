"""What is said of a file (``fattr3``), and what a client may set of it (``sattr3``): RFC 1813, 2.5 and 2.6."""

import struct
from dataclasses import dataclass
from typing import Final, Self

from app.core.nfs3 import FileType, TimeChoice
from app.core.xdr import XdrDecoder, XdrError

_FATTR: Final = struct.Struct(">5I2Q2I2Q6I")
_NANOSECONDS: Final = 1_000_000_000
_ALL_MODES: Final = 0o7777
_FOLLOWS: Final = b"\0\0\0\1"
NOT_SAID: Final = b"\0\0\0\0"
"""An optional attribute structure that is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a client hears of a file or folder; times are nanoseconds since 1970."""

    kind: FileType
    mode: int
    links: int
    owner: int
    group: int
    size_bytes: int
    used_bytes: int
    volume: int
    """``fsid``."""
    node: int
    """``fileid``."""
    read_at_ns: int
    written_at_ns: int
    changed_at_ns: int

    def encode(self) -> bytes:
        """Return ``fattr3``."""
        times = (self.read_at_ns, self.written_at_ns, self.changed_at_ns)
        seconds = [part for time_ns in times for part in _nfs_time(time_ns)]
        return _FATTR.pack(
            self.kind,
            self.mode,
            self.links,
            self.owner,
            self.group,
            self.size_bytes,
            self.used_bytes,
            0,
            0,
            self.volume,
            self.node,
            *seconds,
        )

    def follow(self) -> bytes:
        """Return ``post_op_attr``: that they follow, and they."""
        return _FOLLOWS + self.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAttributes:
    """What a client sets; None stays as it is."""

    mode: int | None = None
    owner: int | None = None
    group: int | None = None
    size_bytes: int | None = None
    read_at_ns: int | None = None
    """-1: the server's time."""
    written_at_ns: int | None = None
    """-1: the server's time."""

    @classmethod
    def decode(cls, decoder: XdrDecoder) -> Self:
        """Take ``sattr3``.

        Raises:
            XdrError: it is malformed.
        """
        mode, owner, group = (decoder.u32() if decoder.boolean() else None for _ in range(3))
        size = decoder.u64() if decoder.boolean() else None
        read_at, written_at = (_wanted_time(decoder) for _ in range(2))
        return cls(
            mode=None if mode is None else mode & _ALL_MODES,
            owner=owner,
            group=group,
            size_bytes=size,
            read_at_ns=read_at,
            written_at_ns=written_at,
        )


def _wanted_time(decoder: XdrDecoder) -> int | None:
    choice = decoder.u32()
    if choice == TimeChoice.KEEP:
        return None
    if choice == TimeChoice.SERVER:
        return -1
    if choice != TimeChoice.CLIENT:
        raise XdrError(f"{choice} where a choice of a time was due")
    return decoder.u32() * _NANOSECONDS + decoder.u32()


def _nfs_time(time_ns: int) -> tuple[int, int]:
    """Return ``nfstime3``: seconds and nanoseconds, of 32 bits each."""
    seconds, rest = divmod(max(0, time_ns), _NANOSECONDS)
    return min(seconds, 0xFFFF_FFFF), rest


def decode_guard(decoder: XdrDecoder) -> tuple[int, int] | None:
    """Take ``sattrguard3``: the time of the last change that a client believes in, None where it does not say."""
    return (decoder.u32(), decoder.u32()) if decoder.boolean() else None


def is_guarded(guard: tuple[int, int], attributes: Attributes) -> bool:
    """Return whether a file was changed when a client believes that it was."""
    return guard == _nfs_time(attributes.changed_at_ns)
