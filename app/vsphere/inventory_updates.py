"""The inventory followed by its changes: the platform tells once what there is, and then only what is new.

A property collector of its own watches every VM and every place. Each look asks it for what changed since the last
one (``WaitForUpdatesEx`` without a wait). Sources: ``PropertyCollector.WaitForUpdatesEx``, ``UpdateSet`` and
``ObjectUpdate`` of the vSphere Web Services reference.
"""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from pyVmomi import vmodl

from app.domain.vms import VmSummary
from app.vsphere.inventory import INVENTORY_PATHS, Places, by_name, list_vms, summary_of
from app.vsphere.inventory_xml import HEAD_BYTES, LightReader, LightRow
from app.vsphere.properties import counted, make_view, view_spec
from app.vsphere.session import Connection, VSphereSession

_PC = vmodl.query.PropertyCollector
_UPDATES_PER_ANSWER: Final = 1000
_LONG_BYTES: Final = 1 << 18

# Depth of the elements in Envelope/Body/…Response/returnval/filterSet/objectSet/changeSet/val/…, one less each.
_VERSION = 4
_OBJECT = 5
_KIND = 6
_OP = 7


@dataclass(slots=True)
class Change:
    """What became of one object."""

    is_gone: bool
    row: LightRow
    """Its properties that were told."""
    unset: list[str] = field(default_factory=list)
    """Names of its properties that have no value any more."""


@dataclass(slots=True)
class ChangePage:
    """One answer: what changed, and the version that brings what follows."""

    version: str = ""
    changes: list[Change] = field(default_factory=list)
    is_truncated: bool = False
    """True: there is more already."""


