"""What was left open to other users is closed, wherever that is possible, and what is not is named."""

import os
import stat
import sys
from pathlib import Path

import pytest

from app.core.closing import (
    MOST_NAMED,
    ClosingReport,
    ModesNotKept,
    OpenEntries,
    close_to_others,
    find_open_entries,
    is_open_to_others,
)
from tests.support.small_mounts import mounted_exfat

pytestmark = pytest.mark.skipif(os.name == "nt", reason="access lists there")


def closed(root: Path) -> ClosingReport:
    report = ClosingReport()
    close_to_others(root, report)
    return report


def opened_tree(root: Path) -> list[Path]:
    """Make a tree as earlier versions left it, with a link to a file of someone else."""
    (root / "packs" / "00").mkdir(parents=True)
    files = [root / "repository.json", root / "packs" / "00" / "a.pack"]
    for file in files:
        file.write_text("x")
        file.chmod(0o644)
    for folder in (root, root / "packs", root / "packs" / "00"):
        folder.chmod(0o755)
    outside = root.with_name("outside")
    outside.write_text("not ours")
    outside.chmod(0o644)
    (root / "link").symlink_to(outside)
    return [*files, root, root / "packs", root / "packs" / "00"]


def test_an_open_tree_is_closed_and_no_link_is_followed(tmp_path: Path) -> None:
    paths = opened_tree(tmp_path / "standby")
    assert is_open_to_others(tmp_path / "standby")
    assert closed(tmp_path / "standby").changed == len(paths)
    assert [path for path in paths if path.stat().st_mode & 0o077] == []
    assert tmp_path.joinpath("outside").stat().st_mode & 0o777 == 0o644
    assert not is_open_to_others(tmp_path / "standby")
    assert closed(tmp_path / "standby") == ClosingReport()


@pytest.mark.parametrize("moment", range(12))
def test_a_folder_that_becomes_a_link_meanwhile_leads_to_nothing_outside(tmp_path: Path, moment: int) -> None:
    outside, root = tmp_path / "outside", tmp_path / "standby"
    for folder in (outside, root, root / "site"):
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "file").touch()
        (folder / "file").chmod(0o644)
    left = [moment]

    def exchange(event: str, arguments: tuple[object, ...]) -> None:
        if not left or event not in ("os.chmod", "os.scandir", "open"):
            return
        left[0] -= 1
        if left[0] < 0:
            left.clear()
            (root / "site").rename(root / "moved")
            (root / "site").symlink_to(outside)

    sys.addaudithook(exchange)  # stays for good, and does nothing when it is done
    closed(root)  # what is not where it was may be refused
    left.clear()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert stat.S_IMODE((outside / "file").stat().st_mode) == 0o644


def test_a_tree_for_a_group_stays_open_to_the_group_only(tmp_path: Path) -> None:
    paths = opened_tree(tmp_path / "standby")
    (tmp_path / "standby").chmod(0o2775)
    closed(tmp_path / "standby")
    assert [path for path in paths if path.stat().st_mode & 0o007] == []
    assert (tmp_path / "standby").stat().st_mode & 0o7777 == 0o2770
    assert not is_open_to_others(tmp_path / "standby")


# --- what stands in the way --------------------------------------------------------------------------------------


