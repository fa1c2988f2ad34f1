"""The rows of all rules, made anew only where something happened: the list is asked for every second."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from app.core.bus import EventBus
from app.core.clock import Clock
from app.domain.console_events import (
    ErrorsViewed,
    PlatformRegistered,
    PlatformRemoved,
    RuleChanged,
    RuleRemoved,
    StandbyRegistered,
    StandbyRemoved,
    StandbyUsabilityChanged,
    VmSucceeded,
)
from app.domain.events import Event, TaskQueued, TaskStateChanged
from app.domain.ids import RuleId, VmId
from app.domain.rules import BackupRule
from app.engine.queries.rules import RuleRow

LONGEST_S: Final = 30.0
"""Whatever escapes the events, such as another time zone, shows after so long."""
SETTLING_S: Final = 2.0
"""So long after an event a row is still made anew: what the event tells may not be written yet."""
MOST_SINGLE: Final = 60
"""More changed rules than these are quicker read as all of them."""

_OF_A_TASK: Final = (TaskQueued, TaskStateChanged)
_OF_A_RULE: Final = (RuleChanged,)
_OF_ALL: Final = (
    ErrorsViewed,
    PlatformRegistered,
    PlatformRemoved,
    RuleRemoved,
    StandbyRegistered,
    StandbyRemoved,
    StandbyUsabilityChanged,
    VmSucceeded,
)


class MakeRows(Protocol):
    """Makes the rows of rules, from one reading for all of them."""

    def __call__(self, rules: Collection[BackupRule], *, are_all: bool) -> Iterable[RuleRow]:
        """Make them; ``are_all`` tells that no rule is missing."""
        ...


class RowKeeper:
    """Keeps the rows with what they depend on. Thread: any; whoever asks while rows are made waits for them."""

    def __init__(self, make: MakeRows, bus: EventBus, clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._making = threading.Lock()
        self._lock = threading.Lock()
        self._changed: dict[RuleId, float] = {}
        self._all_changed_s: float | None = None
        self._rows: dict[RuleId, tuple[BackupRule, RuleRow]] = {}
        self._rules_of: Mapping[VmId, Collection[RuleId]] = {}
        self._made_s: float | None = None
        self._situation: object = None
        self._made_at = datetime.min.replace(tzinfo=UTC)
        bus.subscribe(self._on_event)

    def rows(
        self,
        rules: Callable[[], Collection[BackupRule]],
        live: Collection[RuleId],
        now: datetime,
        situation: object,
    ) -> tuple[RuleRow, ...]:
        """Return the rows of all rules.

        Args:
            rules: returns all rules.
            live: the rules of which tasks run; their rows change without events.
            now: the present.
            situation: anything else that all rows depend on; another one makes all anew.
        """
        with self._making:
            now_s = self._clock.monotonic()
            is_whole, changed = self._take_changes(now_s)
            is_whole = is_whole or situation != self._situation or now < self._made_at
            self._made_at = now
            wanted = rules()
            known = self._rows
            stale = [
                rule
                for rule in wanted
                if rule.id in changed
                or rule.id in live
                or rule.id not in known
                or known[rule.id][0] != rule
                or _is_over(known[rule.id][1], now)
            ]
            if is_whole or len(stale) > MOST_SINGLE:
                stale = list(wanted)
                self._made_s, self._situation = now_s, situation
            if stale:
                made = self._make(stale, are_all=len(stale) == len(wanted))
                fresh = {rule.id: (rule, row) for rule, row in zip(stale, made, strict=True)}
                self._keep({rule.id: fresh.get(rule.id) or known[rule.id] for rule in wanted})
            return tuple(self._rows[rule.id][1] for rule in wanted)

    def _keep(self, rows: dict[RuleId, tuple[BackupRule, RuleRow]]) -> None:
        rules_of: dict[VmId, set[RuleId]] = {}
        if [rule for rule, _ in rows.values()] != [rule for rule, _ in self._rows.values()]:
            for rule, _ in rows.values():
                for one in rule.vms:
                    rules_of.setdefault(one.vm, set()).add(rule.id)
            self._rules_of = rules_of
        self._rows = rows

    def _take_changes(self, now_s: float) -> tuple[bool, set[RuleId]]:
        """Return whether all rows may be others, and which ones are."""
        with self._lock:
            changed = set(self._changed)
            self._changed = {rule: at for rule, at in self._changed.items() if now_s - at < SETTLING_S}
            is_whole = self._all_changed_s is not None
            if self._all_changed_s is not None and now_s - self._all_changed_s >= SETTLING_S:
                self._all_changed_s = None
        return is_whole or self._made_s is None or now_s - self._made_s > LONGEST_S, changed

    def _on_event(self, event: Event) -> None:
        now_s = self._clock.monotonic()
        with self._lock:
            if isinstance(event, _OF_A_TASK):
                self._changed |= dict.fromkeys(self._rules_of.get(event.vm, ()), now_s)
            elif isinstance(event, _OF_A_RULE):
                self._changed[event.rule] = now_s
            elif isinstance(event, _OF_ALL):
                self._all_changed_s = now_s


def _is_over(row: RuleRow, now: datetime) -> bool:
    """Tell whether a row's next run is not the next one any more."""
    return row.next_run is not None and row.next_run <= now
