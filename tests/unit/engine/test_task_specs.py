"""What a task has to do is stored in a form of its own, and a task that cannot be read stops nothing else."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from app.contract.points import StartExport, StartVerify
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.standbys import StartClosing, StartGarbageCollection
from app.contract.tasks import ListTasks, RetryTask, StartBackup, StartConsolidation
from app.domain.events import TaskFailed
from app.domain.ids import PlatformId, StandbyId, TaskId, VmId
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine import messages
from app.engine.tasks.commands import TaskCommand, spec_of, wish_of
from app.engine.tasks.errors import TaskNotReadable, TaskOfNewerVersion
from app.engine.tasks.spec import BackupSpec, MigrationSpec, ProofSpec, RecoverySpec, RestoreSpec
from app.engine.tasks.stored import VERSION, encode_spec, read_spec, specs_of
from tests.support.engine_lab import EngineLab, codes_of, filled_vm
from tests.support.stored_tasks import BEFORE_RELEASE, LATER, STORED, Fields

COMMANDS: dict[str, type[TaskCommand]] = {
    "backup": StartBackup,
    "restore as new": StartRestore,
    "restore over": StartRestore,
    "verify": StartVerify,
    "export": StartExport,
    "garbage": StartGarbageCollection,
    "closing": StartClosing,
}
ALL = sorted(STORED)
OF_BEFORE = sorted(BEFORE_RELEASE)


def record_of(document: object, kind: str = "backup") -> TaskRecord:
    return TaskRecord(
        id=TaskId("t1"),
        kind=TaskKind(kind),
        state=TaskState.PENDING,
        vm=VmId("vm-1"),
        vm_name="网站",
        platform=None,
        standby=StandbyId("s1"),
        rule_name="",
        request=document if isinstance(document, str) else json.dumps(document),
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


def command_of(name: str) -> TaskCommand:
    kind = COMMANDS[name]
    tag = kind.__struct_config__.tag
    command: TaskCommand = msgspec.convert({**BEFORE_RELEASE[name], "type": tag}, kind)
    return command


# --- the form ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_stored_documents_are_read_and_written_as_they_always_were(name: str) -> None:
    document = STORED[name]
    spec = read_spec(record_of(document, document["task"]))
    assert json.loads(encode_spec(spec)) == document


@pytest.mark.parametrize("name", ["backup", "restore as new", "restore over"])
def test_a_document_from_before_there_was_a_field_is_read(name: str) -> None:
    older = _older(STORED[name])
    assert older != STORED[name]
    spec = read_spec(record_of(older, older["task"]))
    written = json.loads(encode_spec(spec))
    assert _older(written) == older
    assert written["lan_free"] is False


def _older(document: Fields) -> Fields:
    """Return a document without the fields that were not written at first, whatever part of it they are in."""
    return {
        key: _older(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if key not in LATER
    }


@pytest.mark.parametrize("name", OF_BEFORE)
def test_a_document_of_before_the_release_is_read_as_what_it_was(name: str) -> None:
    task = STORED[name]["task"]
    assert read_spec(record_of(BEFORE_RELEASE[name], task)) == read_spec(record_of(STORED[name], task))


@pytest.mark.parametrize("name", OF_BEFORE)
def test_nothing_of_a_command_is_forgotten_in_its_task(name: str) -> None:
    command = command_of(name)
    spec = spec_of(command)
    assert spec == read_spec(record_of(STORED[name], STORED[name]["task"]))
    fields = {field.name for field in msgspec.structs.fields(command)}
    assert fields == set(STORED[name]) - {"version", "task"}, "every field has a value of its own in this test"
    if isinstance(spec, RestoreSpec):
        assert isinstance(command, StartRestore)
        assert wish_of(spec.target) == command.target


def test_a_consolidation_is_stored_without_a_standby() -> None:
    command = StartConsolidation(platform=PlatformId("p1"), vm=VmId("vm-1"), vm_name="web", priority=3)
    document = {
        "version": 1,
        "task": "consolidation",
        "standby": "",
        "priority": 3,
        "platform": "p1",
        "vm": "vm-1",
        "vm_name": "web",
    }
    assert json.loads(encode_spec(spec_of(command))) == document
    assert read_spec(record_of(document, "consolidation")) == spec_of(command)


@pytest.mark.parametrize("wish", [OverOriginal(), OverOriginal(host="esx1")])
def test_a_restore_over_an_original_that_nobody_confirmed_goes_there_and_back(wish: OverOriginal | NewVm) -> None:
    spec = spec_of(msgspec.structs.replace(command_of("restore over"), target=wish))
    assert isinstance(spec, RestoreSpec)
    assert wish_of(spec.target) == wish


def test_what_reads_and_writes_tasks_knows_no_command() -> None:
    code = "import sys, app.engine.tasks.stored; print([name for name in sys.modules if 'app.contract' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "renaming a command must not change what is stored"


# --- tasks of one kind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (MigrationSpec, {"migration"}),
        (ProofSpec, {"proof"}),
        (RecoverySpec, {"instant start", "instant stop", "instant finish", "instant keep"}),
    ],
)
def test_tasks_of_one_kind_are_found_with_what_they_have_to_do(
    wanted: type[msgspec.Struct], names: set[str]
) -> None:
    records = {name: record_of(STORED[name], STORED[name]["task"]) for name in ALL}
    found = dict(specs_of(records.values(), wanted))
    assert found == {records[name]: read_spec(records[name]) for name in names}


def test_a_task_of_a_kind_that_cannot_be_read_is_left_out() -> None:
    torn = record_of({**STORED["migration"], "work": "fly"}, "migration")
    known = record_of(STORED["migration"], "migration")
    assert [record for record, _ in specs_of([torn, known], MigrationSpec)] == [known]


# --- documents that cannot be read -------------------------------------------------------------------------------


def without(name: str) -> Callable[[Fields], Fields]:
    return lambda document: {key: value for key, value in document.items() if key != name}


def changed(**changes: object) -> Callable[[Fields], Fields]:
    return lambda document: {**document, **changes}


UNREADABLE: dict[str, Callable[[Fields], object]] = {
    "not JSON": lambda _: "what?",
    "empty": lambda _: "",
    "no document": lambda _: ["backup"],
    "endless": lambda _: "[" * 100_000,
    "no standby": without("standby"),
    "no task": without("task"),
    "no version": without("version"),
    "text for a number": changed(priority="high"),
    "a number for text": changed(vm_name=7),
    "an unknown kind of task": changed(task="StartBackup"),
    "another kind of task": lambda _: STORED["verify"],
    "an unknown choice": changed(kind="sideways"),
    "a version that is none": changed(version="one"),
    "a version before all": changed(version=-1),
    "a yes for a version": changed(version=True),
}


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_a_document_that_cannot_be_read_is_named_as_such(name: str) -> None:
    with pytest.raises(TaskNotReadable, match="网站"):
        read_spec(record_of(UNREADABLE[name](STORED["backup"])))


def test_a_document_of_a_newer_version_is_named_as_such() -> None:
    with pytest.raises(TaskOfNewerVersion, match=f"form {VERSION + 1}; this version reads forms up to {VERSION}"):
        read_spec(record_of({"version": VERSION + 1, "what": "we do not know yet"}))


def test_a_field_that_is_not_known_is_left_aside() -> None:
    document = STORED["backup"]
    assert read_spec(record_of({**document, "colour": "blue"})) == read_spec(record_of(document))


# --- the engine over them ----------------------------------------------------------------------------------------


def wait_in(lab: EngineLab, vm: VmId) -> TaskRecord:
    """Write a task into the catalog as one that waits."""
    spec = BackupSpec(platform=lab.platform, vm=vm, vm_name="web", standby=lab.standby, rule_name="nightly")
    record = lab.engine.factory.task(spec).record
    lab.catalog.tasks.add(record)
    return record


def mutate(directory: Path, task: TaskId, mutation: Callable[[Fields], object]) -> None:
    """Change what a task has to do behind the program's back."""
    connection = sqlite3.connect(directory / "catalog.db")
    (text,) = connection.execute("SELECT request FROM tasks WHERE id = ?", (task,)).fetchone()
    mutated = mutation(json.loads(text))
    document = mutated if isinstance(mutated, str) else json.dumps(mutated)
    connection.execute("UPDATE tasks SET request = ? WHERE id = ?", (document, task))
    connection.commit()
    connection.close()


