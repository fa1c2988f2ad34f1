"""Hooks: which commands run around a backup."""

import threading
from collections.abc import Mapping

from app.contract.hooks import ReadHooks, SetHooks
from app.domain.hooks import AllHooks, Hooks
from app.engine.errors import RequestRefused
from app.engine.handlers import Handler
from app.engine.hooks.run import keep_hooks, read_hooks
from app.engine.ports import RuleStore, SettingsStore


class HookHandlers:
    """Answers about hooks. Thread: any."""

    def __init__(self, store: SettingsStore, rules: RuleStore) -> None:
        self._store = store
        self._rules = rules
        self._lock = threading.Lock()

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {SetHooks: self._set_hooks, ReadHooks: lambda _: self._book()}

    def _set_hooks(self, command: SetHooks) -> None:
        hooks, rule = command.hooks, command.rule
        problems = hooks.problems() if hooks is not None else ()
        if problems:
            raise RequestRefused(detail="; ".join(f"{field}: {reason}" for field, reason in problems))
        if rule is not None and self._rules.get(rule) is None:
            raise RequestRefused(detail=f"there is no rule {rule}")
        with self._lock:
            book = self._book()
            if rule is None:
                book = AllHooks(common=hooks or Hooks(), rules=book.rules)
            else:
                others = {one: kept for one, kept in book.rules.items() if one != rule}
                book = AllHooks(common=book.common, rules=others if hooks is None else {**others, rule: hooks})
            keep_hooks(self._store, book)

    def _book(self) -> AllHooks:
        """Return the hooks without those of rules that were deleted."""
        book = read_hooks(self._store)
        if not book.rules:
            return book
        there = {one.id for one in self._rules.all()}
        return AllHooks(common=book.common, rules={one: kept for one, kept in book.rules.items() if one in there})
