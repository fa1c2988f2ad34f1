"""Reading what a shared library is without loading it: its machine, and the functions that it offers.

Sources: the ELF specification (``elf.h``) and the PE/COFF specification. Only 64-bit files are looked into
further; damaged ones are refused, never followed beyond their end.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ELF_MACHINES: Final = {3: "x86", 62: "x86-64", 40: "arm", 183: "aarch64", 21: "ppc64", 22: "s390x", 243: "riscv"}
_PE_MACHINES: Final = {0x14C: "x86", 0x8664: "x86-64", 0xAA64: "aarch64", 0x1C4: "arm"}
_SECTION_HEADER: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_DYNSYM: Final = 11
_MOST: Final = 1 << 20
"""Sections, symbols or exports: more is damage."""
_LONGEST_NAME: Final = 512
_FIXED_FILE_INFO: Final = struct.pack("<I", 0xFEEF04BD)
"""Begins ``VS_FIXEDFILEINFO`` among the resources of a file of Windows."""


class NoLibrary(Exception):
    """A file is no shared library, or is damaged."""


@dataclass(frozen=True, slots=True)
class Binary:
    """What a shared library says of itself."""

    architecture: str
    """``x86-64`` and the like."""
    functions: frozenset[str]
    """Names that it offers; empty for 32-bit files."""
    version: str = ""
    """As its resources say, which only files of Windows have."""


def read_binary(file: Path) -> Binary:
    """Look into a shared library of Linux or Windows.

    Raises:
        NoLibrary: it is none.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        try:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty file
            raise NoLibrary from error
        with data:
            try:
                if data[:4] == b"\x7fELF":
                    return _elf(data)
                if data[:2] == b"MZ":
                    return _portable(data)
            except (struct.error, IndexError) as error:
                raise NoLibrary from error
    raise NoLibrary


def _elf(data: mmap.mmap) -> Binary:
    is_64, is_little = data[4] == 2, data[5] == 1
    (machine,) = struct.unpack_from("<H" if is_little else ">H", data, 18)
    architecture = _ELF_MACHINES.get(machine, f"ELF {machine}")
    if not is_64 and architecture == "x86-64":
        architecture = "x32"
    if not (is_64 and is_little):
        return Binary(architecture, frozenset())
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    headers = [_SECTION_HEADER.unpack_from(data, start + number * size) for number in range(count)]
    functions: set[str] = set()
    for header in headers:
        if header[1] == _DYNSYM:
            functions |= _symbols(data, header, headers[header[6]])
    return Binary(architecture, frozenset(functions))


def _symbols(data: mmap.mmap, table: tuple[int, ...], names: tuple[int, ...]) -> set[str]:
    count = table[5] // _SYMBOL.size
    if count > _MOST:
        raise NoLibrary
    found = set()
    for number in range(count):
        name, _, _, section, _, _ = _SYMBOL.unpack_from(data, table[4] + number * _SYMBOL.size)
        if section:  # defined here, not wanted from elsewhere
            found.add(_text(data, names[4] + name))
    return found


def _portable(data: mmap.mmap) -> Binary:
    (start,) = struct.unpack_from("<I", data, 0x3C)
    if data[start : start + 4] != b"PE\0\0":
        raise NoLibrary
    machine, sections = struct.unpack_from("<HH", data, start + 4)
    (optional_bytes,) = struct.unpack_from("<H", data, start + 20)
    architecture = _PE_MACHINES.get(machine, f"PE {machine:#x}")
    optional = start + 24
    if struct.unpack_from("<H", data, optional) != (0x20B,):
        return Binary(architecture, frozenset())
    (directory,) = struct.unpack_from("<I", data, optional + 112)
    table = optional + optional_bytes
    rows = [struct.unpack_from("<8sIIII", data, table + number * 40) for number in range(sections)]

    def place(address: int) -> int:
        for _, size, virtual, raw_size, raw in rows:
            if virtual <= address < virtual + max(size, raw_size):
                return address - int(virtual) + int(raw)
        raise NoLibrary

    if not directory:
        return Binary(architecture, frozenset())
    export = place(directory)
    (count,) = struct.unpack_from("<I", data, export + 24)
    (names,) = struct.unpack_from("<I", data, export + 32)
    if count > _MOST:
        raise NoLibrary
    found = struct.unpack_from(f"<{count}I", data, place(names)) if count else ()
    return Binary(architecture, frozenset(_text(data, place(address)) for address in found), _file_version(data))


def _file_version(data: mmap.mmap) -> str:
    start = data.find(_FIXED_FILE_INFO)
    if start < 0:
        return ""
    high, low = struct.unpack_from("<II", data, start + 8)
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}"


def _text(data: mmap.mmap, start: int) -> str:
    end = data.find(b"\0", start, start + _LONGEST_NAME)
    if end < 0:
        raise NoLibrary
    return data[start:end].decode("ascii", "replace")
