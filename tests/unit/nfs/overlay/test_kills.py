"""A program that writes is killed again and again: what it was told to be durable is there."""

import os
import random
import subprocess
import sys
from pathlib import Path

from app.nfs.overlay import OverlayDisk
from tests.unit.nfs.overlay.helpers import opener, read
from tests.unit.nfs.overlay.writer import CAPACITY, CONTENT, LIMITS, MOST_AHEAD, write_of

KILLS = int(os.environ.get("STANDFAST_OVERLAY_KILLS", "20"))
SEED = int(os.environ.get("STANDFAST_OVERLAY_SEED", "1"))
PROJECT = Path(__file__).parents[4]


def write_and_kill(folder: Path, first: int, acknowledgements: int) -> int:
    """Let a program write from a number on; kill it after some syncs; return up to where it said to be durable."""
    command = [sys.executable, "-m", "tests.unit.nfs.overlay.writer", str(folder), str(SEED), str(first)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT, text=True) as child:
        assert child.stdout is not None
        last = ""
        for _ in range(acknowledgements):
            last = child.stdout.readline()
            assert last, "it ended by itself"
        child.kill()
        rest = child.stdout.read().splitlines(keepends=True)
    whole = [line for line in [last, *rest] if line.endswith("\n")]
    return int(whole[-1])


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    folder = tmp_path / "overlay"
    state = bytearray(CONTENT)
    number = compactions = 0
    for kill in range(KILLS):
        durable = write_and_kill(folder, number, dice.randrange(1, 60))
        while number < durable:
            number += put(state, number)
        compactions += not (folder / "00000001.seg").exists()
        with OverlayDisk(opener(CONTENT), CAPACITY, folder, LIMITS) as disk:
            found = read(disk)
        ahead = 0
        while found != state and ahead < MOST_AHEAD:
            ahead += put(state, number + ahead)
        assert found == state, f"kill {kill}: not what was written up to {durable} and {MOST_AHEAD} more"
        number += ahead
    assert number > KILLS
    assert compactions > 0 or KILLS < 5


def put(state: bytearray, number: int) -> int:
    offset, data = write_of(SEED, number)
    state[offset : offset + len(data)] = data
    return 1