@pytest.mark.allows_log("cannot be read")
@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        *((UNREADABLE[name], "task.not_readable") for name in ("not JSON", "no standby", "text for a number")),
        (UNREADABLE["an unknown kind of task"], "task.not_readable"),
        (changed(version=99), "task.newer_version"),
    ],
)
def test_a_waiting_task_that_cannot_be_read_fails_and_the_others_go_on(
    tmp_path: Path, mutation: Callable[[Fields], object], code: str
) -> None:
    with EngineLab(tmp_path) as lab:
        vm = filled_vm(lab)
        first, broken, last = (wait_in(lab, vm) for _ in range(3))
    mutate(tmp_path, broken.id, mutation)
    with EngineLab(tmp_path, host=lab.host) as again:
        for record in (first, last):
            assert again.finished(record.id).task.state is TaskState.COMPLETED
        report = again.finished(broken.id)
        assert report.task.state is TaskState.FAILED
        assert report.task.error is not None
        assert report.task.error.code == code
        assert codes_of(report) == [messages.TASK_FAILED.code]
        failures = [event for event in again.events if isinstance(event, TaskFailed)]
        assert [(event.task, event.code) for event in failures] == [(broken.id, code)]
        assert {row.id for row in again.engine.ask(ListTasks())} == {first.id, broken.id, last.id}
        with pytest.raises((TaskNotReadable, TaskOfNewerVersion), match="web") as caught:
            again.engine.execute(RetryTask(task=broken.id))
        assert caught.value.code == code


def test_a_waiting_task_of_before_the_release_is_run(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        waiting = wait_in(lab, filled_vm(lab))

    def as_command(document: Fields) -> Fields:
        return {"type": "StartBackup", **without("task")(without("version")(document))}

    mutate(tmp_path, waiting.id, as_command)
    with EngineLab(tmp_path, host=lab.host) as again:
        assert again.finished(waiting.id).task.state is TaskState.COMPLETED


@pytest.mark.allows_log("cannot be read")
def test_a_task_that_ran_and_cannot_be_read_is_interrupted_as_others_are(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        record = wait_in(lab, filled_vm(lab))
        lab.catalog.tasks.enter(record.id, TaskState.RUNNING, lab.clock.now())
    mutate(tmp_path, record.id, UNREADABLE["not JSON"])
    with EngineLab(tmp_path, host=lab.host) as again:
        report = again.finished(record.id)
        assert report.task.error is not None
        assert report.task.error.code == "task.interrupted"
