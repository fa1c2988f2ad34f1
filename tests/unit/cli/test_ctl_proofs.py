"""debugctl and proofs of restore; the local hypervisor starts no VM from here, so that file systems are read."""

import json
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from app.contract.rules import CreateRule, Periodic, RuleDraft, VmChoice
from app.core.png import GreyPicture, write_png
from app.domain.messages import MessageKind
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit
from app.domain.proofs import ProofKind, ProofOutcome, ProofPolicy, ProofWhen, ProofWhich, RestoreProof
from app.domain.restore_point import RestorePoint
from app.domain.states import BackupKind
from tests.support.engine_lab import EngineLab
from tests.support.guest_images import made
from tests.unit.cli.conftest import Run

PICTURE = write_png(GreyPicture(2, 2, b"\0\1\2\3"))
DAILY = Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(time(12),))
SEEN = MessageKind("test.seen", "a login prompt")
PROOF = RestoreProof(
    kind=ProofKind.BOOTS,
    outcome=ProofOutcome.PROVEN,
    at=datetime(2026, 11, 30, tzinfo=UTC),
    reason=SEEN.fill(),
    seconds=42.4,
)


@pytest.mark.outside_tools("mke2fs")
def test_a_point_is_proven_and_listed(run: Run, lab: EngineLab, tmp_path: Path) -> None:
    vm = lab.host.add_vm("web", (2 << 20,))
    lab.host.write(vm, 2000, 0, made(tmp_path, 1, "mke2fs", "-q", "-b", "1024"))
    point = lab.backup(vm)
    status, _, err = run("proof", "start", point.id)
    assert (status, err) == (0, "")
    _, out, _ = run("proof", "list", "--vm", "web")
    assert "readable" in out
    assert "ext2" in out
    assert "readable" in run("point", "list")[1]
    assert json.loads(run("proof", "list", "--vm", "db", "--json")[1]) == []


def test_a_point_that_is_not_proven_ends_with_1(run: Run, point: RestorePoint) -> None:
    status, out, _ = run("proof", "start", point.id)
    assert status == 1
    assert "not proven" in run("proof", "list")[1], out


def test_a_picture_is_written_where_there_is_one(
    run: Run, lab: EngineLab, point: RestorePoint, tmp_path: Path
) -> None:
    file = tmp_path / "console.png"
    status, _, err = run("proof", "picture", point.id, str(file))
    assert (status, "no picture" in err, file.exists()) == (1, True, False)
    lab.catalog.proofs.put(lab.standby, "", point.id, PROOF, PICTURE, None)
    assert run("proof", "picture", point.id, str(file))[0] == 0
    assert file.read_bytes() == PICTURE
    assert "boots" in run("proof", "list")[1]
    status, _, err = run("proof", "picture", point.id, str(tmp_path / "nowhere" / "console.png"))
    assert (status, "cannot be written" in err) == (1, True)


def test_limits_that_cannot_be_are_refused(run: Run, point: RestorePoint) -> None:
    status, _, err = run("proof", "start", point.id, "--minutes", "0")
    assert (status, "out of its range" in err) == (1, True)


def test_the_proofs_of_a_rule_are_shown_and_changed(run: Run, lab: EngineLab) -> None:
    vm = lab.host.add_vm("db")
    draft = RuleDraft(
        name="nightly",
        platform=lab.platform,
        standby=lab.standby,
        target_path="vm/db",
        vms=(VmChoice(vm=vm, name="db"),),
        policy=Periodic(policy=PeriodicPolicy(plans=(DAILY,))),
    )
    lab.engine.execute(CreateRule(draft=draft))
    assert json.loads(run("proof", "rule", "nightly", "--json")[1])["when"] == "off"
    changes = ["--when", "every_days", "--every", "3", "--at", "22:30", "--which", "each", "--warn-after", "14"]
    status, out, _ = run("proof", "rule", "nightly", *changes, "--platform", "lab", "--host", "esx-1")
    assert (status, "3, from 22:30 on" in out) == (0, True)
    (rule,) = lab.catalog.rules.all()
    assert rule.proof == ProofPolicy(
        when=ProofWhen.EVERY_DAYS,
        every_days=3,
        at=time(22, 30),
        which=ProofWhich.EACH,
        warn_after_days=14,
        platform=lab.platform,
        host="esx-1",
    )
    assert run("proof", "rule", "nightly", "--per-day", "1")[0] == 1
    assert run("proof", "rule", "nightly", "--platform", "")[0] == 0
    assert lab.catalog.rules.all()[0].proof.platform is None
