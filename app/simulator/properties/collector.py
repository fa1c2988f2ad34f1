"""The PropertyCollector's methods."""

import uuid
from typing import Any

from pyVmomi import vmodl

from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.objects import session_objects
from app.simulator.properties.pieces import Pieces
from app.simulator.properties.selection import FilterPlan, Find, Selected
from app.simulator.properties.state import CollectorState, CollectorStates, SimPropertyFilter
from app.simulator.soap.serializer import RawXml, Serializer, escape
from app.simulator.world import World, WorldObject

_NO_LIMIT = 1 << 62
_LONGEST_WAIT_S = 1800.0


class SimPropertyCollector(WorldObject):
    """A property collector: every session has one by default and may make more of its own."""

    vim_type = vmodl.query.PropertyCollector
    volatile = frozenset({"filter"})

    def __init__(self, world: World, moid: str, owner: ClientSession | None = None) -> None:
        super().__init__(world, moid)
        self._owner = owner

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; ``filter`` are those of the session that asks."""
        if name == "filter" and session is not None:
            with self.world.lock:
                filters = [made.ref for made in self._state(session).filters]
            return vmodl.query.PropertyCollector.Filter.Array(filters)  # type: ignore[attr-defined]
        return super().read(name, session)

    # ---- reading ---------------------------------------------------------------------------------------

    def RetrieveProperties(self, call: Call, *, specSet: list[Any]) -> RawXml:
        """Return properties, all at once."""
        pieces = _pieces(call)
        with self.world.lock:
            selected = self._select(call, specSet, pieces)
            contents = [
                f"<returnval>{pieces.content(choice.obj, choice.paths)}</returnval>" for choice in selected
            ]
        return RawXml("".join(contents))

    def RetrievePropertiesEx(self, call: Call, *, specSet: list[Any], options: Any) -> RawXml | None:
        """Return properties, page by page; nothing at all when no object is selected."""
        pieces = _pieces(call)
        with self.world.lock:
            selected = self._select(call, specSet, pieces)
        return self._page(call, selected, _limit(options, "maxObjects", self.world.spec.retrieve_limit), pieces)

    def ContinueRetrievePropertiesEx(self, call: Call, *, token: str) -> RawXml | None:
        """Return the next page.

        Raises:
            vmodl.fault.InvalidArgument: the token is not of this collector and session, or used up.
        """
        with self.world.lock:
            selected, limit = self._take_page(call, token)
        return self._page(call, selected, limit, _pieces(call))

    def CancelRetrievePropertiesEx(self, call: Call, *, token: str) -> None:
        """Forget the pages that were not fetched.

        Raises:
            vmodl.fault.InvalidArgument: the token is not of this collector and session, or used up.
        """
        with self.world.lock:
            self._take_page(call, token)

    def _select(self, call: Call, spec_set: list[Any], pieces: Pieces) -> list[Selected]:
        if not spec_set:
            raise vmodl.fault.InvalidArgument(msg="There is no specification.", invalidProperty="specSet")
        found: list[Selected] = []
        for spec in spec_set:
            plan = FilterPlan(spec, pieces.serializer)
            selection = plan.select(self._finder(call))
            plan.require_all(selection)
            found.extend(selection.objects)
        return found if len(spec_set) == 1 else _merged(found)

    def _page(self, call: Call, selected: list[Selected], limit: int, pieces: Pieces) -> RawXml | None:
        find = self._finder(call)
        with self.world.lock:
            here = [choice for choice in selected[:limit] if find(choice.obj.ref) is choice.obj]
            contents = [f"<objects>{pieces.content(choice.obj, choice.paths)}</objects>" for choice in here]
            rest = selected[limit:]
            token = self._state(_session(call)).keep_page(rest, limit) if rest else ""
        if not selected:
            return None
        head = f"<token>{escape(token)}</token>" if token else ""
        return RawXml(f"<returnval>{head}{''.join(contents)}</returnval>")

    def _take_page(self, call: Call, token: str) -> tuple[list[Selected], int]:
        page = self._state(_session(call)).pages.pop(token, None)
        if page is None:
            raise vmodl.fault.InvalidArgument(msg="The token is not valid.", invalidProperty="token")
        return page

    # ---- watching --------------------------------------------------------------------------------------

    def CreateFilter(self, call: Call, *, spec: Any, partialUpdates: bool) -> Any:
        """Watch what a specification selects, from the next WaitForUpdatesEx on."""
        session = _session(call)
        plan = FilterPlan(spec, _pieces(call).serializer)
        moid = f"session[{session.key}]{uuid.uuid4()}"
        with self.world.lock:
            plan.require_all(plan.select(self._finder(call)))
            made = SimPropertyFilter(
                self.world,
                moid,
                plan,
                spec,
                lambda gone: self._drop_filter(session, gone),
                partial_updates=partialUpdates,
            )
            session_objects(session)[moid] = made
            self._state(session).filters.append(made)
            self.world.bump(())
        return made.ref

    def WaitForUpdatesEx(self, call: Call, *, version: str | None, options: Any) -> RawXml | None:
        """Return what changed since a version, waiting for it; nothing when the time is up.

        Raises:
            vmodl.query.InvalidCollectorVersion: the version is too old, or of another session.
            vmodl.fault.RequestCanceled: the wait was cancelled, or the session ended.
        """
        seconds = getattr(options, "maxWaitSeconds", None)
        longest_s = _LONGEST_WAIT_S if seconds is None else float(seconds)
        return self._wait(call, version, longest_s, _limit(options, "maxObjectUpdates", _NO_LIMIT))

    def WaitForUpdates(self, call: Call, *, version: str | None) -> RawXml | None:
        """Return what changed since a version, waiting for it as long as it takes."""
        return self._wait(call, version, _LONGEST_WAIT_S, _NO_LIMIT)

    def CheckForUpdates(self, call: Call, *, version: str | None) -> RawXml | None:
        """Return what changed since a version, without waiting."""
        return self._wait(call, version, 0.0, _NO_LIMIT)

    def CancelWaitForUpdates(self, call: Call) -> None:
        """End the waits of this session on this collector with RequestCanceled."""
        with self.world.lock:
            self._state(_session(call)).cancellations += 1
            self.world.changed.notify_all()

    def _wait(self, call: Call, version: str | None, longest_s: float, limit: int) -> RawXml | None:
        world, session, pieces = self.world, _session(call), _pieces(call)
        find = self._finder(call)
        deadline = world.clock.monotonic() + longest_s
        with world.lock:
            state = self._state(session)
            state.settle(version)
            cancellations = state.cancellations
            while True:
                if session.closed or world.tasks.stopping or state.cancellations != cancellations:
                    raise vmodl.fault.RequestCanceled(msg="The request was canceled.")
                content = state.next_updates(find, pieces, limit)
                if content is not None:
                    return RawXml(f"<returnval>{content}</returnval>")
                remaining_s = deadline - world.clock.monotonic()
                if remaining_s <= 0:
                    return None
                world.changed.wait(remaining_s)

    # ---- collectors ------------------------------------------------------------------------------------

    def CreatePropertyCollector(self, call: Call) -> Any:
        """Return a new collector that only this session knows."""
        session = _session(call)
        moid = f"session[{session.key}]{uuid.uuid4()}"
        made = SimPropertyCollector(self.world, moid, session)
        with self.world.lock:
            session_objects(session)[moid] = made
        return made.ref

    def DestroyPropertyCollector(self, call: Call) -> None:
        """Delete a collector and its filters.

        Raises:
            vmodl.fault.NotSupported: it is the session's default one.
        """
        if self._owner is None:
            raise vmodl.fault.NotSupported(msg="The default property collector cannot be destroyed.")
        session = _session(call)
        with self.world.lock:
            self.CancelWaitForUpdates(call)
            for made in list(self._state(session).filters):
                self._drop_filter(session, made)
            session.part(CollectorStates).pop(self.moid, None)
            session_objects(session).pop(self.moid, None)

    def _drop_filter(self, session: ClientSession, gone: SimPropertyFilter) -> None:
        with self.world.lock:
            state = self._state(session)
            if gone in state.filters:
                state.filters.remove(gone)
            session_objects(session).pop(gone.moid, None)

    def _state(self, session: ClientSession) -> CollectorState:
        return session.part(CollectorStates).setdefault(self.moid, CollectorState())

    def _finder(self, call: Call) -> Find:
        own, world = session_objects(_session(call)), self.world.objects
        return lambda ref: own.get(ref._moId) or world.get(ref._moId)


def _session(call: Call) -> ClientSession:
    assert call.session is not None, "every call over the wire has a session"
    return call.session


def _pieces(call: Call) -> Pieces:
    serializer: Serializer | None = call.serializer
    assert serializer is not None, "every call over the wire has a serializer"
    return Pieces(serializer, _session(call))


def _limit(options: Any, name: str, highest: int) -> int:
    wanted: int | None = getattr(options, name, None)
    return highest if wanted is None or wanted <= 0 else min(wanted, highest)


def _merged(found: list[Selected]) -> list[Selected]:
    """Join what several specifications want of the same object."""
    by_id: dict[str, Selected] = {}
    for selected in found:
        known = by_id.get(selected.obj.moid)
        if known is None:
            by_id[selected.obj.moid] = selected
        else:
            known.paths = tuple(dict.fromkeys((*known.paths, *selected.paths)))
    return list(by_id.values())
