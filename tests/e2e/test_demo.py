"""The demo as a newcomer starts it: one command, one exit status."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "main.py", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "140", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def test_the_demo_proves_every_disk_and_keeps_its_data_when_told() -> None:
    result = run_demo("--keep")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"All \d+ disks are identical", result.stdout)
    assert "DIFFERS" not in result.stdout
    for kind in ("full", "incremental", "differential"):
        assert kind in result.stdout
    kept = re.search(r"The data was kept in (\S+)", result.stdout)
    assert kept is not None
    folder = Path(kept[1])
    try:
        assert (folder / "standby" / "demo" / "points").is_dir()
    finally:
        shutil.rmtree(folder)
