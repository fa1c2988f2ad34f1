"""The window's side of the door over a real socket: what its owners leave behind is withdrawn."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from app.contract.asyncclient import AsyncDoor
from app.contract.platforms import ListPlatforms, ListVms
from app.core.cancel import CancelToken, stop_wish
from app.domain.errors import LoginRefused
from app.domain.ids import PlatformId
from app.engine.door.server import DoorServer
from app.workers.answers import Failure
from app.workers.door import DoorClient
from app.workers.loop import asyncio_in_qt, run_here
from tests.support.scripted_door import ScriptedDoor

PATIENCE_S = 20.0


@pytest.fixture
def scripted() -> ScriptedDoor:
    return ScriptedDoor()


@pytest.fixture
def client(qapp: QApplication, tmp_path: Path, scripted: ScriptedDoor) -> Iterator[DoorClient]:
    with DoorServer.open(scripted, tmp_path), asyncio_in_qt(qapp):
        line = AsyncDoor(tmp_path)
        run_here(line.wait_until_connected(PATIENCE_S))
        client = DoorClient(line)
        yield client
        assert client.close()
        line.close()
        run_here(line.wait_closed())


def hold(scripted: ScriptedDoor) -> tuple[threading.Event, list[CancelToken | None]]:
    """Let the question for VMs hang until the event; return what could stop it too."""
    go_on, wishes = threading.Event(), list[CancelToken | None]()

    def hang(_: object) -> tuple[()]:
        wishes.append(stop_wish())
        assert go_on.wait(PATIENCE_S)
        return ()

    scripted.answer(ListVms, hang)
    return go_on, wishes


QUERY = ListVms(platform=PlatformId("p"))


def test_a_closed_dialog_stops_what_it_asked(qtbot: QtBot, client: DoorClient, scripted: ScriptedDoor) -> None:
    go_on, wishes = hold(scripted)
    told: list[object] = []
    dialog = QDialog()
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    client.ask(QUERY, owner=dialog, on_done=told.append, on_failed=told.append)
    qtbot.waitUntil(lambda: bool(wishes))
    (wish,) = wishes
    assert wish is not None
    assert not wish.is_cancelled
    dialog.reject()
    qtbot.waitUntil(lambda: wish.is_cancelled)
    go_on.set()
    assert client.waiting_owners() == []
    assert told == []


def test_a_question_that_is_given_up_is_stopped(qtbot: QtBot, client: DoorClient, scripted: ScriptedDoor) -> None:
    go_on, wishes = hold(scripted)
    told: list[object] = []
    owner = QObject()
    call = client.ask(QUERY, owner=owner, on_done=told.append, on_failed=told.append)
    qtbot.waitUntil(lambda: bool(wishes))
    (wish,) = wishes
    assert wish is not None
    call.cancel()
    qtbot.waitUntil(lambda: wish.is_cancelled)
    go_on.set()
    scripted.answer(ListPlatforms, ())
    client.ask(ListPlatforms(), owner=owner, on_done=told.append, on_failed=told.append)
    qtbot.waitUntil(lambda: bool(told))
    assert told == [()]


def test_a_callback_may_open_a_dialog_in_which_answers_come(
    qtbot: QtBot, client: DoorClient, scripted: ScriptedDoor
) -> None:
    scripted.answer(ListPlatforms, ())
    dialog = QDialog()
    inner: list[object] = []

    def ask_again(_: object) -> None:
        def close(answer: object) -> None:
            inner.append(answer)
            dialog.accept()

        client.ask(ListPlatforms(), owner=dialog, on_done=close, on_failed=close)
        dialog.exec()

    client.ask(ListPlatforms(), owner=dialog, on_done=ask_again, on_failed=ask_again)
    qtbot.waitUntil(lambda: inner == [()])


def test_a_failure_that_is_kept_keeps_no_frames_alive(
    qtbot: QtBot, client: DoorClient, scripted: ScriptedDoor
) -> None:
    scripted.answer(ListPlatforms, LoginRefused(address="vc-1", user="backup"))
    kept: list[Failure] = []
    client.ask(ListPlatforms(), owner=client, on_done=lambda _: None, on_failed=kept.append)
    qtbot.waitUntil(lambda: bool(kept))
    (failure,) = kept
    assert isinstance(failure, Exception)
    assert failure.__traceback__ is None
