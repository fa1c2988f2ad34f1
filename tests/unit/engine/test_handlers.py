"""Handlers are found by the request that they are marked with, and mypy holds them against the contract."""

import pytest

from app.contract.tasks import CancelTask, ListTasks, StartBackup, TaskRow
from app.domain.ids import TaskId
from app.engine.handlers import handler_table, handles


class Tasks:
    def __init__(self) -> None:
        self.cancelled: list[TaskId] = []

    @handles(CancelTask)
    def _cancel(self, command: CancelTask) -> None:
        self.cancelled.append(command.task)

    @handles(ListTasks)
    def _list(self, _: ListTasks) -> tuple[TaskRow, ...]:
        return ()


class AlsoTasks:
    @handles(CancelTask)
    def _stop(self, command: CancelTask) -> None:
        raise AssertionError


def test_each_request_finds_the_method_that_is_marked_with_it() -> None:
    tasks = Tasks()
    table = handler_table([tasks])
    assert set(table) == {CancelTask, ListTasks}
    table[CancelTask](CancelTask(task=TaskId("t1")))
    assert tasks.cancelled == ["t1"]
    assert table[ListTasks](ListTasks()) == ()


def test_a_request_with_two_handlers_is_refused() -> None:
    with pytest.raises(ValueError, match="CancelTask has two handlers"):
        handler_table([Tasks(), AlsoTasks()])


def test_an_object_that_handles_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="object handles no request"):
        handler_table([Tasks(), object()])


def test_mypy_refuses_a_handler_of_another_request_or_another_answer() -> None:
    """Each ignored error has to be there: mypy fails on one that it does not find."""

    class Wrong:
        @handles(StartBackup)  # type: ignore[arg-type]
        def _takes_another_command(self, command: CancelTask) -> TaskId:
            return command.task

        @handles(CancelTask)  # type: ignore[arg-type]
        def _returns_something_else(self, command: CancelTask) -> TaskId:
            return command.task

        @handles(ListTasks)  # type: ignore[arg-type]
        def _returns_other_rows(self, _: ListTasks) -> tuple[TaskId, ...]:
            return ()

    assert set(handler_table([Wrong()])) == {StartBackup, CancelTask, ListTasks}
