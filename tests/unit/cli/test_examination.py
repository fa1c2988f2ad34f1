"""``debugctl platform examine`` and ``rule examine`` on a real engine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.ctl.command import run_ctl
from app.cli.demo.stage import folders_in
from app.engine.door.server import DoorServer
from app.paths import Folders
from tests.support.rule_lab import RuleLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RuleLab]:
    with RuleLab(tmp_path / "lab") as lab:
        yield lab


@pytest.fixture
def folders(tmp_path: Path, lab: RuleLab) -> Iterator[Folders]:
    """The folders of an installation whose engine runs, with a rule for a VM that needs consolidation."""
    folders = folders_in(tmp_path / "home")
    folders.create()
    vm = lab.host.add_vm("payroll", [4 << 20])
    lab.host.vm(vm).needs_consolidation = True
    lab.rule(vm)
    server = DoorServer.open(lab.engine, folders.data)
    try:
        yield folders
    finally:
        server.close()


def test_a_rule_is_examined_with_the_worst_first(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ctl(["--json", "rule", "examine", "nightly"], folders) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["severity"] == "warning"
    assert found[0]["subject"] == "payroll"
    assert {finding["severity"] for finding in found[1:]} <= {"warning", "notice", "ok"}
    assert run_ctl(["rule", "examine", "nightly"], folders) == 0
    assert "need consolidation" in capsys.readouterr().out


def test_a_rule_whose_vm_is_gone_ends_with_status_1(
    lab: RuleLab, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    with lab.host.lock:
        lab.host.vms.clear()
    assert run_ctl(["rule", "examine", "nightly"], folders) == 1
    assert capsys.readouterr().out.splitlines()[2].startswith("error")


def test_a_platform_is_examined(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ctl(["platform", "examine", "lab"], folders) == 0
    assert "need consolidation" in capsys.readouterr().out
