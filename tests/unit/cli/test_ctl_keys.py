"""debugctl and encrypted standby machines, with a real engine behind the door."""

import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.cli.ctl.command import run_ctl
from app.cli.demo.stage import folders_in
from app.core.groupfolders import own_groups
from app.engine.door.server import DoorServer
from app.paths import Folders
from app.repository.seals import Scrypt
from tests.support.engine_lab import EngineLab

PASSPHRASE = "otter lamp crane seventeen"
OTHER = "pear quilt marble nineteen"
Run = Callable[..., tuple[int, str]]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with patch("app.repository.seals.COST", Scrypt(n=1024)), EngineLab(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def run(tmp_path: Path, lab: EngineLab, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    folders: Folders = folders_in(tmp_path / "home")
    folders.create()
    server = DoorServer.open(lab.engine, folders.data)

    def call(*words: str, given: str | None = "") -> tuple[int, str]:
        with patch("sys.stdin", _Terminal() if given is None else io.StringIO(given)):
            status = run_ctl(words, folders)
        told = capsys.readouterr()
        return status, told.out + told.err

    yield call
    server.cut_off()
    server.close()


@pytest.mark.allows_log("locked")
def test_an_encrypted_standby_is_added_locked_and_unlocked(run: Run, lab: EngineLab, tmp_path: Path) -> None:
    root = str(tmp_path / "safe")
    status, told = run("standby", "add", "safe", root, "--encrypt", "--hide-names", given="weak\n")
    assert (status, "could be guessed" in told) == (1, True)
    assert run("standby", "add", "safe", root, "--encrypt", "--hide-names", given=f"{PASSPHRASE}\n")[0] == 0
    standby = next(standby for standby in lab.catalog.standbys.all() if standby.name == "safe")
    with lab.engine.services.repositories.lease(standby.id, "prod"):
        pass
    status, told = run("--json", "standby", "recovery-key", "safe")
    assert status == 0
    recovery_key = json.loads(told[told.index("{") : told.rindex("}") + 1])["key"]
    for name in [key for key in lab.secrets.values if not key.startswith("platform/")]:
        lab.secrets.delete(name)
    lab.engine.services.watch.refresh(again=True, wait_s=10)
    assert "locked" in run("standby", "list")[1]
    assert "locked" in run("standby", "encryption", "safe")[1]

    status, told = run("standby", "unlock", "safe", given="wrong\n")
    assert (status, "does not open" in told) == (1, True)
    in_two_lines = f"{recovery_key[:35].lower()}\r\n{recovery_key[35:]}\r\n"
    status, told = run("standby", "unlock", "safe", given=in_two_lines)
    assert (status, "prod" in told, "set a new passphrase" in told) == (0, True, True)
    assert run("standby", "passphrase", "safe", given=f"{OTHER}\n")[0] == 0
    assert run("standby", "revoke-recovery-keys", "safe")[0] == 0
    status, told = run("standby", "unlock", "safe", given=f"{recovery_key}\n")
    assert status == 1
    status, told = run("standby", "unlock", "safe", given=f"{OTHER}\n")
    assert status == 0
    assert PASSPHRASE not in told
    assert OTHER not in told


def test_an_empty_standby_is_encrypted_and_says_so(run: Run) -> None:
    assert run("standby", "encrypt", "standby", "--hide-names", given=f"{PASSPHRASE}\n")[0] == 0
    assert "yes, names too" in run("standby", "encryption", "standby")[1]


def test_a_new_passphrase_is_typed_twice_at_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([PASSPHRASE, OTHER])
    monkeypatch.setattr("app.cli.ctl.secrets.getpass.getpass", lambda _question: next(typed))
    status, told = run("standby", "encrypt", "standby", given=None)
    assert (status, "not the same" in told) == (1, True)


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
def test_a_standby_is_added_for_a_group(run: Run, lab: EngineLab, tmp_path: Path) -> None:
    group = own_groups()[-1]
    assert run("standby", "add", "shared", str(tmp_path / "shared"), "--group", group)[0] == 0
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o2770
    assert (tmp_path / "shared").group() == group
    status, told = run("standby", "add", "other", str(tmp_path / "other"), "--group", "no-such-group-here")
    assert (status, "no group no-such-group-here" in told) == (1, True)
    assert not (tmp_path / "other").exists()
    assert [standby.name for standby in lab.catalog.standbys.all()] == ["shared", "standby"]
