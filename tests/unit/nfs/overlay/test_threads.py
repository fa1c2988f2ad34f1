"""Threads that write, read, sync and compact at once."""

import random
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from tests.unit.nfs.overlay.helpers import BASE, CAPACITY, GRAIN, IN_BACKGROUND, open_overlay, read, reopened

_COUNTER = struct.Struct("<QQ")
ROUNDS = 400
WRITERS = 3


def stamp(writer: int, number: int) -> bytes:
    return _COUNTER.pack(writer, number) * (GRAIN // _COUNTER.size)


def run(works: list[Callable[[], None]]) -> None:
    """Run all at once; raise what one of them raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_readers_see_whole_writes_and_never_an_older_one(tmp_path: Path) -> None:
    latest = [[0] * WRITERS for _ in range(2)]
    """Of each writer, the last number whose write has begun, and the last that has returned."""
    done = threading.Event()

    with open_overlay(tmp_path / "overlay", IN_BACKGROUND) as disk:
        for writer in range(WRITERS):
            disk.write(writer * 2 * GRAIN, stamp(writer, 0) * 2)

        def write(writer: int) -> None:
            for number in range(1, ROUNDS):
                latest[0][writer] = number
                disk.write(writer * 2 * GRAIN, stamp(writer, number) * 2)
                latest[1][writer] = number
                if number % 20 == 0:
                    disk.sync()

        def look() -> None:
            dice = random.Random(1)
            while not done.is_set():
                writer = dice.randrange(WRITERS)
                returned = latest[1][writer]
                found = read(disk, writer * 2 * GRAIN, 2 * GRAIN)
                begun = latest[0][writer]
                of, number = _COUNTER.unpack_from(found)
                assert found == stamp(writer, number) * 2
                assert of == writer
                assert returned <= number <= begun

        def work() -> None:
            try:
                run([lambda writer=writer: write(writer) for writer in range(WRITERS)])  # type: ignore[misc]
            finally:
                done.set()

        run([work, look, look])
    with reopened(tmp_path / "overlay") as disk:
        expected = b"".join(stamp(writer, ROUNDS - 1) * 2 for writer in range(WRITERS))
        assert read(disk) == expected + BASE[len(expected) :]


def test_partial_writes_of_one_grain_do_not_lose_each_other(tmp_path: Path) -> None:
    parts = 8
    size = GRAIN // parts

    with open_overlay(tmp_path / "overlay", IN_BACKGROUND) as disk:

        def write(part: int) -> None:
            for number in range(150):
                disk.write(number % 3 * GRAIN + part * size, bytes([number]) * size)

        run([lambda part=part: write(part) for part in range(parts)])  # type: ignore[misc]
        expected = b"".join(bytes([number]) * GRAIN for number in (147, 148, 149)) + BASE[3 * GRAIN :]
        assert read(disk) == expected


def test_partial_first_writes_of_one_grain_do_not_lose_each_other(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    with open_overlay(tmp_path / "overlay", IN_BACKGROUND) as disk:

        def write(part: int) -> None:
            for grain in range(CAPACITY // GRAIN):
                barrier.wait()
                disk.write(grain * GRAIN + part * 512, bytes([part + 1]) * 512)

        run([lambda part=part: write(part) for part in range(8)])  # type: ignore[misc]
        whole = b"".join(bytes([part + 1]) * 512 for part in range(8)) * (CAPACITY // GRAIN)
        assert read(disk) == whole + BASE[len(whole) :]
