"""The format's description is good enough: a reader written from it restores what the product restores."""

import ast
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.repository import Passphrase, PinPurpose, Repository, RepositorySettings
from app.repository.values import KIB, MIB
from tests.support import independent_reader
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
    text_bytes,
)

ROOT = Path(__file__).parents[3]


def test_the_independent_reader_uses_no_code_of_the_product() -> None:
    source = Path(independent_reader.__file__).read_text()
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert "app" not in imported
    assert len(source.splitlines()) < 260


def story(repository: Repository, hole_bytes: int) -> list[tuple[str, bytes]]:
    """Back a changing disk up three times, and return each point with what the disk was."""
    disk = MemoryDisk(random_bytes(MIB + 3 * KIB) + bytes(2 * MIB) + text_bytes(MIB) + b"\1")
    used = Extent(0, len(disk.content))
    disk.content += bytes(hole_bytes) + b"\7"
    points = [back_up(repository, disk, [used, Extent(len(disk.content) - 1, 1)])]
    contents = [bytes(disk.content)]
    for number, change in enumerate([Extent(5000, 70_000), Extent(3 * MIB - 10, 20)], 1):
        disk.content[change.start : change.end] = random_bytes(change.length_bytes, number)
        points.append(back_up(repository, disk, [change], number=number, parent=points[-1].id))
        contents.append(bytes(disk.content))
    return [(point.id, content) for point, content in zip(points, contents, strict=True)]


@pytest.mark.parametrize(
    ("settings", "hole_bytes"),
    [(SMALL, 257 * MIB), (RepositorySettings(), 5 * MIB)],
    ids=["two levels of pages", "default settings"],
)
def test_independent_reader_restores_the_same_bytes(
    tmp_path: Path, settings: RepositorySettings, hole_bytes: int
) -> None:
    with open_repository(tmp_path, settings) as repository:
        expected = story(repository, hole_bytes)
        other = independent_reader.open_repository(tmp_path / "standby")

        assert other.points() == sorted(point for point, _ in expected)
        for point, content in expected:
            other.restore(point, 2000, tmp_path / "raw")
            assert (tmp_path / "raw").read_bytes() == content
        assert read_back(repository, PointId(expected[-1][0])) == expected[-1][1]


def test_independent_reader_sees_who_uses_what(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        other = independent_reader.open_repository(tmp_path / "standby")
        with repository.open_pinned(point.id, PinPurpose.VERIFICATION):
            (mine,) = repository.pins.listing().pins
            (theirs,) = other.pins().values()
            assert (theirs["id"], theirs["point"], theirs["purpose"], theirs["host"]) == (
                mine.id,
                point.id,
                "verification",
                mine.host,
            )
            assert datetime.fromisoformat(theirs["since"]) == mine.since
        assert other.pins() == {}


@pytest.mark.parametrize("passphrase", [None, "otter lamp crane seventeen"])
def test_independent_reader_sees_whose_rules_are_there(tmp_path: Path, passphrase: str | None) -> None:
    mine, lost = "a" * 20, "b" * 20
    Repository.create(
        tmp_path / "standby", local_dir=tmp_path / "local", clock=SystemClock(), passphrase=passphrase
    ).close()
    key = None if passphrase is None else Passphrase(passphrase)
    for holder in (lost, mine):
        with Repository.open(
            tmp_path / "standby", local_dir=tmp_path / holder, clock=SystemClock(), key=key, holder=holder
        ) as repository:
            repository.publish_rules(b'{"rules":["nightly"]}')
    with Repository.open(
        tmp_path / "standby", local_dir=tmp_path / mine, clock=SystemClock(), key=key, holder=mine
    ) as repository:
        repository.take_over(lost)
        master = repository.access.master_key()
        (copy,) = [copy for copy in repository.consoles.listing() if not copy.is_ours]
    other = independent_reader.open_repository(
        tmp_path / "standby", None if master is None else bytes.fromhex(master.text)
    )

    found = other.consoles()

    assert sorted(found) == [f"{mine}.rules", f"{lost}.rules", f"{lost}.taken"]
    assert found[f"{lost}.rules"]["rules"] == {"rules": ["nightly"]}
    assert found[f"{lost}.taken"]["by"] == mine
    assert copy.taken is not None
    assert datetime.fromisoformat(found[f"{lost}.taken"]["at"]) == copy.taken.at


def test_independent_reader_finds_the_configuration(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository, repository.begin_point(point_draft()) as writer:
        writer.add_file("config.json", b'{"name": "web-01"}')
        writer.save_changed_extents(2000, [Extent(0, 65536)], None)
        writer.write_disk(
            disk_draft(MIB), MemoryDisk(bytes(MIB)), [], parent=None, progress=Progress(), cancel=CancelToken()
        )
        point = writer.commit()
    other = independent_reader.open_repository(tmp_path / "standby")

    assert other.point(point.id)["facts"]["name"] == "网站 web-01"
    assert other.file(point.id, "files/config.json") == b'{"name": "web-01"}'
    changes = independent_reader.document(other.file(point.id, "changes/2000.json"))
    assert changes["extents"] == [[0, 65536]]


def test_independent_reader_works_from_the_command_line(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
    command = [sys.executable, "-m", "tests.support.independent_reader", str(tmp_path / "standby")]

    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env={"PYTHONUTF8": "1"})
    subprocess.run([*command, point.id, "2000", str(tmp_path / "raw")], cwd=ROOT, check=True)

    assert point.id in listing.stdout.decode()
    assert (tmp_path / "raw").read_bytes() == random_bytes(MIB)


def test_independent_reader_notices_a_changed_byte(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
    pack = max((tmp_path / "standby").glob("packs/*/*.pack"), key=lambda path: path.stat().st_size)
    broken = bytearray(pack.read_bytes())
    broken[5000] ^= 1
    pack.write_bytes(broken)

    with pytest.raises(ValueError, match="damaged frame"):
        independent_reader.open_repository(tmp_path / "standby").restore(point.id, 2000, tmp_path / "raw")
