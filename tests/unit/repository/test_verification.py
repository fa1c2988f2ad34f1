"""Verification of everything, repair, and healing by the next backup."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import TaskCancelled
from app.domain.extents import Extent, total_bytes
from app.repository import Damage, DamageKind, Repository, RepositoryReport
from app.repository.errors import DataDamaged, RepositoryBusy, RepositoryDamaged
from app.repository.values import KIB, MIB
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    damage_record,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
    text_bytes,
)

CONTENT = random_bytes(900 * KIB, 1) + text_bytes(700 * KIB) + random_bytes(MIB, 2)


def verify(repository: Repository, **limits: object) -> RepositoryReport:
    return repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken(), **limits)  # type: ignore[arg-type]


def chunk_digest(repository: Repository, index: int) -> bytes:
    (*_, point) = repository.points().points
    return repository.parts.tree(point.disks[0]).digest(index)


def test_a_whole_repository_is_found_whole(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        first = back_up(repository, MemoryDisk(CONTENT))
        back_up(repository, MemoryDisk(CONTENT), [], number=1, parent=first.id)
        progress = Progress()
        report = repository.maintenance.verify_everything(progress=progress, cancel=CancelToken())

        assert report.whole
        assert report.resume_after is None
        packs = list((tmp_path / "standby").glob("packs/*/*.pack"))
        assert report.checked_packs == len(packs)
        assert report.checked_bytes == sum(pack.stat().st_size for pack in packs)
        assert progress.sample().done_bytes == progress.sample().total_bytes == report.checked_bytes


def test_verification_can_stop_after_any_pack_and_go_on(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(6 * MIB)))
        damage_record(tmp_path, repository, chunk_digest(repository, 20))
        reports = [verify(repository, time_limit_s=0)]
        while reports[-1].resume_after is not None:
            reports.append(verify(repository, time_limit_s=0, resume_after=reports[-1].resume_after))

        assert len(reports) > 1
        assert sum(report.checked_packs for report in reports) == len(list((tmp_path / "standby").rglob("*.pack")))
        assert [damage.kind for report in reports for damage in report.damage] == [DamageKind.PACK]
        assert reports[-1].points[0].point == point.id


def test_verification_can_be_cancelled(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
        with pytest.raises(TaskCancelled):
            repository.maintenance.verify_everything(progress=Progress(), cancel=token)


@dataclass(frozen=True)
class Flip:
    """A byte of a kind of file, and how the damage must be named."""

    pattern: str
    at: int
    named: str


_FLIPS = [
    *(Flip("packs/*/*.pack", at, "pack {stem}") for at in (0, 9, 20, 40, 50, 61)),  # header
    *(Flip("packs/*/*.pack", 64 + at, "pack {stem}") for at in (0, 4, 6, 8, 12, 16, 30, 52, 61)),  # record header
    *(Flip("packs/*/*.pack", 128 + at, "pack {stem}") for at in (0, 20, 100, 147)),  # frame table
    *(Flip("packs/*/*.pack", at, "pack {stem}") for at in (400, 70_000)),  # frames
    *(Flip("packs/*/*.pack", at, "pack {stem}") for at in (-64 - 48, -64 - 10, -64 - 2)),  # footer
    *(Flip("packs/*/*.pack", at, "pack {stem}") for at in (-64, -50, -45, -30, -6, -1)),  # trailer
    *(Flip("points/*/*/point.json", at, "point.json") for at in (0, 20, 80, 120, -3, -1)),
    *(Flip("points/*/*/files/config.json", at, "files/config.json") for at in (0, -1)),
    *(Flip("points/*/*/changes/2000.json", at, "changes/2000.json") for at in (0, 40, -5)),
    *(Flip("locks/*.lease", at, "locks/{name}") for at in (5, 50, 150, -3)),
]


@pytest.mark.parametrize("flip", _FLIPS, ids=lambda flip: f"{flip.pattern.rpartition('/')[2]} at {flip.at}")
def test_a_flipped_bit_of_any_file_is_named(tmp_path: Path, flip: Flip) -> None:
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            writer.add_file("config.json", b'{"name": "web-01"}')
            writer.save_changed_extents(2000, [Extent(0, MIB)], None)
            writer.write_disk(
                disk_draft(len(CONTENT)),
                MemoryDisk(CONTENT),
                [Extent(0, len(CONTENT))],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
            point = writer.commit()
        with repository.open_point(point.id):  # so that there is a lease
            path = min((tmp_path / "standby").glob(flip.pattern))
            whole = path.read_bytes()
            broken = bytearray(whole)
            broken[flip.at] ^= 1 << random.Random(flip.at).randrange(8)
            path.write_bytes(broken)
            report = verify(repository)
            path.write_bytes(whole)

    found = [*report.damage, *(damage for point in report.points for damage in point.damage)]
    assert not report.whole
    assert any(flip.named.format(stem=path.stem, name=path.name) in str(damage.what) for damage in found), found


def test_flipped_bits_of_the_settings_are_named_at_opening(tmp_path: Path) -> None:
    with open_repository(tmp_path):
        pass
    path = tmp_path / "standby" / "repository.json"
    whole = path.read_bytes()
    for at in (0, 20, 100, -2):
        broken = bytearray(whole)
        broken[at] ^= 4
        path.write_bytes(broken)
        with pytest.raises(RepositoryDamaged, match=r"repository\.json"):
            open_repository(tmp_path)


def test_an_index_page_that_is_lost_names_all_bytes_below_it(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        damage_record(tmp_path, repository, bytes.fromhex(point.disks[0].root))
        (hit,) = verify(repository).points
        assert [(damage.kind, damage.start, damage.length_bytes) for damage in hit.damage] == [
            (DamageKind.PAGE, 0, len(CONTENT))
        ]


def test_damage_of_a_shared_chunk_hits_every_point_that_has_it(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[:10] = b"0123456789"
        second = back_up(repository, disk, [Extent(0, 10)], number=1, parent=first.id)
        other = back_up(repository, MemoryDisk(random_bytes(MIB, 44)), rule_name="other")
        damage_record(tmp_path, repository, chunk_digest(repository, 2))
        report = verify(repository)

        assert {point.point for point in report.points} == {first.id, second.id}
        assert other.id not in {point.point for point in report.points}
        for point in report.points:
            assert [(damage.start, damage.length_bytes) for damage in point.damage] == [(512 * KIB, 256 * KIB)]


def test_a_chain_is_verified_with_shared_chunks_read_once(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[:10] = b"0123456789"
        second = back_up(repository, disk, [Extent(0, 10)], number=1, parent=first.id)
        reports = repository.maintenance.verify_chain(first.chain, progress=Progress(), cancel=CancelToken())

        assert set(reports) == {first.id, second.id}
        assert all(report.whole for report in reports.values())
        assert sum(report.checked_bytes for report in reports.values()) < len(CONTENT) + 600 * KIB


def test_the_next_incremental_heals_old_points_from_the_source(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        pack = damage_record(tmp_path, repository, chunk_digest(repository, 3))
        report = verify(repository)
        repair = repository.maintenance.repair(report.damaged_packs, cancel=CancelToken())

        assert repair.set_aside == (pack.stem,)
        assert not pack.exists()
        assert (tmp_path / "standby" / "damaged" / pack.name).exists()
    with open_repository(tmp_path, local="another machine") as repository:
        lost = repository.lost_extents(first.id, 2000)
        assert lost == [Extent(768 * KIB, 256 * KIB)]

        second = back_up(repository, disk, lost, number=1, parent=first.id)

        assert second.disks[0].read_bytes == 256 * KIB
        assert read_back(repository, first.id) == CONTENT
        assert read_back(repository, second.id) == CONTENT
        assert verify(repository).whole
        assert repository.lost_extents(first.id, 2000) == []


def test_what_cannot_be_healed_is_reported_and_the_rest_is_restored(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        damage_record(tmp_path, repository, chunk_digest(repository, 1))
        damage_record(tmp_path, repository, chunk_digest(repository, 5))
        target = MemoryDisk(bytes(len(CONTENT)))
        lost: list[Damage] = []
        with repository.open_point(point.id) as reader:
            with pytest.raises(DataDamaged):
                reader.copy_disk(2000, target, write_zeros=False, progress=Progress(), cancel=CancelToken())
            progress = Progress()
            reader.copy_disk(
                2000, target, write_zeros=False, progress=progress, cancel=CancelToken(), on_damage=lost.append
            )
        extents = [Extent(damage.start, damage.length_bytes) for damage in lost]
        assert extents == [Extent(256 * KIB, 256 * KIB), Extent(1280 * KIB, 256 * KIB)]
        expected = bytearray(CONTENT)
        for extent in extents:
            expected[extent.start : extent.end] = bytes(extent.length_bytes)
        assert target.content == expected
        assert progress.sample().done_bytes == len(CONTENT)
        assert total_bytes(extents) == 512 * KIB


def test_a_second_copy_takes_the_place_of_a_damaged_record(tmp_path: Path) -> None:
    content = random_bytes(500 * KIB)
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="elsewhere") as there:
        with here.begin_point(point_draft()) as first, there.begin_point(point_draft(1)) as second:
            for writer in (first, second):  # neither has sealed its packs when the other begins
                writer.write_disk(
                    disk_draft(len(content)),
                    MemoryDisk(content),
                    [Extent(0, len(content))],
                    parent=None,
                    progress=Progress(),
                    cancel=CancelToken(),
                )
            point = first.commit()
            second.commit()
        damage_record(tmp_path, here, chunk_digest(here, 0))
        report = verify(here)
        assert len(report.damaged_packs) == 1
        assert report.points == ()
        assert read_back(here, point.id) == content


def test_a_damaged_footer_costs_nothing_but_the_footer(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        for pack in (tmp_path / "standby").glob("packs/*/*.pack"):
            broken = bytearray(pack.read_bytes())
            broken[-70] ^= 1
            pack.write_bytes(broken)
    with open_repository(tmp_path, local="another machine") as repository:
        report = verify(repository)
        assert report.points == ()
        assert len(report.damaged_packs) == len(list((tmp_path / "standby").glob("packs/*/*.pack")))
        repair = repository.maintenance.repair(report.damaged_packs, cancel=CancelToken())
        assert len(repair.set_aside) == len(report.damaged_packs)
        assert verify(repository).whole
        assert read_back(repository, point.id) == CONTENT


def test_repair_waits_until_no_one_uses_the_repository(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        with repository.open_point(point.id), pytest.raises(RepositoryBusy):
            repository.maintenance.repair(["0" * 32], cancel=CancelToken(), wait_s=0)
        assert repository.maintenance.repair(["0" * 32], cancel=CancelToken()).set_aside == ()
