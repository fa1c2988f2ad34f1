"""What is said of a folder that the operator names: a library that can be used, or exactly why not."""

import ctypes
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from app.transport.vddk import layouts
from app.transport.vddk.binaries import NoLibrary, read_binary
from app.transport.vddk.folder import VddkUnusable, examine
from tests.support.vddk_lab import PASSWORD, VddkLab, built_double, unpack_double

pytestmark = pytest.mark.outside_tools("gcc")


def patched(file: Path, offset: int, data: bytes) -> None:
    """Change bytes of a file."""
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def test_a_library_is_shown_with_version_and_architecture(lab: VddkLab) -> None:
    library = lab.vddk.examine(str(lab.folder))
    assert (library.version, library.architecture, library.lists_allocated) == ("8.0.2", "x86-64", True)
    assert library.file == str(lab.file)
    assert lab.functions() == ["InitEx", "Exit"]


def test_the_folder_with_the_libraries_itself_will_do(lab: VddkLab) -> None:
    assert lab.vddk.examine(str(lab.folder / "lib64")).version == "8.0.2"


def test_a_library_without_a_link_to_its_whole_name_is_taken_by_its_first_number(tmp_path: Path) -> None:
    (tmp_path / "lib64").mkdir()
    shutil.copyfile(built_double(), tmp_path / "lib64" / "libvixDiskLib.so.7")
    found = examine(str(tmp_path))
    assert (found.library.version, found.major, found.minor) == ("7.0", 7, 0)


def _empty_folder(folder: Path) -> None:
    shutil.rmtree(folder / "lib64")


def _text_file(folder: Path) -> None:
    (folder / "lib64" / "libvixDiskLib.so.8.0.2").write_text("INPUT(libvixDiskLib.so.8)\n")


def _empty_file(folder: Path) -> None:
    (folder / "lib64" / "libvixDiskLib.so.8.0.2").write_bytes(b"")


def _cut_file(folder: Path) -> None:
    os.truncate(folder / "lib64" / "libvixDiskLib.so.8.0.2", 200)


def _of_arm(folder: Path) -> None:
    patched(folder / "lib64" / "libvixDiskLib.so.8.0.2", 18, struct.pack("<H", 183))


def _of_32_bits(folder: Path) -> None:
    file = folder / "lib64" / "libvixDiskLib.so.8.0.2"
    patched(file, 4, b"\x01")
    patched(file, 18, struct.pack("<H", 3))


def _without_a_function(folder: Path) -> None:
    file = folder / "lib64" / "libvixDiskLib.so.8.0.2"
    file.write_bytes(file.read_bytes().replace(b"VixDiskLib_EndAccess\0", b"VixDiskLib_EndOthers\0"))


def _links_in_a_circle(folder: Path) -> None:
    for file in (folder / "lib64").iterdir():
        file.unlink()
    (folder / "lib64" / "libvixDiskLib.so").symlink_to("libvixDiskLib.so.8")
    (folder / "lib64" / "libvixDiskLib.so.8").symlink_to("libvixDiskLib.so")


def _too_old(folder: Path) -> None:
    shutil.rmtree(folder / "lib64")
    unpack_double(folder, version="6.0.3")


