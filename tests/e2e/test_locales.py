"""Locales that are not UTF-8: what one of them writes, every other console reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.contract.platforms import ListPlatforms, ListVms
from app.contract.standbys import ListStandbys
from app.contract.tasks import StartBackup
from app.core.clock import SystemClock
from app.domain.states import TaskState
from app.repository import Repository
from app.simulator.server import VSphereSimulator
from tests.e2e.test_headless import PATIENCE_S, ROOT, Home, home, simulator
from tests.support.locales import make_locales
from tests.support.stage import start_first_backup, state_of
from tests.support.waiting import wait_until

__all__ = ["home", "simulator"]

RULE = "每日 é"

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there, whatever the locale"),
    pytest.mark.outside_tools("localedef"),
]


@pytest.mark.parametrize("locale", ["zh_CN.GBK", "en_US.ISO-8859-1", "POSIX", "C"])
def test_a_backup_is_read_by_a_console_of_another_locale(
    home: Home, simulator: VSphereSimulator, tmp_path: Path, locale: str
) -> None:
    (tmp_path / "locales").mkdir()
    environment = {**make_locales(tmp_path / "locales"), "LC_ALL": locale, "PYTHONUTF8": ""}
    with home.engine(**environment), home.open_door() as opened:
        door = opened.door
        first = start_first_backup(door, simulator, tmp_path)
        wait_until(lambda: state_of(door, first).is_final, deadline_s=PATIENCE_S)
        (platform,), (standby,) = door.ask(ListPlatforms()), door.ask(ListStandbys())
        (vm,) = door.ask(ListVms(platform=platform.id))
        task = door.execute(
            StartBackup(
                platform=platform.id, vm=vm.id, vm_name=vm.name, standby=standby.id, rule_name=RULE, host=vm.host
            )
        )
        wait_until(lambda: state_of(door, task).is_final, deadline_s=PATIENCE_S)
        assert state_of(door, task) is TaskState.COMPLETED, home.log()
    root = Path(standby.root_path)
    with Repository.open(root, local_dir=tmp_path / "other", clock=SystemClock()) as repository:
        found = repository.points()
        assert not found.damaged
        assert sum(point.chain.startswith("每日") for point in found.points) == 1


def run_main(*arguments: str | bytes, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the program as a terminal of a locale does."""
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "", **environment},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_arguments_come_in_the_encoding_of_the_locale(tmp_path: Path) -> None:
    environment = {**make_locales(tmp_path), "LC_ALL": "zh_CN.GBK", "STANDFAST_HOME": str(tmp_path / "home")}
    for typed in ("规则甲".encode("gbk"), "规则甲".encode()):
        done = run_main("ctl", "nonsense", typed, **environment)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr.decode()
        done = run_main(typed, **environment)
        assert "规则甲" in done.stderr.decode(), "argparse repeats what it does not know, in UTF-8"


@pytest.mark.parametrize("locale", ["zh_CN.GBK", "C"])
def test_an_argument_that_is_no_text_is_one_line(tmp_path: Path, locale: str) -> None:
    environment = {**make_locales(tmp_path), "LC_ALL": locale, "STANDFAST_HOME": str(tmp_path / "home")}
    done = run_main("ctl", "stat", b"\xff\xfe", **environment)
    assert done.returncode == 2
    assert b"is not UTF-8" in done.stderr
    assert done.stderr.count(b"\n") == 1
