"""A signal's number never becomes the length of a pause."""

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QSpinBox
from pytestqt.qtbot import QtBot

from app.views.widgets.pause import Pause

APP = Path(__file__).resolve().parents[3] / "app"


class Talker(QObject):
    """Says numbers of all kinds."""

    number = Signal(int)
    numbers = Signal(int, int, int)
    text = Signal(str)
    nothing = Signal()


@pytest.mark.parametrize(
    ("signal", "said"), [("number", (65_535,)), ("numbers", (3, 1, 2)), ("text", ("web",)), ("nothing", ())]
)
def test_whatever_a_signal_carries_the_pause_keeps_its_length(
    qtbot: QtBot, signal: str, said: tuple[object, ...]
) -> None:
    talker = Talker()
    pause = Pause(40, talker)
    getattr(talker, signal).connect(pause.restart)
    with qtbot.waitSignal(pause.timeout, timeout=2000):
        getattr(talker, signal).emit(*said)
        assert pause.isActive()
        assert pause.interval() == 40
    assert not pause.isActive()


def test_a_ports_number_is_no_length(qtbot: QtBot) -> None:
    box = QSpinBox()
    qtbot.addWidget(box)
    box.setRange(0, 65_535)
    pause = Pause(40, box)
    box.valueChanged.connect(pause.restart)
    with qtbot.waitSignal(pause.timeout, timeout=2000):
        box.setValue(9443)
        assert pause.interval() == 40


def test_no_signal_is_connected_to_the_start_of_a_timer() -> None:
    found = [
        f"{path.relative_to(APP)}:{node.lineno}"
        for folder in ("views", "models", "workers", "console")
        for path in (APP / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "connect"
        and any(isinstance(arg, ast.Attribute) and arg.attr == "start" for arg in node.args)
    ]
    assert not found, "connect to Pause.restart instead"
