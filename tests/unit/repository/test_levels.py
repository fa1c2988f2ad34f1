"""A task packs harder only while its source is what it waits for and the processors are idle."""

import errno
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

import app
from app.core.disks import ReadRequest
from app.repository.levels import IdleTime, LevelControl
from app.repository.values import MIB, RepositorySettings
from tests.unit.repository.helpers import MemoryDisk, back_up, open_repository, read_back


@dataclass
class Machine:
    """A machine whose time and idleness a test sets."""

    now_s: float = 0.0
    idle: float = 1.0
    levels: list[int] = field(default_factory=list)

    def control(self, usual: int = 1, *, may_climb: bool = True) -> LevelControl:
        return LevelControl(usual, may_climb=may_climb, idle_share=lambda: self.idle, clock=lambda: self.now_s)

    def second(self, control: LevelControl, *, waited: float) -> int:
        """Let a second pass in which the source was waited for during a share of it."""
        for _ in range(4):
            self.now_s += 0.25
            control.waited(waited / 4)
        return control.level


def test_it_climbs_while_the_source_holds_the_task_up() -> None:
    machine = Machine()
    control = machine.control()
    assert [machine.second(control, waited=0.9) for _ in range(4)] == [3, 4, 4, 4]


@pytest.mark.parametrize(("waited", "idle"), [(0.1, 1.0), (0.9, 0.05)], ids=["packing is slow", "others work"])
def test_it_comes_down_at_once(waited: float, idle: float) -> None:
    machine = Machine()
    control = machine.control()
    for _ in range(3):
        machine.second(control, waited=0.9)
    machine.idle = idle
    assert machine.second(control, waited=waited) == 1


def test_it_stays_where_the_signs_are_mixed() -> None:
    machine = Machine()
    control = machine.control()
    machine.second(control, waited=0.9)
    machine.idle = 0.25
    assert [machine.second(control, waited=0.9) for _ in range(3)] == [3, 3, 3]
    machine.idle = 1.0
    assert machine.second(control, waited=0.5) == 3


def test_nothing_changes_within_a_second() -> None:
    machine = Machine()
    control = machine.control()
    for _ in range(9):
        machine.now_s += 0.1
        control.waited(0.1)
    assert control.level == 1


def test_a_repository_that_packs_harder_itself_is_never_packed_less() -> None:
    machine = Machine()
    control = machine.control(usual=6)
    assert {machine.second(control, waited=0.9) for _ in range(3)} == {6}
    control = machine.control(usual=3)
    assert [machine.second(control, waited=0.9) for _ in range(2)] == [4, 4]
    machine.idle = 0.0
    assert machine.second(control, waited=0.9) == 3


def test_it_can_be_switched_off() -> None:
    machine = Machine()
    control = machine.control(may_climb=False)
    assert {machine.second(control, waited=0.9) for _ in range(3)} == {1}


def test_idle_time_is_a_share_of_what_passed() -> None:
    idle = IdleTime()
    time.sleep(0.05)
    assert 0.0 <= idle.share() <= 1.0
    assert 0.0 <= idle.share() <= 1.0


def test_processors_that_the_system_does_not_report_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.EINVAL, "Invalid function", None, 1)

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    assert IdleTime().share() == 0.0


class SlowDisk(MemoryDisk):
    """A disk behind a thin line."""

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        for request in super().read_many(requests):
            threading.Event().wait(0.15)
            yield request


def test_what_was_packed_harder_is_the_same_and_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.repository.levels.IdleTime.share", lambda _: 1.0)
    settings = RepositorySettings(chunk_bytes=MIB // 4, frame_bytes=MIB // 8)
    sources = sorted(Path(app.__file__).parent.rglob("*.py"))
    content = b"".join(path.read_bytes() for path in sources)[: 4 * MIB]
    with open_repository(tmp_path / "fast", settings) as repository:
        quick = back_up(repository, MemoryDisk(content))
    with open_repository(tmp_path / "slow", settings) as repository:
        point = back_up(repository, SlowDisk(content))
        assert point.disks[0].root == quick.disks[0].root
        assert point.disks[0].stored_bytes < quick.disks[0].stored_bytes
        assert read_back(repository, point.id) == content
