import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.extents import Extent
from app.repository.locator import Locator
from app.repository.packs import PackEntry
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(3_000_000)

PACK_BYTES = 5000


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def pack_id(number: int) -> str:
    return f"{number:032x}"


def entries(*numbers: int) -> list[PackEntry]:
    return [PackEntry(digest(number), 64 + number, 100 + number, 1000, 1) for number in numbers]


def sizes(held: Mapping[str, Sequence[PackEntry]]) -> dict[str, int]:
    return dict.fromkeys(held, PACK_BYTES)


def test_finds_what_a_pack_holds(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(1), PACK_BYTES, entries(1, 2))
        assert locator.find(digest(2)) == (pack_id(1), 66, 102, 1)
        assert locator.find(digest(3)) is None
        assert set(locator.find_many([digest(1), digest(3)])) == {digest(1)}


def test_a_pack_that_is_gone_takes_all_it_held(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(1), PACK_BYTES, entries(1, 2))
        locator.add_pack(pack_id(2), PACK_BYTES, entries(3))
        locator.forget_packs([pack_id(1)])
        assert locator.find(digest(1)) is None
        assert locator.find(digest(3)) is not None
        locator.add_pack(pack_id(4), PACK_BYTES, entries(1))
        assert locator.find(digest(1)) == (pack_id(4), 65, 101, 1)


def test_synchronization_adds_and_forgets(tmp_path: Path) -> None:
    held = {pack_id(number): entries(number, number + 100) for number in range(1, 6)}
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(9), PACK_BYTES, entries(9))
        locator.synchronize(sizes(held), held.get)
        assert locator.pack_sizes().keys() == set(held)
        assert locator.find(digest(9)) is None
        assert all(locator.find(digest(number + 100)) for number in range(1, 6))


def test_a_chunk_in_two_packs_is_found_whichever_of_them_goes(tmp_path: Path) -> None:
    for number, gone in enumerate((1, 2)):
        with Locator(tmp_path / f"locator{number}", "id") as locator:
            locator.add_pack(pack_id(1), PACK_BYTES, entries(1, 5))
            locator.add_pack(pack_id(2), PACK_BYTES, entries(5, 7))
            locator.forget_packs([pack_id(gone)])
            place = locator.find(digest(5))
            assert place == (pack_id(3 - gone), 69, 105, 1)
            assert locator.find_many([digest(5)]) == {digest(5): place}
            locator.forget([digest(5)])
            assert locator.find(digest(5)) is None


