"""Restore points: how they are named, numbered, listed and deleted, and what they keep."""

from pathlib import Path

import pytest

from app.domain.extents import Extent
from app.domain.ids import PointId
from app.domain.states import BackupKind
from app.repository import writer
from app.repository.errors import PointMissing
from app.repository.points import StoredPoints
from app.repository.values import KIB, MIB
from tests.support import independent_reader
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
    text_bytes,
)

CONTENT = random_bytes(2 * MIB + 5 * KIB, seed=7) + bytes(MIB) + text_bytes(MIB + 700)


def test_configuration_files_and_changed_extents_are_kept(tmp_path: Path) -> None:
    extents = [Extent(0, 64 * KIB), Extent(MIB, 3)]
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            writer.add_file("config.json", b"{}")
            writer.add_file("vm.nvram", b"\x00\x01")
            writer.save_changed_extents(2000, extents, "52 de/7")
            point = writer.commit()

        assert point.configuration_files == ("config.json", "vm.nvram")
        with repository.open_point(point.id) as reader:
            assert reader.file("vm.nvram") == b"\x00\x01"
            assert reader.changed_extents(2000) == (extents, "52 de/7")
            with pytest.raises(KeyError):
                reader.file("vm.vmx")


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\\b", "", "..", "nul", "COM1.txt", "dot.", "a\0b", "a:b"])
def test_file_names_that_could_leave_the_directory_are_refused(tmp_path: Path, name: str) -> None:
    with (
        open_repository(tmp_path) as repository,
        repository.begin_point(point_draft()) as writer,
        pytest.raises(ValueError, match="name"),
    ):
        writer.add_file(name, b"")


def test_points_of_one_second_do_not_replace_each_other(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, MemoryDisk(bytes([number]) * MIB)) for number in range(3)]

        assert len({point.id for point in points}) == 3
        for number, point in enumerate(points):
            assert read_back(repository, point.id) == bytes([number]) * MIB


def test_points_are_counted_and_their_number_is_never_given_out_again(tmp_path: Path) -> None:
    disk = MemoryDisk(bytes(MIB))
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="another console") as there:
        first, second = back_up(here, disk, number=9), back_up(there, disk, number=2)
        here.delete_point(second.id)
        third = back_up(there, disk, number=1)
        assert [point.sequence for point in (first, second, third)] == [1, 2, 3]
        here.take_back_point(second.id)
        assert here.chain_points(first.chain) == (third, second, first)


def test_two_consoles_that_write_to_one_chain_at_once_count_on(tmp_path: Path) -> None:
    with (
        open_repository(tmp_path) as here,
        open_repository(tmp_path, local="another console") as there,
        here.begin_point(point_draft(5)) as late,
        there.begin_point(point_draft(1)) as early,
    ):
        made = [late.commit(), early.commit()]
        assert [point.sequence for point in made] == [1, 2]
        assert here.chain_points(made[0].chain) == tuple(reversed(made))


def test_points_of_earlier_versions_come_before_those_with_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = MemoryDisk(bytes(MIB))
    with open_repository(tmp_path) as repository:
        with monkeypatch.context() as patched:
            patched.setattr(StoredPoints, "next_sequence", lambda _self, _chain: 0)
            old = [back_up(repository, disk, number=number) for number in (7, 9, 8)]
        new = back_up(repository, disk, number=1)
        assert new.sequence == 1
        assert repository.chain_points(new.chain) == (new, old[1], old[2], old[0])
    other = independent_reader.open_repository(tmp_path / "standby")
    assert other.newest_first(new.chain) == [new.id, old[1].id, old[2].id, old[0].id]


def test_a_clock_that_starts_at_the_same_second_again_and_again_makes_points_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_STAMPS_PER_SECOND", 3)
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, MemoryDisk(bytes(1000))) for _ in range(7)]
        assert len({point.id for point in points}) == 7
        assert repository.chain_points(points[0].chain) == tuple(reversed(points))


def test_listing_is_newest_first_in_each_chain(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, MemoryDisk(bytes(MIB)), number=number) for number in (1, 0, 2)]
        other = back_up(repository, MemoryDisk(bytes(MIB)), rule_name="other")

        assert repository.chain_points(points[0].chain) == (points[2], points[1], points[0]), "in their sequence"
        assert {point.chain for point in repository.points().points} == {points[0].chain, other.chain}
        assert repository.chain_points("no such chain") == ()


def test_deleted_point_goes_to_the_trash_and_its_children_still_restore(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        full = back_up(repository, disk)
        disk.content[5] = 99
        child = back_up(repository, disk, [Extent(5, 1)], number=1, parent=full.id)
        repository.delete_point(full.id)

        assert [point.id for point in repository.points().points] == [child.id]
        assert read_back(repository, child.id) == disk.content
        with pytest.raises(PointMissing):
            repository.open_point(full.id)
        with pytest.raises(PointMissing):
            repository.delete_point(full.id)


@pytest.mark.parametrize("name", ["../../etc/2026-01-01_00-00-00", "chain/../x", "", "a/b/c", "chain/2026-01-01"])
def test_point_ids_that_could_leave_the_repository_are_unknown(tmp_path: Path, name: str) -> None:
    with open_repository(tmp_path) as repository, pytest.raises(PointMissing):
        repository.open_point(PointId(name))


def test_kind_and_parent_are_kept(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        full = back_up(repository, MemoryDisk(CONTENT))
        child = back_up(repository, MemoryDisk(CONTENT), [], number=1, parent=full.id)

        assert (full.kind, full.parent) == (BackupKind.FULL, None)
        assert (child.kind, child.parent) == (BackupKind.INCREMENTAL, full.id)
        assert child.disks[0].root == full.disks[0].root
