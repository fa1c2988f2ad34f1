"""Folders for sockets: those of a killed process are removed, all others stay."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.processmarks import boot_id, process_namespace, start_ticks
from app.nbd import folders
from app.nbd.folders import (
    NOTE_NAME,
    SOCKET_NAME,
    make_private_folder,
    remove_abandoned_folders,
    remove_private_folder,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is proven on Linux only")

ROOT = Path(__file__).parents[3]
OFFERING = r"""
from app.core.disks import DiskReader
from app.nbd.exports import Export
from app.nbd.server import NbdServer

class Disk:
    capacity_bytes, window, mode = 512, 1, None
    def read_many(self, requests): return iter(())
    def allocated_extents(self): return None
    def close(self): pass

with NbdServer([Export("disk", "", Disk)]) as server:
    print(server.socket_path, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def place(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing outside of the test's own folder is looked at."""
    monkeypatch.setattr(folders, "_places", lambda: iter([short_path]))
    return short_path


@contextmanager
def offering(place: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process that offers a disk by a socket in the place; killed at the end when it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", OFFERING],
        cwd=ROOT,
        env={**os.environ, "XDG_RUNTIME_DIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip()).parent
    finally:
        process.kill()
        process.communicate()


def maker_gone() -> str:
    """The note of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = start_ticks(child.pid)
    child.communicate(b"\n")
    return f"{child.pid}\n{ticks}\n{boot_id()}\n{process_namespace()}"


def folder_with(place: Path, note: str | None) -> Path:
    folder = place / "standfast-nbd-abcdefgh"
    folder.mkdir(mode=0o700)
    if note is not None:
        (folder / NOTE_NAME).write_text(note)
    return folder


def test_the_folder_of_a_killed_process_is_removed(place: Path) -> None:
    with offering(place) as (process, folder):
        assert {path.name for path in folder.iterdir()} == {SOCKET_NAME, NOTE_NAME}
        assert remove_abandoned_folders() == 0, "it is used"
        assert (folder / SOCKET_NAME).is_socket()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert folder.exists(), "a killed process removes nothing"
        assert remove_abandoned_folders() == 1
    assert list(place.iterdir()) == []


def test_the_folder_of_a_killed_process_that_is_still_a_zombie_is_removed(place: Path) -> None:
    with offering(place) as (process, folder):
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
        assert remove_abandoned_folders() == 1
        assert not folder.exists()


def test_a_process_keeps_its_own_folder(place: Path) -> None:
    folder = make_private_folder()
    assert remove_abandoned_folders() == 0
    assert folder.is_dir()
    remove_private_folder(folder)
    assert list(place.iterdir()) == []


def test_another_process_of_the_same_number_is_not_taken_for_the_maker(place: Path) -> None:
    ticks = start_ticks(os.getpid())
    folder = folder_with(place, f"{os.getpid()}\n{ticks}1\n{boot_id()}\n{process_namespace()}")
    assert remove_abandoned_folders() == 1
    assert not folder.exists()


def test_an_earlier_start_of_the_system_has_no_processes_left(place: Path) -> None:
    ticks = start_ticks(os.getpid())
    folder = folder_with(place, f"{os.getpid()}\n{ticks}\nanother-boot\n{process_namespace()}")
    assert remove_abandoned_folders() == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda note: None,
        lambda note: "",
        lambda note: "rubbish",
        lambda note: note.replace("\n", " "),
        lambda note: note.replace(process_namespace(), "pid:[1]"),
        lambda note: note.replace(process_namespace(), ""),
        lambda note: note.replace(boot_id(), ""),
        lambda note: "-1" + note[note.index("\n") :],
    ],
    ids=["none", "empty", "rubbish", "lines", "container", "unknown container", "unknown boot", "no number"],
)
def test_without_proof_a_folder_stays(place: Path, change: object) -> None:
    assert callable(change)
    folder = folder_with(place, change(maker_gone()))
    assert remove_abandoned_folders() == 0
    assert folder.is_dir()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777])
def test_a_folder_that_others_can_enter_is_none_of_ours(place: Path, mode: int) -> None:
    folder = folder_with(place, maker_gone())
    folder.chmod(mode)
    assert remove_abandoned_folders() == 0
    assert folder.is_dir()


def test_a_folder_with_anything_else_in_it_stays_whole(place: Path) -> None:
    folder = folder_with(place, maker_gone())
    (folder / "precious").write_text("x")
    assert remove_abandoned_folders() == 0
    assert {path.name for path in folder.iterdir()} == {"precious", NOTE_NAME}


def test_no_link_is_followed(place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / NOTE_NAME).write_text(maker_gone())
    (place / "standfast-nbd-link").symlink_to(elsewhere)
    folder = folder_with(place, None)
    (folder / NOTE_NAME).symlink_to(elsewhere / NOTE_NAME)
    assert remove_abandoned_folders() == 0
    assert (elsewhere / NOTE_NAME).exists()
    assert folder.is_dir()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="gives a folder away")
def test_the_folder_of_another_user_stays(place: Path) -> None:
    folder = folder_with(place, maker_gone())
    os.chown(folder, 12345, 12345)
    assert remove_abandoned_folders() == 0
    assert folder.is_dir()


def test_a_socket_without_its_listener_goes_with_its_folder(place: Path) -> None:
    folder = folder_with(place, maker_gone())
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / SOCKET_NAME))
    assert remove_abandoned_folders() == 1
    assert not folder.exists()