class UpdateReader(LightReader):
    """The walk over an answer of ``WaitForUpdatesEx``: like one of properties, one element deeper. Thread: one."""

    def __init__(self, *, has_odd_disks: bool) -> None:
        super().__init__(has_odd_disks=has_odd_disks)
        self.changes = ChangePage()
        self._depth = -1
        self._kind_of_change = self._op = ""
        self._unset: list[str] = []
        self._has_value = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        depth = self._depth + 1
        if (depth == _VERSION and tag in {"version", "truncated"}) or (depth == _KIND and tag == "kind"):
            self._depth = depth
            self._text = []
            return
        if depth == _OBJECT:
            self._unset = []
        elif depth == _KIND:
            self._has_value = False
        elif depth == _OP and tag == "val":
            self._has_value = True
        super().start(tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        depth = self._depth
        if depth > _OP:
            super().end(tag)
        elif depth == _OP and tag == "op":
            self._depth -= 1
            self._op = self._take_text()
        elif depth == _OP and tag == "path":  # of a missingSet: what it was may not be read any more
            self._depth -= 1
            self._unset.append(self._take_text())
        elif depth == _KIND and tag == "kind":
            self._depth -= 1
            self._kind_of_change = self._take_text()
        elif depth == _KIND and tag == "changeSet":
            self._depth -= 1
            if not self._has_value or self._op not in {"assign", "add"}:
                self._unset.append(self._name)
        elif depth == _OBJECT and tag == "objectSet":
            self._depth -= 1
            self.changes.changes.append(Change(self._kind_of_change == "leave", self._row, self._unset))
        elif depth == _VERSION and tag in {"version", "truncated"}:
            self._depth -= 1
            self._end_of_answer(tag, self._take_text())
        else:
            super().end(tag)

    def _end_of_answer(self, tag: str, text: str) -> None:
        if tag == "version":
            self.changes.version = text
        else:
            self.changes.is_truncated = text in {"true", "1"}


class InventoryWatch:
    """Every VM of a platform, looked at again and again over one session. Thread: any; one look at a time."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._following: _Following | None = None

    def look(self) -> list[VmSummary]:
        """Return every VM of the platform, sorted by name.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        with self._lock:
            return self._session.run(self._look)

    def _look(self, connection: Connection) -> list[VmSummary]:
        known, self._following = self._following, None  # until it is known to be good again
        following = known if known is not None and known.catches_up(connection) else _Following.begin(connection)
        if not following.is_numbered:  # the Go simulator: it may keep changes to itself
            following.end(connection)
            return list_vms(connection)
        self._following = following
        return following.vms()


class _Following:
    """What is known over one login."""

    def __init__(self, connection: Connection, collector: Any, view: Any) -> None:
        self._generation = connection.generation
        self._collector, self._view = collector, view
        self._version = ""
        self._rows: dict[str, LightRow] = {}
        self._places = Places()
        self._summaries: dict[str, VmSummary] = {}

    @classmethod
    def begin(cls, connection: Connection) -> "_Following":
        """Let the platform watch everything, and take in what there is."""
        view = make_view(connection.query(), list(INVENTORY_PATHS))
        collector = connection.content.propertyCollector.CreatePropertyCollector()
        collector.CreateFilter(spec=view_spec(view, INVENTORY_PATHS), partialUpdates=False)
        begun = cls(connection, collector, view)
        begun._take_new(connection)
        return begun

    @property
    def is_numbered(self) -> bool:
        """Whether the platform told the number of a version, so that nothing falls between two looks."""
        return self._version not in {"", "-"}

    def end(self, connection: Connection) -> None:
        """Let the platform forget it."""
        connection.object(type(self._collector), self._collector._moId).DestroyPropertyCollector()
        connection.object(type(self._view), self._view._moId).DestroyView()

    def catches_up(self, connection: Connection) -> bool:
        """Take in what changed since the last time; return False where the platform has forgotten all of it."""
        if self._generation != connection.generation:
            return False
        try:
            self._take_new(connection)
        except (vmodl.query.InvalidCollectorVersion, vmodl.fault.ManagedObjectNotFound):
            return False
        return True

    def _take_new(self, connection: Connection) -> None:
        for page in self._pages(connection):
            for change in page.changes:
                self._take(change)

    def _pages(self, connection: Connection) -> Iterator[ChangePage]:
        collector = connection.object(type(self._collector), self._collector._moId)
        method = type(collector).WaitForUpdatesEx.info
        options = _PC.WaitOptions(maxWaitSeconds=0, maxObjectUpdates=_UPDATES_PER_ANSWER)

        def ask(version: str) -> bytes:
            answer: bytes = connection.stub.invoke_raw(
                collector, method, (version, options), lambda stream: stream.read()
            )
            return answer

        with ThreadPoolExecutor(1, thread_name_prefix="vsphere-page") as ahead:
            content: bytes | None = ask(self._version)
            total = 0
            while content is not None:
                reader = UpdateReader.of(content)
                reader.feed(content[:HEAD_BYTES])
                # The version comes before the changes: while we read a long answer, the platform writes the next.
                early = reader.changes.version if len(content) > _LONG_BYTES else ""
                fetched = ahead.submit(ask, early) if early else None
                reader.feed(content[HEAD_BYTES:], is_last=True)
                page = reader.changes
                if not page.version:  # nothing is new
                    return
                total = counted(total, page.changes)
                self._version = page.version
                yield page
                if fetched is not None:
                    content = fetched.result()
                else:
                    content = ask(page.version) if page.is_truncated else None

    def _take(self, change: Change) -> None:
        moid = change.row.ref.moid
        if change.row.ref.kind != "VirtualMachine":
            self._take_place(moid, change)
            return
        self._summaries.pop(moid, None)
        if change.is_gone:
            self._rows.pop(moid, None)
            return
        known = self._rows.setdefault(moid, LightRow(change.row.ref))
        _update(known, change)

    def _take_place(self, moid: str, change: Change) -> None:
        """Every VM's summary may name it: a host that is not reached any more, a folder with another name."""
        self._summaries.clear()
        if change.is_gone:
            self._places.remove(moid)
            self._rows.pop(moid, None)
            return
        known = self._rows.setdefault(moid, LightRow(change.row.ref))
        _update(known, change)
        self._places.add(known)

    def vms(self) -> list[VmSummary]:
        """Return what is known, sorted by name."""
        for moid, row in self._rows.items():
            if moid not in self._summaries and row.ref.kind == "VirtualMachine":
                self._summaries[moid] = summary_of(row, self._places)
        return by_name(self._summaries.values())


def _update(known: LightRow, change: Change) -> None:
    known.values.update(change.row.values)
    for name in change.unset:
        known.values.pop(name, None)
