import sys

import pytest

from app.console.display import can_show


class Terminal:
    def isatty(self) -> bool:
        return True


def test_a_window_is_shown_only_where_there_is_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "platform", "linux")
    assert can_show({"DISPLAY": ":0"})
    assert not can_show({"DISPLAY": ":0", "CI": "true"})
    assert not can_show({})


def test_no_window_is_shown_to_a_pipe() -> None:
    assert not can_show({"DISPLAY": ":0"})
