"""The restore points of a VM in a rule, under all the ids that it ever had."""

import logging
from collections.abc import Iterable
from contextlib import suppress

from app.domain.errors import OperationalError
from app.domain.identity import belongs
from app.domain.ids import VmId
from app.domain.rules import BackupRule
from app.domain.tasks import KnownPoint, in_sequence
from app.engine.platforms.succession import former_ids
from app.engine.ports import Catalog
from app.engine.standbys.repositories import Repositories
from app.repository import Pin
from app.repository.errors import PointMissing

_log = logging.getLogger(__name__)


class RulePoints:
    """Finds and deletes the points of rules. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        repositories: Repositories,
    ) -> None:
        self._catalog = catalog
        self._repositories = repositories

    def of_vm(self, rule: BackupRule, vm: VmId) -> tuple[KnownPoint, ...]:
        """Return the known points of a VM in a rule, newest first.

        Those under its present id come before those under the id that it had before, except within a chain, where
        the sequence tells.
        """
        catalog = self._catalog
        ids = dict.fromkeys((vm, *former_ids(vm, catalog.rules.successions(rule.platform))))
        found = [
            known
            for vm_id in ids
            for known in catalog.points.find(
                standby=rule.standby,
                target_path=rule.target_path,
                vm=vm_id,
                origin=rule.platform,
                rule_name=rule.name,
            )
        ]
        known = rule.vm(vm)
        if known is not None:
            found = [candidate for candidate in found if belongs(candidate.point.facts, known)]
        return in_sequence(found)

    def of_vms(self, rule: BackupRule, vms: Iterable[VmId]) -> tuple[KnownPoint, ...]:
        """Return the known points of several VMs in a rule."""
        return tuple(known for vm in vms for known in self.of_vm(rule, vm))

    def pins_of(self, rule: BackupRule, points: Iterable[KnownPoint]) -> tuple[Pin, ...]:
        """Return who uses points of a rule for long; nobody where the repository cannot tell."""
        chosen = {known.point.id for known in points}
        if not chosen:
            return ()
        try:
            with self._repositories.lease(rule.standby, rule.target_path) as repository:
                return tuple(pin for pin in repository.pins.listing().pins if pin.point in chosen)
        except OperationalError as error:
            _log.info("the pins of %s were not read: %s", rule.target_path or "/", error)
            return ()

    def refuse_pinned(self, rule: BackupRule, points: Iterable[KnownPoint]) -> None:
        """Make sure that nobody uses points of a rule for long.

        Raises:
            PointPinned: somebody does.
            OperationalError: that is not known.
        """
        chosen = [known.point.id for known in points]
        if chosen:
            with self._repositories.lease(rule.standby, rule.target_path) as repository:
                repository.pins.refuse_pinned(*chosen)

    def delete(self, rule: BackupRule, points: Iterable[KnownPoint]) -> int:
        """Move points of a rule to their repository's trash; return how many there were.

        Raises:
            PointPinned: somebody uses one for long; all are where they were.
            OperationalError: the repository refused; the points before it are deleted.
        """
        chosen = list(points)
        if not chosen:
            return 0
        with self._repositories.lease(rule.standby, rule.target_path) as repository:
            repository.pins.refuse_pinned(*(known.point.id for known in chosen))
            for known in chosen:
                with suppress(PointMissing):  # it was deleted elsewhere: that is what is wanted
                    repository.delete_point(known.point.id)
                self._catalog.points.remove(rule.standby, rule.target_path, known.point.id)
        return len(chosen)
