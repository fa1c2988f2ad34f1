import threading
import time

import pytest

from app.core.cancel import CancelToken
from app.domain.errors import TaskCancelled


def test_a_cancelled_task_stops_at_its_next_check() -> None:
    token = CancelToken()
    token.check()
    token.cancel()
    with pytest.raises(TaskCancelled):
        token.check()


def test_a_shield_holds_cancellation_back_until_it_is_down() -> None:
    token = CancelToken()
    token.cancel()
    with token.shield():
        token.check()
        token.wait(0)
    with pytest.raises(TaskCancelled):
        token.check()


def test_a_waiting_task_wakes_at_cancellation() -> None:
    token = CancelToken()
    canceller = threading.Timer(0.05, token.cancel)
    started = time.monotonic()
    canceller.start()
    with pytest.raises(TaskCancelled):
        token.wait(60)
    canceller.join()
    assert time.monotonic() - started < 30
