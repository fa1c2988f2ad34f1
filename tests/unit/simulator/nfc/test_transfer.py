import struct
import zlib
from pathlib import Path
from random import Random

import pytest

from app.core.access import AccessMode
from app.simulator.nfc import NfcOptions
from app.simulator.storage import SimDatastore, SimDisk
from tests.support.logguard import LogGuard
from tests.support.nfc_lab import NfcLab, NfcLabProcess
from tests.unit.simulator.nfc.client import GONE, ErrorAnswer, NfcClient, Piece, expand
from tests.unit.simulator.nfc.conftest import Connect

MIB = 1 << 20
PATH = "[lab] web/web.vmdk"
READ_WRITE = 0x1A

both_transports = pytest.mark.parametrize("secured", [False, True], ids=["nbd", "nbdssl"])


def fill(disk: SimDisk, seed: int = 3) -> bytes:
    """Write noise, text and zeros, with holes between."""
    random = Random(seed)
    content = bytearray(disk.capacity_bytes)
    for _ in range(40):
        length = random.randrange(1, 300_000)
        offset = random.randrange(disk.capacity_bytes - length)
        data = random.choice((random.randbytes(length), b"text " * (length // 5), bytes(length)))
        disk.write(offset, data)
        content[offset : offset + len(data)] = data
    return bytes(content)


@both_transports
@pytest.mark.parametrize("buffer_bytes", [512, 65536, 2 * MIB])
def test_any_range_reads_as_it_is_on_the_disk(
    disk: SimDisk, connect: Connect, secured: bool, buffer_bytes: int
) -> None:
    content = fill(disk)
    client = connect(secured=secured)
    client.open_session(buffer_bytes)
    handle = client.open_file(PATH)
    random = Random(1)
    for _ in range(20):
        length = random.randrange(1, 40_000 if buffer_bytes == 512 else 3 * MIB)
        offset = random.randrange(disk.capacity_bytes - length)
        assert client.read(handle, offset, length) == content[offset : offset + length]
    assert client.read(handle, disk.capacity_bytes - 1, 1) == content[-1:]


@both_transports
def test_a_chain_reads_as_its_snapshot_saw_it(disk: SimDisk, connect: Connect, secured: bool) -> None:
    content = bytearray(fill(disk))
    middle = disk.branch("[lab] web/web-000001.vmdk")
    middle.write(MIB - 7, b"m" * 200_000)
    content[MIB - 7 : MIB - 7 + 200_000] = b"m" * 200_000
    leaf = middle.branch("[lab] web/web-000002.vmdk")
    leaf.write(0, b"later" * 100_000)
    client = connect(secured=secured)
    client.open_session(MIB)
    assert client.read(client.open_file(str(middle.path)), 0, 16 * MIB) == content


@both_transports
@pytest.mark.parametrize("compression", [1, 2, 3], ids=["zlib", "fastlz", "skipz"])
def test_compressed_fragments_expand_to_the_same_bytes(
    disk: SimDisk, connect: Connect, secured: bool, compression: int
) -> None:
    noise = Random(2).randbytes(65536)
    disk.write(0, b"some text, " * 20_000)
    disk.write(4 * 65536, noise)
    client = connect(secured=secured)
    client.open_session()
    handle = client.open_file(PATH)
    length = 6 * 65536
    client.request_read(handle, 0, length, compression)
    pieces = [client.piece() for _ in range(6)]
    plain = b"".join(_expand_any(piece) for piece in pieces)
    assert plain == disk.read(0, length)
    used = [piece.compression for piece in pieces]
    assert used[4] == 0, "noise does not shrink, so it travels as it is"
    assert used[5] == compression, "zeros shrink with every compression"
    assert len(pieces[5].extra) < 3000


def _expand_any(piece: Piece) -> bytes:
    if piece.compression == 2:
        return unpack_fastlz_level_1(piece.extra)
    return expand(piece)


def unpack_fastlz_level_1(block: bytes) -> bytes:
    """Expand byte by byte, straight from the format's description."""
    assert block[0] >> 5 == 0
    plain, position = bytearray(), 0
    while position < len(block):
        control = block[position]
        position += 1
        if control < 32:
            plain += block[position : position + control + 1]
            position += control + 1
            continue
        length = (control >> 5) + 2
        if length == 9:
            length += block[position]
            position += 1
        distance = ((control & 31) << 8 | block[position]) + 1
        position += 1
        for _ in range(length):
            plain.append(plain[-distance])
    return bytes(plain)


def test_an_unknown_compression_is_refused(disk: SimDisk, connect: Connect) -> None:
    client = connect()
    client.open_session()
    handle = client.open_file(PATH)
    with pytest.raises(ErrorAnswer):
        client.read(handle, 0, 512, compression=4)
    assert client.read(handle, 0, 512) == bytes(512)


@pytest.mark.parametrize(("offset", "length"), [(16 * MIB, 1), (16 * MIB - 1, 2), (0, 0), (1 << 63, 512)])
def test_reads_beyond_the_disk_are_refused(disk: SimDisk, connect: Connect, offset: int, length: int) -> None:
    client = connect()
    client.open_session()
    handle = client.open_file(PATH)
    client.request_read(handle, offset, length)
    with pytest.raises(ErrorAnswer):
        client.answer()


@both_transports
def test_many_requests_in_flight_are_all_answered(disk: SimDisk, connect: Connect, secured: bool) -> None:
    content = fill(disk)
    client = connect(secured=secured)
    client.open_session(256 << 10)
    handle = client.open_file(PATH)
    wanted = {client.request_read(handle, index * 700_000, 600_000): index * 700_000 for index in range(20)}
    assert _collect(client, wanted, 600_000) == {
        op_id: content[offset : offset + 600_000] for op_id, offset in wanted.items()
    }


def _kind_of_answer(client: NfcClient) -> str:
    try:
        client.piece()
    except ErrorAnswer:
        return "error"
    return "piece"


def _collect(client: NfcClient, wanted: dict[int, int], length: int) -> dict[int, bytes]:
    answers = {op_id: bytearray(length) for op_id in wanted}
    missing = length * len(wanted)
    while missing:
        piece = client.piece()
        answers[piece.op_id][piece.start : piece.start + piece.plain_bytes] = expand(piece)
        missing -= piece.plain_bytes
    return {op_id: bytes(answer) for op_id, answer in answers.items()}


@both_transports
def test_fragments_may_come_out_of_order_by_choice(tmp_path: Path, secured: bool) -> None:
    with NfcLab(tmp_path, options=NfcOptions(shuffle_seed=7)) as lab:
        disk = lab.add_disk("web/web.vmdk", 16 * MIB)
        content = fill(disk)
        ticket = lab.issue_ticket()
        with NfcClient(ticket.port, ticket.session_id, ticket.service, secured=secured) as client:
            client.open_session()
            handle = client.open_file(PATH)
            client.request_read(handle, 0, 4 * MIB)
            pieces = [client.piece() for _ in range(64)]
            assert [piece.start for piece in pieces] != sorted(piece.start for piece in pieces)
            pieces.sort(key=lambda piece: piece.start)
            assert b"".join(expand(piece) for piece in pieces) == content[: 4 * MIB]
            wanted = {client.request_read(handle, index * MIB, MIB): index * MIB for index in range(8)}
            assert _collect(client, wanted, MIB) == {
                op_id: content[offset : offset + MIB] for op_id, offset in wanted.items()
            }
            client.request_read(handle, 0, 65536)
            client.request_read(handle, 16 * MIB, 1)
            answers = [_kind_of_answer(client) for _ in range(2)]
            assert sorted(answers) == ["error", "piece"]


# ---- writing ------------------------------------------------------------------------------------------------


@both_transports
@pytest.mark.parametrize("compression", [0, 1])
def test_what_is_written_is_on_the_disk(disk: SimDisk, connect: Connect, secured: bool, compression: int) -> None:
    client = connect(writable=True, secured=secured)
    client.open_session(MIB)
    handle = client.open_file(PATH, READ_WRITE)
    content = bytearray(16 * MIB)
    random = Random(4)
    for _ in range(8):
        length = random.randrange(1, 3 * MIB)
        offset = random.randrange(16 * MIB - length)
        data = random.randbytes(length // 2) + b"t" * (length - length // 2)
        client.write(handle, offset, data, compression)
        content[offset : offset + length] = data
    assert client.read(handle, 0, 16 * MIB) == content
    assert disk.read(0, 16 * MIB) == content


def test_fragments_of_a_write_may_come_in_any_order_and_beside_other_writes(
    disk: SimDisk, connect: Connect
) -> None:
    client = connect(writable=True)
    client.open_session()
    handle = client.open_file(PATH, READ_WRITE)
    data = Random(1).randbytes(4 * 65536)
    pieces = [(start, data[start : start + 65536]) for start in (131072, 0, 196608, 65536)]
    first = client.send_write(handle, MIB, pieces, len(data))
    second = client.send_write(handle, 8 * MIB, [(0, b"z" * 100)], 100)
    assert [client.answer().op_id for _ in range(2)] == [first, second]
    assert disk.read(MIB, len(data)) == data
    assert disk.read(8 * MIB, 100) == b"z" * 100


def test_a_write_that_is_bad_in_its_middle_is_answered_once_after_its_end(disk: SimDisk, connect: Connect) -> None:
    client = connect(writable=True)
    client.open_session()
    handle = client.open_file(PATH, READ_WRITE)
    for fragments in ([(0, 100), (0, 100)], [(0, 100), (150, 100)]):
        op_id = client.send_write(handle, 0, [(start, b"x" * size) for start, size in fragments], 200)
        with pytest.raises(ErrorAnswer) as refused:
            client.answer()
        assert refused.value.code == 2
        assert op_id >= 0
    client.send_write(handle, 16 * MIB - 100, [(0, b"x" * 200)], 200)
    with pytest.raises(ErrorAnswer):
        client.answer()
    client.send_write(99, 0, [(0, b"x" * 100), (100, b"x" * 100)], 200)
    with pytest.raises(ErrorAnswer):
        client.answer()
    client.write(handle, 0, b"good")
    assert disk.read(0, 5) == b"good" + b"x"


def _raw_write(client: NfcClient, handle: int, compression: int, plain_bytes: int, extra: bytes) -> None:
    payload = struct.pack("<QQQ5I", handle, compression << 32, 0, plain_bytes, 0, plain_bytes, len(extra), 0)
    client.request(7, payload, extra)


@pytest.mark.parametrize(
    ("compression", "extra"),
    [
        (1, b"not zlib"),
        (1, zlib.compress(b"x" * 999)),
        (1, zlib.compress(bytes(1 << 20))),
        (2, b""),
        (2, b"\xe0\x00\x00"),
        (2, b"\x1fx"),
        (3, struct.pack("<II", 999, 0)),
        (3, struct.pack("<IIII", 1000, 0, 990, 20) + bytes(20)),
        (3, struct.pack("<IIII", 1000, 0, 0, 20) + bytes(5)),
        (3, b"abc"),
        (0, b"x" * 999),
        (9, b"x" * 1000),
    ],
)
def test_fragments_that_do_not_expand_are_refused(
    disk: SimDisk, connect: Connect, compression: int, extra: bytes
) -> None:
    client = connect(writable=True)
    client.open_session()
    handle = client.open_file(PATH, READ_WRITE)
    _raw_write(client, handle, compression, 1000, extra)
    with pytest.raises(ErrorAnswer) as refused:
        client.answer()
    assert refused.value.code == 2
    client.write(handle, 0, b"good")


def test_skipz_writes_put_the_zeros_back(disk: SimDisk, connect: Connect) -> None:
    disk.write(0, b"old" * 1000)
    client = connect(writable=True)
    client.open_session()
    handle = client.open_file(PATH, READ_WRITE)
    runs = struct.pack("<II", 100, 3) + b"abc" + struct.pack("<II", 900, 2) + b"de"
    _raw_write(client, handle, 3, 1000, struct.pack("<II", 1000, 0) + runs)
    client.answer()
    assert disk.read(0, 1002) == bytes(100) + b"abc" + bytes(797) + b"de" + bytes(98) + b"ld"


def test_a_fragment_larger_than_the_buffer_ends_the_connection(
    disk: SimDisk, connect: Connect, log_guard: LogGuard
) -> None:
    log_guard.expect("larger than the buffer")
    client = connect(writable=True)
    client.open_session()
    handle = client.open_file(PATH, READ_WRITE)
    payload = struct.pack("<QQQ5I", handle, 0, 0, 65537, 0, 65537, 65537, 0)
    client.request(7, payload)
    with pytest.raises(GONE):
        client.answer()


def test_a_full_datastore_refuses_the_write_and_the_session_goes_on(tmp_path: Path) -> None:
    with NfcLab(tmp_path) as lab:
        full = False
        tiny = SimDatastore("tiny", tmp_path / "tiny", 1 << 30, is_full=lambda: full)
        lab.add_datastore(tiny)
        disk = lab.store.create("[tiny] web/web.vmdk", MIB)
        ticket = lab.issue_ticket(AccessMode.WRITE)
        with NfcClient(ticket.port, ticket.session_id, ticket.service) as client:
            client.open_session()
            handle = client.open_file("[tiny] web/web.vmdk", READ_WRITE)
            full = True
            with pytest.raises(ErrorAnswer) as refused:
                client.write(handle, 0, b"x" * 200_000)
            assert refused.value.code == 7
            full = False
            client.write(handle, 0, b"y" * 200_000)
            assert disk.read(0, 200_000) == b"y" * 200_000


# ---- from another process -----------------------------------------------------------------------------------


def test_the_lab_serves_from_another_process(tmp_path: Path) -> None:
    with NfcLab(tmp_path) as lab:
        content = fill(lab.add_disk("web/web.vmdk", 4 * MIB))
    with NfcLabProcess(tmp_path) as process:
        assert process.disks == {PATH: 4 * MIB}
        for secured in (False, True):
            ticket = process.issue_ticket()
            with NfcClient(ticket.port, ticket.session_id, ticket.service, secured=secured) as client:
                client.open_session(MIB)
                assert client.read(client.open_file(PATH), 0, 4 * MIB) == content
                client.close_session()
