"""Standard streams that are full, closed or not there at all: one line where possible, never a traceback."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.e2e.test_headless import PATIENCE_S, ROOT, Home, home
from tests.support.waiting import wait_until

__all__ = ["home"]

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
COMMANDS = [("--version",), ("--help",), ("ctl", "--help"), ("ctl", "task", "list"), ("demo", "--no-window")]


def shell(command: str, home: Home, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of a shell, in which ``$main`` is the program."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**home.environment(**environment), "main": f"{sys.executable} main.py"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_device_is_one_line_and_a_failure(home: Home, command: tuple[str, ...], unbuffered: str) -> None:
    with home.engine() if command == ("ctl", "task", "list") else nullcontext():
        done = shell(f"$main {' '.join(command)} >/dev/full", home, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == "The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("command", ["ctl task list", "demo --no-window"])
def test_without_standard_output_a_command_that_answers_fails(home: Home, command: str) -> None:
    done = shell(f"$main {command} >&-", home)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["--version", "ctl --help", "ctl task list", "ctl rule list nonsense"])
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&- <&-", ">/dev/full 2>/dev/full", "<&-"])
def test_whatever_is_missing_there_is_no_traceback(home: Home, command: str, redirection: str) -> None:
    done = shell(f"$main {command} {redirection}", home)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stdout + done.stderr
    assert done.returncode in (0, 1, 2, 3)


def test_a_reader_that_has_enough_hears_nothing_more(home: Home) -> None:
    done = shell("$main ctl --help | true", home)
    assert done.stderr == ""


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"])
def test_the_engine_runs_on_whatever_becomes_of_its_output(home: Home, redirection: str) -> None:
    process = subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} main.py --headless {redirection}"],
        cwd=ROOT,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: "runs without a window" in home.log(), deadline_s=PATIENCE_S, what="the engine")
        os.kill(process.pid, signal.SIGTERM)
        told, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Traceback" not in told + home.log()


@pytest.mark.parametrize("where", ["a folder that cannot be written", "a file in the way", "a folder in the way"])
def test_without_a_log_file_the_engine_runs_and_says_so_once(home: Home, where: str) -> None:
    logs = home.path / "logs"
    if where == "a file in the way":
        logs.write_text("not a folder")
    else:
        logs.mkdir(mode=0o700)
        (logs / "engine.log").mkdir()
        if where == "a folder that cannot be written":
            (logs / "engine.crash.txt").mkdir()
    with home.engine() as process:
        os.kill(process.pid, signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "Traceback" not in told
    assert told.count("cannot be written, so the log goes to standard error") == 1


@pytest.mark.parametrize(
    "value",
    [
        "~nobody-of-this-name/x",
        "  ",
        "/dev/null/x",
        "/proc/x",
        b"/tmp/\xff\xfe".decode("utf-8", "surrogateescape"),
    ],
)
@pytest.mark.parametrize("command", ["--headless", "ctl task list"])
def test_a_home_that_cannot_be_is_one_sentence(home: Home, value: str, command: str) -> None:
    done = shell(f"$main {command}", home, STANDFAST_HOME=value)
    assert done.returncode in (1, 3)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
