"""Documents of the catalog that damage, or another version of the program, has changed: understood or named."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.contract.base import Query
from app.contract.hooks import ReadHooks, SetHooks
from app.contract.log import ReadLog
from app.contract.notifications import ReadNotifications
from app.contract.overview import ReadOverview, ReadStatus, Search
from app.contract.platforms import ListPlatformRows, ListPlatforms
from app.contract.points import ListPoints, ListRecoverableVms
from app.contract.rules import ListRules, ListRuleVms, RunNow
from app.contract.standbys import ListStandbyRows, ListStandbys
from app.contract.statistics import ListStatisticsTasks, ReadStatistics
from app.contract.tasks import ListTasks, TaskDetails
from app.contract.wire import answer_type
from app.domain.hooks import HookCommand, Hooks
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.notifications import NotificationSettings
from app.domain.retry import NextTry, PendingRetry
from app.domain.states import BackupKind, TaskState
from app.engine.history import messages
from app.engine.hooks.run import HooksNotReadable
from tests.support.engine_lab import filled_vm
from tests.support.local_host import LocalHost
from tests.support.rule_lab import MORNING, RuleLab, local

NAMED = {
    kind.code
    for kind in (
        messages.RULE_NOT_READABLE,
        messages.SETTING_NOT_READABLE,
        messages.POINT_NOT_READABLE,
        messages.ROW_NOT_READABLE,
    )
}
pytestmark = pytest.mark.allows_log("cannot be read")


@dataclass(frozen=True)
class Site:
    """An installation as it was left, with two of each thing."""

    directory: Path
    host: LocalHost
    failed: TaskId
    vms: tuple[VmId, VmId]
    rules: tuple[RuleId, RuleId]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    with RuleLab(directory) as lab:
        web, db = filled_vm(lab), filled_vm(lab, name="db")
        rules = lab.rule(web, name="nightly"), lab.rule(db, name="weekly", target_path="vm/db")
        lab.engine.execute(SetHooks(hooks=Hooks(after=HookCommand(arguments=("true",)))))
        lab.catalog.settings.put("notifications", msgspec.json.encode(NotificationSettings()).decode())
        lab.catalog.settings.put("notifications.digest", MORNING.isoformat())
        lab.at(local(12))
        lab.host.faults.snapshot_failures = 1000
        failed = run_now(lab, rules[0])
        assert lab.finished(failed).task.state is TaskState.FAILED
        lab.host.faults.snapshot_failures = 0
        lab.catalog.retries.put(
            PendingRetry(
                rule=rules[0],
                vm=web,
                kind=BackupKind.FULL,
                next=NextTry(number=1, of=3, at=local(15)),
                failed_task=failed,
            )
        )
    connection = sqlite3.connect(directory / "catalog.db")
    connection.execute("UPDATE platform_sightings SET error_code = 'platform.unreachable', error_params = '{}'")
    connection.commit()
    connection.close()
    return Site(directory, lab.host, failed, (web, db), rules)


@contextmanager
def started_over(site: Site, directory: Path, statement: str, *values: object) -> Iterator[RuleLab]:
    """Change a copy of the catalog behind the program's back, and start an engine over it."""
    shutil.copy(site.directory / "catalog.db", directory / "catalog.db")
    connection = sqlite3.connect(directory / "catalog.db")
    changed = connection.execute(statement, values).rowcount
    connection.commit()
    connection.close()
    assert changed == 1, "the test changes one row"
    with RuleLab(directory, host=site.host, start=local(13)) as lab:
        lab.tick()
        yield lab


def ask(lab: RuleLab, query: Query[Any]) -> Any:
    """Ask the engine, and read the answer as another process does."""
    answer = lab.engine.ask(query)
    return msgspec.json.decode(msgspec.json.encode(answer), type=answer_type(type(query)))


