"""When the VMs of rules were last proven, for the rows of rules."""

from dataclasses import replace
from datetime import datetime

from app.contract.rules import RuleRow, RuleVmRow
from app.domain.ids import RuleId, VmId
from app.domain.proofs import ProvenVm
from app.engine.ports import Catalog
from app.engine.proof.lateness import unproven_vms


class RuleProofs:
    """Knows it for all rules as it is now: what is late changes with the time alone. Thread: any."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        """Read it.

        Raises:
            CatalogUnavailable: the catalog cannot be read.
        """
        self._proven = catalog.proofs.last_proven()
        warned = [rule for rule in catalog.rules.all() if rule.proof.warn_after_days]
        since = catalog.figures.rules_since() if warned else {}
        self._late = {(late.rule, late.vm): late for late in unproven_vms(warned, self._proven, since, now)}
        self._last: dict[RuleId, ProvenVm] = {}
        for (rule, _), known in self._proven.items():
            if rule not in self._last or self._last[rule].at < known.at:
                self._last[rule] = known

    def shown_in(self, row: RuleRow) -> RuleRow:
        """Return the row of a rule with what is known of its proofs."""
        last = self._last.get(row.id)
        return replace(
            row,
            last_proven=None if last is None else last.at,
            last_proven_kind=None if last is None else last.kind,
            unproven_vms=sum(rule == row.id for rule, _ in self._late),
        )

    def shown_of(self, row: RuleVmRow) -> RuleVmRow:
        """Return the row of a VM in a rule with what is known of its proofs."""
        key: tuple[RuleId, VmId] = (row.rule, row.vm)
        known, late = self._proven.get(key), self._late.get(key)
        return replace(
            row,
            last_proven=None if known is None else known.at,
            last_proven_kind=None if known is None else known.kind,
            unproven_since=None if late is None else late.expected_by,
        )
