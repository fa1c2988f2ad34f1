"""What is refused when platforms and standby machines are registered, changed or removed."""

from collections.abc import Callable, Iterable

from app.domain.ids import PlatformId
from app.domain.instant import InstantRecovery
from app.domain.migration import Migration, MigrationPhase
from app.domain.rules import BackupRule
from app.domain.standbys import Standby
from app.domain.tasks import TaskRecord
from app.engine.errors import RequestRefused, StillInUse, UsedByRules
from app.engine.instant.errors import NeededByRecovery
from app.engine.migration.errors import NeededByMigration
from app.engine.ports import RuleStore
from app.engine.reasons import NAME_EMPTY


def checked_name(text: str) -> str:
    """Return a name as it is stored.

    Raises:
        RequestRefused: it is empty.
    """
    if not text.strip():
        raise RequestRefused(detail=NAME_EMPTY)
    return text.strip()


def refuse_used_by_rules(rules: RuleStore, name: str, uses: Callable[[BackupRule], bool]) -> None:
    """Refuse to remove something that rules use.

    Args:
        rules: all rules.
        name: what the operator calls the thing.
        uses: returns whether a rule uses it.

    Raises:
        UsedByRules: a rule does.
    """
    names = [rule.name for rule in rules.all() if uses(rule)]
    if names:
        raise UsedByRules(name=name, rules=", ".join(names))


def refuse_used_by_tasks(unfinished: Iterable[TaskRecord], standby: Standby) -> None:
    """Refuse what must not happen while tasks use a standby machine.

    Raises:
        StillInUse: one of the tasks does.
    """
    if any(task.standby == standby.id for task in unfinished):
        raise StillInUse(name=standby.name)


def refuse_needed_by_recoveries(
    recoveries: Iterable[InstantRecovery], name: str, needs: Callable[[InstantRecovery], bool]
) -> None:
    """Refuse the removal of what an instant recovery needs.

    Raises:
        NeededByRecovery: one does.
    """
    for recovery in recoveries:
        if needs(recovery):
            raise NeededByRecovery(name=name, vm=recovery.name)


def refuse_needed_by_migrations(migrations: Iterable[Migration], name: str, platform: PlatformId) -> None:
    """Refuse the removal of a platform that a migration which has not ended needs.

    Raises:
        NeededByMigration: one does.
    """
    for migration in migrations:
        if migration.phase is not MigrationPhase.DONE and platform in (migration.platform, migration.target):
            raise NeededByMigration(name=name, vm=migration.vm_name)
