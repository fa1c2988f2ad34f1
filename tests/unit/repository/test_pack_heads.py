"""The heads of records behind them in a pack: they spare reads, nothing rests on them, old packs go without."""

import random
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.ids import PointId
from app.repository import Repository
from app.repository.errors import RepositoryTooNew
from app.repository.packheads import StoredHead, split_heads
from app.repository.packs import PACK_HEADER_BYTES, TRAILER_BYTES, parse_trailer
from app.repository.store import RecordStore
from app.repository.values import KIB
from tests.support import independent_reader
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(900 * KIB)
CHUNK = 256 * KIB
N_CHUNKS = -(-len(CONTENT) // CHUNK)


def packs(folder: Path) -> list[Path]:
    return sorted((folder / "standby").glob("packs/*/*.pack"))


def versions(folder: Path) -> set[int]:
    return {pack.read_bytes()[8] for pack in packs(folder)}


def heads_of(pack: Path) -> range:
    data = pack.read_bytes()
    trailer = parse_trailer(data[-TRAILER_BYTES:], len(data))
    return range(trailer.heads_at, trailer.footer_at)


def pieces(repository: Repository, point: PointId, together: int = 1) -> bytes:
    """Read a few bytes of every chunk, so many requests at a time."""
    asked = [ReadRequest(index * CHUNK + 70_000, memoryview(bytearray(100))) for index in range(N_CHUNKS)]
    with repository.open_point(point) as reader:
        disk = reader.open_disk(2000)
        for start in range(0, N_CHUNKS, together):
            list(disk.read_many(asked[start : start + together]))
        disk.close()
    return b"".join(request.buffer for request in asked)


EXPECTED = b"".join(CONTENT[index * CHUNK + 70_000 :][:100] for index in range(N_CHUNKS))


@pytest.fixture
def heads_read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The digests whose heads were read from their records."""
    found: list[bytes] = []
    read = RecordStore.read

    def noted(store: RecordStore, digest: bytes, place: object, start: int, length: int) -> bytes:
        if not start:
            found.append(digest)
        return read(store, digest, place, start, length)  # type: ignore[arg-type]

    monkeypatch.setattr(RecordStore, "read", noted)
    return found


def test_only_the_first_head_of_a_pack_is_read_from_its_record(tmp_path: Path, heads_read: list[bytes]) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        heads_read.clear()
        assert pieces(repository, point.id) == EXPECTED
        chunks = {repository.parts.tree(point.disks[0]).digest(index) for index in range(N_CHUNKS)}
        assert len([digest for digest in heads_read if digest in chunks]) == len(packs(tmp_path)) < N_CHUNKS


def test_heads_that_cannot_be_trusted_cost_only_reads(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
    dice = random.Random(4)
    (pack,) = packs(tmp_path)
    whole, places = pack.read_bytes(), heads_of(pack)
    for round_number in range(60):
        broken = bytearray(whole)
        broken[dice.choice(places)] ^= 1 << dice.randrange(8)
        pack.write_bytes(bytes(broken))
        with open_repository(tmp_path, local=f"local-{round_number}") as repository:
            assert pieces(repository, point.id) == EXPECTED


@pytest.mark.parametrize("together", [1, N_CHUNKS])
def test_heads_that_name_the_wrong_place_cost_only_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    def lying(section: bytes, pack_id: str, first_at: int) -> tuple[dict[bytes, StoredHead], int]:
        heads, end = split_heads(section, pack_id, first_at)
        return {digest: (pack_id, at + 8, head) for digest, (_, at, head) in heads.items()}, end

    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        monkeypatch.setattr("app.repository.packfiles.split_heads", lying)
        assert pieces(repository, point.id, together) == EXPECTED


def test_heads_go_with_their_pack(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        files, tree = repository.parts.packs.files, repository.parts.tree(point.disks[0])
        with repository.open_point(point.id):
            assert pieces(repository, point.id) == EXPECTED
            heads = [head for index in range(N_CHUNKS) if (head := files.head(tree.digest(index)))]
            assert heads
            for head in heads:
                files.forget(head[0])
            assert not any(files.head(tree.digest(index)) for index in range(N_CHUNKS))
            assert pieces(repository, point.id) == EXPECTED


def test_verification_finds_changed_heads_and_repair_writes_them_anew(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        (pack,) = packs(tmp_path)
        data = bytearray(pack.read_bytes())
        data[heads_of(pack)[200]] ^= 4
        pack.write_bytes(bytes(data))
        maintenance = repository.maintenance
        report = maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
        assert report.damaged_packs == (pack.stem,)
        assert not report.points, "no byte of a point is lost"
        maintenance.repair(report.damaged_packs, cancel=CancelToken())
        assert pack not in packs(tmp_path)
        assert maintenance.verify_everything(progress=Progress(), cancel=CancelToken()).whole
        assert read_back(repository, point.id) == CONTENT
        assert pieces(repository, point.id) == EXPECTED


def test_changed_heads_do_not_hide_the_records_behind_a_damaged_one(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        (pack,) = packs(tmp_path)
        data = bytearray(pack.read_bytes())
        data[heads_of(pack)[200]] ^= 4
        data[PACK_HEADER_BYTES + 9] ^= 1
        pack.write_bytes(bytes(data))
        maintenance = repository.maintenance
        report = maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
        maintenance.repair(report.damaged_packs, cancel=CancelToken())
        with repository.open_point(point.id) as reader:
            (damage,) = reader.verify(progress=Progress(), cancel=CancelToken()).damage
        assert damage.length_bytes == CHUNK, "only what was damaged is lost"


def test_a_repository_of_an_older_program_is_written_on_as_it_is(tmp_path: Path, heads_read: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as old:
        old.setattr("app.repository.configuration.FORMAT", 1)
        with open_repository(tmp_path) as repository:
            first = back_up(repository, MemoryDisk(CONTENT))
    settings = tmp_path / "standby" / "repository.json"
    before = settings.read_bytes()
    disk = MemoryDisk(random_bytes(len(CONTENT), 7)[: 2 * CHUNK] + CONTENT[2 * CHUNK :])
    with open_repository(tmp_path) as repository:
        second = back_up(repository, disk, number=1)
        heads_read.clear()
        assert pieces(repository, first.id) == EXPECTED
        assert len(heads_read) >= N_CHUNKS, "every head comes from its record"
        repository.delete_point(first.id)
        assert collect_garbage(repository).rewritten_packs
        assert read_back(repository, second.id) == bytes(disk.content)
        assert repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken()).whole
    assert versions(tmp_path) == {1}
    assert settings.read_bytes() == before
    independent_reader.open_repository(tmp_path / "standby").restore(second.id, 2000, tmp_path / "disk.raw")
    assert (tmp_path / "disk.raw").read_bytes() == bytes(disk.content)


def test_a_program_of_the_old_format_refuses_politely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT))
    assert versions(tmp_path) == {2}
    monkeypatch.setattr("app.repository.configuration.FORMAT", 1)
    with pytest.raises(RepositoryTooNew, match="format 2"):
        open_repository(tmp_path)
