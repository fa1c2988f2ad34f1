"""What a newer program wrote is left alone: it is never called damaged, never moved and never deleted."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.repository import Repository
from app.repository.documents import document_body, encode_document
from app.repository.errors import (
    GarbageCollectionUnsafe,
    PointDamaged,
    PointTooNew,
    RepositoryTooNew,
    WrittenByNewer,
)
from app.repository.packs import PACK_HEADER_BYTES
from app.repository.scrub import RepositoryReport
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(3_000_000)


def newer_document(path: Path) -> None:
    body = json.loads(document_body(path.read_bytes()))
    path.write_bytes(encode_document(body | {"format": 3, "something_new": [1, 2]}))


def newer_pack(path: Path) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, 8, 3)
    head = bytes(data[: PACK_HEADER_BYTES - 4])
    data[PACK_HEADER_BYTES - 4 : PACK_HEADER_BYTES] = struct.pack("<I", zlib.crc32(head))
    path.write_bytes(bytes(data))


def picture(root: Path) -> dict[str, str]:
    """Return all files but leases of now, with digests of their contents."""
    return {
        str(path.relative_to(root)): blake3(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.name != "space.reserve"
    }


def verify(repository: Repository) -> RepositoryReport:
    return repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())


def a_pack(root: Path) -> None:
    newer_pack(min((root / "packs").rglob("*.pack")))


def a_point(root: Path) -> None:
    newer_document(min((root / "points").rglob("point.json")))


def a_deleted_point(root: Path) -> None:
    newer_document(min((root / "trash").rglob("point.json")))


def a_lease(root: Path) -> None:
    lease = {"id": "e" * 32, "kind": "shared", "beat": "1", "host": "elsewhere"}
    (root / "locks" / f"{'e' * 32}.lease").write_bytes(encode_document(lease | {"format": 2}))


@pytest.mark.parametrize("make", [a_pack, a_point, a_deleted_point, a_lease])
def test_what_is_newer_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "standby"
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
        gone = back_up(repository, MemoryDisk(random_bytes(500_000, seed=3)), number=1)
        repository.delete_point(gone.id)
    make(root)
    before = picture(root)
    monkeypatch.setattr("app.repository.leases.EXPIRY_S", 0.0)
    with open_repository(tmp_path) as repository:
        report = verify(repository)
        assert report.damage == ()
        assert report.damaged_packs == ()
        assert report.points == ()
        packs = [path.stem for path in (root / "packs").rglob("*.pack")]
        assert repository.maintenance.repair(packs, cancel=CancelToken()).set_aside == ()
        with pytest.raises(WrittenByNewer) as refused:
            collect_garbage(repository)
        assert isinstance(refused.value, GarbageCollectionUnsafe)
        assert "newer program" in refused.value.message
        assert list((root / "damaged").iterdir()) == []
    assert picture(root) == before


def test_a_newer_point_is_distinguished_from_a_damaged_one(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        other = back_up(repository, MemoryDisk(CONTENT), number=1)
        newer_document(tmp_path / "standby" / "points" / point.id / "point.json")
        listing = repository.points()
        assert [point.id for point in listing.points] == [other.id]
        assert [(point.id, point.newer) for point in listing.damaged] == [(point.id, True)]
        with pytest.raises(PointTooNew) as refused:
            repository.open_point(point.id)
        assert isinstance(refused.value, PointDamaged)
        assert "damaged" not in refused.value.message
        assert read_back(repository, other.id) == CONTENT


def test_what_is_in_a_newer_pack_is_not_called_lost(tmp_path: Path) -> None:
    root = tmp_path / "standby"
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    for path in (root / "packs").rglob("*.pack"):
        newer_pack(path)
    with open_repository(tmp_path, local="fresh") as repository:
        with pytest.raises(WrittenByNewer):
            read_back(repository, point.id)
        with pytest.raises(WrittenByNewer), repository.open_point(point.id) as reader:
            reader.verify(progress=Progress(), cancel=CancelToken())
        report = verify(repository)
        assert report.points == ()
        assert len(report.newer) == len(list((root / "packs").rglob("*.pack")))


def test_a_newer_writers_staging_is_not_deleted(tmp_path: Path) -> None:
    root = tmp_path / "standby"
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
        packed = min((root / "packs").rglob("*.pack"))
        left = root / "staging" / ("d" * 32) / packed.name
        left.parent.mkdir()
        left.write_bytes(packed.read_bytes())
        newer_pack(left)
        content = left.read_bytes()
        back_up(repository, MemoryDisk(CONTENT), number=1)
        collect_garbage(repository)
        assert left.read_bytes() == content


def test_a_repository_that_became_newer_while_open_keeps_its_garbage(tmp_path: Path) -> None:
    root = tmp_path / "standby"
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        repository.delete_point(point.id)
        newer_document(root / "repository.json")
        before = picture(root)
        with pytest.raises(RepositoryTooNew):
            collect_garbage(repository)
        assert verify(repository).damage == ()
        assert picture(root) == before
    with pytest.raises(RepositoryTooNew):
        open_repository(tmp_path)


def test_a_version_that_was_never_written_is_damage(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
        pack = min((tmp_path / "standby" / "packs").rglob("*.pack"))
        data = bytearray(pack.read_bytes())
        data[8:10] = b"\3\0"  # without the checksum that belongs to it
        pack.write_bytes(bytes(data))
        assert verify(repository).damaged_packs == (pack.stem,)


def test_a_newer_key_file_is_no_damage_and_stops_garbage_collection(tmp_path: Path) -> None:
    root = tmp_path / "standby"
    passphrase = "correct horse battery"
    with Repository.create(
        root, SMALL, local_dir=tmp_path / "local", clock=SystemClock(), passphrase=passphrase
    ) as repository:
        back_up(repository, MemoryDisk(CONTENT))
        newer_document(next((root / "keys").glob("*.json")))
        before = picture(root)
        assert verify(repository).damage == ()
        with pytest.raises(WrittenByNewer):
            collect_garbage(repository)
        assert picture(root) == before
