"""debugctl, moving to another workstation: a real engine behind the door on each side."""

import io
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from app.cli.ctl.command import run_ctl
from app.cli.demo.stage import folders_in
from app.core.clock import SystemClock
from app.domain.ids import RuleId, VmId
from app.domain.policies import PeriodicPolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.engine.door.server import DoorServer
from app.engine.moving.collected import Known
from app.engine.moving.form import Configuration
from app.engine.moving.gather import rule_entry
from app.repository import Repository
from tests.support.engine_lab import EngineLab
from tests.support.rule_lab import daily

PASSPHRASE = "otter lamp crane seventeen"
Run = Callable[..., tuple[int, str]]


@contextmanager
def workstation(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[EngineLab, Run]]:
    folders = folders_in(folder / "home")
    folders.create()
    with EngineLab(folder / "lab") as lab:
        server = DoorServer.open(lab.engine, folders.data)

        def run(*words: str, given: str = "") -> tuple[int, str]:
            with patch("sys.stdin", io.StringIO(given)):
                status = run_ctl(words, folders)
            told = capsys.readouterr()
            return status, told.out + told.err

        yield lab, run
        server.cut_off()
        server.close()


def add_rule(lab: EngineLab) -> BackupRule:
    rule = BackupRule(
        id=RuleId("r1"),
        name="夜间 nightly",
        platform=lab.platform,
        standby=lab.standby,
        target_path="vm",
        vms=(ProtectedVm(vm=VmId("vm-1"), name="web-01", is_started=False),),
        policy=PeriodicPolicy(plans=(daily("03:30"),)),
    )
    lab.catalog.rules.add(rule, lab.clock.now(), lab.clock.now())
    return rule


def test_a_configuration_goes_to_another_workstation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "house.json"
    with workstation(tmp_path / "old", capsys) as (lab, run):
        rule = add_rule(lab)
        (platform,) = lab.catalog.platforms.all()
        password = lab.secrets.get(platform.secret_name)
        assert password
        status, told = run("config", "export", str(file), "--with-secrets", given="weak\n")
        assert (status, "could be guessed" in told, file.exists()) == (1, True, False)
        status, told = run("config", "export", str(file), "--with-secrets", given=f"{PASSPHRASE}\n")
        assert (status, PASSPHRASE in told, password in told) == (0, False, False)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert password.encode() not in file.read_bytes()
    with workstation(tmp_path / "new", capsys) as (lab, run):
        (mine,) = lab.catalog.platforms.all()
        lab.catalog.platforms.put(replace(mine, name="mine", address="other.example"))
        before = lab.catalog.platforms.all()
        status, told = run("config", "import", str(file))
        assert (status, "Nothing was changed" in told, "needs" in told) == (1, True, False)
        assert "imported with --with-secrets only" in told
        assert lab.catalog.platforms.all() == before
        status, told = run("config", "import", str(file), "--with-secrets", given="wrong\n")
        assert (status, "does not open" in told) == (1, True)
        status, told = run(
            "config",
            "import",
            str(file),
            "--with-secrets",
            "--rename",
            "standby/standby",
            "--yes",
            given=f"{PASSPHRASE}\n",
        )
        assert status == 0, told
        assert [one.name for one in lab.catalog.rules.all()] == [rule.name]
        assert lab.secrets.get(platform.secret_name) == password
        assert [one.name for one in lab.catalog.standbys.all()] == ["standby", "standby (2)"]
        assert not {PASSPHRASE, password} & set(told.split())


def test_what_is_replaced_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "house.json"
    with workstation(tmp_path, capsys) as (lab, run):
        rule = add_rule(lab)
        assert run("config", "export", str(file))[0] == 0
        changed = PeriodicPolicy(plans=(daily("21:15"),))
        lab.catalog.rules.set_policy(rule.id, changed, lab.clock.now())
        status, told = run("--json", "config", "import", str(file), "--yes")
        assert (status, json.loads(told)["replaced"]) == (0, 0)
        assert lab.catalog.rules.get(rule.id) == replace(rule, policy=changed)
        status, told = run("--json", "config", "import", str(file), "--replace", f"rule/{rule.name}", "--yes")
        assert (status, json.loads(told)["replaced"]) == (0, 1)
        assert lab.catalog.rules.get(rule.id) == rule


def test_files_that_are_none_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "foreign.json"
    foreign.write_text("{}")
    with workstation(tmp_path, capsys) as (_, run):
        status, told = run("config", "import", str(foreign))
        assert (status, "no exported configuration" in told) == (1, True)
        status, told = run("config", "import", str(tmp_path / "missing"))
        assert (status, "cannot be read" in told) == (1, True)
        status, told = run("config", "export", str(tmp_path / "missing" / "house.json"))
        assert (status, "was not written" in told) == (1, True)


def test_a_standby_without_other_consoles_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with workstation(tmp_path, capsys) as (_, run):
        status, told = run("--json", "standby", "take-over", "standby")
        assert (status, json.loads(told)) == (0, [])
        assert run("standby", "take-over", "standby", "someone")[0] == 1


def test_rules_of_another_console_are_shown_and_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with workstation(tmp_path, capsys) as (lab, run):
        rule = add_rule(lab)
        entry = rule_entry(rule, Known())
        copy = Configuration(
            made_at=lab.clock.now(),
            program="0.1.0",
            host="",
            platforms=lab.catalog.platforms.all(),
            rules=(entry,),
        )
        lab.catalog.rules.remove(rule.id)
        with lab.engine.services.repositories.lease(lab.standby, "vm"):
            pass
        root, mark = lab.directory / "standby" / "vm", "c" * 20
        with Repository.open(root, local_dir=tmp_path / "other", clock=SystemClock(), holder=mark) as theirs:
            theirs.publish_rules(msgspec.json.encode(copy))
        status, told = run("standby", "take-over", "standby")
        assert (status, rule.name in told, "web-01" in told) == (0, True, True)
        host = json.loads(run("--json", "standby", "take-over", "standby")[1])[0]["host"]
        status, told = run("standby", "take-over", "standby", mark)
        assert (status, f"--confirm {host}" in told, lab.catalog.rules.all()) == (1, True, ())
        status, told = run("standby", "take-over", "standby", mark, "--confirm", "another")
        assert (status, "is not" in told, lab.catalog.rules.all()) == (1, True, ())
        status, told = run("standby", "take-over", "standby", mark, "--confirm", host, "--stopped")
        assert (status, [known.name for known in lab.catalog.rules.all()]) == (0, [rule.name])
