"""The greeting and the reads of the second implementation on record pass whole (protocols page *NFC*, 4a.23)."""

import random
import ssl
import string
import struct
from pathlib import Path

import pytest

from app.simulator.nfc import PROFILES, NfcOptions, NfcProfile
from tests.support.logguard import LogGuard
from tests.support.nfc_lab import NfcLab
from tests.support.waiting import wait_until
from tests.unit.simulator.nfc.client import GONE, MAGIC, AuthdClient, Piece, expand, insecure_context, receive

MIB = 1 << 20
SKIPZ = 3
PATH = "[lab] web/web.vmdk"


class SecondClient:
    """Speaks as that implementation does: random words, one send for each message, zeros for its buffers."""

    def __init__(self, lab: NfcLab, profile: NfcProfile) -> None:
        ticket = lab.issue_ticket()
        authd = AuthdClient(ticket.port)
        authd.send(f"SESSION {ticket.session_id}\r\n".encode())
        assert authd.ask(b"BANNER ").startswith("220 ")
        if ", SHA256 supported" in authd.banner:
            assert authd.ask(f"THUMBPRINT_SHA2 {random_word()}".encode()).startswith("200 ")
        assert authd.ask(f"PROXY {ticket.service}ssl".encode()) == "200 Connect ha-nfcssl"
        self.connection: ssl.SSLSocket = insecure_context().wrap_socket(authd.raw)
        self._has_handshake = profile.takes_handshake
        self._next = 0

    def greet(self) -> tuple[int, int]:
        """Say 43, 33 and 51 before anything is answered; return the two words of the host's version."""
        if self._has_handshake:
            self.say(43, random_word().encode())
        self.say(33)
        self.say(51, struct.pack("<2I", 12, 1))
        assert struct.unpack_from("<I", receive(self.connection, 264))[0] == 36
        answer = receive(self.connection, 264)
        self.say(54, struct.pack("<2I", 8, 8), b"importer" + b"nbdmode2")
        self.say(55, struct.pack("<I", 3))
        self.say(52)
        assert struct.unpack_from("<I", receive(self.connection, 264))[0] == 52
        return struct.unpack_from("<2I", answer, 4)

    def say(self, kind: int, body: bytes = b"", behind: bytes = b"") -> None:
        self.connection.sendall((struct.pack("<I", kind) + body).ljust(264, b"\0") + behind)

    def ask(self, kind: int, payload: bytes, extra: bytes = b"") -> int:
        number, self._next = self._next, self._next + 1
        self.connection.sendall(struct.pack("<4I", MAGIC, kind, len(payload), number) + payload + extra)
        return number

    def answer(self, kind: int) -> tuple[int, bytes]:
        magic, found, size, number = struct.unpack("<4I", receive(self.connection, 16))
        assert (magic, found) == (MAGIC, kind)
        return number, receive(self.connection, size)

    def piece(self) -> Piece:
        number, payload = self.answer(7)
        status, operation, offset, total, start, plain, extra, _ = struct.unpack("<3Q5I", payload)
        assert status == 0
        return Piece(number, operation >> 32, offset, total, start, plain, receive(self.connection, extra))


def random_word() -> str:
    return "".join(random.choices(string.ascii_letters + string.digits, k=16))


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.release)
def profile(request: pytest.FixtureRequest) -> NfcProfile:
    found: NfcProfile = request.param
    return found


def test_its_whole_sequence_passes(tmp_path: Path, profile: NfcProfile) -> None:
    content = random.Random(3).randbytes(2 * MIB) + bytes(30 * MIB)
    with NfcLab(tmp_path, options=NfcOptions(profile=profile)) as lab:
        lab.add_disk("web/web.vmdk", 32 * MIB).write(0, content[: 2 * MIB])
        client = SecondClient(lab, profile)
        with client.connection:
            assert client.greet() == (profile.library_version, 0)
            client.ask(2, bytes(16))
            assert client.answer(2)[1] == bytes(16)
            client.ask(4, struct.pack("<6I", len(PATH), 0, 0, 0, 2, 0x1E) + bytes(36), PATH.encode())
            _, opened = client.answer(4)
            assert len(opened) == profile.opened_bytes
            status, handle = struct.unpack_from("<2Q", opened)
            assert (status, struct.unpack_from("<Q", opened, 28)[0]) == (0, 32 * MIB)
            asked = {}
            for offset in range(0, 32 * MIB, MIB):  # 32 in flight
                direction = 1 | SKIPZ << 32
                request = struct.pack("<4Q3I", handle, direction, offset, MIB, MIB, MIB, 0)
                asked[client.ask(7, request)] = offset
            found, missing = bytearray(32 * MIB), 32 * MIB
            while missing:
                piece = client.piece()
                assert asked[piece.op_id] == piece.offset
                start = piece.offset + piece.start
                found[start : start + piece.plain_bytes] = expand(piece)
                missing -= piece.plain_bytes
            assert found == content
            client.ask(5, struct.pack("<2Q", handle, 0))
            assert len(client.answer(5)[1]) == profile.closed_bytes[0]
            client.ask(3, bytes(16))
            assert len(client.answer(3)[1]) == profile.closed_bytes[1]
            client.say(4)
            wait_until(lambda: lab.server.open_connections == 0)


@pytest.mark.parametrize("where", ["tag", "parameters", "version", "names", "features", "open"])
def test_a_byte_that_nothing_explains_ends_the_session(tmp_path: Path, log_guard: LogGuard, where: str) -> None:
    log_guard.expect("does not speak NFC")
    profile = PROFILES[-1]
    with NfcLab(tmp_path, options=NfcOptions(profile=profile)) as lab:
        client = SecondClient(lab, profile)
        with client.connection, pytest.raises(GONE):
            greet_oddly(client, where)


def greet_oddly(client: SecondClient, where: str) -> None:
    """Greet with one byte too many, and wait for answers."""
    client.say(43, b"two words" if where == "tag" else b"tag")
    client.say(33, bytes([where == "parameters"]))
    client.say(51, struct.pack("<3I", 12, 1, where == "version"))
    client.say(54, struct.pack("<3I", 3, 3, where == "names"), b"abcdef")
    client.say(55, struct.pack("<2I", 3, where == "features"))
    client.say(52, struct.pack("<I", where == "open"))
    for _ in range(4):
        receive(client.connection, 264)


def test_two_messages_in_one_record_are_one_too_many(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.expect("does not speak NFC")
    profile = PROFILES[-1]
    with NfcLab(tmp_path, options=NfcOptions(profile=profile)) as lab:
        client = SecondClient(lab, profile)
        with client.connection:
            client.say(43, b"tag", struct.pack("<I", 33).ljust(264, b"\0"))
            with pytest.raises(GONE):
                receive(client.connection, 264)


def test_a_host_before_esxi_8_ends_the_session_on_the_handshake(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.expect("does not speak NFC")
    old = PROFILES[1]
    with NfcLab(tmp_path, options=NfcOptions(profile=old)) as lab:
        client = SecondClient(lab, old)
        with client.connection:
            client.say(43, b"tag")
            with pytest.raises(GONE):
                receive(client.connection, 264)
