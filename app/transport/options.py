"""What may be tuned about the transports."""

from dataclasses import dataclass, field
from enum import IntEnum

from app.core.retry import RetryPolicy

MIB = 1024 * 1024

SECTOR_BYTES = 512


class Compression(IntEnum):
    """How a fragment travels over NFC (protocols page *NFC*, section 4)."""

    NONE = 0
    ZLIB = 1
    FASTLZ = 2
    SKIPZ = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """The tunable part of every transport.

    Raises:
        ValueError: a size or a time is not positive.
    """

    transfer_buffer_bytes: int = 4 * MIB
    """Bytes that one open disk may have in flight (``i2vp_transbuffer``)."""
    compression: Compression | None = None
    """What is asked of the host for NFC; None measures for each disk what is fastest."""
    connect_timeout_s: float = 10.0
    handshake_timeout_s: float = 60.0
    """For everything between the connection and the opened disk, step by step."""
    answer_timeout_s: float = 60.0
    """For one frame of an answer; a host that is silent for longer has stalled."""
    close_timeout_s: float = 5.0
    reconnect: RetryPolicy = field(
        default_factory=lambda: RetryPolicy(attempts=6, first_delay_s=1.0, factor=2.0, longest_s=15.0)
    )
    """Attempts in a row without progress, and the pauses between them."""
    maintenance_wait_s: float = 900.0
    """How long a host in maintenance mode is waited for, or the vMotion of the VM to another one."""
    maintenance_pause_s: float = 10.0
    """Between two attempts meanwhile."""
    https_connections: int = 4
    library_open_s: float = 300.0
    """For VMware's library to start, to connect and to open a disk, step by step: it looks through all LUNs."""
    library_call_s: float = 120.0
    """For one read or write by VMware's library."""
    library_close_s: float = 60.0
    """For VMware's library to close a disk: one that was attached to this machine has to be detached."""

    def __post_init__(self) -> None:
        sizes = (self.transfer_buffer_bytes // SECTOR_BYTES, self.https_connections, self.reconnect.attempts)
        times = (self.connect_timeout_s, self.handshake_timeout_s, self.answer_timeout_s, self.close_timeout_s)
        library = (self.library_open_s, self.library_call_s, self.library_close_s)
        if min(sizes) < 1 or min(*times, *library) <= 0:
            raise ValueError(f"transport options must be positive: {self}")

    @property
    def window(self) -> int:
        """Most requests in flight, so that small requests fill the pipe too."""
        return max(4, min(16, self.transfer_buffer_bytes // (256 * 1024)))
