"""A door that is served, over each kind of socket."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.contract.client import RemoteDoor
from app.engine.door.server import DoorServer
from tests.support.async_door import AsyncDoorFromThreads
from tests.support.scripted_door import ScriptedDoor

KINDS = ["tcp"] if sys.platform == "win32" else ["unix", "tcp"]


@pytest.fixture
def scripted() -> ScriptedDoor:
    return ScriptedDoor()


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path, scripted: ScriptedDoor) -> Iterator[DoorServer]:
    with DoorServer.open(scripted, tmp_path, use_tcp=request.param == "tcp") as opened:
        yield opened


Client = RemoteDoor | AsyncDoorFromThreads
Connect = Callable[..., Client]
"""Makes a client of a folder, as RemoteDoor does."""


@pytest.fixture(params=[RemoteDoor, AsyncDoorFromThreads])
def connect(request: pytest.FixtureRequest) -> Connect:
    kind: Connect = request.param
    return kind


@pytest.fixture
def client(server: DoorServer, tmp_path: Path, connect: Connect) -> Iterator[Client]:
    with connect(tmp_path, ping_s=0.1, silence_s=5.0) as door:
        door.wait_until_connected(10)
        yield door
