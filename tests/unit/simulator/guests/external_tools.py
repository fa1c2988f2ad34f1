"""External programs that check guests' disks."""

import os
import subprocess
from pathlib import Path

from app.simulator.guests import Partition
from app.simulator.guests.blocks import BlockDevice
from tests.support.outside import find_tool

UTF8 = {**os.environ, "LC_ALL": "C.UTF-8"}


def save(device: BlockDevice, file: Path) -> Path:
    """Write a whole disk into a file, with holes where there are zeros."""
    step = 1 << 20
    with file.open("wb") as target:
        target.truncate(device.capacity_bytes)
        for offset in range(0, device.capacity_bytes, step):
            piece = device.read(offset, min(step, device.capacity_bytes - offset))
            if piece.count(0) != len(piece):
                target.seek(offset)
                target.write(piece)
    return file


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = find_tool(tool)
    assert path is not None
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, env=UTF8, timeout=60)


def check_volume(disk: Path, partition: Partition) -> str:
    """Return the complaints of fsck.fat, empty when there are none."""
    volume = disk.with_suffix(".volume")
    with disk.open("rb") as source, volume.open("wb") as target:
        source.seek(partition.start)
        left = partition.length_bytes
        while left:
            piece = source.read(min(left, 1 << 20))
            if piece.count(0) == len(piece):
                target.seek(len(piece), os.SEEK_CUR)
            else:
                target.write(piece)
            left -= len(piece)
        target.truncate(partition.length_bytes)
    done = run("fsck.fat", "-n", "-V", volume)
    volume.unlink()
    return "" if done.returncode == 0 else done.stdout + done.stderr
