"""Files of disks that are not what they should be: refused with the reason, never read as data."""

import struct
from pathlib import Path

import pytest

from app.transport.chain.chain import MOST_LAYERS, ChainOpener, DiskChain, beside
from app.transport.chain.cowd import CowdLayer
from app.transport.chain.layers import ChainUnreadable
from app.transport.chain.sesparse import SeSparseLayer
from tests.support.disk_files import (
    COWD_GRAIN,
    SE_GRAIN,
    LocalFile,
    cowd_bytes,
    descriptor,
    sesparse_bytes,
    write_cowd,
    write_flat,
)

CAPACITY = 1 << 20
HALF = CAPACITY // 2


def opened(folder: Path, name: str = "x") -> DiskChain:
    return ChainOpener(lambda path: LocalFile(folder / path), beside).open(f"{name}.vmdk")


def read(layer: CowdLayer | SeSparseLayer) -> int:
    return sum(run.length_bytes for run in layer.runs(0, CAPACITY))


def layer_of(folder: Path, content: bytes) -> CowdLayer | SeSparseLayer:
    path = folder / "x"
    path.write_bytes(content)
    return CowdLayer(LocalFile(path)) if content[:4] == b"COWD" else SeSparseLayer(LocalFile(path))


OLD = cowd_bytes(CAPACITY, {1: b"1" * COWD_GRAIN})
NEW = sesparse_bytes(CAPACITY, {1: b"1" * SE_GRAIN})


def with_word(content: bytes, at: int, form: str, value: int) -> bytes:
    return content[:at] + struct.pack(form, value) + content[at + struct.calcsize(form) :]


DAMAGED = {
    "an older version": with_word(OLD, 4, "<I", 9),
    "grains of nothing": with_word(OLD, 16, "<I", 0),
    "a directory behind the end": with_word(OLD, 20, "<I", 1 << 30),
    "too few tables": with_word(OLD, 24, "<I", 0),
    "a table behind the end": with_word(OLD, 4 * 512, "<I", 1 << 30),
    "a cut delta": OLD[: -COWD_GRAIN // 2],
    "a head only": OLD[:20],
    "another version": with_word(NEW, 8, "<Q", 3),
    "grains of no size": with_word(NEW, 24, "<Q", 0),
    "tables without an end": with_word(NEW, 32, "<Q", 1 << 40),
    "no second head": with_word(NEW, 512, "<Q", 0),
    "a directory beyond the file": with_word(NEW, 128, "<Q", 1 << 40),
    "a table of an unknown kind": with_word(NEW, 4 * 512, "<Q", 7 << 60),
    "a grain of an unknown kind": with_word(NEW, 5 * 512 + 8, "<Q", 9 << 60),
    "a grain beyond the file": with_word(NEW, 5 * 512 + 8, "<Q", (3 << 60) | 1 << 40),
    "a cut sparse file": NEW[: -SE_GRAIN // 2],
}


@pytest.mark.parametrize("damage", DAMAGED, ids=list(DAMAGED))
def test_damaged_tables_are_refused(tmp_path: Path, damage: str) -> None:
    with pytest.raises(ChainUnreadable, match=r"the tables in x are damaged"):
        read(layer_of(tmp_path, DAMAGED[damage]))


@pytest.mark.parametrize("content", [OLD, NEW], ids=["vmfsSparse", "seSparse"])
def test_whole_tables_are_not(tmp_path: Path, content: bytes) -> None:
    assert read(layer_of(tmp_path, content)) == CAPACITY


def test_a_journal_that_was_not_written_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChainUnreadable, match="not closed in order"):
        layer_of(tmp_path, sesparse_bytes(CAPACITY, {}, replays_journal=1))


def test_a_file_that_is_too_short_is_refused(tmp_path: Path) -> None:
    write_flat(tmp_path, "x", bytes(CAPACITY))
    (tmp_path / "x-flat.vmdk").write_bytes(bytes(HALF))
    with pytest.raises(ChainUnreadable, match="shorter than its descriptor says"):
        opened(tmp_path)


def test_a_parent_that_was_changed_is_refused(tmp_path: Path) -> None:
    write_flat(tmp_path, "x", bytes(CAPACITY), cid="33333333")
    write_cowd(tmp_path, "y", CAPACITY, {}, cid="22222222", parent="11111111", hint="x.vmdk")
    with pytest.raises(ChainUnreadable, match=r"x\.vmdk has been changed"):
        opened(tmp_path, "y")


def test_layers_of_different_sizes_are_refused(tmp_path: Path) -> None:
    write_flat(tmp_path, "x", bytes(HALF))
    write_cowd(tmp_path, "y", CAPACITY, {}, cid="22222222", parent="11111111", hint="x.vmdk")
    with pytest.raises(ChainUnreadable, match="differ in size"):
        opened(tmp_path, "y")


def test_a_chain_that_leads_in_a_circle_ends(tmp_path: Path) -> None:
    write_cowd(tmp_path, "x", CAPACITY, {}, cid="11111111", parent="11111111", hint="x.vmdk")
    with pytest.raises(ChainUnreadable, match=f"more than {MOST_LAYERS} parents"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("extent", "reason"),
    [
        ('RW 2048 VMFSRDM "x-rdm.vmdk"', "VMFSRDM"),
        ('RW 2048 VMFS "vsan://52-11"', "vSAN"),
        ('RW 2048 VMFS "../x-flat.vmdk"', "VMFS"),
        ('RW 2048 SPARSE "x-s001.vmdk"', "SPARSE"),
        ("", "vmfs"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, extent: str, reason: str) -> None:
    text = descriptor(kind="VMFS", extent="x", capacity=CAPACITY, cid="1").replace('RW 2048 VMFS "x"', extent)
    (tmp_path / "x.vmdk").write_text(text, encoding="utf-8")
    (tmp_path / "x-s001.vmdk").write_bytes(b"")
    with pytest.raises(ChainUnreadable, match=reason):
        opened(tmp_path)


def test_a_file_that_is_no_descriptor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.vmdk").write_bytes(b"\0" * 2048)
    with pytest.raises(ChainUnreadable, match="not the descriptor of a disk"):
        opened(tmp_path)


def test_a_disk_in_several_files_is_one(tmp_path: Path) -> None:
    first, second = b"1" * HALF, b"2" * HALF
    (tmp_path / "x-f001.vmdk").write_bytes(b"head" * 128 + first)
    (tmp_path / "x-f002.vmdk").write_bytes(second)
    text = descriptor(kind="VMFS", extent="x", capacity=CAPACITY, cid="1").replace(
        'RW 2048 VMFS "x"', 'RW 1024 FLAT "x-f001.vmdk" 1\nRW 1024 FLAT "x-f002.vmdk" 0'
    )
    (tmp_path / "x.vmdk").write_text(text, encoding="utf-8")
    chain = opened(tmp_path)
    places = list(chain.places(HALF - 10, HALF + 10))
    read = b"".join(place.file.read(place.file_offset, place.length_bytes) for place in places if place.file)
    assert read == b"1" * 10 + b"2" * 10
    assert chain.depth == 1
