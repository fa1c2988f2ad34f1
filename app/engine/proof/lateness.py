"""Which VMs have no proof of restore that is as recent as their rules say."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from app.core.clock import Clock
from app.domain.ids import RuleId, VmId
from app.domain.proofs import ProvenVm, UnprovenVm, unproven_since
from app.domain.rules import BackupRule
from app.engine.ports import Catalog


def unproven_vms(
    rules: Iterable[BackupRule],
    proven: Mapping[tuple[RuleId, VmId], ProvenVm],
    rules_since: Mapping[RuleId, datetime],
    now: datetime,
) -> list[UnprovenVm]:
    """Return the started VMs of rules whose proofs are late, the latest first.

    Args:
        rules: the rules.
        proven: when each VM was last proven.
        rules_since: since when each rule is there.
        now: the present.
    """
    found: list[UnprovenVm] = []
    for rule in rules:
        for vm in rule.vms if rule.proof.warn_after_days else ():
            last = proven.get((rule.id, vm.vm))
            at = None if last is None else last.at
            expected_by = unproven_since(rule.proof, at, rules_since.get(rule.id, now), now)
            if vm.is_started and expected_by is not None:
                found.append(
                    UnprovenVm(rule=rule.id, vm=vm.vm, name=vm.name, last_proven=at, expected_by=expected_by)
                )
    return sorted(found, key=lambda late: (late.expected_by, late.name))


def unproven_in(catalog: Catalog, rules: Iterable[BackupRule], now: datetime) -> list[UnprovenVm]:
    """Return those of some rules of a catalog.

    Raises:
        CatalogUnavailable: it cannot be read.
    """
    return unproven_vms(rules, catalog.proofs.last_proven(), catalog.figures.rules_since(), now)


def names_of_unproven(catalog: Catalog, clock: Clock) -> tuple[str, ...]:
    """Return what these VMs are called, each with its rule.

    Raises:
        CatalogUnavailable: the catalog cannot be read.
    """
    rules = catalog.rules.all()
    names = {rule.id: rule.name for rule in rules}
    return tuple(f"{late.name} ({names[late.rule]})" for late in unproven_in(catalog, rules, clock.now()))
