"""Processes are distinguished by what the system counts, never by the wall clock."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.repository.processes import boot_mark, is_same_process, process_mark

SHIFTED = r"""
import re, subprocess, sys
stat = open("/proc/stat").read()
shifted = re.sub(r"btime (\d+)", lambda found: f"btime {int(found[1]) + 3600}", stat)
open(sys.argv[1], "w").write(shifted)
subprocess.run(["mount", "--bind", sys.argv[1], "/proc/stat"], check=True)
import psutil
from app.repository.processes import is_same_process, process_mark
pid, mark, started = int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
print(abs(psutil.Process(pid).create_time() - started) > 1000, is_same_process(pid, mark))
"""


def test_a_process_is_the_same_as_long_as_it_runs() -> None:
    mark = process_mark(os.getpid())
    assert mark is not None
    assert is_same_process(os.getpid(), mark)
    assert not is_same_process(os.getpid(), mark + "1")
    assert mark.startswith(boot_mark())


def test_on_windows_no_folder_named_proc_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every user may make one there, at the root of the disk."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert boot_mark() == ""
    mark = process_mark(os.getpid())
    assert mark is not None
    assert float(mark.removeprefix(":")) > 0
    assert is_same_process(os.getpid(), mark)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no zombies there")
def test_a_process_that_ended_is_none_even_before_its_parent_looked() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = process_mark(child.pid)
    assert mark is not None
    assert is_same_process(child.pid, mark)
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
    assert is_same_process(child.pid, mark) is False
    child.wait()
    assert is_same_process(child.pid, mark) is False


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a mount namespace of its own")
def test_a_step_of_the_clock_makes_no_process_another(tmp_path: Path) -> None:
    """What the kernel shows after ``settimeofday``: the time of the start of the system has moved."""
    mark = process_mark(os.getpid())
    assert mark is not None
    arguments = [str(tmp_path / "stat"), str(os.getpid()), mark, str(psutil.Process().create_time())]
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", SHIFTED, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("no mount namespace here")
    assert done.stdout.split() == ["True", "True"], done.stderr
