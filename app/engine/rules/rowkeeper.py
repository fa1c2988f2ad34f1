"""The rows of all rules, made anew only where something happened: the list is asked for every second."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Protocol

from app.contract.rules import RuleRow
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

ROLLING: Final = 3
"""So many rows are made anew at each question, in turn: whatever escapes the events shows after a while."""
SETTLING_S: Final = 2.0
"""So long after an event rows are made anew once more: what it tells may not have been written yet."""
MOST_AT_ONCE: Final = 15
"""When much changes at once, the next questions show the rest: an answer is never slow."""

_OF_A_TASK: Final = (TaskQueued, TaskStateChanged)
_OF_A_RULE: Final = (RuleChanged, ErrorsViewed)
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

    def __init__(self, make: MakeRows, bus: EventBus, clock: Clock, *, rolling: int = ROLLING) -> None:
        """Begin to listen.

        Args:
            make: makes rows.
            bus: tells what happens.
            clock: tells for how long an event was there.
            rolling: how many rows are made anew at each question, whatever happened.
        """
        self._make = make
        self._rolling = rolling
        self._clock = clock
        self._making = threading.Lock()
        self._lock = threading.Lock()
        self._changed: dict[RuleId, float] = {}
        self._all_due_s: list[float] = []
        self._rows: dict[RuleId, tuple[BackupRule, RuleRow]] = {}
        self._rules_of: Mapping[VmId, Collection[RuleId]] = {}
        self._next_place = 0
        self._waiting: dict[RuleId, None] = {}
        """In the order in which their rows are made anew."""
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
            wanted = rules()
            self._note_what_is_over(now)
            if situation != self._situation or now < self._made_at:
                self._waiting |= dict.fromkeys(one.id for one in wanted)
            self._made_at, self._situation = now, situation
            self._take_changes(self._clock.monotonic(), live, wanted)
            stale = self._chosen(wanted)
            if stale:
                made = self._make(stale, are_all=len(stale) == len(wanted))
                fresh = {rule.id: (rule, row) for rule, row in zip(stale, made, strict=True)}
                self._keep({rule.id: fresh.get(rule.id) or self._rows[rule.id] for rule in wanted})
            return tuple(self._rows[rule.id][1] for rule in wanted)

    def _chosen(self, wanted: Collection[BackupRule]) -> list[BackupRule]:
        """Return the rules whose rows are made anew now: new ones, and so many others that it stays quick."""
        by_id = {rule.id: rule for rule in wanted}
        must = [one.id for one in wanted if one.id not in self._rows or self._rows[one.id][0] != one]
        room = max(0, MOST_AT_ONCE - len(must))
        can = list(islice((one for one in self._waiting if one in by_id and one not in must), room))
        in_turn = [one.id for one in islice(wanted, *self._whose_turn(len(by_id)))]
        for one in (*must, *can):
            self._waiting.pop(one, None)
        return [by_id[one] for one in dict.fromkeys([*must, *can, *in_turn])]

    def _whose_turn(self, count: int) -> tuple[int, int]:
        """Return from which place to which rows are made anew in turn; the last ones of a round are fewer."""
        first = self._next_place if self._next_place < count else 0
        self._next_place = first + self._rolling
        return first, min(count, self._next_place)

    def _keep(self, rows: dict[RuleId, tuple[BackupRule, RuleRow]]) -> None:
        rules_of: dict[VmId, set[RuleId]] = {}
        if [rule for rule, _ in rows.values()] != [rule for rule, _ in self._rows.values()]:
            for rule, _ in rows.values():
                for one in rule.vms:
                    rules_of.setdefault(one.vm, set()).add(rule.id)
            self._rules_of = rules_of
        self._rows = rows

    def _note_what_is_over(self, now: datetime) -> None:
        self._waiting |= dict.fromkeys(one for one, (_, row) in self._rows.items() if _is_over(row, now))

    def _take_changes(self, now_s: float, live: Collection[RuleId], wanted: Collection[BackupRule]) -> None:
        """Put what may be another before what waits already."""
        with self._lock:
            changed = list(self._changed)
            self._changed = {rule: at for rule, at in self._changed.items() if now_s - at < SETTLING_S}
            is_whole = any(due_s <= now_s for due_s in self._all_due_s)
            self._all_due_s = [due_s for due_s in self._all_due_s if due_s > now_s]
        first = dict.fromkeys([*live, *changed])
        self._waiting = first | {one: None for one in self._waiting if one not in first}
        if is_whole:
            self._waiting |= dict.fromkeys(one.id for one in wanted)

    def _on_event(self, event: Event) -> None:
        now_s = self._clock.monotonic()
        with self._lock:
            if isinstance(event, _OF_A_TASK):
                self._changed |= dict.fromkeys(self._rules_of.get(event.vm, ()), now_s)
            elif isinstance(event, _OF_A_RULE) and event.rule is not None:
                self._changed[event.rule] = now_s
            elif isinstance(event, _OF_ALL):
                self._all_due_s = [now_s, now_s + SETTLING_S]


def _is_over(row: RuleRow, now: datetime) -> bool:
    """Return whether a row's next run is not the next one any more."""
    return row.next_run is not None and row.next_run <= now