def listed(lab: RuleLab) -> dict[str, set[str]]:
    """Return the keys of all that is listed, and make sure that the other questions are answered too."""
    others: tuple[Query[Any], ...] = (
        *(ReadOverview(), ReadStatus(), ReadNotifications(), ReadStatistics(), Search(text="w")),
        *(ListPlatformRows(), ListStandbyRows(), ListRecoverableVms(), ListStatisticsTasks()),
    )
    for query in others:
        ask(lab, query)
    with suppress(HooksNotReadable):
        ask(lab, ReadHooks())
    rules = ask(lab, ListRules())
    tasks = ask(lab, ListTasks())
    return {
        "platforms": {row.id for row in ask(lab, ListPlatforms())},
        "standbys": {row.id for row in ask(lab, ListStandbys())},
        "rules": {row.id for row in rules},
        "vms": {vm.vm for row in rules for vm in ask(lab, ListRuleVms(rule=row.id))},
        "points": {known.point.id for known in ask(lab, ListPoints())},
        "tasks": {row.id for row in tasks},
        "task lines": {str(line.id) for row in tasks for line in ask(lab, TaskDetails(task=row.id)).log},
        "lines": {str(row.line.id) for row in ask(lab, ReadLog()).rows},
        "retries": {str(retry) for retry in lab.catalog.retries.all()},
    }


def run_now(lab: RuleLab, rule: RuleId) -> TaskId:
    """Begin a backup of the VM of a rule."""
    (task,) = lab.engine.execute(RunNow(rule=rule, kind=BackupKind.FULL))
    return task


def named(lab: RuleLab) -> list[str]:
    """Return what the operator's log says of rows that cannot be read."""
    return [row.line.text for row in ask(lab, ReadLog()).rows if row.line.code in NAMED]


# --- every document and every change -----------------------------------------------------------------------------

DOCUMENTS = {
    "the request of a task": ("tasks", "request", "rowid = (SELECT min(rowid) FROM tasks)"),
    "the error of a task": ("tasks", "error_params", "state = 'failed'"),
    "a line of a task": ("log", "params", "id = (SELECT min(id) FROM log WHERE task_id IS NOT NULL)"),
    "a line of the log": ("log", "params", "id = (SELECT min(id) FROM log WHERE task_id IS NULL)"),
    "the settings of a rule": ("rules", "advanced", "name = 'nightly'"),
    "the policy of a rule": ("rules", "policy", "name = 'nightly'"),
    "what a platform is": ("platform_sightings", "facts", "TRUE"),
    "the error of a platform": ("platform_sightings", "error_params", "TRUE"),
    "a restore point": ("points", "body", "rowid = (SELECT min(rowid) FROM points)"),
    "the hooks": ("settings", "body", "name = 'hooks'"),
    "the notifications": ("settings", "body", "name = 'notifications'"),
    "the digest": ("settings", "body", "name = 'notifications.digest'"),
    "the clock": ("settings", "body", "name = 'clock'"),
}


def parsed(change: Callable[[Any], Any]) -> Callable[[str], str]:
    def changed(text: str) -> str:
        try:
            document = json.loads(text)
        except ValueError:  # the digest is a moment
            document = text
        return json.dumps(change(document))

    return changed


