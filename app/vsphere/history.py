"""What the platform remembers of a VM: whether someone brought it back to an earlier snapshot.

vCenter posts ``com.vmware.vc.vm.VmStateRevertedToSnapshot`` when that has happened, and a ``TaskEvent`` when it
begins, whose task is described as ``vm.Snapshot.revert`` or ``VirtualMachine.revertToCurrentSnapshot``; an ESXi
host knows the same tasks. Everything about the VM in the time in question is read and looked through here, not
filtered by type on the platform: a filter that a server understands differently would find nothing in silence.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from xml.parsers.expat import ParserCreate

from pyVmomi import vim

from app.domain.ids import VmId
from app.domain.messages import Message
from app.domain.restore_point import HistoryMark
from app.vsphere.answers import AnswerUnusable, Readable
from app.vsphere.errors import HistoryIncomplete
from app.vsphere.reasons import NOTHING_BEFORE, TOO_MANY_EVENTS
from app.vsphere.session import Connection, VSphereSession

MARGIN = timedelta(minutes=1)
"""How much earlier we begin to look: the difference of two clocks is known only roughly, and may have drifted."""
CLOCK_MARGIN = timedelta(days=1)
"""How much earlier we begin where events have keys: the platform's clock may have been set back by so much."""
SECOND = timedelta(seconds=1)
PAGE_EVENTS = 1000
"""Most events that one answer holds, by the platform's own limit."""
_MOST_PAGES = 100
_REVERT = "revert"

# Depth of the elements in Envelope/Body/…Response/returnval/…
_EVENT = 4
_FIELD = 5
_TASK_FIELD = 6


@dataclass(slots=True)
class LightEvent:
    """The properties of an event that say what it is."""

    kind: str
    """Wire name of its class, such as ``TaskEvent``."""
    type_id: str = ""
    """For an ``EventEx``: what it is really about."""
    task: str = ""
    """For a ``TaskEvent``: the task's description id."""
    key: int = field(default=0, compare=False)
    """The platform's number of it, counted up; 0 when it is unknown."""

    @property
    def shows_revert(self) -> bool:
        """Return whether someone reverted the VM, or began to: how that ended is not known at its beginning."""
        return any(_REVERT in text.lower() for text in (self.kind, self.type_id, self.task))


class History:
    """Reads the history of VMs over one session. Thread: any."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session

    def mark(self) -> HistoryMark:
        """Return where the history is now.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        return self._session.run(_mark)

    def reverted_since(self, vm: VmId, moment: datetime | HistoryMark) -> bool:
        """Return whether a VM was reverted; see ``RevertHistory.reverted_since``.

        Raises:
            HistoryIncomplete: no event shows it, but the platform does not remember the whole time either.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        if isinstance(moment, HistoryMark):
            return self._reverted_since_mark(vm, moment)
        since = moment + self._clock_difference()
        if any(event.shows_revert for event in self._events(vm, since - MARGIN)):
            return True
        if not self._session.run(lambda connection: _reaches_back(connection, vm, since)):
            raise self._incomplete(NOTHING_BEFORE.fill(moment=f"{moment:%Y-%m-%d %H:%M:%S}"))
        return False

    def _reverted_since_mark(self, vm: VmId, mark: HistoryMark) -> bool:
        now = self.mark()
        if _disagree(mark, now):
            return True
        known = mark.event_key if mark.event_key is not None else 0
        events = self._events(vm, mark.at - (MARGIN if mark.event_key is None else CLOCK_MARGIN))
        if any(event.shows_revert and (not event.key or event.key > known) for event in events):
            return True
        if mark.event_key is not None and mark.event_at is not None:
            around = self._around(mark.event_at)
            if any(event.key == mark.event_key for event in around):
                return False
            if around:  # the newest event of then is another one now: they were counted from the start again
                return True
        if not self._session.run(lambda connection: _reaches_back(connection, vm, mark.at)):
            raise self._incomplete(NOTHING_BEFORE.fill(moment=f"{mark.at:%Y-%m-%d %H:%M:%S}"))
        return False

    def _around(self, moment: datetime) -> list[LightEvent]:
        """Return what happened anywhere in the second of a moment, by the platform's clock."""
        wanted: Any = vim.event.EventFilterSpec(
            time=vim.event.EventFilterSpec.ByTime(beginTime=moment - SECOND, endTime=moment + SECOND),
            disableFullMessage=True,
        )
        return self._session.run(lambda connection: _query(connection, wanted))

    def _clock_difference(self) -> timedelta:
        """Return by how much the platform's clock is ahead of ours."""
        before = self._session.clock.now()
        theirs = self._session.run(
            lambda connection: vim.ServiceInstance("ServiceInstance", connection.stub).CurrentTime()
        )
        after = self._session.clock.now()
        ahead: timedelta = theirs - (before + (after - before) / 2)
        return ahead

    def _events(self, vm: VmId, since: datetime) -> list[LightEvent]:
        events = self._session.run(lambda connection: _query(connection, _about(connection, vm, since)))
        if len(events) < PAGE_EVENTS:
            return events
        return self._session.run(lambda connection: self._all_pages(connection, _about(connection, vm, since)))

    def _all_pages(self, connection: Connection, wanted: Any) -> list[LightEvent]:
        collector: Any = connection.content.eventManager.CreateCollectorForEvents(filter=wanted)
        found: list[LightEvent] = []
        try:
            collector.RewindCollector()
            read_next = type(collector).ReadNextEvents.info
            for _ in range(_MOST_PAGES):
                page = connection.stub.invoke_raw(collector, read_next, (PAGE_EVENTS,), parse_events)
                if not page:
                    return found
                found += page
        finally:
            collector.DestroyCollector()
        raise self._incomplete(TOO_MANY_EVENTS.fill(count=_MOST_PAGES * PAGE_EVENTS))

    def _incomplete(self, detail: Message) -> HistoryIncomplete:
        return HistoryIncomplete(address=self._session.platform.address, detail=detail)


