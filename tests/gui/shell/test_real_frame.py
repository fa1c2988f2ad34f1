"""The window fits the screen with the frame of a window manager, next to a panel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QMargins, QRect

from app.views.widgets.screenfit import fitted

ROOT = Path(__file__).parents[3]
SESSION = """
openbox & window_manager=$!
trayer --edge bottom --align right --widthtype percent --width 100 --height 32 --SetDockType true \
 --SetPartialStrut true & panel=$!
sleep 1
"$0" -m tests.gui.shell.frame_program
status=$?
kill $window_manager $panel
exit $status
"""


@pytest.mark.outside_tools("xvfb-run", "trayer", "openbox")
@pytest.mark.parametrize("screen", ["1280x800", "1024x680", "1920x1080"])
def test_the_status_bar_is_seen_on_every_page(screen: str) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb"}
    command = ["xvfb-run", "-a", "-s", f"-screen 0 {screen}x24", "sh", "-c", SESSION, sys.executable]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for seen in json.loads(done.stdout[done.stdout.index("[") :]):
        room, frame, bar = (QRect(*corners(seen[name])) for name in ("room", "frame", "bar"))
        assert seen["title"] > 0, "the window manager drew no frame"
        assert room.height() < int(screen.split("x")[1]), "the panel takes no room"
        assert room.contains(frame), f"{seen['page']}: {frame} is not inside {room}"
        assert frame.contains(bar), f"{seen['page']}: the status bar {bar} is cut off by {frame}"


def corners(numbers: list[int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = numbers
    return left, top, right - left + 1, bottom - top + 1


_FAR, _LONG = st.integers(-3000, 3000), st.integers(1, 4000)


@given(
    wanted=st.tuples(_FAR, _FAR, _LONG, _LONG),
    room=st.tuples(st.integers(-2000, 2000), st.integers(0, 100), st.integers(400, 4000), st.integers(300, 3000)),
    frame=st.tuples(st.integers(0, 20), st.integers(0, 60), st.integers(0, 20), st.integers(0, 20)),
)
def test_a_fitted_window_lies_in_the_room_and_one_that_fits_is_left_alone(
    wanted: tuple[int, int, int, int], room: tuple[int, int, int, int], frame: tuple[int, int, int, int]
) -> None:
    area, around, before = QRect(*room), QMargins(*frame), QRect(*wanted)
    after = fitted(before, area, around)
    assert area.contains(after.marginsAdded(around))
    if area.contains(before.marginsAdded(around)):
        assert after == before