def in_depth(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Apply a change to each value that is no document itself."""

    def changed(document: Any) -> Any:
        if isinstance(document, dict):
            return {key: changed(value) for key, value in document.items()}
        if isinstance(document, list):
            return [changed(value) for value in document]
        return change(document)

    return changed


def without_fields(document: Any) -> Any:
    """Leave out the first field at every depth."""
    if isinstance(document, dict):
        kept = list(document.items())[1:] if len(document) > 1 else list(document.items())
        return {key: without_fields(value) for key, value in kept}
    return [without_fields(value) for value in document] if isinstance(document, list) else document


def with_field(document: Any) -> Any:
    """Add a field at every depth."""
    if isinstance(document, dict):
        return {**{key: with_field(value) for key, value in document.items()}, "colour": "blue"}
    return [with_field(value) for value in document] if isinstance(document, list) else document


CHANGES: dict[str, Callable[[str], str]] = {
    "not JSON": lambda _: "what?",
    "nothing": lambda _: "",
    "another document": lambda _: "[]",
    "a field less": parsed(without_fields),
    "a field more": parsed(with_field),
    "unknown choices": parsed(in_depth(lambda value: "sideways" if isinstance(value, str) else value)),
    "wrong types": parsed(in_depth(lambda _: {"un": "expected"})),
}
NOT_MISSED = {"the request of a task", "the digest"}
"""An ended task is listed without it; a digest tells of what comes from now on."""


@pytest.fixture(scope="module")
def before(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What is listed while nothing is wrong."""
    statement = "UPDATE settings SET body = body WHERE name = 'hooks'"
    with started_over(site, tmp_path_factory.mktemp("before"), statement) as lab:
        found = listed(lab)
        lab.tick()
        assert named(lab) == []
    assert all(found.values()), "there is something of each kind"
    return found


@pytest.mark.parametrize("change", sorted(CHANGES))
@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_a_changed_document_is_understood_or_named_and_nothing_else_is_lost(
    site: Site, before: dict[str, set[str]], tmp_path: Path, document: str, change: str
) -> None:
    table, column, where = DOCUMENTS[document]
    connection = sqlite3.connect(site.directory / "catalog.db")
    (text,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    connection.close()
    as_text = text.decode() if isinstance(text, bytes) else text or "{}"
    changed: str | bytes = CHANGES[change](as_text)
    if isinstance(text, bytes):
        changed = str(changed).encode()
    with started_over(site, tmp_path, f"UPDATE {table} SET {column} = ? WHERE {where}", changed) as lab:
        after = listed(lab)
        lab.tick()
        told = named(lab)
    lost = {kind: before[kind] - after[kind] for kind in before if kind != "lines"}
    of_rule: dict[str, set[str]] = {"rules": {site.rules[0]}, "vms": {site.vms[0]}}
    for kind, keys in lost.items():
        assert keys <= (of_rule.get(kind, set()) if table == "rules" else set()), kind
    if any(lost.values()):
        assert len(told) == 1
    if change in ("not JSON", "another document") and document not in NOT_MISSED:
        assert len(told) == 1


# --- what becomes of them ----------------------------------------------------------------------------------------


def test_a_rule_that_cannot_be_read_is_named_and_the_other_rule_runs(site: Site, tmp_path: Path) -> None:
    with started_over(site, tmp_path, "UPDATE rules SET policy = '{}' WHERE name = 'nightly'") as lab:
        assert any("The rule nightly cannot be read" in text for text in named(lab))
        before = {row.id for row in lab.tasks()}
        lab.at(local(12, day=3))
        begun = [row for row in lab.tasks() if row.id not in before]
        assert [(row.rule, row.state) for row in begun] == [(site.rules[1], TaskState.COMPLETED)]


def test_a_rule_made_again_takes_the_name_and_vms_of_the_one_that_cannot_be_read(
    site: Site, tmp_path: Path
) -> None:
    with started_over(site, tmp_path, "UPDATE rules SET advanced = 'what?' WHERE name = 'nightly'") as lab:
        again = lab.rule(site.vms[0], name="nightly")
        assert {row.id for row in ask(lab, ListRules())} == {again, site.rules[1]}
        lab.at(local(12, day=3))
        assert [row.state for row in lab.tasks() if row.rule == again] == [TaskState.COMPLETED]


def test_a_backup_without_its_hooks_is_refused_until_they_are_entered_again(site: Site, tmp_path: Path) -> None:
    with started_over(site, tmp_path, "UPDATE settings SET body = 'what?' WHERE name = 'hooks'") as lab:
        with pytest.raises(HooksNotReadable, match="Enter them again"):
            lab.engine.ask(ReadHooks())
        lab.tick()
        assert any("The settings hooks cannot be read" in text for text in named(lab))
        report = lab.finished(run_now(lab, site.rules[0]))
        assert report.task.error is not None
        assert report.task.error.code == HooksNotReadable.code
        hooks = Hooks(after=HookCommand(arguments=("true",)))
        lab.engine.execute(SetHooks(hooks=hooks))
        assert ask(lab, ReadHooks()).common == hooks
        assert lab.finished(run_now(lab, site.rules[0])).task.state is TaskState.COMPLETED


def test_the_list_of_points_is_whole_again_after_a_start(site: Site, tmp_path: Path) -> None:
    where = "rowid = (SELECT min(rowid) FROM points)"
    with started_over(
        site, tmp_path, f"UPDATE points SET body = 'what?', created_at = 'never' WHERE {where}"
    ) as lab:
        lab.tick()
        assert any("is read from its standby machine again" in text for text in named(lab))
        listed_points = [known.point for known in ask(lab, ListPoints())]
        assert {point.facts.vm for point in listed_points} == set(site.vms)
        assert sum(tally.count for tally in lab.catalog.points.tallies()) == len(listed_points)
