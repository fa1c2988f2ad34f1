"""A guest boots from its backup: QEMU starts from a restore point's disk over NBD, and reads its own data."""

import struct
import subprocess
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.nbd.exports import Export
from app.nbd.server import NbdServer
from app.repository import Repository
from tests.unit.repository.helpers import SMALL, MemoryDisk, back_up

MIB = 1024 * 1024
CAPACITY = 4 * MIB
MESSAGE_SECTOR = 4096
MESSAGE = b"GUEST-UP from its restore point\r\n"
BIOS_LOADS_AT = 0x7C00
MESSAGE_AT = 0x7E00
EXIT_PORT = 0xF4
PROMPTLY_S = 60


def boot_sector() -> bytes:
    """Return a boot sector that reads one sector by the BIOS, says it on the serial port, and powers off."""
    packet = struct.pack("<BBHHHQ", 16, 0, 1, MESSAGE_AT, 0, MESSAGE_SECTOR)
    put = (
        b"\x88\xc4\xba\xfd\x03"  # ah = al; dx = line status
        b"\xec\xa8\x20\x74\xfb"  # wait: in al, dx; test al, 20h; jz wait
        b"\x88\xe0\xba\xf8\x03\xee"  # al = ah; dx = data; out dx, al
    )
    jump_back = 2
    next_byte = b"\xac\x84\xc0\x74" + bytes([len(put) + jump_back])  # lodsb; test al, al; jz leave
    loop = next_byte + put
    loop += b"\xeb" + struct.pack("<b", -len(loop) - jump_back)  # jmp next byte
    say = b"\xbe" + struct.pack("<H", MESSAGE_AT) + loop  # si = message
    leave = b"\xb0\x10\xba" + struct.pack("<H", EXIT_PORT) + b"\xee\xf4"  # out exit port, 10h; hlt
    start = b"\x31\xc0\x8e\xd8\x8e\xc0\x8e\xd0\xbc\x00\x7c"  # ds = es = ss = 0, sp = 0x7c00
    read = b"\xb4\x42\xcd\x13\x72" + bytes([len(say)])  # int 13h, extended read; jc leave
    set_packet = 3
    packet_at = BIOS_LOADS_AT + len(start) + set_packet + len(read) + len(say) + len(leave)
    code = start + b"\xbe" + struct.pack("<H", packet_at) + read + say + leave + packet
    return code.ljust(510, b"\0") + b"\x55\xaa"


def bootable_disk() -> bytes:
    disk = bytearray(CAPACITY)
    disk[:512] = boot_sector()
    disk[MESSAGE_SECTOR * 512 : MESSAGE_SECTOR * 512 + len(MESSAGE)] = MESSAGE
    return bytes(disk)


@pytest.mark.outside_tools("qemu-system-x86_64")
def test_a_guest_boots_from_a_restore_point_over_nbd(tmp_path: Path) -> None:
    serial = tmp_path / "serial.log"
    with Repository.create(
        tmp_path / "standby", SMALL, local_dir=tmp_path / "local", clock=SystemClock()
    ) as repository:
        point = back_up(repository, MemoryDisk(bootable_disk()), rule_name="boot").id
        with (
            repository.open_point(point) as reader,
            NbdServer([Export("boot", "", lambda: reader.open_disk(2000))]) as server,
        ):
            command = [
                *(
                    "qemu-system-x86_64",
                    "-accel",
                    "tcg",
                    "-m",
                    "64",
                    "-display",
                    "none",
                    "-no-reboot",
                    "-nic",
                    "none",
                ),
                *("-serial", f"file:{serial}", "-monitor", "none"),
                *("-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x01"),
                *("-drive", f"file={server.address('boot')},format=raw,if=ide,snapshot=on"),
            ]
            result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROMPTLY_S)
    assert result.returncode == (0x10 << 1) | 1, result.stderr
    assert serial.read_bytes() == MESSAGE
