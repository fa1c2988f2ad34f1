"""What only the garbage collector ends, or a thread lets go of last, ends on the GUI thread."""

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, Qt, QThread, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.workers.apart import Apart
from app.workers.collector import GuiCollector


class Panel(QWidget):
    """A widget of a class of ours."""


class Model(QObject):
    """The same without a surface."""


def note_end(watched: QObject, ended_on_gui_thread: list[bool]) -> None:
    """Note on which thread an object ends."""
    watched.destroyed.connect(
        lambda: ended_on_gui_thread.append(QThread.isMainThread()), Qt.ConnectionType.DirectConnection
    )


def leave_in_a_cycle(watched: QObject) -> None:
    """Let an object be garbage that only the collector finds."""
    cycle: list[object] = [watched]
    cycle.append(cycle)


def make_much() -> None:
    """Make so many objects that the interpreter looks for garbage of all ages."""
    for _ in range(20):
        kept = [[number] for number in range(20_000)]
        del kept


@pytest.fixture
def _collector_as_usual() -> Iterator[None]:
    was_enabled, threshold = gc.isenabled(), gc.get_threshold()
    gc.enable()
    gc.set_threshold(700, 2, 2)
    yield
    gc.set_threshold(*threshold)
    if not was_enabled:
        gc.disable()


@pytest.mark.usefixtures("_collector_as_usual")
@pytest.mark.parametrize("kind", [Panel, Model, QTimer])
def test_garbage_of_the_window_ends_on_the_gui_thread(qtbot: QtBot, kind: type[QObject]) -> None:
    ended: list[bool] = []
    with GuiCollector():
        watched = kind()
        note_end(watched, ended)
        leave_in_a_cycle(watched)
        del watched
        thread = threading.Thread(target=make_much)
        thread.start()
        thread.join()
        assert ended == []
        made: list[list[int]] = []

        def has_ended() -> bool:
            made.extend([number] for number in range(5_000))
            return bool(ended)

        qtbot.waitUntil(has_ended)
    assert ended == [True]


@pytest.mark.usefixtures("_collector_as_usual")
def test_the_collector_is_as_before_afterwards() -> None:
    with GuiCollector(), GuiCollector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_a_call_refers_to_ends_on_the_gui_thread(qtbot: QtBot) -> None:
    apart, ended = Apart(), list[bool]()

    def ask_once() -> None:
        panel = Panel()
        note_end(panel, ended)
        apart.run(lambda: str(panel), owner=apart, on_done=lambda _text: None, on_failed=lambda _failure: None)

    for _ in range(50):
        ask_once()
    qtbot.waitUntil(lambda: len(ended) == 50)
    assert all(ended)
    assert apart.close(5000)
