"""Whatever moves while a frozen disk is read: every request is answered once, in order, with the disk's bytes."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from app.core.access import DiskAddress
from app.core.disks import ReadRequest
from app.domain.errors import DiskAccessFailed
from app.domain.extents import Extent
from app.domain.ids import SnapshotId, VmId
from app.domain.states import TransportMode
from app.engine.platforms.following import DiskPlaces, FollowingReader

CONTENT = bytes(range(256)) * 16
PIECE = 64


class ShortLived:
    """A reader that answers so many requests, each half-filled before its turn, and then fails."""

    mode = TransportMode.LOCAL
    capacity_bytes = len(CONTENT)

    def __init__(self, window: int, answers: int) -> None:
        self.window = window
        self._answers = answers
        self.is_closed = False

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill late, like a network reader."""
        source = iter(requests)
        ahead = deque(islice(source, self.window))
        while ahead:
            for request in ahead:
                request.buffer[: PIECE // 2] = b"\xff" * (PIECE // 2)
            if self._answers == 0:
                raise DiskAccessFailed(path="old", operation="read", mode="LOCAL", detail="no such file")
            self._answers -= 1
            request = ahead.popleft()
            request.buffer[:] = CONTENT[request.offset : request.offset + len(request.buffer)]
            ahead.extend(islice(source, 1))
            yield request

    def allocated_extents(self) -> list[Extent] | None:
        """It cannot determine."""
        return None

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


class Moving(DiskPlaces):
    """Says that the disk has moved each time that it is asked."""

    def __init__(self) -> None:
        """It asks no one."""
        self._moved = {}

    def ask_again(self, address: DiskAddress) -> DiskAddress | None:
        """Always elsewhere."""
        return address


ADDRESS = DiskAddress(
    vm=VmId("vm-1"),
    vm_name="web",
    disk_key=2000,
    path="old",
    capacity_bytes=len(CONTENT),
    snapshot=SnapshotId("snapshot-1"),
)


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(1, 6)), max_size=12),
    st.integers(0, len(CONTENT) // PIECE),
)
def test_every_request_is_answered_once_in_order(lives: list[tuple[int, int]], count: int) -> None:
    readers = [ShortLived(*life) for life in lives] + [ShortLived(4, 1 << 30)]
    opened = iter(readers)
    reader = FollowingReader(lambda _address: next(opened), Moving(), ADDRESS)
    window, held = reader.window, 0

    def requests() -> Iterator[ReadRequest]:
        nonlocal held
        for number in range(count):
            held += 1
            assert held <= window + 1, "the caller has no more buffers"
            yield ReadRequest(number * PIECE, memoryview(bytearray(PIECE)), number)

    answered = []
    for request in reader.read_many(requests()):
        held -= 1
        assert request.buffer == CONTENT[request.offset : request.offset + PIECE]
        answered.append(request.tag)
    assert answered == list(range(count))
    reader.close()
    used = [reader for reader in readers if reader.is_closed]
    assert used == readers[: len(used)]
