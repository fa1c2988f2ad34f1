"""Exports in the eyes of qemu-img, and what is left when one fails."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.errors import OperationalError, TaskCancelled
from app.domain.extents import Extent
from app.domain.states import BackupKind
from app.engine.export.claims import ExportClaim
from app.engine.export.errors import ConverterMissing, ExportExists, ExportFailed, ExportUnderWay
from app.engine.export.files import export_disk
from app.engine.export.formats import ImageFormat
from app.repository import DiskDraft, PointDraft, PointReader, Repository
from tests.unit.repository.helpers import FACTS, MORNING, SMALL, MemoryDisk

MIB = 1024 * 1024
CAPACITY = 8 * MIB


@pytest.fixture
def content() -> bytes:
    disk = bytearray(CAPACITY)
    chance = random.Random(5)
    for place in (0, 3, 7):
        disk[place * MIB : place * MIB + MIB // 2] = chance.randbytes(MIB // 2)
    return bytes(disk)


@pytest.fixture
def point(tmp_path: Path, content: bytes) -> Iterator[PointReader]:
    with Repository.create(
        tmp_path / "standby", SMALL, local_dir=tmp_path / "local", clock=SystemClock()
    ) as repository:
        draft = PointDraft(
            rule_name="nightly",
            facts=FACTS,
            kind=BackupKind.FULL,
            parent=None,
            consistent=True,
            created_at=MORNING,
        )
        with repository.begin_point(draft) as writer:
            disk = DiskDraft(
                key=2000,
                label="Hard disk 1",
                uuid=None,
                capacity_bytes=CAPACITY,
                path="[ds1] web-01/web-01.vmdk",
                change_id=None,
                read_whole=True,
            )
            writer.write_disk(
                disk,
                MemoryDisk(content),
                [Extent(0, CAPACITY)],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
            committed = writer.commit()
        with repository.open_point(committed.id) as reader:
            yield reader


def export(
    point: PointReader,
    target: Path,
    image: ImageFormat,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> None:
    export_disk(
        point,
        point.point.disks[0],
        target,
        image,
        progress=progress or Progress(),
        cancel=cancel or CancelToken(),
    )


def test_a_raw_export_is_the_disk_with_its_holes(point: PointReader, content: bytes, tmp_path: Path) -> None:
    target, progress = tmp_path / "disk.raw", Progress()
    export(point, target, ImageFormat.RAW, progress)
    assert target.read_bytes() == content
    assert target.stat().st_blocks * 512 < CAPACITY
    assert progress.sample().done_bytes == CAPACITY


@pytest.mark.qemu
@pytest.mark.parametrize("image", [one for one in ImageFormat if one is not ImageFormat.RAW])
def test_qemu_img_finds_every_format_identical(
    point: PointReader, content: bytes, tmp_path: Path, image: ImageFormat
) -> None:
    target, raw, progress = tmp_path / f"disk.{image.details.suffix}", tmp_path / "expected.raw", Progress()
    raw.write_bytes(content)
    export(point, target, image, progress)
    command = ["qemu-img", "compare", "-f", "raw", "-F", image.details.driver, str(raw), str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert progress.sample().done_bytes == CAPACITY
    assert sorted(one.name for one in tmp_path.glob("disk.*")) == [target.name]


def test_an_existing_file_is_not_touched(point: PointReader, tmp_path: Path) -> None:
    target = tmp_path / "disk.raw"
    target.write_text("precious")
    with pytest.raises(ExportExists):
        export(point, target, ImageFormat.RAW)
    assert target.read_text() == "precious"


@pytest.mark.qemu
@pytest.mark.parametrize("image", [ImageFormat.RAW, ImageFormat.QCOW2])
def test_a_cancelled_export_leaves_nothing(point: PointReader, tmp_path: Path, image: ImageFormat) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(TaskCancelled):
        export(point, tmp_path / "disk.out", image, cancel=cancel)
    assert not list(tmp_path.glob("disk.*"))


@pytest.mark.parametrize("image", [ImageFormat.RAW, ImageFormat.VHDX])
@pytest.mark.qemu
def test_a_folder_that_is_not_there_is_named(point: PointReader, tmp_path: Path, image: ImageFormat) -> None:
    with pytest.raises(ExportFailed, match="nowhere"):
        export(point, tmp_path / "nowhere" / "disk.out", image)


def test_a_missing_converter_is_named_with_the_way_out(
    point: PointReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConverterMissing, match="qemu-img"):
        export(point, tmp_path / "disk.qcow2", ImageFormat.QCOW2)


# --- whose file is whose -----------------------------------------------------------------------------------------


def hidden_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


NAMES_OF_OTHERS = ["disk.raw.part", ".disk.raw.part", "disk.raw.part.log", ".disk.raw.abc.standfast-part"]


@pytest.mark.parametrize("name", NAMES_OF_OTHERS)
def test_files_of_others_with_like_names_are_not_touched(point: PointReader, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    export(point, tmp_path / "disk.raw", ImageFormat.RAW)
    assert (tmp_path / name).read_text() == "precious"


def test_a_file_of_others_in_the_place_of_the_claim_is_kept(point: PointReader, tmp_path: Path) -> None:
    claim = tmp_path / ".disk.raw.standfast-export"
    claim.write_text("precious")
    with pytest.raises(ExportExists, match="standfast-export"):
        export(point, tmp_path / "disk.raw", ImageFormat.RAW)
    assert claim.read_text() == "precious"


def test_the_second_export_of_a_file_is_refused_and_the_first_completes(
    point: PointReader, content: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "disk.raw"
    first = ExportClaim(target)
    with pytest.raises(ExportUnderWay, match=r"disk\.raw"):
        export(point, target, ImageFormat.RAW)
    export_disk(
        point,
        point.point.disks[0],
        target,
        ImageFormat.RAW,
        progress=Progress(),
        cancel=CancelToken(),
        claim=first,
    )
    assert target.read_bytes() == content
    assert hidden_files(tmp_path) == []


def test_many_exports_at_once_make_one_right_file(point: PointReader, content: bytes, tmp_path: Path) -> None:
    target = tmp_path / "disk.raw"
    outcomes: list[type[Exception] | None] = []
    gate = threading.Barrier(6)

    def one() -> None:
        gate.wait()
        try:
            with ExportClaim(target) as claim:
                claim.scratch.write_bytes(content)
                claim.finish()
        except OperationalError as error:
            outcomes.append(type(error))
        else:
            outcomes.append(None)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(None) == 1
    assert set(outcomes) <= {None, ExportExists, ExportUnderWay}
    assert target.read_bytes() == content
    assert hidden_files(tmp_path) == []


def test_what_a_killed_export_left_is_removed_by_the_next(
    point: PointReader, content: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "disk.raw"
    code = (
        "import os, sys, signal\nfrom pathlib import Path\nfrom app.engine.export.claims import ExportClaim\n"
        "claim = ExportClaim(Path(sys.argv[1]))\nclaim.scratch.write_bytes(b'half')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], cwd=Path(__file__).parents[4], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(hidden_files(tmp_path)) == 2
    export(point, target, ImageFormat.RAW)
    assert target.read_bytes() == content
    assert hidden_files(tmp_path) == []


def test_a_file_that_comes_while_an_export_runs_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "disk.raw"
    with ExportClaim(target) as claim:
        claim.scratch.write_bytes(b"ours")
        target.write_text("precious")
        with pytest.raises(ExportExists):
            claim.finish()
    assert target.read_text() == "precious"
    assert hidden_files(tmp_path) == []
