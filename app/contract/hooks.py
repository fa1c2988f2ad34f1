"""The operator's own commands before and after backups."""

from app.contract.base import Command, Query
from app.domain.hooks import AllHooks, Hooks
from app.domain.ids import RuleId


class SetHooks(Command[None], frozen=True, kw_only=True):
    """Change which commands run before and after the backup of a VM.

    Raises ``RequestRefused`` for commands that cannot work.
    """

    rule: RuleId | None = None
    """The rule whose backups they run for; None: those of every rule that has none of its own."""
    hooks: Hooks | None
    """None: the rule has none of its own any more."""


class ReadHooks(Query[AllHooks], frozen=True, kw_only=True):
    """Return which commands run before and after the backup of a VM."""
