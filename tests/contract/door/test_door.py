"""What a caller of the engine may rely on, wherever the engine is."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import pytest

from app.contract.base import Query
from app.contract.errors import EngineAway
from app.contract.hooks import ReadHooks, SetHooks
from app.contract.log import LogFilter, ReadLog
from app.contract.notifications import ReadNotifications, SetNotifications
from app.contract.platforms import (
    DescribeVm,
    ListPlatforms,
    ListVms,
    ProbePlatform,
    RegisterPlatform,
    RemovePlatform,
    UpdatePlatform,
)
from app.contract.points import ListPoints, StartVerify
from app.contract.program import RaiseWindow
from app.contract.rules import ListRules
from app.contract.standbys import ListStandbys
from app.contract.tasks import CancelTask, ListTasks, SampleProgress, StartBackup, TaskDetails, TaskLogLines
from app.contract.wire import request_kinds
from app.domain.changes import Changed, Subject
from app.domain.engine_events import NotificationRaised, WindowRaiseAsked
from app.domain.errors import LoginRefused, OperationalError
from app.domain.events import Event
from app.domain.hooks import HookCommand, Hooks
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId
from app.domain.notifications import NotificationSettings
from app.domain.states import BackupKind, TaskState
from app.engine.errors import AlreadyRegistered, PlatformUnknown, RequestRefused, StandbyUnknown, TaskUnknown
from tests.contract.door.conftest import Site
from tests.support.engine_lab import EngineLab, filled_vm
from tests.support.local_hypervisor import PASSWORD
from tests.support.refusals import refused
from tests.support.waiting import wait_until


def start_backup(site: Site) -> TaskId:
    request = StartBackup(
        platform=site.lab.platform,
        vm=filled_vm(site.lab),
        vm_name="web",
        standby=site.lab.standby,
        rule_name="nightly",
        kind=BackupKind.FULL,
    )
    return site.door.execute(request)


def ended(site: Site, task: TaskId) -> TaskState:
    def state() -> TaskState | None:
        found = site.door.ask(TaskDetails(task=task)).task.state
        return found if found.is_final else None

    found = wait_until(state, deadline_s=30, what="the end of the task")
    assert found is not None
    assert site.lab.engine.wait_until_idle(30)
    return found


# --- answers -------------------------------------------------------------------------------------------------


def test_what_is_asked_is_answered_with_the_same_values(site: Site) -> None:
    assert site.door.ask(ListPlatforms()) == site.lab.catalog.platforms.all()
    assert site.door.ask(ListStandbys()) == site.lab.catalog.standbys.all()
    vm = filled_vm(site.lab)
    (summary,) = site.door.ask(ListVms(platform=site.lab.platform))
    assert summary.id == vm
    assert site.door.ask(DescribeVm(platform=site.lab.platform, vm=vm)).summary == summary
    assert site.door.ask(ProbePlatform(platform=site.lab.platform)).full_name


def test_a_backup_from_first_to_last(site: Site) -> None:
    task = start_backup(site)
    assert ended(site, task) is TaskState.COMPLETED
    (row,) = site.door.ask(ListTasks())
    assert row.id == task
    (known,) = site.door.ask(ListPoints(standby=site.lab.standby))
    assert known.point.id == row.point
    report = site.door.ask(TaskDetails(task=task))
    assert report.task == row
    lines = site.door.ask(TaskLogLines(task=task))
    assert [line.code for line in lines][:1] == ["task.started"]
    assert site.door.ask(TaskLogLines(task=task, after=lines[-1].id)) == ()
    verify = site.door.execute(StartVerify(standby=site.lab.standby, point=known.point.id))
    assert ended(site, verify) is TaskState.COMPLETED


def test_the_log_is_paged(site: Site) -> None:
    task = start_backup(site)
    ended(site, task)
    wanted = LogFilter(task=task)
    page = site.door.ask(ReadLog(filter=wanted, limit=3))
    assert len(page.rows) == 3
    assert page.older is not None
    rest = site.door.ask(ReadLog(filter=wanted, before=page.older, limit=100))
    assert not {row.line.id for row in page.rows} & {row.line.id for row in rest.rows}


def test_settings_are_kept_behind_the_door(site: Site) -> None:
    settings = NotificationSettings(desktop=False)
    site.door.execute(SetNotifications(settings=settings))
    assert site.door.ask(ReadNotifications()).settings == settings
    hooks = Hooks(before=HookCommand(arguments=("echo", "安静")))
    site.door.execute(SetHooks(hooks=hooks))
    assert site.door.ask(ReadHooks()).common == hooks
    assert site.door.ask(ListRules()) == ()


# --- errors --------------------------------------------------------------------------------------------------

_NOBODY = PlatformId("nobody")
REFUSED: list[tuple[Any, type[OperationalError]]] = [
    (ListVms(platform=_NOBODY), PlatformUnknown),
    (RemovePlatform(platform=_NOBODY), PlatformUnknown),
    (TaskDetails(task=TaskId("nobody")), TaskUnknown),
    (CancelTask(task=TaskId("nobody")), TaskUnknown),
    (StartVerify(standby=StandbyId("nobody"), point="x/y"), StandbyUnknown),  # type: ignore[arg-type]
    (SetHooks(rule=RuleId("nobody"), hooks=Hooks()), RequestRefused),
]


@pytest.mark.parametrize(("request_", "kind"), REFUSED, ids=lambda value: getattr(type(value), "__name__", ""))
def test_a_refusal_is_the_same_error(site: Site, request_: Any, kind: type[OperationalError]) -> None:
    act = site.door.ask if isinstance(request_, Query) else site.door.execute
    with refused(kind) as caught:
        act(request_)
    assert caught.value.code == kind.code
    assert caught.value.message
    assert caught.value.hint


def test_errors_keep_their_parameters(site: Site) -> None:
    known = site.door.ask(ListPlatforms())[0]
    with refused(AlreadyRegistered) as caught:
        site.door.execute(RegisterPlatform(name="other", address=known.address, user="root", password=PASSWORD))
    assert caught.value.params["name"] == known.name
    with refused(LoginRefused):
        site.door.execute(UpdatePlatform(platform=known.id, name=known.name, user="root", password="wrong"))
    assert site.door.ask(ListPlatforms()) == (known,)


# --- events --------------------------------------------------------------------------------------------------


def running_tasks(site: Site) -> list[TaskId]:
    return [sample.task for sample in site.door.ask(SampleProgress()).tasks]


def test_events_come_in_the_order_of_what_happened(site: Site) -> None:
    heard: list[Event] = []
    seen: list[TaskState] = []

    def ask(event: Event) -> None:
        """Ask upon each change, as a window does."""
        heard.append(event)
        if isinstance(event, Changed) and event.subject is Subject.TASKS:
            query = ListTasks(ids=cast(tuple[TaskId, ...], event.keys))
            with suppress(EngineAway):  # the last answers may come when the site is closed already
                seen.extend(row.state for row in site.door.ask(query))

    unsubscribe = site.door.subscribe(ask)
    task = start_backup(site)
    assert ended(site, task) is TaskState.COMPLETED
    wait_until(lambda: seen[-1:] == [TaskState.COMPLETED], what="the last state, asked upon the last change")
    stages = [stage.state for stage in site.door.ask(TaskDetails(task=task)).task.stages]
    places = [stages.index(state) for state in seen]
    assert places == sorted(places), "no answer is older than the one before"
    moments = [event.at for event in heard]
    assert moments == sorted(moments)
    unsubscribe()


def test_a_failure_is_heard(site: Site) -> None:
    heard: list[Event] = []
    site.door.subscribe(heard.append)
    site.door.execute(SetHooks(hooks=Hooks(before=HookCommand(arguments=("/no/such/program",)))))
    task = start_backup(site)
    assert ended(site, task) is TaskState.FAILED
    wait_until(
        lambda: [event for event in heard if isinstance(event, NotificationRaised) and event.task == task],
        what="the failure",
    )


def test_a_listener_that_unsubscribes_hears_no_more(site: Site) -> None:
    first: list[Event] = []
    second: list[Event] = []
    unsubscribe = site.door.subscribe(first.append)
    site.door.subscribe(second.append)
    unsubscribe()
    heard_before = len(first)  # what was announced between the two is no mistake
    site.door.execute(RaiseWindow())
    wait_until(lambda: [event for event in second if isinstance(event, WindowRaiseAsked)], what="the event")
    assert len(first) == heard_before
    assert not [event for event in first if isinstance(event, WindowRaiseAsked)]


@pytest.mark.allows_log("event listener failed")
def test_a_listener_that_fails_does_not_silence_the_others(site: Site) -> None:
    heard: list[Event] = []

    def broken(_: Event) -> None:
        raise ValueError("a listener's own bug")

    site.door.subscribe(broken)
    site.door.subscribe(heard.append)
    site.door.execute(RemovePlatform(platform=site.lab.platform))
    wait_until(
        lambda: [event for event in heard if isinstance(event, Changed) and event.subject is Subject.PLATFORMS],
        what="the event",
    )


# --- many at once --------------------------------------------------------------------------------------------


@pytest.fixture
def held(site: Site) -> Iterator[threading.Event]:
    """Hold every call of the hypervisor that saves a configuration until the event is set."""
    go_on = threading.Event()

    def hold(call: str) -> None:
        if call == "save_configuration":
            assert go_on.wait(30)

    site.lab.host.faults.on_call = hold
    yield go_on
    go_on.set()
    assert site.lab.engine.wait_until_idle(30)


def test_the_door_answers_while_tasks_run_and_stops_them(site: Site, held: threading.Event) -> None:
    task = start_backup(site)
    wait_until(lambda: task in running_tasks(site), what="the task's counters")
    site.door.execute(CancelTask(task=task))
    held.set()
    assert ended(site, task) is TaskState.STOPPED


def test_many_callers_at_once(site: Site) -> None:
    def ask(number: int) -> bool:
        if number % 3:
            return len(site.door.ask(ListPlatforms())) == 1
        with refused(TaskUnknown):
            site.door.ask(TaskDetails(task=TaskId(str(number))))
        return True

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(ask, range(200)))


# --- completeness --------------------------------------------------------------------------------------------


def test_every_command_and_query_that_can_be_sent_is_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    with EngineLab(tmp_path_factory.mktemp("lab")) as lab:
        answered = lab.engine.requests()
    sendable = set(request_kinds())
    assert sorted(kind.__name__ for kind in sendable - answered) == []
    assert sorted(kind.__name__ for kind in answered - sendable) == []
