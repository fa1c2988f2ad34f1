"""Hooks: which commands run around a backup."""

import threading

from app.contract.hooks import ReadHooks, SetHooks
from app.domain.hooks import AllHooks, Hooks
from app.domain.messages import listed
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.hooks.run import HooksNotReadable, keep_hooks, read_hooks
from app.engine.ports import RuleStore, SettingsStore
from app.engine.reasons import NO_RULE


class HookHandlers:
    """Answers about hooks. Thread: any."""

    def __init__(self, store: SettingsStore, rules: RuleStore) -> None:
        self._store = store
        self._rules = rules
        self._lock = threading.Lock()

    @handles(SetHooks)
    def _set_hooks(self, command: SetHooks) -> None:
        hooks, rule = command.hooks, command.rule
        problems = hooks.problems() if hooks is not None else ()
        if problems:
            raise RequestRefused(detail=listed(reason for _, reason in problems))
        if rule is not None and self._rules.get(rule) is None:
            raise RequestRefused(detail=NO_RULE.fill(rule=rule))
        with self._lock:
            try:
                known = self._all_hooks()
            except HooksNotReadable:
                known = AllHooks()
            if rule is None:
                known = AllHooks(common=hooks or Hooks(), rules=known.rules)
            else:
                others = {other: kept for other, kept in known.rules.items() if other != rule}
                known = AllHooks(common=known.common, rules=others if hooks is None else {**others, rule: hooks})
            keep_hooks(self._store, known)

    @handles(ReadHooks)
    def _read_hooks(self, _: ReadHooks) -> AllHooks:
        return self._all_hooks()

    def _all_hooks(self) -> AllHooks:
        """Return the hooks without those of rules that were deleted."""
        known = read_hooks(self._store)
        if not known.rules:
            return known
        there = {rule.id for rule in self._rules.all()}
        return AllHooks(
            common=known.common, rules={rule: own for rule, own in known.rules.items() if rule in there}
        )
