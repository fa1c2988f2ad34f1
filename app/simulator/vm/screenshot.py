"""CreateScreenshot_Task: a picture of what a VM's screen shows, as a file next to its configuration."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.progress import TaskProgress
from app.simulator.vm import files
from app.simulator.vm.machine import Machine
from app.simulator.vm.power import wrong_state

_WIDTH: Final = 320
_HEIGHT: Final = 200
_CELL: Final = 8
_BLACK: Final = bytes(_WIDTH)
_INK: Final = 230


def create(vm: Machine, call: Call) -> vim.Task:
    """Take a picture in a task; its result is the picture's datastore path.

    Raises:
        vim.fault.NoPermission: the caller may not.
        vim.fault.TaskInProgress: the VM is busy.
    """
    call.require("VirtualMachine.Interact.CreateScreenshot", vm)

    def run(_: TaskProgress) -> str:
        if not vm.is_running:
            raise wrong_state(vm, "poweredOn")
        home = files.home_of(vm.config)
        stem = files.stem_of(home)
        for number in range(1, 10_000):
            path = home.sibling(f"{stem}-{number}.png")
            if not files.stored_file(vm.world, path).exists():
                break
        files.write_file(vm.world, path, png(list(_text_of(vm.name)) if vm.has_booted else [_BLACK] * _HEIGHT))
        return str(path)

    return vm.start(call, "CreateScreenshot_Task", run)


def _text_of(name: str) -> Iterator[bytes]:
    """Yield the rows of a screen full of what looks like text and follows from a name."""
    columns = _WIDTH // _CELL
    for line in range(_HEIGHT // _CELL):
        length = columns // 4 + zlib.crc32(f"{name}/{line}".encode()) % (columns // 2)
        for row in range(_CELL):
            pattern = zlib.crc32(f"{name}/{line}/{row}".encode()) if 0 < row < _CELL - 1 else 0
            yield bytes(_INK if _has_ink(pattern, x) else 0 for x in range(length * _CELL)).ljust(_WIDTH, b"\0")


def _has_ink(pattern: int, x: int) -> bool:
    """Return whether a row of letters has ink at a place; the letters have gaps between them."""
    return 0 < x % _CELL < _CELL - 1 and bool(pattern >> x % 32 & 1)


def png(rows: list[bytes]) -> bytes:
    """Write rows of grey pixels as a PNG file."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
