"""``debugctl platform transports|probe|report`` on a real engine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.ctl.command import run_ctl
from app.cli.demo.stage import folders_in
from app.engine.door.server import DoorServer
from app.paths import Folders
from tests.support.engine_lab import EngineLab


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    """The folders of an installation whose engine runs, with one VM that is switched off."""
    folders = folders_in(tmp_path / "home")
    folders.create()
    with EngineLab(tmp_path / "lab") as lab:
        lab.host.add_vm("payroll", [4 << 20], powered_on=False)
        server = DoorServer.open(lab.engine, folders.data)
        try:
            yield folders
        finally:
            server.close()


def test_the_order_is_shown_and_chosen(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ctl(["platform", "transports", "lab"], folders) == 0
    assert capsys.readouterr().out.split("\n")[2].split() == ["san", "yes", "yes"]
    assert run_ctl(["platform", "transports", "lab", "https", "nfs"], folders) == 0
    assert run_ctl(["--json", "platform", "transports", "lab"], folders) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown[shown.index("[") :])[:2] == ["https", "nfs"]


def test_a_mode_that_is_none_is_named(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ctl(["platform", "transports", "lab", "carrier-pigeon"], folders) == 1
    assert "carrier-pigeon: no transport mode" in capsys.readouterr().err


def test_each_mode_is_probed(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ctl(["platform", "probe", "lab"], folders) == 0
    shown = capsys.readouterr().out
    assert "Hard disk 1 of payroll" in shown
    assert sum(line.split()[1:2] == ["yes"] for line in shown.splitlines()) == 6


def test_a_report_is_written(folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.txt"
    assert run_ctl(["platform", "report", "lab", str(file)], folders) == 0
    assert "doctor.way_open" in file.read_text(encoding="utf-8")
    assert "payroll" not in file.read_text(encoding="utf-8")
    assert run_ctl(["platform", "report", "lab", str(file), "--names"], folders) == 0
    assert "payroll" in file.read_text(encoding="utf-8")
    assert run_ctl(["platform", "report", "lab", str(tmp_path / "no" / "x.txt")], folders) == 1
    assert "cannot be written" in capsys.readouterr().err
