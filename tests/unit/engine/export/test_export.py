"""Exports in the eyes of qemu-img, and what is left when one fails."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import TaskCancelled
from app.domain.images import ImageFormat
from app.engine.export.errors import ConverterMissing, ExportExists, ExportFailed
from app.engine.export.formats import format_of
from app.repository import PointReader
from tests.unit.engine.export.steps import CAPACITY, export


def test_a_raw_export_is_the_disk_with_its_holes(point: PointReader, content: bytes, tmp_path: Path) -> None:
    target, progress = tmp_path / "disk.raw", Progress()
    export(point, target, ImageFormat.RAW, progress)
    assert target.read_bytes() == content
    assert sys.platform == "win32" or target.stat().st_blocks * 512 < CAPACITY
    assert progress.sample().done_bytes == CAPACITY


@pytest.mark.qemu
@pytest.mark.parametrize("image", [image for image in ImageFormat if image is not ImageFormat.RAW])
def test_qemu_img_finds_every_format_identical(
    point: PointReader, content: bytes, tmp_path: Path, image: ImageFormat
) -> None:
    target, raw, progress = tmp_path / f"disk.{format_of(image).suffix}", tmp_path / "expected.raw", Progress()
    raw.write_bytes(content)
    export(point, target, image, progress)
    command = ["qemu-img", "compare", "-f", "raw", "-F", format_of(image).driver, str(raw), str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert progress.sample().done_bytes == CAPACITY
    assert sorted(path.name for path in tmp_path.glob("disk.*")) == [target.name]


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


class Interrupted(Exception):
    pass


class InterruptedProgress(Progress):
    """Fails as soon as something is told."""

    def advance(self, *, done_bytes: int = 0, read_bytes: int = 0, written_bytes: int = 0) -> None:
        raise Interrupted


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_converter_ends_with_the_export_whatever_ends_it(
    point: PointReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "qemu-img").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (programs / "qemu-img").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(Interrupted):
        export(point, tmp_path / "disk.qcow2", ImageFormat.QCOW2, InterruptedProgress())
    left = psutil.Process().children()
    for process in left:
        process.kill()
    assert left == []
    assert [path.name for path in tmp_path.iterdir() if "disk" in path.name] == []
