"""Damaged things are noticed, named, and never deleted; what is whole stays usable."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.domain.messages import details_of
from app.repository import DamageKind, Repository, RepositorySettings, VerifyReport
from app.repository.documents import encode_document
from app.repository.errors import (
    DataDamaged,
    PointDamaged,
    RepositoryDamaged,
    RepositoryExists,
    RepositoryMissing,
    RepositoryTooNew,
)
from app.repository.packs import TRAILER_BYTES, parse_trailer
from app.repository.values import KIB, MIB
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
    read_range,
)

CONTENT = random_bytes(900 * KIB)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def only_pack(folder: Path) -> Path:
    (pack,) = (folder / "standby").glob("packs/*/*.pack")
    return pack


def verify(repository: Repository, point: PointId) -> VerifyReport:
    with repository.open_point(point) as reader:
        return reader.verify(progress=Progress(), cancel=CancelToken())


def test_a_damaged_chunk_is_named_with_the_bytes_it_takes(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    pack = only_pack(tmp_path)
    flip(pack, 64 + 5000)
    with open_repository(tmp_path) as repository:
        with pytest.raises(DataDamaged, match=pack.stem):
            read_back(repository, point.id)
        (damage,) = verify(repository, point.id).damage
        assert damage.kind is DamageKind.CHUNK
        assert str(damage.what) == f"the pack {pack.stem}"
        assert (damage.disk_key, damage.length_bytes) == (2000, 256 * KIB)
        with pytest.raises(DataDamaged, match="Hard disk 1"):
            read_range(repository, point.id, damage.start, 10)
        elsewhere = (damage.start + 256 * KIB) % (512 * KIB)
        assert read_range(repository, point.id, elsewhere, 100) == CONTENT[elsewhere : elsewhere + 100]
    assert pack.exists()


def test_any_flipped_byte_of_a_pack_is_noticed_or_harmless(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    pack = only_pack(tmp_path)
    whole = pack.read_bytes()
    records_end = parse_trailer(whole[-TRAILER_BYTES:], len(whole)).heads_at
    dice = random.Random(1)
    places = [
        *range(64),
        *range(records_end - 60, len(whole), 37),
        *(dice.randrange(len(whole)) for _ in range(40)),
    ]
    for place in places:
        flip(pack, place)
        with open_repository(tmp_path, local=f"local-{place}") as repository:
            report = verify(repository, point.id)
            in_records = 64 <= place < records_end
            assert report.whole is not in_records, place
            assert in_records or read_back(repository, point.id) == CONTENT
        pack.write_bytes(whole)


def test_an_incremental_against_a_damaged_parent_says_so(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, disk)
        only_pack(tmp_path).unlink()
        with pytest.raises(DataDamaged, match=r"parent .*09-00-00"):
            back_up(repository, disk, [Extent(5, 10)], number=1, parent=point.id)
        assert back_up(repository, disk, number=1).read_bytes == len(CONTENT), "a full backup always works"


def test_a_missing_pack_is_distinguished_from_a_missing_standby(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        only_pack(tmp_path).unlink()
        report = verify(repository, point.id)
        assert {damage.kind for damage in report.damage} == {DamageKind.PAGE}
        assert sum(damage.length_bytes for damage in report.damage) == len(CONTENT)
        with pytest.raises(DataDamaged):
            read_back(repository, point.id)


def test_a_torn_pack_gives_what_is_left_of_it(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    pack = only_pack(tmp_path)
    with pack.open("r+b") as file:
        file.truncate(64 + 600 * KIB)
    with open_repository(tmp_path, local="fresh") as repository:
        report = verify(repository, point.id)
        assert {damage.kind for damage in report.damage} == {DamageKind.PAGE}, "the index came last"
        again = back_up(repository, MemoryDisk(CONTENT), number=1)
        assert 0 < again.stored_bytes < 600 * KIB, "the chunks that are left are used again"
        assert read_back(repository, again.id) == CONTENT
        assert verify(repository, point.id).whole, "and the new pack healed the old point"
    assert pack.exists()


@pytest.mark.parametrize("at", [0, 5, 20, 95, -3, -1])
def test_a_damaged_point_is_shown_as_damaged_and_the_others_stay(tmp_path: Path, at: int) -> None:
    with open_repository(tmp_path) as repository:
        first = back_up(repository, MemoryDisk(CONTENT))
        second = back_up(repository, MemoryDisk(CONTENT), number=1)
        description = tmp_path / "standby" / "points" / first.id / "point.json"
        flip(description, at % description.stat().st_size)

        listing = repository.points()
        assert [point.id for point in listing.points] == [second.id]
        assert [damaged.id for damaged in listing.damaged] == [first.id]
        with pytest.raises(PointDamaged, match="2026"):
            repository.open_point(first.id)
    assert description.exists()


def test_a_point_under_another_points_name_is_not_believed(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        directory = tmp_path / "standby" / "points" / point.id
        directory.rename(directory.with_name("2030-01-01_00-00-00"))
        assert repository.points().points == ()
        assert "another point" in str(repository.points().damaged[0].detail)


def test_a_directory_without_a_description_is_named(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        (tmp_path / "standby" / "points" / point.id / "point.json").unlink()
        assert str(repository.points().damaged[0].detail) == "it has no point.json"
        repository.delete_point(point.id)
        assert repository.points().damaged == ()


def test_a_changed_configuration_file_is_noticed(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            writer.add_file("config.json", b"{}")
            writer.save_changed_extents(2000, [Extent(0, 5)], None)
            point = writer.commit()
        directory = tmp_path / "standby" / "points" / point.id
        (directory / "files" / "config.json").write_bytes(b"[]")
        (directory / "changes" / "2000.json").unlink()

        assert [damage.what for damage in verify(repository, point.id).damage] == [
            "files/config.json",
            "changes/2000.json",
        ]
        with repository.open_point(point.id) as reader, pytest.raises(PointDamaged, match=r"config\.json"):
            reader.file("config.json")


def hostile_point(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Write a point whose checksum is right and whose content is not."""
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        path = tmp_path / "standby" / "points" / point.id / "point.json"
        body: dict[str, Any] = msgspec.json.decode(path.read_bytes())["document"]
        change(body)
        path.write_bytes(encode_document(body))
        (damaged,) = repository.points().damaged
        return f"{damaged.detail} {details_of([('detail', damaged.detail)])}"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda body: body["disks"][0].update(capacity_bytes=-1), "capacity"),
        (lambda body: body["disks"][0].update(capacity_bytes=1 << 80), "unexpected|capacity|out of range"),
        (lambda body: body["disks"][0].update(root="zz" * 32), "hexadecimal"),
        (lambda body: body["disks"][0].update(root="00"), "digest"),
        (lambda body: body.update(disks=body["disks"] * 2), "disks"),
        (lambda body: body.update(kind="sideways"), "sideways"),
        (lambda body: body.update(format=2), "newer"),
        (lambda body: body.update(format="x"), "format"),
        (lambda body: body.update(created_at="2026-01-01T00:00:00"), "zone"),
        (lambda body: body.update(files=[{"name": "../x", "size_bytes": 1, "digest": "0"}]), "unsafe"),
        (lambda body: body.pop("disks"), "disks"),
    ],
)
def test_a_hostile_description_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], detail: str
) -> None:
    assert re.search(detail, hostile_point(tmp_path, change))


