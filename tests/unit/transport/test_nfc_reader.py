"""Reading disks over NFC from the simulator's server."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace

import pytest

from app.core.access import AccessMode, NfcTicket
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.simulator.nfc import NfcOptions, NfcServer, profile_of
from app.transport.errors import DiskOpenRefused, TicketRefused
from app.transport.options import Compression
from tests.support.fakes import RecordingTaskLog
from tests.support.nfc_lab import NfcLab
from tests.support.platforms import wine_lacks
from tests.support.simulated import local
from tests.support.waiting import wait_until
from tests.unit.transport.conftest import CAPACITY, DATA_END, DATA_START, Lab
from tests.unit.transport.opening import BOTH_MODES, options, read_bytes, reading, requests, whole
from tests.unit.transport.scripted import Peer, ScriptedHost, SeenRead, address, pattern


def abandon(stream: Iterator[ReadRequest]) -> None:
    """Do what leaving a loop over it does."""
    assert isinstance(stream, Generator)
    stream.close()


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_a_disk_reads_as_its_file(lab: Lab, mode: TransportMode) -> None:
    with reading(lab.nfc, lab.address, mode=mode) as reader:
        assert (reader.capacity_bytes, reader.mode) == (CAPACITY, mode)
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(CAPACITY, 300_000)))]
    assert b"".join(parts) == lab.content


@pytest.mark.parametrize("compression", Compression)
def test_every_compression_reads_as_the_file(lab: Lab, compression: Compression) -> None:
    tuned = options(compression=compression)
    with reading(lab.nfc, lab.address, tuned=tuned) as reader:
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(CAPACITY, 1 << 20)))]
    assert b"".join(parts) == lab.content


def test_requests_come_back_in_their_order_with_their_tags(lab: Lab) -> None:
    extents = [
        Extent(4 << 20, 4096),
        Extent(0, 512),
        Extent(2 << 20, 65536),
        Extent(512, 0),
        Extent(1 << 20, 1024),
    ]
    with reading(lab.nfc, lab.address) as reader:
        done = [
            (result.tag, result.offset, bytes(result.buffer)) for result in reader.read_many(requests(extents))
        ]
    assert done == [
        (index, extent.start, lab.content[extent.start : extent.end]) for index, extent in enumerate(extents)
    ]


@pytest.mark.parametrize(
    ("offset", "length"), [(1, 1), (511, 2), (DATA_START - 3, 1000), (CAPACITY - 5, 5), (7, 4089)]
)
def test_bytes_between_sectors_can_be_read(lab: Lab, offset: int, length: int) -> None:
    with reading(lab.nfc, lab.address) as reader:
        assert read_bytes(reader, offset, length) == lab.content[offset : offset + length]


@pytest.mark.parametrize("extent", [Extent(CAPACITY, 1), Extent(CAPACITY - 512, 1024)])
def test_bytes_beyond_the_disk_are_refused(lab: Lab, extent: Extent) -> None:
    with reading(lab.nfc, lab.address) as reader:
        with pytest.raises(ValueError, match=str(CAPACITY)):
            list(reader.read_many(requests([extent])))
        assert read_bytes(reader, 0, 512) == lab.content[:512]


def test_a_request_larger_than_the_transfer_buffer_is_read_in_parts(lab: Lab) -> None:
    with reading(lab.nfc, lab.address, tuned=options(transfer_buffer_bytes=128 * 1024)) as reader:
        assert read_bytes(reader, 0, CAPACITY) == lab.content


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_fragments_in_any_order_end_up_in_their_places(lab: Lab, mode: TransportMode) -> None:
    shuffled = NfcLab(local(lab.nfc.datastore.root), options=NfcOptions(shuffle_seed=5))
    tuned = options(transfer_buffer_bytes=400_000)
    with shuffled, reading(shuffled, lab.address, mode=mode, tuned=tuned) as reader:
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(CAPACITY, 150_000)))]
    assert b"".join(parts) == lab.content


# ---- requests in flight --------------------------------------------------------------------------------------


def test_several_requests_are_in_flight_but_no_more_than_the_transfer_buffer_holds() -> None:
    step = 512 * 1024
    seen: list[SeenRead] = []
    quiet: list[bool] = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        seen.extend(peer.read_request() for _ in range(2))
        quiet.append(peer.is_quiet())
        peer.fragment(seen[0], 0, pattern(step))
        seen.append(peer.read_request())
        quiet.append(peer.is_quiet())
        for read in reversed(seen[1:]):
            peer.fragment(read, 0, pattern(step))
        peer.wait_for_end()

    tuned = options(transfer_buffer_bytes=2 * step)
    with ScriptedHost(script) as host, reading(host, address(), tuned=tuned) as reader:
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(3 * step, step)))]
    assert parts == [pattern(step)] * 3
    assert [read.offset for read in seen] == [index * step for index in range(3)]
    assert quiet == [True, True]


def test_requests_are_pulled_no_further_ahead_than_the_window(lab: Lab) -> None:
    pulled = 0

    def source() -> Iterator[ReadRequest]:
        nonlocal pulled
        for request in requests(whole(1 << 20, 4096)):
            pulled += 1
            yield request

    with reading(lab.nfc, lab.address) as reader:
        assert 2 <= reader.window <= 16
        furthest = max(pulled - index for index, _ in enumerate(reader.read_many(source())))
    assert furthest == reader.window


def test_giving_up_in_the_middle_leaves_the_disk_usable(lab: Lab) -> None:
    with reading(lab.nfc, lab.address) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 65536)))
        next(stream)
        with pytest.raises(RuntimeError):
            reader.allocated_extents()
        with pytest.raises(RuntimeError):
            next(reader.read_many([]))
        abandon(stream)
        assert reader.database_entry("adapterType") == "lsilogic"
        assert reader.database_entry("nothing") is None
        assert read_bytes(reader, DATA_START, 4096) == lab.content[DATA_START : DATA_START + 4096]
        assert lab.nfc.server.accepted_connections == 1


def test_an_abandoned_buffer_is_not_touched_any_more() -> None:
    step = 64 * 1024
    abandoned = threading.Event()

    def script(peer: Peer) -> None:
        peer.become_disk()
        reads = [peer.read_request() for _ in range(3)]
        peer.fragment(reads[0], 0, pattern(step))
        abandoned.wait(10)
        for read in reads[1:]:
            peer.fragment(read, 0, pattern(step))
        last = peer.read_request()
        peer.fragment(last, 0, pattern(512))
        peer.wait_for_end()

    wanted = requests(whole(3 * step, step))
    with ScriptedHost(script) as host, reading(host, address()) as reader:
        stream = reader.read_many(wanted)
        next(stream)
        abandon(stream)
        abandoned.set()
        assert read_bytes(reader, 0, 512) == pattern(512)
        assert len(host.connections) == 1
    assert [bytes(request.buffer) == pattern(step) for request in wanted] == [True, False, False]


def test_closing_says_goodbye_in_order() -> None:
    farewell: list[int] = []

    def script(peer: Peer) -> None:
        peer.become_disk()
        for size in (8, 4):
            kind, op, payload = peer.request()
            farewell.append(kind)
            assert len(payload) == size
            peer.frame(kind, op, bytes(size))
        farewell.append(peer.receive(264)[0])
        peer.wait_for_end()

    with ScriptedHost(script) as host:
        with reading(host, address()) as reader:
            reader.close()
            with pytest.raises(ValueError, match="closed"):
                next(reader.read_many([]))
        wait_until(lambda: len(farewell) == 3)
    assert farewell == [5, 3, 4]


def test_closing_in_the_middle_of_reading_lets_go_of_the_disk(lab: Lab) -> None:
    with reading(lab.nfc, lab.address) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 65536)))
        next(stream)
        abandon(stream)
    wait_until(lambda: not lab.nfc.server.open_connections)


# ---- what is allocated ---------------------------------------------------------------------------------------


@wine_lacks("files with holes")
def test_allocated_extents_cover_the_data_in_whole_chunks_and_the_tail(lab: Lab) -> None:
    with reading(lab.nfc, lab.address) as reader:
        found = reader.allocated_extents()
    tail = CAPACITY // 65536 * 65536
    assert found == [
        Extent(DATA_START, -(-DATA_END // 65536) * 65536 - DATA_START),
        Extent(tail, CAPACITY - tail),
    ]


@wine_lacks("files with holes")
def test_allocation_is_asked_in_aligned_pages_to_the_end_of_the_disk(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with NfcLab(tmp_path_factory.mktemp("ds")) as nfc:
        disk = nfc.add_disk("big/big.vmdk", 20 << 30)
        marks = [0, (8 << 30) - 512, 8 << 30, (16 << 30) + 4096, (20 << 30) - 512]
        for mark in marks:
            disk.write(mark, b"\x01" * 512)
        with reading(nfc, nfc.address(disk)) as reader:
            found = reader.allocated_extents()
    assert found is not None
    assert all(any(extent.start <= mark < extent.end for extent in found) for mark in marks)
    assert sum(extent.length_bytes for extent in found) == len(marks) * 65536


# ---- connections that break ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_after_a_drop_reading_goes_on_where_it_was(lab: Lab, mode: TransportMode) -> None:
    log = RecordingTaskLog()
    with reading(lab.nfc, lab.address, mode=mode, log=log) as reader:
        for after_bytes in (700_000, 2_000_000, 3_333_333):
            lab.faults.drop_nfc(after_bytes)
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(CAPACITY, 256 * 1024)))]
    assert b"".join(parts) == lab.content
    assert lab.nfc.server.accepted_connections == 4
    assert [kind.code for kind in log.kinds()] == [
        "transport.connection_lost",
        "transport.connection_restored",
    ] * 3


def test_after_a_drop_only_the_gaps_are_asked_again() -> None:
    asked: list[tuple[int, int]] = []

    def first(peer: Peer) -> None:
        peer.become_disk()
        read = peer.read_request()
        peer.fragment(read, 1024, pattern(512))
        peer.fragment(read, 3072, pattern(1024))

    def second(peer: Peer) -> None:
        peer.become_disk()
        for _ in range(2):
            read = peer.read_request()
            asked.append((read.offset, read.length))
            peer.fragment(read, 0, b"\x77" * read.length)
        peer.wait_for_end()

    with ScriptedHost(first, second) as host, reading(host, address()) as reader:
        data = read_bytes(reader, 8192, 4096)
    assert asked == [(8192, 1024), (8192 + 1536, 1536)]
    assert data == b"\x77" * 1024 + pattern(512) + b"\x77" * 1536 + pattern(1024)


def test_a_stalled_connection_is_replaced(lab: Lab) -> None:
    log = RecordingTaskLog()
    tuned = options(answer_timeout_s=0.5)
    with reading(lab.nfc, lab.address, tuned=tuned, log=log) as reader:
        lab.faults.stall_nfc(1_000_000, 30.0)
        parts = [bytes(result.buffer) for result in reader.read_many(requests(whole(CAPACITY, 256 * 1024)))]
    assert b"".join(parts) == lab.content
    assert "silent" in log.text()


def test_every_connection_takes_a_ticket_of_its_own(lab: Lab) -> None:
    used: list[str] = []

    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            ticket = lab.nfc.nfc_ticket(vm, disk_key, access)
            used.append(ticket.session_id)
            return ticket

    with reading(Tickets(), lab.address) as reader:
        lab.faults.drop_nfc(1_000_000)
        list(reader.read_many(requests(whole(CAPACITY, 1 << 20))))
    assert len(used) == len(set(used)) == 2


def test_a_host_that_stays_away_is_given_up_after_the_attempts(lab: Lab) -> None:
    tickets = [lab.nfc.issue_ticket() for _ in range(4)]

    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return tickets.pop()

    with reading(Tickets(), lab.address, tuned=options(attempts=3)) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 256 * 1024)))
        next(stream)
        lab.nfc.server.stop()
        with pytest.raises(DiskAccessFailed, match="given up after 3 attempts") as caught:
            list(stream)
    assert len(tickets) == 1
    assert caught.value.retryable
    assert lab.address.path in str(caught.value)


def test_a_dead_connection_is_noticed_by_the_question_for_allocation_too(lab: Lab) -> None:
    with reading(lab.nfc, lab.address) as reader:
        lab.nfc.server.cut_connections()
        assert reader.allocated_extents() is not None
        lab.nfc.server.cut_connections()
        assert reader.database_entry("adapterType") == "lsilogic"


def test_cancelling_stops_between_two_requests_and_leaves_no_connection(lab: Lab) -> None:
    cancel = CancelToken()
    with reading(lab.nfc, lab.address, cancel=cancel) as reader:
        stream = reader.read_many(requests(whole(CAPACITY, 64 * 1024)))
        next(stream)
        cancel.cancel()
        with pytest.raises(TaskCancelled):
            next(stream)
    wait_until(lambda: not lab.nfc.server.open_connections)


def test_cancelling_ends_the_wait_for_another_attempt(lab: Lab) -> None:
    cancel = CancelToken()
    tuned = options()
    tuned = replace(tuned, reconnect=replace(tuned.reconnect, first_delay_s=60.0, longest_s=60.0))

    class Log(RecordingTaskLog):
        def _add(self, *line: object) -> None:
            threading.Timer(0.05, cancel.cancel).start()

    with reading(lab.nfc, lab.address, tuned=tuned, cancel=cancel, log=Log()) as reader:
        lab.nfc.server.cut_connections()
        with pytest.raises(TaskCancelled):
            read_bytes(reader, 0, 512)


# ---- disks that do not open ----------------------------------------------------------------------------------


def test_a_locked_disk_is_refused_in_plain_words(lab: Lab) -> None:
    lab.nfc.locked.add(lab.address.path)
    with pytest.raises(DiskOpenRefused, match="multiwriter mode") as caught, reading(lab.nfc, lab.address):
        pass
    assert "snapshot" in caught.value.hint
    wait_until(lambda: not lab.nfc.server.open_connections)


def test_a_used_ticket_is_refused(lab: Lab) -> None:
    ticket = lab.nfc.issue_ticket()

    class OneTicket:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return ticket

    with (
        reading(OneTicket(), lab.address),
        pytest.raises(TicketRefused, match="530"),
        reading(OneTicket(), lab.address),
    ):
        pass


def test_a_host_short_of_buffers_gets_along_with_smaller_ones(lab: Lab) -> None:
    server = NfcServer(
        lab.nfc,
        lab.nfc.tickets,
        lab.nfc.server.tls,
        options=NfcOptions(profile=replace(profile_of("8.0"), memory_bytes=256 * 1024)),
    )

    class Tickets:
        def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
            return replace(lab.nfc.issue_ticket(access), port=server.port)

    tuned = options(transfer_buffer_bytes=4 << 20)
    log = RecordingTaskLog()
    with server, reading(Tickets(), lab.address, tuned=tuned, log=log) as reader:
        assert read_bytes(reader, 0, CAPACITY) == lab.content
    assert "524 kB" in log.text()
