"""What becomes of the rule of a VM that was migrated."""

from dataclasses import replace
from datetime import UTC, datetime

from app.domain.ids import VmId
from app.domain.migration import MigrationState
from app.domain.policies import OneTimePolicy
from app.domain.rules import BackupRule, ProtectedVm
from tests.support.migration_lab import MigrationLab, machine_of
from tests.unit.catalog.test_rules import RULE

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def protected(lab: MigrationLab) -> BackupRule:
    """Put the source into a rule."""
    source = ProtectedVm(vm=VmId(machine_of(lab.source, "web").moid), name="web", is_started=False)
    rule = replace(RULE, name="nightly", platform=lab.here, vms=(source,), policy=OneTimePolicy(start=NOON))
    lab.catalog.rules.add(rule, NOON, NOON)
    return rule


def test_a_rule_follows_its_vm_to_another_place_of_the_platform(lab: MigrationLab) -> None:
    rule = protected(lab)
    lab.there, lab.target = lab.here, lab.source
    row = lab.reached(lab.start(lab.member(datastore="ds2")), MigrationState.COMPLETED)
    followed = lab.catalog.rules.get(rule.id)
    assert followed is not None
    assert [vm.vm for vm in followed.vms] == [row.target_vm]


def test_of_a_rule_whose_vm_went_to_another_platform_it_is_said_what_to_do(lab: MigrationLab) -> None:
    rule = protected(lab)
    lab.reached(lab.start(), MigrationState.COMPLETED)
    assert lab.catalog.rules.get(rule.id) == rule
    (line,) = [line for report in lab.reports() for line in report.log if line.code == "migration.rule_stays"]
    assert "nightly" in line.text
    assert "web to a rule of there" in line.text
