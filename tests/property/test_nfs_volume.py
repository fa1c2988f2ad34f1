"""The NFS server against a model: random procedures, requests sent again, new connections, and restarts."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tests.support.nfs_client import (
    CREATE,
    EXCLUSIVE,
    GUARDED,
    NO_ATTRIBUTES,
    REMOVE,
    RENAME,
    UNCHECKED,
    NfsClient,
    Refused,
    opaque,
    sattr,
    u32,
)
from tests.unit.nfs.conftest import SECRET, Site

NOENT, EXIST, NOTDIR, ISDIR, INVAL, NOTEMPTY, STALE = 2, 17, 20, 21, 22, 66, 70
KINDS = st.sampled_from([UNCHECKED, GUARDED])
NAMES = st.sampled_from(["a", "b", "虚机", "x" * 255])
OFFSETS = st.integers(0, 200_000)
Result = TypeVar("Result")
DATA = st.binary(max_size=40) | st.integers(1, 150_000).map(lambda length: b"\xa5" * length)


@dataclass
class Entry:
    """What the model knows of a file or folder."""

    handle: bytes
    parent: "Entry | None"
    name: str
    is_folder: bool
    content: bytearray = field(default_factory=bytearray)
    verifier: bytes = b""
    children: dict[str, "Entry"] = field(default_factory=dict)
    is_gone: bool = False

    @property
    def refusal(self) -> int:
        """Why nothing is in it; 0 for a folder that is there."""
        if self.is_gone:
            return STALE
        return 0 if self.is_folder else NOTDIR

    def is_within(self, folder: "Entry") -> bool:
        """Return whether it is a folder or below it."""
        entry: Entry | None = self
        while entry is not None:
            if entry is folder:
                return True
            entry = entry.parent
        return False


def outcome(call: Callable[[], Result]) -> tuple[int, Result | None]:
    """Return the status of a call, and its results where it succeeded."""
    try:
        return 0, call()
    except Refused as refused:
        return refused.status, None


class VolumeMachine(RuleBasedStateMachine):
    """Does the same with the server and with the model."""

    entries = Bundle("entries")

    @initialize(target=entries)
    def begin(self) -> Entry:
        self.folder = Path(tempfile.mkdtemp(prefix="sf-nfs-"))
        self.site = Site(self.folder / "volume")
        self.client: NfsClient = self.site.client()
        self.seen: dict[bytes, Entry] = {}
        self.changes: list[tuple[int, bytes, int, bytes]] = []
        self.root = Entry(self.client.mount(f"/{SECRET}"), None, "", is_folder=True)
        self.seen[self.root.handle] = self.root
        return self.root

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.site.stop()
            shutil.rmtree(self.folder)

    # --- changes -------------------------------------------------------------------------------------------------

    def change(self, procedure: int, body: bytes) -> tuple[int, bytes]:
        """Call; return status and results, which are remembered for a repetition."""
        number = self.client.xid + 1
        results = self.client.ask(procedure, body).data
        self.changes.append((procedure, body, number, results))
        return int.from_bytes(results[:4], "big"), results

    @rule(target=entries, folder=entries, name=NAMES, kind=KINDS)
    def create(self, folder: Entry, name: str, kind: int) -> object:
        return self._create(folder, name, kind)

    def _create(self, folder: Entry, name: str, kind: int) -> object:
        body = opaque(folder.handle) + opaque(name.encode()) + u32(kind) + NO_ATTRIBUTES
        status, results = self.change(CREATE, body)
        there = folder.children.get(name)
        if folder.refusal:
            assert status == folder.refusal
        elif there is not None and (kind == GUARDED or there.is_folder):
            assert status == EXIST
        else:
            assert status == 0
            if there is None:
                return self._made(folder, name, results, is_folder=False)
            assert results[12:28] == there.handle
        return multiple()

    @rule(target=entries, name=NAMES, kind=KINDS)
    def create_at_the_top(self, name: str, kind: int) -> object:
        """As most do: what is gone, or no folder, is chosen often enough by the others."""
        return self._create(self.root, name, kind)

    @rule(target=entries, folder=entries, name=NAMES, verifier=st.sampled_from([b"host-a__", b"host-b__"]))
    def lock(self, folder: Entry, name: str, verifier: bytes) -> object:
        body = opaque(folder.handle) + opaque(name.encode()) + u32(EXCLUSIVE) + verifier
        status, results = self.change(CREATE, body)
        there = folder.children.get(name)
        if folder.refusal:
            assert status == folder.refusal
        elif there is None:
            assert status == 0
            made = self._made(folder, name, results, is_folder=False)
            made.verifier = verifier
            return made
        else:
            assert status == (0 if there.verifier == verifier else EXIST)
        return multiple()

    @rule(target=entries, folder=entries, name=NAMES)
    def mkdir(self, folder: Entry, name: str) -> object:
        status, results = self.change(9, opaque(folder.handle) + opaque(name.encode()) + NO_ATTRIBUTES)
        if folder.refusal:
            assert status == folder.refusal
        elif name in folder.children:
            assert status == EXIST
        else:
            assert status == 0
            return self._made(folder, name, results, is_folder=True)
        return multiple()

    def _made(self, folder: Entry, name: str, results: bytes, *, is_folder: bool) -> Entry:
        handle = results[12:28]
        assert handle not in self.seen, "a handle was used twice"
        made = Entry(handle, folder, name, is_folder=is_folder)
        self.seen[handle] = made
        folder.children[name] = made
        return made

    @rule(folder=entries, name=NAMES)
    def remove(self, folder: Entry, name: str) -> None:
        self._remove(folder, name)

    @rule(name=NAMES)
    def remove_from_the_top(self, name: str) -> None:
        self._remove(self.root, name)

    def _remove(self, folder: Entry, name: str) -> None:
        status, _ = self.change(REMOVE, opaque(folder.handle) + opaque(name.encode()))
        there = folder.children.get(name)
        if folder.refusal:
            assert status == folder.refusal
        elif there is None:
            assert status == NOENT
        elif there.is_folder:
            assert status == ISDIR
        else:
            assert status == 0
            self._take_away(there)

    @rule(folder=entries, name=NAMES)
    def rmdir(self, folder: Entry, name: str) -> None:
        status, _ = self.change(13, opaque(folder.handle) + opaque(name.encode()))
        there = folder.children.get(name)
        if folder.refusal:
            assert status == folder.refusal
        elif there is None:
            assert status == NOENT
        elif not there.is_folder:
            assert status == NOTDIR
        elif there.children:
            assert status == NOTEMPTY
        else:
            assert status == 0
            self._take_away(there)

    def _take_away(self, entry: Entry) -> None:
        assert entry.parent is not None
        del entry.parent.children[entry.name]
        entry.is_gone = True

    @rule(folder=entries, name=NAMES, to_folder=entries, to_name=NAMES)
    def rename(self, folder: Entry, name: str, to_folder: Entry, to_name: str) -> None:
        body = opaque(folder.handle) + opaque(name.encode()) + opaque(to_folder.handle) + opaque(to_name.encode())
        status, _ = self.change(RENAME, body)
        if folder.is_gone or to_folder.is_gone:
            assert status == STALE
            return
        if not folder.is_folder or not to_folder.is_folder:
            assert status in (NOTDIR, NOENT)
            return
        moved, there = folder.children.get(name), to_folder.children.get(to_name)
        if moved is None:
            assert status == NOENT
        elif moved is there:
            assert status == 0
        elif there is not None and there.is_folder != moved.is_folder:
            assert status == EXIST
        elif there is not None and there.children:
            assert status == NOTEMPTY
        elif moved.is_folder and to_folder.is_within(moved):
            assert status == INVAL
        else:
            assert status == 0
            if there is not None:
                self._take_away(there)
            del folder.children[name]
            moved.parent, moved.name = to_folder, to_name
            to_folder.children[to_name] = moved

    # --- content -------------------------------------------------------------------------------------------------

    @rule(file=entries, offset=OFFSETS, data=DATA, stable=st.sampled_from([0, 1, 2]))
    def write(self, file: Entry, offset: int, data: bytes, stable: int) -> None:
        status, _ = outcome(lambda: self.client.write(file.handle, offset, data, stable))
        assert status == self._due(file)
        if data and not status:
            file.content.extend(bytes(max(0, offset + len(data) - len(file.content))))
            file.content[offset : offset + len(data)] = data

    @rule(file=entries, size=st.integers(0, 300_000))
    def resize(self, file: Entry, size: int) -> None:
        status, facts = outcome(lambda: self.client.set(file.handle, sattr(size=size)))
        assert status == self._due(file)
        if facts is not None:
            assert facts.size == size
            file.content[size:] = b""
            file.content.extend(bytes(size - len(file.content)))

    @rule(file=entries, offset=OFFSETS, count=st.integers(0, 200_000))
    def read(self, file: Entry, offset: int, count: int) -> None:
        status, found = outcome(lambda: self.client.read(file.handle, offset, count))
        assert status == self._due(file)
        if found is not None:
            data, is_end = found
            assert data == file.content[offset : offset + count]
            assert is_end == (offset + len(data) >= len(file.content))

    def _due(self, file: Entry) -> int:
        if file.is_gone:
            return STALE
        return ISDIR if file.is_folder else 0

    # --- trouble -------------------------------------------------------------------------------------------------

    @rule()
    def connect_again(self) -> None:
        number = self.client.xid
        self.client = self.site.client()
        self.client.xid = number

    @rule(back=st.integers(1, 5))
    def repeat(self, back: int) -> None:
        """What was sent before comes once more over a new connection, and gets the answer of then."""
        if len(self.changes) >= back:
            procedure, body, number, results = self.changes[-back]
            assert self.site.client().ask(procedure, body, xid=number).data == results

    @rule()
    def restart(self) -> None:
        number = self.client.xid
        self.site.restart()
        self.changes.clear()
        self.client = self.site.client()
        self.client.xid = number

    @rule(entry=consumes(entries))
    def forget(self, entry: Entry) -> None:
        """Use others from now on."""

    # --- what is always true -------------------------------------------------------------------------------------

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if not hasattr(self, "root"):
            return
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            listed = dict(self.client.names(folder.handle, 512))
            assert set(listed) == set(folder.children)
            for name, entry in folder.children.items():
                assert self.client.lookup(folder.handle, name) == entry.handle
                facts = self.client.facts(entry.handle)
                assert facts.fileid == listed[name]
                assert entry.is_folder == (facts.kind == 2)
                assert entry.is_folder or facts.size == len(entry.content)
            waiting += [entry for entry in folder.children.values() if entry.is_folder]
        stored = {path.name for path in (self.folder / "volume" / "files").iterdir()}
        files = sum(not entry.is_folder and not entry.is_gone for entry in self.seen.values())
        assert len(stored) == files, "a file is left, or missing"


TestVolumeAgainstModel = VolumeMachine.TestCase
TestVolumeAgainstModel.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