def test_a_rebuild_knows_all_copies(tmp_path: Path) -> None:
    held = {pack_id(number): entries(number // 3) for number in range(3000, 4800)}
    with Locator(tmp_path / "locator", "id") as locator:
        locator.synchronize(sizes(held), held.get)
        packs = sorted(held)
        kept = [packs[at + at // 3 % 3] for at in range(0, len(packs), 3)]
        locator.forget_packs(set(packs).difference(kept))
        for pack in kept:
            (entry,) = held[pack]
            assert locator.find(entry.digest) == (pack, entry.offset, entry.length_bytes, entry.kind)


def test_very_many_packs_are_taken_in_at_once(tmp_path: Path) -> None:
    held = {
        pack_id(number): entries(number * 7919 % 10_007, number * 104_729 % 10_009) for number in range(1, 2000)
    }
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(9999), PACK_BYTES, entries(20_000))
        locator.synchronize(sizes(held), held.get)

        assert locator.pack_sizes().keys() == set(held)
        assert locator.find(digest(20_000)) is None
        for pack, listed in held.items():
            for entry in listed:
                place = locator.find(entry.digest)
                assert place is not None
                assert entry in held[place.pack_id], (pack, entry)
                assert (place.offset, place.length_bytes) == (entry.offset, entry.length_bytes)
        locator.add_pack(pack_id(5000), PACK_BYTES, entries(1))
        place = locator.find(digest(1))
        assert place is not None
        assert place.pack_id == pack_id(5000)
    assert not [path for path in (tmp_path / "locator").iterdir() if path.is_dir()]


def test_a_rebuild_that_was_killed_starts_over(tmp_path: Path) -> None:
    held = {pack_id(number): entries(number) for number in range(1, 1000)}

    class Killed(Exception):
        pass

    def until_killed(pack: str) -> list[PackEntry]:
        if pack == pack_id(700):
            raise Killed
        return held[pack]

    with Locator(tmp_path / "locator", "id") as locator:
        with pytest.raises(Killed):
            locator.synchronize(sizes(held), until_killed)
        (
            tmp_path / "locator" / "sorting-killed"
        ).mkdir()  # by a kill of the process, after which nothing tidies up
        (tmp_path / "locator" / "sorting-killed" / "00").write_bytes(b"many rows")
        locator.add_pack(pack_id(5000), PACK_BYTES, entries(5000))  # a backup goes on beside it
        held[pack_id(5000)] = entries(5000)
        locator.synchronize(sizes(held), held.get)
        assert all(locator.find(digest(number)) for number in [*range(1, 1000), 5000])
    assert not list((tmp_path / "locator").glob("sorting-*"))


def test_threads_that_rebuild_at_once_agree(tmp_path: Path) -> None:
    held = {pack_id(number): entries(number) for number in range(1, 1500)}
    with Locator(tmp_path / "locator", "id") as here, Locator(tmp_path / "locator", "id") as there:
        threads = [
            threading.Thread(target=each.synchronize, args=(sizes(held), held.get)) for each in (here, there)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in (here, there):
            assert all(each.find(digest(number)) for number in range(1, 1500))


def test_processes_that_rebuild_at_once_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.unit.repository.test_locator import *\n"
        "held = {pack_id(number): entries(number) for number in range(1, 3000)}\n"
        "with Locator(Path(sys.argv[1]), 'id') as locator:\n"
        "    locator.synchronize(sizes(held), held.get)\n"
        "    assert all(locator.find(digest(number)) for number in range(1, 3000))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "locator")]
    running = [subprocess.Popen(command, cwd=Path(__file__).parents[3]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]


def test_two_in_one_process_share_what_they_know(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as first, Locator(tmp_path / "locator", "id") as second:
        first.add_pack(pack_id(1), PACK_BYTES, entries(1))
        assert second.find(digest(1)) is not None
        assert second.find(digest(2)) is None
    with Locator(tmp_path / "locator", "id") as later:
        assert later.find(digest(1)) is not None


def test_many_threads_add_at_once(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:

        def add(first: int) -> None:
            for number in range(first, first + 20):
                locator.add_pack(pack_id(number), PACK_BYTES, entries(number))

        threads = [threading.Thread(target=add, args=(start,)) for start in (100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(locator.pack_sizes()) == 60
        for first in (100, 200, 300):
            for number in range(first, first + 20):
                place = locator.find(digest(number))
                assert place is not None
                assert place.pack_id == pack_id(number)


def test_another_repositorys_locator_is_not_believed(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "one") as locator:
        locator.add_pack(pack_id(1), PACK_BYTES, entries(1))
    with Locator(tmp_path / "locator", "two") as locator:
        assert locator.find(digest(1)) is None


def test_a_broken_locator_is_rebuilt_from_the_packs(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    (data,) = (tmp_path / "local").rglob("data.mdb")
    data.write_bytes(b"not a database" * 5000)

    with open_repository(tmp_path) as repository:
        assert read_back(repository, point.id) == CONTENT
        assert back_up(repository, MemoryDisk(CONTENT), number=1).stored_bytes == 0


def test_a_locator_that_is_behind_catches_up(tmp_path: Path) -> None:
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="elsewhere") as there:
        first = back_up(here, MemoryDisk(CONTENT))
        assert read_back(there, first.id) == CONTENT
        second = back_up(here, MemoryDisk(CONTENT[::-1]), number=1)
        assert read_back(there, second.id) == CONTENT[::-1]
        assert back_up(there, MemoryDisk(CONTENT[::-1]), number=2).stored_bytes == 0


def test_what_a_garbage_collection_elsewhere_kept_of_two_copies_is_found(tmp_path: Path) -> None:
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="elsewhere") as there:
        disk = MemoryDisk(CONTENT)
        with there.begin_point(point_draft(1)) as writer:
            points = [back_up(here, disk)]
            writer.write_disk(  # it does not know yet what the first has stored
                disk_draft(disk.capacity_bytes),
                disk,
                [Extent(0, disk.capacity_bytes)],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
            points.append(writer.commit())
        points += [back_up(each, disk, number=number) for number, each in enumerate((here, there), 2)]
        assert all(point.stored_bytes == 0 for point in points[2:])
        for collecting in (here, there):
            collecting.maintenance.collect_garbage(progress=Progress(), cancel=CancelToken())
            for repository in (here, there):
                assert all(read_back(repository, point.id) == CONTENT for point in points)


def test_nothing_of_the_locator_is_stored_at_the_standby(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
    assert not list((tmp_path / "standby").rglob("*.mdb"))
    assert list((tmp_path / "local").rglob("*.mdb"))
