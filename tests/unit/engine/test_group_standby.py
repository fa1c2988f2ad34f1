"""A standby machine for a group: all that a repository ever makes there, under several umasks."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.contract.encryption import AddRecoveryKey
from app.contract.log import ReadLog
from app.contract.points import DeletePoint
from app.contract.standbys import ListGroups, ListStandbys, RegisterStandby, RemoveStandby, StartGarbageCollection
from app.core.groupfolders import own_groups
from app.domain.ids import StandbyId
from app.engine.errors import GroupRefused, GroupUnknown, KeepsItsRights
from app.engine.standbys.filesystems import MARK_NAME
from app.repository.seals import Scrypt
from tests.support.engine_lab import EngineLab

pytestmark = pytest.mark.skipif(os.name == "nt", reason="access lists there")

PASSPHRASE = "otter lamp crane seventeen"
READ_ALL = r"""
import os, sys
from pathlib import Path
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(65534)
files = [one for one in Path(sys.argv[1]).rglob("*") if one.is_file()]
for one in files:
    with one.open("r+b") as file:
        file.read(1)
(Path(sys.argv[1]) / "packs" / "new").touch()
print(len(files))
"""


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with patch("app.repository.seals.COST", Scrypt(n=1024)), EngineLab(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def group() -> str:
    return own_groups()[-1]


def register(lab: EngineLab, root: Path, group: str, passphrase: str | None = None) -> StandbyId:
    """Register a standby machine and use it from now on."""
    command = RegisterStandby(name=root.name, root_path=str(root), group=group, passphrase=passphrase)
    lab.standby = lab.engine.execute(command).id
    return lab.standby


def live_a_while(lab: EngineLab) -> None:
    """Let everything be made that a repository makes: packs, points, trash, leases."""
    vm = lab.host.add_vm("web")
    old, _new = lab.backup(vm), lab.backup(vm)
    lab.engine.execute(DeletePoint(standby=lab.standby, point=old.id))
    lab.engine.execute(StartGarbageCollection(standby=lab.standby, target_path=""))
    assert lab.engine.wait_until_idle(30)


def odd_ones(root: Path, folders: int, files: int) -> list[str]:
    """Return what has other rights than it should."""
    return [
        f"{path.relative_to(root)}: {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in (root, *root.rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) != (folders if path.is_dir() else files)
    ]


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("is_there", [False, True], ids=["made", "empty"])
def test_all_that_is_made_is_for_the_group_and_no_other_user(
    lab: EngineLab, tmp_path: Path, group: str, passphrase: str | None, is_there: bool
) -> None:
    root = tmp_path / "shared"
    if is_there:
        root.mkdir()
    standby = register(lab, root, group, passphrase)
    live_a_while(lab)
    if passphrase is not None:
        lab.engine.execute(AddRecoveryKey(standby=standby))
    assert len(list(root.rglob("*"))) > 15
    assert odd_ones(root, 0o2770, 0o660) == []
    assert {path.group() for path in root.rglob("*")} == {group}
    codes = [row.line.code for row in lab.engine.ask(ReadLog(limit=500)).rows]
    assert "standby.for_group" in codes


@pytest.mark.usefixtures("umask")
def test_without_a_group_all_is_for_this_user_only(lab: EngineLab, tmp_path: Path) -> None:
    root = tmp_path / "own"
    register(lab, root, "")
    live_a_while(lab)
    assert odd_ones(root, 0o700, 0o600) == []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="becomes another user")
def test_another_user_of_the_group_can_use_the_repository(lab: EngineLab, open_place: Path) -> None:
    root = open_place / "shared"
    register(lab, root, "daemon")
    live_a_while(lab)
    for number, expected in ((root.stat().st_gid, True), (65534, False)):
        done = subprocess.run(
            [sys.executable, "-c", READ_ALL, str(root), str(number)], capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is expected, done.stderr
        assert not expected or int(done.stdout) > 5
    assert (root / "packs" / "new").group() == "daemon"


def test_a_standby_with_backups_keeps_its_rights(lab: EngineLab, tmp_path: Path, group: str) -> None:
    root = tmp_path / "own"
    standby = register(lab, root, "")
    live_a_while(lab)
    lab.engine.execute(RemoveStandby(standby=standby))
    with pytest.raises(KeepsItsRights) as refused:
        register(lab, root, group)
    assert "empty directory" in refused.value.hint
    assert odd_ones(root, 0o700, 0o600) == []
    register(lab, root, "")


def test_a_standby_of_the_group_is_registered_again_for_it(lab: EngineLab, tmp_path: Path, group: str) -> None:
    root = tmp_path / "shared"
    standby = register(lab, root, group)
    live_a_while(lab)
    lab.engine.execute(RemoveStandby(standby=standby))
    register(lab, root, group)
    live_a_while(lab)
    assert odd_ones(root, 0o2770, 0o660) == []


@pytest.mark.usefixtures("umask")
def test_a_prepared_folder_stays_for_its_group_without_a_choice(lab: EngineLab, tmp_path: Path) -> None:
    root = tmp_path / "prepared"
    root.mkdir()
    root.chmod(0o2770)
    register(lab, root, "")
    live_a_while(lab)
    assert odd_ones(root, 0o2770, 0o660) == []


def test_a_group_that_is_not_there_leaves_nothing(lab: EngineLab, tmp_path: Path) -> None:
    before = lab.engine.ask(ListStandbys())
    with pytest.raises(GroupUnknown, match="no-such-group-here"):
        register(lab, tmp_path / "shared", "no-such-group-here")
    assert not (tmp_path / "shared").exists()
    assert lab.engine.ask(ListStandbys()) == before


@pytest.mark.parametrize("is_there", [False, True])
def test_what_the_system_refuses_leaves_the_folder_as_it_was(
    lab: EngineLab, tmp_path: Path, group: str, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    root = tmp_path / "shared"
    if is_there:
        root.mkdir()
        root.chmod(0o750)
    monkeypatch.setattr("os.chown", refuse)
    with pytest.raises(GroupRefused, match="Operation not permitted"):
        register(lab, root, group)
    assert root.exists() is is_there
    if is_there:
        assert stat.S_IMODE(root.stat().st_mode) == 0o750
        assert not (root / MARK_NAME).exists()


def test_the_groups_to_choose_from_are_those_of_the_engine(lab: EngineLab) -> None:
    assert lab.engine.ask(ListGroups()) == own_groups()
