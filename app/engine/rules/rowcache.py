"""The rows of rules, kept until something changes them: making those of ten thousand VMs takes a while."""

import threading
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Protocol

from app.contract.rules import RuleRow
from app.core.changes import ChangeFeed, Keys
from app.domain.changes import Subject
from app.domain.ids import RuleId
from app.domain.rules import BackupRule


class MakeRows(Protocol):
    """Makes the rows of rules, from one reading for all of them."""

    def __call__(self, rules: Collection[BackupRule], *, are_all: bool) -> Iterable[RuleRow]:
        """Make them; ``are_all`` says that no rule is missing."""
        ...


class RowCache:
    """Remembers rows until the feed notes a change of their rule.

    Progress and the names of platforms and standbys change without that: who asks puts them in.

    Thread: any; a question that comes while rows are made waits for them.
    """

    def __init__(self, make: MakeRows, changes: ChangeFeed) -> None:
        """Begin to listen.

        Args:
            make: makes rows.
            changes: notes what changes them.
        """
        self._make = make
        self._making = threading.Lock()
        self._lock = threading.Lock()
        self._changed: set[str] | None = set()
        """Rules whose rows are not right any more, or may have been made meanwhile; None: all."""
        self._rows: dict[RuleId, tuple[BackupRule, RuleRow]] = {}
        self._asked_at = datetime.min.replace(tzinfo=UTC)
        changes.watch(self._on_changed)

    def rows(
        self, rules: Callable[[], Collection[BackupRule]], now: datetime, only: Collection[RuleId] | None = None
    ) -> tuple[RuleRow, ...]:
        """Return the rows of all rules, or of some.

        Args:
            rules: returns all rules.
            now: the present.
            only: ids of the rules whose rows are wanted; None: of all.
        """
        with self._making:
            self._forget_changed()
            wanted = list(rules())
            self._drop_outdated({rule.id: rule for rule in wanted}, now)
            if only is not None:
                chosen = frozenset(only)
                wanted = [rule for rule in wanted if rule.id in chosen]
            missing = [rule for rule in wanted if rule.id not in self._rows]
            if missing:
                made = self._make(missing, are_all=only is None and len(missing) == len(wanted))
                self._rows |= {rule.id: (rule, row) for rule, row in zip(missing, made, strict=True)}
            return tuple(self._rows[rule.id][1] for rule in wanted)

    def _forget_changed(self) -> None:
        """Forget the rows that have changed; what is noted from now on is forgotten at the next question."""
        with self._lock:
            changed, self._changed = self._changed, set()
        if changed is None:
            self._rows = {}
        else:
            self._rows = {rule: kept for rule, kept in self._rows.items() if rule not in changed}

    def _drop_outdated(self, rules: dict[RuleId, BackupRule], now: datetime) -> None:
        """Forget the rows of rules that are gone or different, and those whose next run is in the past."""
        was_set_back, self._asked_at = now < self._asked_at, now
        self._rows = {
            rule: (known, row)
            for rule, (known, row) in self._rows.items()
            if not was_set_back and rules.get(rule) == known and not _is_over(row, now)
        }

    def _on_changed(self, subject: Subject, keys: Keys) -> None:
        if subject is not Subject.RULES:
            return
        with self._lock:
            if keys is None or self._changed is None:
                self._changed = None
            else:
                self._changed |= keys


def _is_over(row: RuleRow, now: datetime) -> bool:
    """Tell whether a row's next run is not the next one any more."""
    return row.next_run is not None and row.next_run <= now
