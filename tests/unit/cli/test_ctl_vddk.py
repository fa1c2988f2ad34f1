"""debugctl and VMware's library, with the real handlers behind the door and our stand-in for the library."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.catalog import Catalog
from app.cli.demo.stage import folders_in
from app.core.clock import SystemClock
from app.engine.door.server import DoorServer
from app.engine.handlers import handler_table
from app.engine.log.journal import Journal
from app.engine.program.vddk import VddkHandlers
from tests.support.scripted_door import ScriptedDoor
from tests.support.vddk_lab import VddkLab
from tests.unit.cli.test_ctl import Ctl

pytestmark = pytest.mark.outside_tools("gcc")


@pytest.fixture
def lab(tmp_path: Path) -> VddkLab:
    root = tmp_path / "lab"
    root.mkdir()
    return VddkLab(root)


@pytest.fixture
def ctl(tmp_path: Path, lab: VddkLab, capsys: pytest.CaptureFixture[str]) -> Iterator[Ctl]:
    folders = folders_in(tmp_path / "home")
    folders.create()
    engine = ScriptedDoor()
    clock = SystemClock()
    with closing(Catalog.open(tmp_path / "catalog.db", clock=clock)) as catalog:
        handlers = VddkHandlers(catalog.settings, lab.transports(), Journal(catalog.log, clock))
        for request, handler in handler_table([handlers]).items():
            engine.answer(request, handler)
        with DoorServer.open(engine, folders.data):
            yield Ctl(engine, folders, capsys)


def test_none_is_used_at_first(ctl: Ctl) -> None:
    assert ctl("vddk", "show") == (0, "Folder:            -\n", "")


def test_a_folder_is_set_shown_and_cleared(ctl: Ctl, lab: VddkLab) -> None:
    status, out, err = ctl("vddk", "set", str(lab.folder))
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"Folder:            {lab.folder}",
        f"Library:           {lab.file}",
        "Version:           8.0.2",
        "Architecture:      x86-64",
        "Allocated blocks:  listed",
    ]
    assert json.loads(ctl("vddk", "show", "--json")[1])["library"]["version"] == "8.0.2"
    assert ctl("vddk", "clear")[1] == "Folder:            -\n"


def test_a_folder_that_will_not_do_is_refused_with_its_reason(ctl: Ctl, lab: VddkLab) -> None:
    status, out, err = ctl("vddk", "set", str(lab.folder.parent))
    assert (status, out) == (1, "")
    assert "neither the folder nor its lib64 holds libvixDiskLib.so" in err


def test_a_folder_can_be_examined_before_it_is_used(ctl: Ctl, lab: VddkLab) -> None:
    assert "8.0.2" in ctl("vddk", "show", str(lab.folder))[1]
    assert ctl("vddk", "show")[1] == "Folder:            -\n"


def test_one_that_went_bad_is_shown_with_problem_and_remedy(ctl: Ctl, lab: VddkLab) -> None:
    ctl("vddk", "set", str(lab.folder))
    lab.order("fail", "InitEx", 1, 16053)
    status, out, _ = ctl("vddk", "show")
    assert status == 0
    assert "Problem:" in out
    assert "16053" in out
    assert "Remedy:" in out
    assert "the words of error 16053" in out
