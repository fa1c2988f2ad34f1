from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.core.access import AccessMode
from app.simulator.storage import SimDisk
from tests.support.nfc_lab import NfcLab
from tests.unit.simulator.nfc.client import NfcClient

Connect = Callable[..., NfcClient]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[NfcLab]:
    with NfcLab(tmp_path / "lab") as lab:
        yield lab


@pytest.fixture
def disk(lab: NfcLab) -> SimDisk:
    return lab.add_disk("web/web.vmdk", 16 << 20)


@pytest.fixture
def connect(lab: NfcLab) -> Iterator[Connect]:
    """Opens sessions that end with the test."""
    with ExitStack() as stack:

        def open_one(*, writable: bool = False, secured: bool = False) -> NfcClient:
            ticket = lab.issue_ticket(AccessMode.WRITE if writable else AccessMode.READ)
            client = NfcClient(ticket.port, ticket.session_id, ticket.service, secured=secured)
            return stack.enter_context(client)

        yield open_one
