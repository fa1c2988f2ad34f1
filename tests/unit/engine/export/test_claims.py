"""Which file of an export is whose, and what is removed of exports that were killed."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.domain.images import ImageFormat
from app.engine.export.claims import ExportClaim
from app.engine.export.errors import ExportExists, ExportUnderWay
from app.engine.export.files import export_disk
from app.repository import PointReader
from tests.support.held_files import scanned
from tests.support.small_mounts import mounted_exfat
from tests.unit.engine.export.steps import export


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

    def write() -> None:
        gate.wait()
        try:
            with ExportClaim(target) as claim:
                claim.scratch.write_bytes(content)
                claim.finish()
        except OperationalError as error:
            outcomes.append(type(error))
        else:
            outcomes.append(None)

    threads = [threading.Thread(target=write) for _ in range(6)]
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
    kill_export_of(target)
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


def test_what_killed_exports_of_other_targets_left_is_removed_too(tmp_path: Path) -> None:
    for name in ("disk.raw", "other.raw"):
        kill_export_of(tmp_path / name)
    let_an_hour_pass(tmp_path)
    ExportClaim(tmp_path / "third.raw").release()
    assert hidden_files(tmp_path) == []


def test_what_others_write_now_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / ".precious.standfast-export").write_text("precious")
    with ExportClaim(tmp_path / "alive.raw") as alive:
        alive.scratch.write_bytes(b"half")
        kill_export_of(tmp_path / "stranger.raw")  # for all that is known, another machine writes it now
        strangers = [name for name in hidden_files(tmp_path) if "stranger" in name]
        ExportClaim(tmp_path / "first.raw").release()
        assert [name for name in hidden_files(tmp_path) if "stranger" in name] == strangers
        let_an_hour_pass(tmp_path)
        ExportClaim(tmp_path / "second.raw").release()
        assert [name for name in hidden_files(tmp_path) if "stranger" in name] == []
        assert alive.scratch.read_bytes() == b"half"
        with pytest.raises(ExportUnderWay):
            ExportClaim(tmp_path / "alive.raw")
    assert hidden_files(tmp_path) == [".precious.standfast-export"]


def test_where_there_are_no_hard_links_a_file_that_comes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with mounted_exfat(tmp_path / "exfat") as exfat:
        target = exfat.directory / "disk.raw"
        came: list[bool] = []

        def come_in_the_last_moment(event: str, _arguments: tuple[object, ...]) -> None:
            if event != "os.rename" or came:
                return
            came.append(True)
            try:
                with target.open("x") as file:
                    file.write("precious")
            except FileExistsError:
                came[:] = [False]  # the name was reserved: who asks for a new file is told

        with ExportClaim(target) as claim:
            claim.scratch.write_bytes(b"ours")
            sys.addaudithook(come_in_the_last_moment)  # stays for good, and does nothing when it is done
            claim.finish()
        came.append(True)
        assert (came[0], target.read_bytes()) == (False, b"ours")
        assert hidden_files(exfat.directory) == []


def test_where_there_are_no_hard_links_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    with mounted_exfat(tmp_path / "exfat") as exfat:
        target = exfat.directory / "disk.raw"
        with ExportClaim(target) as claim:
            claim.scratch.write_bytes(b"ours")
            target.write_text("precious")
            with pytest.raises(ExportExists):
                claim.finish()
        assert target.read_text() == "precious"
        assert hidden_files(exfat.directory) == []


# --- steps -------------------------------------------------------------------------------------------------------


def kill_export_of(target: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom app.engine.export.claims import ExportClaim\n"
        "claim = ExportClaim(Path(sys.argv[1]))\nclaim.scratch.write_bytes(b'half')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], cwd=Path(__file__).parents[4], check=False)
    assert abs(killed.returncode) == 9


def let_an_hour_pass(folder: Path) -> None:
    """Date all that is hidden in a folder back."""
    before = time.time() - 3700
    for name in hidden_files(folder):
        os.utime(folder / name, (before, before))


def test_an_export_ends_once_a_scanner_of_windows_lets_go_of_its_files(
    point: PointReader, content: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "disk.raw"
    with scanned(".disk.raw*", attempts=3):
        export(point, target, ImageFormat.RAW)
    assert target.read_bytes() == content
    assert hidden_files(tmp_path) == []
