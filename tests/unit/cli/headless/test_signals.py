import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.cli.headless.signals import StopRequest, stop_request

PATIENCE_MS = 20_000


@pytest.fixture(autouse=True)
def no_window_ends_the_loop(qapp: QApplication) -> Iterator[None]:
    """Let a window that an earlier test left to be deleted in the next loop not end that loop."""
    before = qapp.quitOnLastWindowClosed()
    qapp.setQuitOnLastWindowClosed(False)
    yield
    qapp.setQuitOnLastWindowClosed(before)


def wait(wish: StopRequest, cause: Callable[[], None]) -> None:
    """Let something happen while the loop runs, and wait for the wish."""
    QTimer.singleShot(0, cause)
    guard = QTimer()
    guard.setSingleShot(True)
    guard.timeout.connect(QApplication.exit)
    guard.start(PATIENCE_MS)
    wish.wait()
    assert guard.isActive(), "nothing ended the loop"
    guard.stop()


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself SIGTERM there")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop(qapp: QApplication, kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    with stop_request() as wish:
        # From another thread: the loop sleeps in the system when the signal comes.
        wait(wish, threading.Timer(0.05, lambda: os.kill(os.getpid(), kind)).start)
        assert wish.name == kind.name
    assert signal.getsignal(kind) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_another_thread_ends_the_loop(qapp: QApplication) -> None:
    with stop_request() as wish:
        wait(wish, threading.Timer(0.05, lambda: wish.name_it("the end of its parent")).start)
        assert wish.name == "the end of its parent"


def test_a_window_that_an_earlier_test_left_does_not_end_the_loop(qapp: QApplication) -> None:
    left = QWidget()
    left.show()
    left.deleteLater()
    test_another_thread_ends_the_loop(qapp)


def test_a_stop_request_from_before_the_loop_is_not_waited_for(qapp: QApplication) -> None:
    with stop_request() as wish:
        wish.name_it("an early one")
        wish.wait()


def test_a_stop_request_after_the_end_does_nothing(qapp: QApplication) -> None:
    with stop_request() as wish:
        pass
    thread = threading.Thread(target=lambda: wish.name_it("too late"))
    thread.start()
    thread.join()
    assert wish.name == "too late"
