"""A door that is served, over each kind of socket."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.contract.client import RemoteDoor
from app.engine.door.server import DoorServer
from tests.support.scripted_door import ScriptedDoor

KINDS = ["tcp"] if sys.platform == "win32" else ["unix", "tcp"]


@pytest.fixture
def scripted() -> ScriptedDoor:
    return ScriptedDoor()


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path, scripted: ScriptedDoor) -> Iterator[DoorServer]:
    with DoorServer.open(scripted, tmp_path, use_tcp=request.param == "tcp") as opened:
        yield opened


@pytest.fixture
def client(server: DoorServer, tmp_path: Path) -> Iterator[RemoteDoor]:
    with RemoteDoor(tmp_path, ping_s=0.1, silence_s=5.0) as door:
        door.wait_until_connected(10)
        yield door
