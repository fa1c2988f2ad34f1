"""The tray on a real X server with a real tray host."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SESSION = """
openbox & window_manager=$!
trayer --edge bottom --align right --width 20 --height 32 & tray=$!
"$0" -m tests.gui.shell.tray_program
status=$?
kill $window_manager $tray
exit $status
"""


@pytest.mark.outside_tools("xvfb-run", "trayer", "openbox", "xdotool")
def test_the_icon_counts_errors_notifies_and_opens_the_window_by_a_click() -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb"}
    command = ["xvfb-run", "-a", "-s", "-screen 0 1000x700x24", "sh", "-c", SESSION, sys.executable]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout[done.stdout.index("{") :])
    assert seen["hidden"], "a minimized start shows the tray only"
    assert seen["state"] == "ERROR"
    assert seen["shown"] == ["db-01：任务失败", "vc-1 不接受账号 backup。"]
