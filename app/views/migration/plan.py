"""What would come of a migration, said while it is being chosen."""

from typing import Any, ClassVar

from app.contract.migration import PlannedMigration
from app.views.migration.words import tr
from app.views.restore.plan_note import PlanNote
from app.views.words import said_text


class MigrationPlanNote(PlanNote):
    """Shows what migrations would change and why some cannot be. Thread: GUI."""

    said: ClassVar[frozenset[str]] = PlanNote.said | {"migration.not_migrated", "migration.unsupported"}

    def heading_of_refusals(self) -> str:
        """Return what stands above the reasons why a VM cannot be migrated."""
        return tr("This cannot be migrated so:")

    def heading_of_changes(self) -> str:
        """Return what stands above what is worth knowing."""
        return tr("Good to know before:")

    def worth_knowing(self, planned: Any) -> tuple[str, ...]:  # noqa: ANN401 - the answer of the plan's query
        """Return what is worth knowing of a plan, a line each."""
        if not isinstance(planned, PlannedMigration):
            return ()
        deviations = planned.planned.warnings if planned.planned is not None else ()
        return tuple(map(said_text, (*deviations, *planned.warnings)))
