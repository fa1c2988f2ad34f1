"""Links that someone put into a repository: nothing behind them is read, written, moved or deleted."""

import os
import random
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.domain.messages import details_of
from app.domain.restore_point import RestorePoint
from app.repository import Repository, RepositoryReport
from app.repository.errors import GarbageCollectionUnsafe, LinkRefused, PointDamaged, RepositoryBusy
from app.repository.files import is_link
from app.repository.layout import Layout
from app.repository.leases import LeaseKind, Leases
from app.repository.values import MIB
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)

CONTENT = random_bytes(3 * MIB)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")


def displace(place: Path, outside: Path) -> Path:
    """Move something out of the repository and leave a link to it in its place."""
    outside.mkdir(exist_ok=True)
    moved = outside / f"{len(list(outside.iterdir()))}-{place.name}"
    place.rename(moved)
    place.symlink_to(moved)
    return moved


def picture(folder: Path) -> dict[str, bytes | None]:
    """Return all that is below a directory, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def verify(repository: Repository) -> RepositoryReport:
    return repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())


def backed_up(folder: Path) -> RestorePoint:
    with open_repository(folder) as repository:
        return back_up(repository, MemoryDisk(CONTENT))


def first_shard(folder: Path) -> Path:
    return min((folder / "standby" / "packs").iterdir())


@pytest.mark.parametrize("name", ["packs", "points", "staging", "locks", "keys", "trash", "damaged"])
def test_a_repository_with_a_link_for_a_directory_is_not_opened(tmp_path: Path, name: str) -> None:
    backed_up(tmp_path)
    displace(tmp_path / "standby" / name, tmp_path / "outside")
    before = picture(tmp_path / "outside")
    with pytest.raises(LinkRefused) as refused:
        open_repository(tmp_path)
    assert refused.value.params["path"] == str(tmp_path / "standby" / name)
    assert picture(tmp_path / "outside") == before


@pytest.mark.parametrize("name", ["packs", "points", "locks", "trash"])
def test_a_link_that_comes_while_the_repository_is_open_is_refused_too(tmp_path: Path, name: str) -> None:
    point = backed_up(tmp_path)
    with open_repository(tmp_path) as repository:
        displace(tmp_path / "standby" / name, tmp_path / "outside")
        before = picture(tmp_path / "outside")
        doings: list[Callable[[], object]] = [
            lambda: back_up(repository, MemoryDisk(random_bytes(MIB, 9)), number=1),
            lambda: repository.delete_point(point.id),
            lambda: collect_garbage(repository),
            lambda: verify(repository),
        ]
        for do in doings:
            with pytest.raises(LinkRefused):
                do()
        assert picture(tmp_path / "outside") == before


def test_a_root_that_is_a_link_is_fine(tmp_path: Path) -> None:
    backed_up(tmp_path)
    displace(tmp_path / "standby", tmp_path / "disk")
    with open_repository(tmp_path) as repository:
        (point,) = repository.points().points
        assert read_back(repository, point.id) == CONTENT
        back_up(repository, MemoryDisk(CONTENT), number=1)
        collect_garbage(repository)


def test_packs_behind_a_link_are_not_read_and_verification_names_the_link(tmp_path: Path) -> None:
    point = backed_up(tmp_path)
    shard = first_shard(tmp_path)
    displace(shard, tmp_path / "outside")
    before = picture(tmp_path / "outside")
    with open_repository(tmp_path) as repository:
        report = verify(repository)
        links = [damage for damage in report.damage if damage.what == f"packs/{shard.name}"]
        assert [str(link.detail) for link in links] == ["a link is in its place; nothing behind it was read"]
        assert [point.point for point in report.points] == [point.id], "and says what is hit"
        with pytest.raises(OperationalError):
            read_back(repository, point.id)
        with pytest.raises(LinkRefused):
            collect_garbage(repository)
        with suppress(LinkRefused):  # the names of packs are random: one in 256 would go there
            assert back_up(repository, MemoryDisk(CONTENT), number=1).stored_bytes > 0
    assert picture(tmp_path / "outside") == before


def test_a_pack_is_never_sealed_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with open_repository(tmp_path) as repository:
        for number in range(256):
            (tmp_path / "standby" / "packs" / f"{number:02x}").symlink_to(outside)
        with pytest.raises(LinkRefused):
            back_up(repository, MemoryDisk(CONTENT))
        assert list(outside.iterdir()) == []
        assert repository.points().points == ()


def test_a_pack_that_is_a_link_is_damage(tmp_path: Path) -> None:
    point = backed_up(tmp_path)
    pack = min(first_shard(tmp_path).iterdir())
    displace(pack, tmp_path / "outside")
    before = picture(tmp_path / "outside")
    with open_repository(tmp_path, local="fresh") as repository:
        report = verify(repository)
        assert pack.stem in report.damaged_packs
        assert [point.point for point in report.points] == [point.id]
        repository.maintenance.repair(report.damaged_packs, cancel=CancelToken())
        assert is_link(tmp_path / "standby" / "damaged" / pack.name), "the link is set aside, not what it shows"
    assert picture(tmp_path / "outside") == before


@pytest.mark.parametrize("deep", [0, 1])
def test_a_chain_or_point_that_is_a_link_is_a_damaged_point(tmp_path: Path, deep: int) -> None:
    point = backed_up(tmp_path)
    place = Layout(tmp_path / "standby").point(point.id)
    displace((place.parent, place)[deep], tmp_path / "outside")
    before = picture(tmp_path / "outside")
    with open_repository(tmp_path) as repository:
        listing = repository.points()
        assert listing.points == ()
        (damaged,) = listing.damaged
        assert "a link is in its place" in str(damaged.detail)
        with pytest.raises(PointDamaged, match="a link"):
            repository.open_point(point.id)
        with pytest.raises(GarbageCollectionUnsafe, match="a link"):
            collect_garbage(repository)
        if deep == 0:
            with pytest.raises(LinkRefused):
                repository.delete_point(point.id)
            with pytest.raises(LinkRefused):
                back_up(repository, MemoryDisk(CONTENT), number=1)
        else:
            repository.delete_point(point.id)
            assert repository.deleted_points()[0].point is None
            collect_garbage(repository)
            assert not is_link(place)
    assert picture(tmp_path / "outside") == before, "the link went, not what it shows"


@pytest.mark.parametrize("name", ["point.json", "files", "files/vm.vmx", "changes"])
def test_a_points_file_that_is_a_link_is_damage(tmp_path: Path, name: str) -> None:
    with open_repository(tmp_path) as repository, repository.begin_point(point_draft()) as writer:
        writer.add_file("vm.vmx", b"memsize = 4096")
        writer.save_changed_extents(2000, [Extent(0, MIB)], "52 de/1")
        point = writer.commit()
    displace(Layout(tmp_path / "standby").point(point.id) / name, tmp_path / "outside")
    with open_repository(tmp_path) as repository:
        report = verify(repository)
        text = " ".join(f"{damage.what} {damage.detail}" for damage in report.damage)
        text += " ".join(f"{damage.what} {damage.detail}" for hit in report.points for damage in hit.damage)
        assert re.search("a link is in its place", text), text


def test_the_trash_follows_no_link(tmp_path: Path) -> None:
    point = backed_up(tmp_path)
    with open_repository(tmp_path) as repository:
        repository.delete_point(point.id)
        chain = tmp_path / "standby" / "trash" / point.chain
        displace(chain, tmp_path / "outside")
        before = picture(tmp_path / "outside")
        with pytest.raises(LinkRefused):
            collect_garbage(repository)
        again = back_up(repository, MemoryDisk(CONTENT), number=1)
        with pytest.raises(LinkRefused):
            repository.delete_point(again.id)
        assert repository.chain_points(point.chain) == (again,)
    assert picture(tmp_path / "outside") == before


def test_staging_that_a_dead_process_seems_to_have_left_is_no_way_out(tmp_path: Path) -> None:
    point = backed_up(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    packed = min(first_shard(tmp_path).iterdir())
    (outside / packed.name).write_bytes(packed.read_bytes()[:-100])
    staging = tmp_path / "standby" / "staging"
    (staging / "aaaa").symlink_to(outside)
    (staging / "bbbb").mkdir()
    (staging / "bbbb" / "deeper").symlink_to(outside)
    (staging / "bbbb" / f"{'c' * 32}.pack").symlink_to(outside / packed.name)
    before = picture(outside)
    with open_repository(tmp_path) as repository:
        back_up(repository, MemoryDisk(CONTENT), number=1)
        assert read_back(repository, point.id) == CONTENT
        collect_garbage(repository)
    assert picture(outside) == before
    assert list(staging.iterdir()) == []


def test_a_sign_of_life_is_never_written_through_a_link(tmp_path: Path) -> None:
    backed_up(tmp_path)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious" * 200)
    leases = Leases(Layout(tmp_path / "standby"), SystemClock())
    lease = leases.acquire(LeaseKind.SHARED, "test")
    try:
        lease.path.unlink()
        lease.path.symlink_to(victim)
        lease.beat()
    finally:
        lease.release()
    assert victim.read_bytes() == b"precious" * 200


def test_settings_are_never_replaced_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "standby").mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    link = tmp_path / "standby" / "repository.json.new"
    link.symlink_to(victim)
    backed_up(tmp_path)
    assert victim.read_bytes() == b"precious"
    assert link.is_symlink(), "it is somebody else's"


def test_a_lease_or_key_that_is_a_link_or_no_file_is_named_and_blocks_nothing(tmp_path: Path) -> None:
    backed_up(tmp_path)
    locks, keys = tmp_path / "standby" / "locks", tmp_path / "standby" / "keys"
    (tmp_path / "outside").write_bytes(b"{}")
    (keys / "passphrase-1.json").symlink_to(tmp_path / "outside")
    os.mkfifo(keys / "passphrase-2.json")
    with open_repository(tmp_path) as repository:
        (locks / "bbbb.lease").symlink_to(tmp_path / "outside")
        report = verify_concurrently(repository, locks / "bbbb.lease")
    named = {damage.what: damage.detail for damage in report.damage}
    assert "link" in details_of([("it", named["keys/passphrase-1.json"])])
    assert "not a file" in details_of([("it", named["keys/passphrase-2.json"])])


def verify_concurrently(repository: Repository, lease: Path) -> RepositoryReport:
    """Verify once a strange lease, which counts as exclusive, is away."""
    with pytest.raises(RepositoryBusy):
        collect_garbage(repository)
    lease.unlink()
    return verify(repository)


def test_a_pipe_in_the_place_of_a_pack_blocks_nothing(tmp_path: Path) -> None:
    point = backed_up(tmp_path)
    pack = random.Random(1).choice(sorted((tmp_path / "standby" / "packs").rglob("*.pack")))
    pack.unlink()
    os.mkfifo(pack)
    with open_repository(tmp_path, local="fresh") as repository:
        report = verify(repository)
        assert pack.stem in report.damaged_packs
        assert [point.point for point in report.points] == [point.id]


def test_a_stamp_that_could_be_a_link_is_not_taken_for_a_free_name(tmp_path: Path) -> None:
    point = backed_up(tmp_path)
    place = Layout(tmp_path / "standby").point(point.id)
    taken = place.with_name("2026-01-01_00-00-00")
    taken.symlink_to(tmp_path / "nowhere")
    with open_repository(tmp_path) as repository:
        damaged = {point.id for point in repository.points().damaged}
        assert damaged == {PointId(f"{point.chain}/{taken.name}")}
        assert datetime(2026, 1, 1, tzinfo=UTC) not in {point.created_at for point in repository.points().points}
