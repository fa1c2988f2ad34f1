import threading
from pathlib import Path

from app.repository.locator import Locator
from app.repository.packs import PackEntry
from tests.unit.repository.helpers import MemoryDisk, back_up, open_repository, random_bytes, read_back

CONTENT = random_bytes(3_000_000)


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def pack_id(number: int) -> str:
    return f"{number:032x}"


def entries(*numbers: int) -> list[PackEntry]:
    return [PackEntry(digest(number), 64 + number, 100 + number, 1000, 1) for number in numbers]


def test_finds_what_a_pack_holds(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(1), entries(1, 2))
        assert locator.find(digest(2)) == (pack_id(1), 66, 102, 1)
        assert locator.find(digest(3)) is None
        assert set(locator.find_many([digest(1), digest(3)])) == {digest(1)}


def test_a_pack_that_is_gone_takes_all_it_held(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(1), entries(1, 2))
        locator.add_pack(pack_id(2), entries(3))
        locator.forget_packs([pack_id(1)])
        assert locator.find(digest(1)) is None
        assert locator.find(digest(3)) is not None
        locator.add_pack(pack_id(4), entries(1))
        assert locator.find(digest(1)) == (pack_id(4), 65, 101, 1)


def test_synchronization_adds_and_forgets(tmp_path: Path) -> None:
    held = {pack_id(number): entries(number, number + 100) for number in range(1, 6)}
    with Locator(tmp_path / "locator", "id") as locator:
        locator.add_pack(pack_id(9), entries(9))
        locator.synchronize(set(held), held.get)
        assert locator.pack_ids() == set(held)
        assert locator.find(digest(9)) is None
        assert all(locator.find(digest(number + 100)) for number in range(1, 6))


def test_two_in_one_process_share_what_they_know(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as first, Locator(tmp_path / "locator", "id") as second:
        first.add_pack(pack_id(1), entries(1))
        assert second.find(digest(1)) is not None
        assert second.find(digest(2)) is None
    with Locator(tmp_path / "locator", "id") as later:
        assert later.find(digest(1)) is not None


def test_many_threads_add_at_once(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "id") as locator:

        def add(first: int) -> None:
            for number in range(first, first + 20):
                locator.add_pack(pack_id(number), entries(number))

        threads = [threading.Thread(target=add, args=(start,)) for start in (100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(locator.pack_ids()) == 60
        for first in (100, 200, 300):
            for number in range(first, first + 20):
                place = locator.find(digest(number))
                assert place is not None
                assert place.pack_id == pack_id(number)


def test_another_repositorys_locator_is_not_believed(tmp_path: Path) -> None:
    with Locator(tmp_path / "locator", "one") as locator:
        locator.add_pack(pack_id(1), entries(1))
    with Locator(tmp_path / "locator", "two") as locator:
        assert locator.find(digest(1)) is None


def test_a_broken_locator_is_made_anew_from_the_packs(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    (data,) = (tmp_path / "local").rglob("data.mdb")
    data.write_bytes(b"not a database" * 5000)

    with open_repository(tmp_path) as repository:
        assert read_back(repository, point.id) == CONTENT
        assert back_up(repository, MemoryDisk(CONTENT), number=1).stored_bytes == 0


def test_a_locator_that_is_behind_catches_up(tmp_path: Path) -> None:
    with open_repository(tmp_path) as one, open_repository(tmp_path, local="elsewhere") as other:
        first = back_up(one, MemoryDisk(CONTENT))
        assert read_back(other, first.id) == CONTENT
        second = back_up(one, MemoryDisk(CONTENT[::-1]), number=1)
        assert read_back(other, second.id) == CONTENT[::-1]
        assert back_up(other, MemoryDisk(CONTENT[::-1]), number=2).stored_bytes == 0


def test_nothing_of_the_locator_lies_at_the_standby(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
    assert not list((tmp_path / "standby").rglob("*.mdb"))
    assert list((tmp_path / "local").rglob("*.mdb"))
