"""Connections that drop or stall in the middle of a transfer."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.access import AccessMode
from app.simulator.nfc.answers import NfcAnswers
from app.simulator.nfc.ports import NoFaults
from tests.support.nfc_lab import NfcLab
from tests.support.waiting import wait_until
from tests.unit.simulator.nfc.client import GONE, NfcClient

MIB = 1 << 20
PATH = "[lab] web/web.vmdk"
READ_WRITE = 0x1A

both_transports = pytest.mark.parametrize("secured", [False, True], ids=["nbd", "nbdssl"])


@dataclass(frozen=True)
class Blow:
    stall_s: float | None
    meanwhile: None = None


@dataclass
class Script(NoFaults):
    """Strikes once, when so many bytes have travelled."""

    after_bytes: int
    blow: Blow
    seen_bytes: int = 0
    struck: threading.Event = field(default_factory=threading.Event)
    nfc: NfcAnswers = field(default_factory=NfcAnswers)

    def nfc_sent(self, n_bytes: int) -> Blow | None:
        self.seen_bytes += n_bytes
        if self.seen_bytes > self.after_bytes and not self.struck.is_set():
            self.struck.set()
            return self.blow
        return None


@pytest.fixture
def struck_lab(tmp_path: Path) -> Iterator[tuple[NfcLab, Script]]:
    script = Script(3 * MIB, Blow(None))
    with NfcLab(tmp_path / "struck", faults=script) as lab:
        lab.add_disk("web/web.vmdk", 16 * MIB)
        yield lab, script


@both_transports
@pytest.mark.parametrize("compression", [0, 1])
def test_a_dropped_read_ends_within_the_data_and_frees_the_disk(
    struck_lab: tuple[NfcLab, Script], secured: bool, compression: int
) -> None:
    lab, script = struck_lab
    script.after_bytes = 3000 if compression else 3 * MIB
    disk = lab.store.open(PATH)
    ticket = lab.issue_ticket()
    with NfcClient(ticket.port, ticket.session_id, ticket.service, secured=secured) as client:
        client.open_session()
        handle = client.open_file(PATH)
        with pytest.raises(GONE):
            client.read(handle, 0, 8 * MIB, compression)
        wait_until(lambda: not disk.is_pinned)
    ticket = lab.issue_ticket()
    with NfcClient(ticket.port, ticket.session_id, ticket.service, secured=secured) as client:
        client.open_session()
        assert client.read(client.open_file(PATH), 0, 8 * MIB, compression) == bytes(8 * MIB)


def test_a_dropped_write_leaves_what_was_acknowledged(struck_lab: tuple[NfcLab, Script]) -> None:
    lab, _ = struck_lab
    disk = lab.store.open(PATH)
    ticket = lab.issue_ticket(AccessMode.WRITE)
    with NfcClient(ticket.port, ticket.session_id, ticket.service) as client:
        client.open_session()
        handle = client.open_file(PATH, READ_WRITE)
        for index in range(3):
            client.write(handle, index * MIB, b"w" * MIB)
        with pytest.raises(GONE):
            client.write(handle, 3 * MIB, b"w" * MIB)
    assert disk.read(0, 3 * MIB) == b"w" * 3 * MIB


def test_a_stalled_connection_goes_on_afterwards(tmp_path: Path) -> None:
    script = Script(MIB, Blow(0.3))
    with NfcLab(tmp_path, faults=script) as lab:
        lab.add_disk("web/web.vmdk", 16 * MIB)
        ticket = lab.issue_ticket()
        with NfcClient(ticket.port, ticket.session_id, ticket.service) as client:
            client.open_session()
            handle = client.open_file(PATH)
            begin = time.monotonic()
            assert client.read(handle, 0, 4 * MIB) == bytes(4 * MIB)
            assert time.monotonic() - begin >= 0.3


def test_stopping_does_not_wait_for_a_stalled_connection(tmp_path: Path) -> None:
    script = Script(0, Blow(3600.0))
    with NfcLab(tmp_path, faults=script) as lab:
        lab.add_disk("web/web.vmdk", 16 * MIB)
        ticket = lab.issue_ticket()
        with NfcClient(ticket.port, ticket.session_id, ticket.service) as client:
            client.open_session()
            client.request_read(client.open_file(PATH), 0, MIB)
            assert script.struck.wait(10)
            begin = time.monotonic()
            lab.server.stop()
            assert time.monotonic() - begin < 10
