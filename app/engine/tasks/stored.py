"""Writes specifications of tasks for the catalog, and reads those that any version of the program has written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar, get_args

import msgspec

from app.domain.states import TaskKind
from app.domain.tasks import TaskRecord
from app.engine.tasks.errors import TaskNotReadable, TaskOfNewerVersion
from app.engine.tasks.spec import TaskSpec

VERSION: Final = 1
"""Version of the form in which specifications are written."""

_UNREADABLE = (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError)

Document = dict[str, Any]
SpecT = TypeVar("SpecT", bound=msgspec.Struct)


def encode_spec(spec: TaskSpec) -> str:
    """Return the document of a specification; defaults are written too, for they may change."""
    return msgspec.json.encode({"version": VERSION, **msgspec.to_builtins(spec)}).decode()


def read_spec(record: TaskRecord) -> TaskSpec:
    """Read what a task has to do.

    Raises:
        TaskOfNewerVersion: its form is newer than :data:`VERSION`.
        TaskNotReadable: it is nothing that a version of the program writes.
    """
    try:
        document = msgspec.json.decode(record.request, type=dict[str, Any])
        version = msgspec.convert(document.get("version", 0), int)
        if version > VERSION:
            raise TaskOfNewerVersion(vm=record.vm_name, version=version, known=VERSION)
        for older in range(version, VERSION):
            document = _UPGRADES[older](document)
        if document["task"] != record.kind.value:
            raise ValueError(f"the task is a {record.kind.value}, not a {document['task']}")
        spec: TaskSpec = msgspec.convert(document, TaskSpec)
    except _UNREADABLE as error:
        raise TaskNotReadable(vm=record.vm_name) from error
    return spec


def readable_spec(record: TaskRecord) -> TaskSpec | None:
    """Read what a task has to do, for lists that also show tasks of which it cannot be read; None then."""
    try:
        return read_spec(record)
    except (TaskNotReadable, TaskOfNewerVersion):
        return None


def specs_of(records: Iterable[TaskRecord], wanted: type[SpecT]) -> Iterator[tuple[TaskRecord, SpecT]]:
    """Yield the tasks of one kind, or of the kinds that derive from it, with what each has to do.

    Those that cannot be read are left out; of tasks of other kinds nothing is read.
    """
    kinds = _kinds_of(wanted)
    for record in records:
        spec = readable_spec(record) if record.kind in kinds else None
        if isinstance(spec, wanted):
            yield record, spec


@cache
def _kinds_of(wanted: type[msgspec.Struct]) -> frozenset[TaskKind]:
    known: tuple[type[msgspec.Struct], ...] = get_args(TaskSpec)
    return frozenset(TaskKind(spec.__struct_config__.tag) for spec in known if issubclass(spec, wanted))


# --- upgrades -------------------------------------------------------------------------------------------------

_TASK_OF_COMMAND: Mapping[str, str] = {
    "StartBackup": "backup",
    "StartRestore": "restore",
    "StartVerify": "verify",
    "StartExport": "export",
    "StartSweep": "sweep",
    "StartClosing": "closing",
}
_TARGET_OF_COMMAND: Mapping[str, str] = {"NewVm": "new_vm", "OverOriginal": "original"}


def _from_command(document: Document) -> Document:
    """Upgrade from version 0, of before the first release: the command that asked for the task, as it came."""
    upgraded = {**document, "version": 1, "task": _TASK_OF_COMMAND[document["type"]]}
    if "target" in document:
        target = document["target"]
        upgraded["target"] = {**target, "target": _TARGET_OF_COMMAND[target["type"]]}
    return upgraded


_UPGRADES: Mapping[int, Callable[[Document], Document]] = {0: _from_command}
"""For each older version, what makes a document of the next version of it."""
