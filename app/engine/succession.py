"""VMs that took the place of others: a restore over an original leaves a VM with another id."""

import logging
from collections.abc import Mapping

from app.domain.console_events import RuleChanged, VmSucceeded
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, VmId
from app.engine import messages as m
from app.engine.jobs import Workshop

_log = logging.getLogger(__name__)


def former_ids(vm: VmId, successions: Mapping[VmId, VmId]) -> tuple[VmId, ...]:
    """Return the ids that a VM had before, the newest first.

    Args:
        vm: its id now.
        successions: for each VM whose place was taken, the one that took it.
    """
    before = {new: old for old, new in successions.items()}
    found: list[VmId] = []
    while vm in before and before[vm] not in found:
        vm = before[vm]
        found.append(vm)
    return tuple(found)


def present_id(vm: VmId, successions: Mapping[VmId, VmId]) -> VmId:
    """Return the id of the VM that stands in a VM's place now; its own when nobody took it."""
    seen = {vm}
    while vm in successions and successions[vm] not in seen:
        vm = successions[vm]
        seen.add(vm)
    return vm


def follow(workshop: Workshop, platform: PlatformId, old: VmId, new: VmId, name: str) -> None:
    """Let the rule of a VM go on with the one that took its place.

    Never raises: the swap on the platform goes to its end whatever the catalog says. It is called before the
    restore journal is closed, and again by the clean-up after a crash; a second call changes nothing.
    """
    at = workshop.clock.now()
    try:
        rule = workshop.catalog.rules.succeed(platform, old, new, at)
        known = None if rule is None else workshop.catalog.rules.get(rule)
    except OperationalError as error:
        _log.error("that %s is now %s on platform %s was not kept: %s", old, new, platform, error)
        return
    if known is not None:
        log = workshop.journal.about(known.name, "rule.follow", rule=known.id, vm=new)
        log.info(m.RULE_VM_FOLLOWED, name=name, new=new)
        workshop.bus.publish(RuleChanged(at=at, rule=known.id))
    workshop.bus.publish(VmSucceeded(at=at, platform=platform, old=old, new=new, rule=rule))
