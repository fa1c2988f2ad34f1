"""What tests compile is compiled once, by one of the processes that want it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.built_once import built_once

ROOT = Path(__file__).resolve().parents[3]
BUILDER = """
import sys, time
from pathlib import Path
from tests.support.built_once import built_once

def build(fresh):
    with (fresh.parent / "builds").open("a") as builds:
        builds.write("built\\n")
    fresh.write_bytes(b"half of ")
    time.sleep(0.3)
    fresh.write_bytes(b"half of it and the rest")

print(built_once(Path(sys.argv[1]), build).read_text())
"""


def test_processes_that_want_the_same_program_build_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILDER, str(tmp_path / "program")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    builders = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) for _ in range(3)
    ]
    assert {builder.communicate(timeout=60)[0] for builder in builders} == {"half of it and the rest\n"}
    assert (tmp_path / "builds").read_text() == "built\n"


def test_a_build_that_failed_is_tried_again(tmp_path: Path) -> None:
    def failing(fresh: Path) -> None:
        fresh.write_bytes(b"half")
        raise OSError(5, "the compiler failed")

    with pytest.raises(OSError, match="the compiler failed"):
        built_once(tmp_path / "program", failing)
    assert built_once(tmp_path / "program", lambda fresh: fresh.write_bytes(b"whole")).read_bytes() == b"whole"
