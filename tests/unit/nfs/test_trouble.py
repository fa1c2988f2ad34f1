"""What a standby refuses under a VM is remembered until it succeeds, and said in words."""

import errno
import os
from pathlib import Path

import pytest

from app.domain.errors import StandbyFull, StandbyUnavailable
from app.nfs.diskcontent import DiskContent
from app.nfs.errors import NfsError
from app.nfs.overlay import OverlayFull, OverlayUnavailable
from app.nfs.trouble import PATIENCE_S, Doing, Trouble, trouble_of
from tests.unit.nfs.overlay.helpers import GRAIN, grain, open_overlay


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trouble(clock: Clock) -> Trouble:
    return Trouble(clock)


def code(trouble: Trouble) -> str:
    error = trouble.error()
    return "" if error is None else error.code


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/standby/file")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(errno.EIO), "nfs.standby_away"),
        (refusal(errno.ESTALE), "nfs.standby_away"),
        (refusal(errno.EROFS), "nfs.standby_away"),
        (refusal(errno.ENOSPC), "nfs.standby_full"),
        (refusal(errno.EDQUOT), "nfs.standby_full"),
        (OverlayFull("no space"), "nfs.standby_full"),
        (StandbyFull(path="/standby", free_bytes=0), "nfs.standby_full"),
        (StandbyUnavailable(path="/standby", detail=""), "standby.unavailable"),
        (OverlayUnavailable("without a cause"), "nfs.writes_unusable"),
    ],
)
def test_a_refusal_is_said_as_what_it_is(error: Exception, expected: str) -> None:
    assert trouble_of(error).code == expected


def test_a_refusal_of_the_overlay_is_that_of_the_system_behind_it() -> None:
    error = OverlayUnavailable("write to the log")
    error.__cause__ = refusal(errno.EROFS)
    assert "read-only" in trouble_of(error).message


def test_it_ends_with_a_success_of_the_same_kind_when_nothing_was_refused_for_a_while(
    trouble: Trouble, clock: Clock
) -> None:
    trouble.note(Doing.WRITING, refusal(errno.EIO))
    trouble.note_success(Doing.WRITING)
    assert code(trouble) == "nfs.standby_away", "what works in part does not end it each time"
    clock.now_s += 60
    trouble.note_success(Doing.READING)
    assert code(trouble) == "nfs.standby_away"
    trouble.note_success(Doing.WRITING)
    assert code(trouble) == ""


def test_writing_counts_more_than_reading_and_the_end_is_the_end_of_both(trouble: Trouble) -> None:
    trouble.note(Doing.READING, refusal(errno.EIO))
    trouble.note(Doing.WRITING, refusal(errno.ENOSPC))
    assert code(trouble) == "nfs.standby_full"
    trouble.end()
    assert code(trouble) == ""


def test_a_call_that_is_not_answered_for_too_long_is_trouble_while_it_lasts(
    trouble: Trouble, clock: Clock
) -> None:
    with trouble.waiting():
        clock.now_s += PATIENCE_S / 2
        assert code(trouble) == ""
        clock.now_s += PATIENCE_S
        assert code(trouble) == "nfs.standby_away"
        with trouble.waiting():
            assert code(trouble) == "nfs.standby_away"
    assert code(trouble) == ""


@pytest.mark.allows_log("not closed properly")
def test_a_disk_whose_write_and_sync_failed_has_failed_though_nobody_asked_for_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    """A host that writes durably never sends a COMMIT for a write that was refused: it repeats the write."""

    def fail(*_: object) -> None:
        raise refusal(errno.EIO)

    with open_overlay(tmp_path / "overlay") as disk:
        content = DiskContent(disk, trouble=trouble)
        content.write(0, memoryview(grain(0)))
        before = content.has_failed
        monkeypatch.setattr(os, "pwritev", fail)
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(NfsError, match="JUKEBOX"):
            content.write(GRAIN, memoryview(grain(1)))
        assert (before, content.has_failed) == (False, True), "only opening it again helps"
        assert code(trouble) == "nfs.standby_away"