def _disagree(mark: HistoryMark, now: HistoryMark) -> bool:
    """Return whether a platform is not the one of a mark, or counts its events or its time from the start."""
    if mark.platform != now.platform or now.at < mark.at - MARGIN:
        return True
    return mark.event_key is not None and (now.event_key is None or now.event_key < mark.event_key)


def _mark(connection: Connection) -> HistoryMark:
    at = vim.ServiceInstance("ServiceInstance", connection.stub).CurrentTime()
    latest: Any = None
    with suppress(vim.fault.NoPermission, AnswerUnusable):  # or of a class of a later version
        latest = connection.content.eventManager.latestEvent
    return HistoryMark(
        at=at,
        platform=connection.content.about.instanceUuid or None,
        event_key=None if latest is None else latest.key,
        event_at=None if latest is None else latest.createdTime,
    )


def _about(connection: Connection, vm: VmId, begin: datetime | None, end: datetime | None = None) -> Any:
    spec: Any = vim.event.EventFilterSpec
    return spec(
        entity=spec.ByEntity(entity=connection.vm(vm), recursion=spec.RecursionOption.self),
        time=spec.ByTime(beginTime=begin, endTime=end),
        disableFullMessage=True,
    )


def _reaches_back(connection: Connection, vm: VmId, since: datetime) -> bool:
    """Return whether anything that happened before a moment is still remembered.

    A backup itself leaves something about its VM just before that moment; where the platform keeps no such
    events, something older about anything else will do.
    """
    of_vm = _about(connection, vm, None, since + MARGIN)
    of_all = vim.event.EventFilterSpec(
        time=vim.event.EventFilterSpec.ByTime(endTime=since), disableFullMessage=True
    )
    for wanted in (of_vm, of_all):
        wanted.maxCount = 1
        if _query(connection, wanted):
            return True
    return False


def _query(connection: Connection, wanted: Any) -> list[LightEvent]:
    manager = connection.content.eventManager
    found: list[LightEvent] = connection.stub.invoke_raw(
        manager, type(manager).QueryEvents.info, (wanted, None), parse_events
    )
    return found


def parse_events(stream: Readable) -> list[LightEvent]:
    """Read the SOAP answer of ``QueryEvents`` or ``ReadNextEvents``, whatever classes its events are of.

    Raises:
        xml.parsers.expat.ExpatError: it is not XML.
    """
    reader = _Reader()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.ParseFile(stream)
    return reader.events


class _Reader:
    """The walk over one answer. Thread: one."""

    def __init__(self) -> None:
        self.events: list[LightEvent] = []
        self._depth = 0
        self._text: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth == _EVENT:
            named = next((value for name, value in attributes.items() if name.endswith(":type")), "Event")
            self.events.append(LightEvent(named.rpartition(":")[2]))
        elif (self._depth, tag) in {
            (_FIELD, "eventTypeId"),
            (_FIELD, "key"),
            (_TASK_FIELD, "descriptionId"),
        }:
            self._text = []

    def characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, tag: str) -> None:
        self._depth -= 1
        if self._text is None:
            return
        text, self._text = "".join(self._text), None
        if tag == "eventTypeId":
            self.events[-1].type_id = text
        elif tag == "key":
            self.events[-1].key = int(text) if text.strip().isascii() and text.strip().isdigit() else 0
        else:
            self.events[-1].task = text
