"""The map of a locator starts small and grows, under other threads and other processes too."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.repository import environment as environments
from app.repository.environment import FIRST_MAP_BYTES, Environment
from app.repository.locator import Locator
from app.repository.packs import PackEntry

MIB = 1024 * 1024
PACK_BYTES = 5000


def entries(first: int, count: int) -> list[PackEntry]:
    return [
        PackEntry((n * 7919).to_bytes(32, "little"), 64 + n, 100, 1000, 1) for n in range(first, first + count)
    ]


@pytest.fixture
def tiny_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "_STEP_BYTES", 256 * 1024)
    monkeypatch.setattr(Environment.__init__, "__defaults__", (512 * 1024,))


def test_the_map_starts_small(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id"):
        assert FIRST_MAP_BYTES <= 16 * MIB
        assert (tmp_path / "locator" / "data.mdb").stat().st_size <= FIRST_MAP_BYTES


@pytest.mark.usefixtures("tiny_maps")
def test_it_grows_as_packs_come(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:
        for number in range(12):
            locator.add_pack(f"{number:032x}", PACK_BYTES, entries(number * 1000, 1000))
        assert (tmp_path / "locator" / "data.mdb").stat().st_size > MIB
        found = locator.find_many(entry.digest for entry in entries(0, 12_000))
        assert len(found) == 12_000
    with Locator(tmp_path / "locator", "id") as locator:
        assert len(locator.pack_sizes()) == 12
        assert locator.find(entries(11_999, 1)[0].digest) is not None


@pytest.mark.usefixtures("tiny_maps")
def test_a_rebuild_grows_it(tmp_path: Path) -> None:
    held = {f"{number:032x}": entries(number * 50, 50) for number in range(800)}
    with Locator(tmp_path / "locator", "id") as locator:
        locator.synchronize(dict.fromkeys(held, 1000), held.get)
        assert len(locator.find_many(entry.digest for entry in entries(0, 40_000))) == 40_000


@pytest.mark.usefixtures("tiny_maps")
def test_it_grows_while_other_threads_read_and_write(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator, ThreadPoolExecutor(5) as pool:
        done = threading.Event()

        def read() -> None:
            while not done.wait(0.001):  # lets the writers have the processor too
                locator.find_many(entry.digest for entry in entries(0, 50))

        def write(worker: int) -> None:
            for number in range(worker, 24, 3):
                locator.add_pack(f"{number:032x}", PACK_BYTES, entries(number * 500, 500))

        readers = [pool.submit(read) for _ in range(2)]
        try:
            for writer in [pool.submit(write, worker) for worker in range(3)]:
                writer.result(timeout=200)
        finally:
            done.set()
        for reader in readers:
            reader.result(timeout=60)
        assert len(locator.find_many(entry.digest for entry in entries(0, 12_000))) == 12_000


@pytest.mark.usefixtures("tiny_maps")
def test_it_follows_another_process_that_made_it_larger(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(f"{0:032x}", PACK_BYTES, entries(0, 10))
        code = (
            "import sys; from pathlib import Path\n"
            "from tests.unit.repository.test_environment import *\n"
            "with Locator(Path(sys.argv[1]), 'id') as locator:\n"
            "    locator.add_pack(f'{1:032x}', 5000, entries(100_000, 20_000))\n"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "locator")], check=True, timeout=60)
        assert locator.find(entries(119_999, 1)[0].digest) is not None
        locator.add_pack(f"{2:032x}", PACK_BYTES, entries(10, 10))
        assert len(locator.pack_sizes()) == 3