def test_opening_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(RepositoryMissing):
        Repository.open(tmp_path / "nowhere", local_dir=tmp_path / "local", clock=SystemClock())
    with open_repository(tmp_path):
        pass
    with pytest.raises(RepositoryExists):
        Repository.create(tmp_path / "standby", local_dir=tmp_path / "local", clock=SystemClock())
    settings = tmp_path / "standby" / "repository.json"
    whole = settings.read_bytes()
    for at in range(0, len(whole), 9):
        flip(settings, at)
        with pytest.raises(RepositoryDamaged):
            open_repository(tmp_path)
        settings.write_bytes(whole)
    settings.write_bytes(encode_document({"format": 3, "something": "new"}))
    with pytest.raises(RepositoryTooNew, match="format 3"):
        open_repository(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_bytes": 3 * MIB},
        {"chunk_bytes": 64 * KIB},
        {"frame_bytes": 2 * MIB},
        {"pack_bytes": 5},
        {"compression_level": 0},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RepositorySettings(**wrong)


def test_settings_are_kept(tmp_path: Path) -> None:
    with open_repository(tmp_path, SMALL) as repository:
        assert repository.chunk_bytes == 256 * KIB
    with open_repository(tmp_path, RepositorySettings()) as repository:
        assert repository.chunk_bytes == 256 * KIB
        free_bytes = repository.free_bytes()
        assert free_bytes is not None
        assert free_bytes > 0
