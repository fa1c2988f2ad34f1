"""A disk of any layers, read as its files are, is what was written: judged by a model, and by qemu-img."""

import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.transport.chain.chain import ChainOpener, DiskChain, beside
from tests.support.disk_files import (
    COWD_GRAIN,
    SE_GRAIN,
    ZEROS,
    Grains,
    LocalFile,
    put,
    write_cowd,
    write_flat,
    write_sesparse,
)

CAPACITY = (1 << 20) + 512 * 3
"""Not a multiple of any grain."""
LARGE = (4096 * COWD_GRAIN) + (1 << 20)
"""More than one table of either format."""


def opened(folder: Path, name: str) -> DiskChain:
    return ChainOpener(lambda path: LocalFile(folder / path), beside).open(f"{name}.vmdk")


def read(chain: DiskChain, start: int, end: int) -> bytes:
    found = b""
    for place in chain.places(start, end):
        if place.file is None:
            found += bytes(place.length_bytes)
        else:
            found += place.file.read(place.file_offset, place.length_bytes)
    assert len(found) == end - start
    return found


def grains(grain_bytes: int, capacity: int = CAPACITY) -> st.SearchStrategy[Grains]:
    last = -(-capacity // grain_bytes) - 1
    content = st.one_of(st.just(ZEROS), st.integers(1, 255).map(lambda byte: bytes([byte]) * grain_bytes))
    return st.dictionaries(st.integers(0, last), content, max_size=12)


@given(st.data())
def test_any_chain_reads_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("chain")
    base = random.Random(data.draw(st.integers(0, 99))).randbytes(CAPACITY)
    expected = bytearray(base)
    write_flat(folder, "x", base)
    name, cid = "x", "11111111"
    for number in range(1, data.draw(st.integers(0, 3)) + 1):
        child, child_cid = f"x-{number:06}", f"{number:08x}"
        is_old = data.draw(st.booleans())
        grain_bytes = COWD_GRAIN if is_old else SE_GRAIN
        written = data.draw(grains(grain_bytes))
        write = write_cowd if is_old else write_sesparse
        write(folder, child, CAPACITY, written, cid=child_cid, parent=cid, hint=f"{name}.vmdk")
        put(expected, written, grain_bytes)
        name, cid = child, child_cid
    chain = opened(folder, name)
    start = data.draw(st.integers(0, CAPACITY))
    end = data.draw(st.integers(start, CAPACITY))
    assert read(chain, start, end) == expected[start:end]
    assert read(chain, 0, CAPACITY) == expected


@pytest.mark.qemu
@pytest.mark.parametrize("is_old", [True, False], ids=["vmfsSparse", "seSparse"])
def test_qemu_reads_the_same(tmp_path: Path, *, is_old: bool) -> None:
    base = random.Random(3).randbytes(1 << 20).ljust(LARGE, b"\0")
    write_flat(tmp_path, "x", base)
    grain_bytes = COWD_GRAIN if is_old else SE_GRAIN
    last = LARGE // grain_bytes - 1
    written = {3: b"\x33" * grain_bytes, last: b"\x44" * grain_bytes}
    if not is_old:  # qemu takes the mark of a grain of zeros in the older format for a sector
        written |= {0: ZEROS, last - 1: ZEROS}
    write = write_cowd if is_old else write_sesparse
    write(tmp_path, "x-000001", LARGE, written, cid="22222222", parent="11111111", hint="x.vmdk")
    raw = tmp_path / "by-qemu.raw"
    subprocess.run(
        ["qemu-img", "convert", "-f", "vmdk", "-O", "raw", str(tmp_path / "x-000001.vmdk"), str(raw)],
        check=True,
        capture_output=True,
    )
    chain = opened(tmp_path, "x-000001")
    with raw.open("rb") as file:
        for start in range(0, LARGE, 8 << 20):
            end = min(LARGE, start + (8 << 20))
            assert read(chain, start, end) == file.read(end - start), start
