"""Sleep is held off while it is asked for, and no longer."""

import os
import sys
from pathlib import Path

import pytest

from app.core.wakefulness import Wakefulness
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a stand-in for systemd-inhibit is a shell script")

STAND_IN = """#!/bin/sh
echo "$$ $*" >> "$(dirname "$0")/held"
exec cat
"""


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for the system's program in the way; return the file where it notes itself."""
    program = tmp_path / "systemd-inhibit"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "held"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_sleep_is_held_off_once_and_let_go(held: Path) -> None:
    awake = Wakefulness("a VM runs")
    awake.begin()
    awake.begin()
    wait_until(lambda: held.exists() and held.read_text().endswith("\n"), what="the lock")
    (line,) = held.read_text().splitlines()
    pid, what, *_ = line.split(" ")
    assert what == "--what=sleep:idle"
    assert "--why=a VM runs" in line
    assert is_alive(int(pid))
    awake.end()
    awake.end()
    assert not is_alive(int(pid))


def test_a_system_without_it_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    awake = Wakefulness("a VM runs")
    awake.begin()
    awake.end()
