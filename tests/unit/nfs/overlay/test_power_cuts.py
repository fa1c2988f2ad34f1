"""Power cuts at every step: what a sync covered is there, and of later writes those up to some moment."""

import random
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.nfs.overlay import OverlayDisk
from tests.support.failing_storage import AtStep, PowerCut, cut_at
from tests.support.overwriting_storage import OverwritingStorage
from tests.support.platforms import posix_only
from tests.support.storage_steps import STRIDE
from tests.unit.nfs.overlay.helpers import (
    BASE,
    CAPACITY,
    GRAIN,
    KIB,
    SMALL,
    as_killed,
    names,
    open_overlay,
    random_write,
    read,
    segments,
)

pytestmark = posix_only("the failing storage stands before POSIX calls")

TINY = replace(SMALL, segment_bytes=32 * KIB, spare_segments=1)
HOT_BYTES = 12 * GRAIN
"""Written again and again, so that there is something to compact."""
LIVES = 40 if STRIDE == 1 else 4
ACTS = ("write",) * 12 + ("sync",) * 3 + ("compact",) * 3 + ("reopen",)


@dataclass
class Model:
    """What the disk may be after a power cut: one of ``states``."""

    states: list[bytes] = field(default_factory=lambda: [BASE])
    compactions: int = 0

    def wrote(self, offset: int, data: bytes) -> None:
        state = bytearray(self.states[-1])
        state[offset : offset + len(data)] = data
        self.states.append(bytes(state))

    def synced(self) -> None:
        self.states = self.states[-1:]


def live(folder: Path, model: Model, dice: random.Random, acts: int) -> None:
    """Use an overlay as long as there is power."""
    disk = open_overlay(folder, TINY)
    assert read(disk) in model.states
    model.states = [read(disk)]
    for _ in range(acts):
        disk = act(folder, disk, model, dice)
    for _ in range(6):  # whole segments of what is overwritten at once: each life compacts
        data = dice.randbytes(3 * GRAIN)
        model.wrote(0, data)
        disk.write(0, data)
    model.compactions += sum(1 for _ in iter(disk.compact_once, False))
    disk.close()


def act(folder: Path, disk: OverlayDisk, model: Model, dice: random.Random) -> OverlayDisk:
    match dice.choice(ACTS):
        case "write":
            offset, data = random_write(dice, dice.choice((HOT_BYTES, HOT_BYTES, HOT_BYTES, CAPACITY)))
            model.wrote(offset, data)  # before it is done: the power may fail in it
            disk.write(offset, data)
        case "sync":
            disk.sync()
            model.synced()
        case "compact":
            model.compactions += disk.compact_once()
        case "reopen":
            disk.close()
            model.synced()
            return open_overlay(folder, TINY)
    assert read(disk) == model.states[-1]
    return disk


def no_cut(_count: int, _name: str) -> None:
    """Let every step be done."""


def run(root: Path, model: Model, seed: int, at_step: AtStep, acts: int) -> OverwritingStorage:
    storage = OverwritingStorage(root, at_step, dice=random.Random(seed))
    with storage.watching():
        try:
            live(root / "overlay", model, random.Random(seed), acts)
        except PowerCut:
            pass
        else:
            model.synced()
    return storage


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_power_cut_at_any_step_loses_nothing_that_was_synced(tmp_path: Path, seed: int) -> None:
    (tmp_path / "whole").mkdir()
    whole = Model()
    steps = run(tmp_path / "whole", whole, seed, no_cut, acts=60).count
    assert steps > 60
    assert whole.compactions > 0
    for number in range(1 + seed % STRIDE, steps, STRIDE):
        root = tmp_path / str(number)
        root.mkdir()
        model = Model()
        storage = run(root, model, seed, cut_at(number), acts=60)
        assert storage.is_cut
        storage.lose_unsynced()
        check_and_go_on(root, model, f"seed {seed}, step {number}")


def check_and_go_on(root: Path, model: Model, where: str) -> None:
    folder = root / "overlay"
    with open_overlay(folder, TINY) as disk:
        found = read(disk)
        assert found in model.states, where
        disk.write(4096, b"and on it goes" * 300)
        expected = read(disk)
        while disk.compact_once():
            pass
        assert read(disk) == expected, where
    with open_overlay(folder, TINY) as disk:
        assert read(disk) == expected, where
        assert disk.log_bytes == sum(path.stat().st_size for path in segments(folder)), where
    assert not [name for name in names(folder) if name.startswith(".") or name == "map.cache"], where


@pytest.mark.parametrize("seed", range(LIVES * 5))
def test_one_power_cut_after_the_other(tmp_path: Path, seed: int) -> None:
    dice = random.Random(f"cuts {seed}")
    model = Model()
    for life in range(8):
        storage = run(tmp_path, model, dice.randrange(1 << 30), cut_at(dice.randrange(1, 60)), acts=40)
        if storage.is_cut:
            storage.lose_unsynced()
        with open_overlay(tmp_path / "overlay", TINY) as disk:
            found = read(disk)
            assert found in model.states, f"seed {seed}, life {life}"
        model.states = [found]


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_summary_never_says_more_than_is_there(tmp_path: Path, cut: int) -> None:
    """Opening after a kill writes a summary behind records that were not synced."""
    for seed in range(25):
        root = tmp_path / f"{seed}"
        root.mkdir()
        model = Model()
        with open_overlay(root / "overlay", TINY) as disk:
            disk.write(0, b"synced")
            model.wrote(0, b"synced")
            disk.sync()
            model.synced()
            durable = segments(root / "overlay")[0].read_bytes()
            for number in range(3):
                data = random.Random(seed + number).randbytes(GRAIN)
                disk.write(number * GRAIN, data)
                model.wrote(number * GRAIN, data)
            killed = as_killed(root / "overlay")
        for step in (cut, cut + 8):
            survives_opening(killed, durable, model, step, seed)


def survives_opening(killed: Path, durable: bytes, model: Model, step: int, seed: int) -> None:
    """Open and close what a kill left, with a power cut in it."""
    root = killed.with_name(f"cut-{step}")
    shutil.copytree(killed, root / "overlay")
    storage = OverwritingStorage(root, cut_at(step), dice=random.Random(seed))
    storage.distrust(segments(root / "overlay")[0], durable)
    with storage.watching(), suppress(PowerCut):
        open_overlay(root / "overlay", TINY).close()
    if storage.is_cut:
        storage.lose_unsynced()
    with open_overlay(root / "overlay", TINY) as disk:
        assert read(disk) in model.states, f"seed {seed}, step {step}"


def test_closing_makes_records_durable_before_their_summary(tmp_path: Path) -> None:
    for seed in range(30):
        for step in range(12, 22):
            root = tmp_path / f"{seed}-{step}"
            root.mkdir()
            model = Model()
            storage = OverwritingStorage(root, cut_at(step), dice=random.Random(seed))
            with storage.watching(), suppress(PowerCut):
                disk = open_overlay(root / "overlay", TINY)
                for number in range(2):
                    data = random.Random(seed + number).randbytes(GRAIN)
                    model.wrote(number * GRAIN, data)
                    disk.write(number * GRAIN, data)
                disk.close()
            if storage.is_cut:
                storage.lose_unsynced()
            with open_overlay(root / "overlay", TINY) as disk:
                assert read(disk) in model.states, f"seed {seed}, step {step}"
