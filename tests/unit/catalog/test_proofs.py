"""What is remembered of proofs of restore."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.catalog import Catalog
from app.core.clock import SystemClock
from app.domain.changes import Subject
from app.domain.ids import PlatformId, RuleId, TaskId, VmId
from app.domain.messages import MessageKind
from app.domain.policies import OneTimePolicy
from app.domain.proofs import ProofKind, ProofOutcome, ProofPolicy, ProofWhen, ProvenVm, RestoreProof
from app.domain.rules import BackupRule, ProtectedVm
from tests.unit.catalog.test_catalog import NOON, PLATFORM, STANDBY, point

RULE, VM = RuleId("r1"), VmId("vm-1")
SEEN = MessageKind("test.proof", "after {seconds} s")
PROOF = RestoreProof(
    kind=ProofKind.BOOTS,
    outcome=ProofOutcome.PROVEN,
    at=NOON,
    reason=SEEN.fill(seconds=12),
    task=TaskId("t1"),
    seconds=12.5,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        opened.platforms.put(PLATFORM)
        opened.standbys.put(STANDBY)
        opened.rules.add(
            BackupRule(
                id=RULE,
                name="nightly",
                platform=PLATFORM.id,
                standby=STANDBY.id,
                target_path="",
                vms=(ProtectedVm(vm=VM, name="web"),),
                policy=OneTimePolicy(start=NOON),
            ),
            NOON,
            NOON,
        )
        opened.points.put(STANDBY.id, "", point())
        yield opened


def proof_in(catalog: Catalog) -> RestoreProof | None:
    (known,) = catalog.points.find()
    assert catalog.points.get(STANDBY.id, "", point().id) == known
    return known.proof


def test_the_newest_proof_of_a_point_comes_back_with_it_and_its_picture_on_demand(catalog: Catalog) -> None:
    assert proof_in(catalog) is None
    catalog.proofs.put(STANDBY.id, "", point().id, PROOF, b"a picture", None)
    assert proof_in(catalog) == replace(PROOF, has_picture=True)
    assert catalog.proofs.picture(STANDBY.id, "", point().id) == (b"a picture", NOON)
    failed = replace(PROOF, outcome=ProofOutcome.NOT_PROVEN, at=NOON + timedelta(days=1), task=None)
    catalog.proofs.put(STANDBY.id, "", point().id, failed, None, None)
    assert proof_in(catalog) == failed
    assert catalog.proofs.picture(STANDBY.id, "", point().id) is None


def test_a_point_that_is_listed_again_keeps_its_proof_and_one_that_is_deleted_loses_it(catalog: Catalog) -> None:
    catalog.proofs.put(STANDBY.id, "", point().id, PROOF, None, (RULE, VM))
    catalog.points.put(STANDBY.id, "", point())
    assert proof_in(catalog) == PROOF
    catalog.points.remove(STANDBY.id, "", point().id)
    catalog.points.put(STANDBY.id, "", point())
    assert proof_in(catalog) is None
    assert catalog.proofs.last_proven() == {(RULE, VM): ProvenVm(kind=ProofKind.BOOTS, at=NOON)}


def test_when_a_vm_was_last_proven_is_no_matter_of_failed_proofs_and_goes_with_its_rule(catalog: Catalog) -> None:
    catalog.proofs.put(STANDBY.id, "", point().id, PROOF, None, (RULE, VM))
    failed = replace(PROOF, outcome=ProofOutcome.NOT_PROVEN, at=NOON + timedelta(days=1))
    catalog.proofs.put(STANDBY.id, "", point().id, failed, None, (RULE, VM))
    assert catalog.proofs.last_proven()[RULE, VM].at == NOON
    catalog.rules.succeed_all(PlatformId(PLATFORM.id), {VM: VmId("vm-9")}, NOON)
    assert list(catalog.proofs.last_proven()) == [(RULE, VmId("vm-9"))]
    catalog.rules.remove(RULE)
    assert catalog.proofs.last_proven() == {}


def test_a_proof_of_a_point_or_a_rule_that_went_meanwhile_is_forgotten(catalog: Catalog) -> None:
    catalog.points.remove(STANDBY.id, "", point().id)
    catalog.rules.remove(RULE)
    catalog.proofs.put(STANDBY.id, "", point().id, PROOF, b"a picture", (RULE, VM))
    catalog.points.put(STANDBY.id, "", point())
    assert proof_in(catalog) is None
    assert catalog.proofs.last_proven() == {}


def test_a_proof_is_announced_for_the_points_and_the_rule(catalog: Catalog) -> None:
    seen: list[tuple[Subject, object]] = []
    catalog.changes.watch(lambda subject, keys: seen.append((subject, keys)))
    catalog.proofs.put(STANDBY.id, "", point().id, PROOF, None, (RULE, VM))
    assert (Subject.POINTS, {STANDBY.id}) in seen
    assert (Subject.RULES, {RULE}) in seen


def test_the_settings_of_proofs_come_back_with_the_rule(catalog: Catalog) -> None:
    rule = catalog.rules.get(RULE)
    assert rule is not None
    assert rule.proof == ProofPolicy()
    wanted = ProofPolicy(when=ProofWhen.EVERY_DAYS, every_days=3, host="esx-2", platform=PlatformId("p9"))
    catalog.rules.set_proof(RULE, wanted)
    (changed,) = catalog.rules.all()
    assert changed == replace(rule, proof=wanted)
