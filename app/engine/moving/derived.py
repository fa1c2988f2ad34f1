"""Rules that are known only from the restore points that they left."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import time

import msgspec

from app.contract.rules import Periodic
from app.domain.policies import PeriodicPolicy, Plan, PolicyUnit
from app.domain.proofs import ProofPolicy
from app.domain.rules import AdvancedSettings, ProtectedVm
from app.domain.standbys import Standby
from app.domain.states import BackupKind
from app.domain.tasks import PointTally
from app.engine.moving.form import RuleEntry
from app.engine.ports import PointStore


def rules_of_points(
    points: PointStore, standby: Standby, named: Collection[tuple[str, str]]
) -> tuple[RuleEntry, ...]:
    """Return the rules of which a standby holds points, one for each platform; without a time to run at.

    Their platform is the address that is in the points, their schedule a daily incremental backup.

    Args:
        points: what is known of points.
        standby: where they are.
        named: target path and folded name of the rules that are left out.
    """
    groups: dict[tuple[str, str, str], list[PointTally]] = {}
    for tally in points.tallies(standby.id):
        if (tally.target_path, tally.rule_name.casefold()) not in named:
            groups.setdefault((tally.target_path, tally.rule_name, tally.origin), []).append(tally)
    policy = PeriodicPolicy(plans=(Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=()),))
    return tuple(
        RuleEntry(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{standby.id} {target_path} {name} {origin}")),
            name=name,
            platform=group[0].platform_address,
            standby=standby.id,
            target_path=target_path,
            vms=tuple(_vms(points, group)),
            advanced=AdvancedSettings(),
            policy=Periodic(policy=policy),
            proof=ProofPolicy(),
        )
        for (target_path, name, origin), group in groups.items()
    )


def scheduled(entry: RuleEntry, daily_at: time, keep_days: int) -> RuleEntry:
    """Return such a rule with the time at which it runs each day, and how many days its points are kept."""
    policy = entry.policy.policy
    if not isinstance(policy, PeriodicPolicy):
        return entry
    plans = tuple(replace(plan, times=(daily_at,)) for plan in policy.plans)
    retention = replace(policy.retention, period=keep_days)
    changed = Periodic(policy=replace(policy, plans=plans, retention=retention))
    return msgspec.structs.replace(entry, policy=changed)


def _vms(points: PointStore, group: list[PointTally]) -> Iterator[ProtectedVm]:
    for tally in group:
        newest = points.find(
            standby=tally.standby,
            target_path=tally.target_path,
            vm=tally.vm,
            origin=tally.origin,
            rule_name=tally.rule_name,
        )
        if newest:
            facts = newest[0].point.facts
            yield ProtectedVm(
                vm=tally.vm,
                name=facts.name,
                instance_uuid=facts.instance_uuid,
                bios_uuid=facts.bios_uuid,
                platform_uuid=facts.platform_uuid,
            )