class Refusal:
    """Lets the system refuse to change some inodes, as it does for files of someone else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refused: Path) -> None:
        self._inodes = {path.stat().st_ino for path in refused}
        self._fchmod = os.fchmod
        monkeypatch.setattr(os, "fchmod", self)

    def __call__(self, descriptor: int, mode: int) -> None:
        if os.fstat(descriptor).st_ino in self._inodes:
            raise PermissionError(1, "Operation not permitted")
        self._fchmod(descriptor, mode)


def test_what_is_refused_is_named_and_everything_else_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = opened_tree(tmp_path / "standby")
    strangers = [tmp_path / "standby" / f"stranger-{number}" for number in range(MOST_NAMED + 2)]
    for stranger in strangers:
        stranger.touch()
        stranger.chmod(0o644)
    Refusal(monkeypatch, *strangers, tmp_path / "standby" / "packs")
    report = closed(tmp_path / "standby")
    assert report.refused.count == len(strangers) + 1
    assert len(report.refused.first) == MOST_NAMED
    assert {path.parent for path, _ in report.refused.first} == {tmp_path / "standby"}
    assert {(str(detail), detail and detail.details.partition(":")[0]) for _, detail in report.refused.first} == {
        ("this account has no right to do that", "[Errno 1] Operation not permitted")
    }
    assert report.changed == len(paths) - 1
    still_open = {path for path in (tmp_path / "standby").rglob("*") if is_open_to_others(path)}
    assert still_open == {*strangers, tmp_path / "standby" / "packs"}


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_tree(tmp_path / "standby")
    scandir, unreadable = os.scandir, (tmp_path / "standby" / "packs" / "00").stat().st_ino

    def refuse(folder: int) -> object:
        if os.fstat(folder).st_ino == unreadable:
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    report = closed(tmp_path / "standby")
    assert [(path, str(detail)) for path, detail in report.refused.first] == [
        (tmp_path / "standby" / "packs" / "00", "this account has no right to do that")
    ]
    assert not is_open_to_others(tmp_path / "standby" / "repository.json")
    assert not find_open_entries(tmp_path / "standby").is_complete


def test_a_file_with_a_name_elsewhere_is_left_and_named(tmp_path: Path) -> None:
    paths = opened_tree(tmp_path / "standby")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of somebody else")
    elsewhere.chmod(0o644)
    os.link(elsewhere, tmp_path / "standby" / "planted")
    report = closed(tmp_path / "standby")
    assert report.linked.first == [(tmp_path / "standby" / "planted", None)]
    assert (report.linked.count, report.changed, report.refused.count) == (1, len(paths), 0)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644


def test_a_file_system_that_keeps_no_modes_is_no_success(tmp_path: Path) -> None:
    with mounted_exfat(tmp_path / "exfat") as exfat:
        folder = exfat.directory / "repository"
        folder.mkdir()
        (folder / "file").touch()
        assert is_open_to_others(folder)
        with pytest.raises(ModesNotKept):
            closed(folder)


# --- looking first -----------------------------------------------------------------------------------------------


def test_looking_returns_what_closing_will_change_and_changes_nothing(tmp_path: Path) -> None:
    paths = opened_tree(tmp_path / "standby")
    os.link(paths[0], tmp_path / "elsewhere")
    found = find_open_entries(tmp_path / "standby")
    assert found == OpenEntries(count=len(paths) - 1, linked=1, size_bytes=2)
    assert [path for path in paths if not is_open_to_others(path)] == []
    assert closed(tmp_path / "standby").changed == found.count


def test_looking_ends_when_it_should(tmp_path: Path) -> None:
    opened_tree(tmp_path / "standby")
    left = iter([True, True])
    found = find_open_entries(tmp_path / "standby", goes_on=lambda: next(left, False))
    assert (found.count, found.is_complete) == (2, False)


def test_closing_reports_its_progress_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    paths = opened_tree(tmp_path / "standby")
    sizes: list[int] = []
    close_to_others(tmp_path / "standby", ClosingReport(), on_size=sizes.append)
    assert sum(sizes) == find_open_entries(tmp_path / "standby").size_bytes == 2

    for path in paths:
        path.chmod(path.stat().st_mode | 0o055)

    def stop(_size: int) -> None:
        raise Stopped

    report = ClosingReport()
    with pytest.raises(Stopped):
        close_to_others(tmp_path / "standby", report, on_size=stop)
    assert report.changed == 1


def test_a_tree_deeper_than_any_repository_is_refused_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "standby"
    for _ in range(70):
        folder.mkdir()
        folder /= "d"
    report = closed(tmp_path / "standby")
    ((path, _),) = report.refused.first
    assert len(path.relative_to(tmp_path).parts) == 66
