"""What one property collector holds for one session: filters, versions and unread pages."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vmodl

from app.simulator.calls import Call
from app.simulator.properties.pieces import Pieces, is_missing, is_volatile, reference
from app.simulator.properties.selection import FilterPlan, Find, Selected
from app.simulator.soap.serializer import escape
from app.simulator.world import World, WorldObject


@dataclass(frozen=True, slots=True)
class Reported:
    """What was reported to a client of an object: its version then, and each property as it was written."""

    version: int
    values: dict[str, str | None]


class SimPropertyFilter(WorldObject):
    """A filter that a client watches. Guarded by the world's lock."""

    vim_type = vmodl.query.PropertyCollector.Filter

    def __init__(
        self,
        world: World,
        moid: str,
        plan: FilterPlan,
        spec: Any,
        on_destroy: "Callable[[SimPropertyFilter], None]",
        *,
        partial_updates: bool,
    ) -> None:
        super().__init__(world, moid, spec=spec, partialUpdates=partial_updates)
        self._plan = plan
        self._on_destroy = on_destroy
        self._reported: dict[str, Reported] = {}
        self._pending: dict[str, Reported | None] = {}

    def DestroyPropertyFilter(self, call: Call) -> None:
        """Watch no longer."""
        self._on_destroy(self)

    def restart(self) -> None:
        """Forget what was reported to the client."""
        self._reported.clear()
        self._pending.clear()

    def settle(self, *, arrived: bool) -> None:
        """Note whether the last answer reached the client."""
        if arrived:
            for moid, reported in self._pending.items():
                if reported is None:
                    self._reported.pop(moid, None)
                else:
                    self._reported[moid] = reported
        self._pending.clear()

    def updates(self, find: Find, pieces: Pieces, limit: int) -> list[str]:
        """Return at most ``limit`` object updates since what was reported to the client, as XML."""
        written: list[str] = []
        seen: set[str] = set()
        for selected in self._plan.select(find).objects:
            seen.add(selected.obj.moid)
            if len(written) < limit:
                update = self._update(selected, pieces)
                if update:
                    written.append(update)
        for moid in [moid for moid in self._reported if moid not in seen][: limit - len(written)]:
            self._pending[moid] = None
            written.append(f"<objectSet><kind>leave</kind>{self._reported[moid].values[_OBJ]}</objectSet>")
        return written

    def _update(self, selected: Selected, pieces: Pieces) -> str:
        obj = selected.obj
        last = self._reported.get(obj.moid)
        if last is not None and last.version == obj.version and not is_volatile(obj, selected.paths):
            return ""
        values = {path: pieces.value(obj, path) for path in selected.paths}
        kind = "modify" if last is not None else "enter"
        before = last.values if last is not None else {}
        changed = [path for path in selected.paths if values[path] != before.get(path)]
        tag = reference("obj", obj)
        now = Reported(obj.version, {_OBJ: tag, **values})
        if last is not None and not changed:
            self._reported[obj.moid] = now
            return ""
        self._pending[obj.moid] = now
        return f"<objectSet><kind>{kind}</kind>{tag}{_changes(changed, values)}</objectSet>"


_OBJ = "(obj)"


def _changes(paths: list[str], values: dict[str, str | None]) -> str:
    changes: list[str] = []
    missing: list[str] = []
    for path in paths:
        value = values[path]
        if value is not None and is_missing(value):
            missing.append(value)
        else:
            changes.append(f"<changeSet><name>{escape(path)}</name><op>assign</op>{value or ''}</changeSet>")
    return "".join(changes + missing)


@dataclass(slots=True)
class CollectorState:
    """Guarded by the world's lock."""

    filters: list[SimPropertyFilter] = field(default_factory=list)
    version: int = 0
    """Version of the newest answer."""
    arrived: int = 0
    """The newest version that the client has brought back."""
    cancellations: int = 0
    pages: dict[str, tuple[list[Selected], int]] = field(default_factory=dict)
    """Objects not yet delivered and the size of a page, by the token that asks for them."""

    def settle(self, version: str | None) -> None:
        """Note, from the version that a client brings, which answers reached it.

        Raises:
            vmodl.query.InvalidCollectorVersion: it is neither of the newest two.
        """
        if not version:
            for watched in self.filters:
                watched.restart()
        elif version.isdecimal() and max(1, self.arrived) <= int(version) <= self.version:
            for watched in self.filters:
                watched.settle(arrived=int(version) == self.version)
            self.version = int(version)
        else:
            raise vmodl.query.InvalidCollectorVersion(msg=f"Version {version} is not known any more.")
        self.arrived = self.version

    def next_updates(self, find: Find, pieces: Pieces, limit: int) -> str | None:
        """Return the next UpdateSet's content, or None when nothing changed."""
        sets: list[str] = []
        room = limit
        for watched in self.filters:
            updates = watched.updates(find, pieces, room)
            if updates:
                room -= len(updates)
                sets.append(f"<filterSet>{reference('filter', watched)}{''.join(updates)}</filterSet>")
            if not room:
                break
        if not sets:
            return None
        self.version += 1
        truncated = "<truncated>true</truncated>" if not room else ""
        return f"<version>{self.version}</version>{''.join(sets)}{truncated}"

    def keep_page(self, rest: list[Selected], limit: int) -> str:
        """Keep what was not delivered; return the token for it."""
        token = str(uuid.uuid4())
        self.pages[token] = (rest, limit)
        return token


class CollectorStates(dict[str, CollectorState]):
    """What each property collector holds for one session, by the collector's id. Guarded by the world's lock."""
