"""Waiting for a platform that is away."""

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.patience import Patience
from app.domain.errors import LoginRefused, PlatformUnreachable, TaskCancelled

AWAY = PlatformUnreachable(address="vc", port=443, detail="refused")


class Platform:
    """Answers after some failures, and says what a patience reported."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.calls = 0
        self.said: list[str] = []

    def ask(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise AWAY
        return "answer"

    def patience(self, limit_s: float = 30.0, cancel: CancelToken | None = None) -> Patience:
        return Patience(
            SystemClock(),
            cancel or CancelToken(),
            limit_s,
            on_away=lambda detail: self.said.append(f"away: {detail}"),
            on_back=lambda _seconds: self.said.append("back"),
        )


def test_an_answer_at_once_says_nothing() -> None:
    platform = Platform(0)
    assert platform.patience().through(platform.ask) == "answer"
    assert platform.said == []


def test_an_outage_is_said_once_and_its_end_too() -> None:
    platform = Platform(3)
    assert platform.patience().through(platform.ask) == "answer"
    assert platform.said == ["away: refused", "back"]


def test_a_platform_that_stays_away_raises_its_error_and_is_not_waited_for_again() -> None:
    platform = Platform(1000)
    patience = platform.patience(0.3)
    with pytest.raises(PlatformUnreachable):
        patience.through(platform.ask)
    calls = platform.calls
    with pytest.raises(PlatformUnreachable):
        patience.through(platform.ask)
    assert platform.calls == calls + 1
    assert platform.said == ["away: refused"]


def test_after_an_answer_there_is_patience_again() -> None:
    platform = Platform(1000)
    patience = platform.patience(0.1)
    with pytest.raises(PlatformUnreachable):
        patience.through(platform.ask)
    platform.left = 0
    patience.through(platform.ask)
    platform.left = 1
    assert patience.through(platform.ask) == "answer"


def test_waits_within_waits_count_as_one() -> None:
    platform = Platform(4)
    patience = platform.patience()
    inner_answers = [0]

    def outer() -> str:
        patience.through(lambda: inner_answers.__setitem__(0, inner_answers[0] + 1))
        return platform.ask()

    assert patience.through(outer) == "answer"
    assert inner_answers[0] == 5
    assert platform.said == ["away: refused", "back"]


def test_a_refused_login_is_raised_at_once() -> None:
    platform = Platform(0)

    def refuse() -> None:
        raise LoginRefused(address="vc", user="u")

    with pytest.raises(LoginRefused):
        platform.patience().through(refuse)
    assert platform.said == []


def test_a_cancelled_task_stops_waiting() -> None:
    platform, cancel = Platform(1000), CancelToken()
    cancel.cancel()
    with pytest.raises(TaskCancelled):
        platform.patience(cancel=cancel).through(platform.ask)


def test_no_patience_never_waits() -> None:
    platform = Platform(1)
    with pytest.raises(PlatformUnreachable):
        platform.patience(0.0).through(platform.ask)
    assert platform.calls == 1
