"""One engine behind each kind of door."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.contract.client import RemoteDoor
from app.contract.door import Door
from app.engine.door.server import DoorServer
from tests.support.async_door import AsyncDoorFromThreads
from tests.support.engine_lab import EngineLab

DOORS = ["same process", "loopback socket", "loopback socket, asyncio"]
if sys.platform != "win32":
    DOORS += ["unix socket", "unix socket, asyncio"]


@dataclass(frozen=True)
class Site:
    """A door, and the engine behind it for what a test sets up."""

    door: Door
    lab: EngineLab


@pytest.fixture(params=DOORS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with EngineLab(tmp_path / "lab") as lab:
        if request.param == "same process":
            yield Site(lab.engine, lab)
            return
        folder = tmp_path / "data"
        folder.mkdir(mode=0o700)
        with (
            DoorServer.open(lab.engine, folder, use_tcp="loopback" in request.param),
            (AsyncDoorFromThreads if "asyncio" in request.param else RemoteDoor)(folder) as door,
        ):
            door.wait_until_connected(10)
            yield Site(door, lab)