def _without_version(folder: Path) -> None:
    shutil.rmtree(folder / "lib64")
    (folder / "lib64").mkdir()
    shutil.copyfile(built_double(), folder / "lib64" / "libvixDiskLib.so")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_empty_folder, "neither the folder nor its lib64 holds libvixDiskLib.so"),
        (_text_file, "libvixDiskLib.so.8.0.2 is no shared library"),
        (_empty_file, "libvixDiskLib.so.8.0.2 is no shared library"),
        (_cut_file, "libvixDiskLib.so.8.0.2 is no shared library"),
        (_of_arm, "is for aarch64, and x86-64 is needed"),
        (_of_32_bits, "is for x86, and x86-64 is needed"),
        (_without_a_function, "lacks the function VixDiskLib_EndAccess"),
        (_links_in_a_circle, "cannot be read|neither the folder"),
        (_too_old, "it is version 6.0.3, and 6.5 or newer is needed"),
        (_without_version, "does not say its version"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(
    tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    folder = tmp_path / "vddk"
    unpack_double(folder)
    change(folder)
    with pytest.raises(VddkUnusable, match=reason) as refused:
        examine(str(folder))
    assert str(folder) in refused.value.message
    assert "lib64" in refused.value.hint


def test_no_folder_and_half_a_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VddkUnusable, match="there is no such folder"):
        examine(str(tmp_path / "nothing"))
    with pytest.raises(VddkUnusable, match="a whole path is needed"):
        examine("vddk/lib64")
    with pytest.raises(VddkUnusable, match=r"cannot be read|no such folder"):
        examine(str(tmp_path / "a\0b"))
    with pytest.raises(VddkUnusable, match="it cannot be read"):
        examine("/" + "a" * 5000)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    unpack_double(tmp_path / "vddk").chmod(0)
    with pytest.raises(VddkUnusable, match="cannot be read"):
        examine(str(tmp_path / "vddk"))


def test_a_library_that_lacks_what_it_stands_on_does_not_load(tmp_path: Path, lab: VddkLab) -> None:
    missing = built_double("-Wl,--no-as-needed", "-l:libm.so.6")
    lab.file.write_bytes(missing.read_bytes().replace(b"libm.so.6", b"libQ.so.6"))
    with pytest.raises(VddkUnusable, match=r"libvixDiskLib\.so\.8\.0\.2 cannot be loaded") as refused:
        lab.vddk.examine(str(lab.folder))
    assert "libQ.so.6" in refused.value.details


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (("fail", "InitEx", 1, 16053), "was loaded and did not start: VixDiskLib_InitEx .* 16053"),
        (
            ("abort", "InitEx", 1),
            r"did not start: .* ended its process in VixDiskLib_InitEx \(signal 6\)",
        ),
    ],
)
def test_a_library_that_does_not_start_says_why(lab: VddkLab, order: tuple[object, ...], reason: str) -> None:
    lab.order(*order)
    with pytest.raises(VddkUnusable, match=reason) as refused:
        lab.vddk.examine(str(lab.folder))
    assert PASSWORD not in str(refused.value)


def test_the_structures_have_the_documented_offsets() -> None:
    params, info = layouts.ConnectParams, layouts.DiskInfo
    assert ctypes.sizeof(params) == 128
    assert (params.credentials_kind.offset, params.credentials.offset) == (32, 40)
    assert (params.port.offset, params.nfc_host_port.offset) == (64, 68)
    assert (params.spec.offset, params.spec_kind.offset) == (96, 120)
    assert ctypes.sizeof(info) == 64
    assert (info.capacity.offset, info.uuid.offset) == (24, 48)


def portable_executable(*names: str, machine: int = 0x8664, magic: int = 0x20B) -> bytes:
    """Make a DLL's headers, one section, its exports and its version."""
    base, raw = 0x1000, 0x200
    table = 40
    texts = b"".join(name.encode() + b"\0" for name in names)
    places, at = [], base + table + 4 * len(names)
    for name in names:
        places.append(at)
        at += len(name) + 1
    exports = bytes(24) + struct.pack("<IIII", len(names), 0, base + table, 0)
    section = exports + struct.pack(f"<{len(names)}I", *places) + texts
    section += struct.pack("<IIII", 0xFEEF04BD, 0x10000, 8 << 16, 2 << 16)
    optional = struct.pack("<H110xI4x", magic, base).ljust(240, b"\0")
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", machine, 1, 0, 0, 0, len(optional), 0x2022) + optional
    head += struct.pack("<8sIIII16x", b".rdata", len(section), base, len(section), raw)
    return head.ljust(raw, b"\0") + section


def test_a_library_of_windows_is_read_as_well(tmp_path: Path) -> None:
    file = tmp_path / "vixDiskLib.dll"
    file.write_bytes(portable_executable("VixDiskLib_InitEx", "VixDiskLib_Read"))
    binary = read_binary(file)
    assert binary.architecture == "x86-64"
    assert binary.functions == {"VixDiskLib_InitEx", "VixDiskLib_Read"}
    assert binary.version == "8.0.2"
    file.write_bytes(portable_executable("VixDiskLib_InitEx", machine=0x14C, magic=0x10B))
    assert read_binary(file).architecture == "x86"


def test_a_cut_library_is_never_followed_beyond_its_end(tmp_path: Path) -> None:
    for name, whole in (("dll", portable_executable("VixDiskLib_InitEx")), ("so", built_double().read_bytes())):
        file, refused = tmp_path / name, 0
        sizes = range(0, min(len(whole), 2000), 3)
        for size in sizes:
            file.write_bytes(whole[:size])
            try:
                read_binary(file)
            except NoLibrary:
                refused += 1
        assert refused > len(sizes) * 0.9  # but for what ends behind the last thing that is looked at
