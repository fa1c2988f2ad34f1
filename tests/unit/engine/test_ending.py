"""The end of the engine, whichever part of it hangs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.program.ending import Ending
from tests.support.engine_lab import EngineLab
from tests.support.waiting import wait_for_threads


@pytest.mark.allows_log("did not end in time", "could not be ended in order")
def test_parts_that_hang_or_fail_do_not_keep_the_others_from_ending() -> None:
    held, ended = threading.Event(), list[str]()

    def fail() -> None:
        raise OSError("gone")

    began = time.monotonic()
    steps: list[tuple[str, Callable[[], object]]] = [
        ("first", lambda: ended.append("first")),
        ("stuck", held.wait),
        ("failing", fail),
        ("last", lambda: ended.append("last")),
    ]
    assert not Ending(1.0).run(steps, most_s=0.3)
    assert time.monotonic() - began < 5
    assert ended == ["first", "last"]
    held.set()
    wait_for_threads("ending-stuck")


@pytest.mark.allows_log("did not end in time")
@pytest.mark.parametrize("part", ["offers", "recorder", "_notifier", "_rules"])
def test_the_engine_ends_in_time_whatever_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    held = threading.Event()
    with EngineLab(tmp_path) as lab:
        monkeypatch.setattr(getattr(lab.engine, part), "close", held.wait)
        began = time.monotonic()
        assert not lab.engine.close()
        assert time.monotonic() - began < 20
        held.set()
        monkeypatch.undo()
    wait_for_threads("ending-")
