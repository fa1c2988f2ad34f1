"""One question at a time: once more where it was asked meanwhile, and nothing after it was withdrawn."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtWidgets import QApplication
from shiboken6 import delete

from app.contract.base import Command, Query
from app.contract.platforms import ListVms
from app.contract.rules import StopRules
from app.domain.errors import LoginRefused
from app.domain.events import Event
from app.domain.ids import PlatformId
from app.views.widgets.question import Question
from app.workers.door import DoorClient

REFUSED = LoginRefused(address="vc-1", user="backup")


def vms(name: str) -> ListVms:
    return ListVms(platform=PlatformId(name))


class HandLine:
    """A line to an engine that answers when the test says so."""

    def __init__(self) -> None:
        self.sent: list[Command[Any] | Query[Any]] = []
        self.coming: list[Future[Any]] = []

    def request(self, request: Command[Any] | Query[Any]) -> Future[Any]:
        self.sent.append(request)
        self.coming.append(Future())
        return self.coming[-1]

    def subscribe(self, _listener: Callable[[Event], None]) -> Callable[[], None]:
        return lambda: None

    def answer(self, place: int, answer: object) -> None:
        """Answer the request of a place, and hand the answer over."""
        coming = self.coming[place]
        if isinstance(answer, Exception):
            coming.set_exception(answer)
        else:
            coming.set_result(answer)
        QCoreApplication.sendPostedEvents()


class Asking:
    """A question with its owner, and what was heard."""

    def __init__(self, client: DoorClient) -> None:
        self.owner = QObject()
        self.question = Question(client, self.owner)
        self.done: list[object] = []
        self.failed: list[object] = []

    @property
    def state(self) -> tuple[bool, bool]:
        """Whether an answer is on its way, and whether it is asked once more."""
        return self.question.is_open, self.question.is_asked_again

    def ask(self, name: str) -> None:
        self.question.ask(vms(name), self.done.append, self.failed.append)


@pytest.fixture
def line() -> HandLine:
    return HandLine()


@pytest.fixture
def client(qapp: QApplication, line: HandLine) -> Iterator[DoorClient]:
    client = DoorClient(line)
    yield client
    assert client.close()


@pytest.fixture
def asking(client: DoorClient) -> Asking:
    return Asking(client)


def test_an_answer_ends_the_question(line: HandLine, asking: Asking) -> None:
    assert asking.state == (False, False)
    asking.ask("a")
    assert asking.state == (True, False)
    line.answer(0, ("vm",))
    assert asking.done == [("vm",)]
    assert asking.state == (False, False)
    asking.ask("b")
    assert line.sent == [vms("a"), vms("b")]


def test_what_is_asked_meanwhile_is_asked_once_more_with_the_newest_query(line: HandLine, asking: Asking) -> None:
    for name in "abcd":
        asking.ask(name)
    assert line.sent == [vms("a")]
    assert asking.state == (True, True)
    line.answer(0, 1)
    assert line.sent == [vms("a"), vms("d")]
    assert asking.state == (True, False)
    line.answer(1, 2)
    assert asking.done == [1, 2]
    assert len(line.sent) == 2


def test_a_failure_is_told_and_what_was_asked_meanwhile_follows(line: HandLine, asking: Asking) -> None:
    asking.ask("a")
    asking.ask("b")
    line.answer(0, REFUSED)
    assert asking.failed == [REFUSED]
    line.answer(1, "late")
    assert asking.done == ["late"]


def test_neither_callback_follows_what_was_withdrawn(line: HandLine, asking: Asking, client: DoorClient) -> None:
    asking.ask("a")
    asking.ask("b")
    asking.question.withdraw()
    assert line.coming[0].cancelled()
    assert client.waiting_owners() == []
    assert asking.state == (False, False)
    asking.ask("c")
    assert line.sent == [vms("a"), vms("c")]
    line.answer(1, "c")
    assert (asking.done, asking.failed) == (["c"], [])


def test_an_answer_that_came_but_was_not_told_yet_is_withdrawn_as_well(line: HandLine, asking: Asking) -> None:
    asking.ask("a")
    line.coming[0].set_result("early")
    asking.question.withdraw()
    asking.ask("b")
    QCoreApplication.sendPostedEvents()
    assert asking.done == []
    line.answer(1, "b")
    assert asking.done == ["b"]


def test_what_is_asked_instead_is_the_only_one_that_is_answered(line: HandLine, asking: Asking) -> None:
    asking.ask("a")
    asking.ask("b")
    asking.question.ask_instead(vms("c"), asking.done.append, asking.failed.append)
    assert line.sent == [vms("a"), vms("c")]
    assert line.coming[0].cancelled()
    assert asking.state == (True, False)
    line.answer(1, "c")
    assert (asking.done, asking.failed) == (["c"], [])
    asking.question.ask_instead(vms("d"), asking.done.append, asking.failed.append)
    line.answer(2, REFUSED)
    assert (asking.done, asking.failed) == (["c"], [REFUSED])


def test_withdrawing_what_was_never_asked_changes_nothing(line: HandLine, asking: Asking) -> None:
    asking.question.withdraw()
    assert line.sent == []


def test_a_callback_that_asks_is_the_newest(line: HandLine, asking: Asking) -> None:
    def go_on(_: object) -> None:
        assert asking.question.is_asked_again
        asking.ask("c")

    asking.question.ask(vms("a"), go_on, asking.failed.append)
    asking.ask("b")
    line.answer(0, ())
    assert line.sent == [vms("a"), vms("c")]
    line.answer(1, "c")
    assert asking.done == ["c"]
    assert len(line.sent) == 2


def test_a_callback_that_withdraws_stops_what_was_asked_meanwhile(line: HandLine, asking: Asking) -> None:
    asking.question.ask(vms("a"), lambda _: asking.question.withdraw(), asking.failed.append)
    asking.ask("b")
    line.answer(0, ())
    assert line.sent == [vms("a")]
    assert not asking.question.is_open


def test_the_end_of_the_owner_withdraws_the_question(line: HandLine, asking: Asking) -> None:
    asking.ask("a")
    asking.ask("b")
    delete(asking.owner)
    assert line.coming[0].cancelled()
    QCoreApplication.sendPostedEvents()
    assert asking.done == []
    assert line.sent == [vms("a")]


def test_an_owner_that_a_callback_ends_asks_no_more(line: HandLine, asking: Asking) -> None:
    asking.question.ask(vms("a"), lambda _: delete(asking.owner), asking.failed.append)
    asking.ask("b")
    line.answer(0, ())
    assert line.sent == [vms("a")]


def test_commands_of_the_same_owner_are_not_withdrawn(line: HandLine, asking: Asking, client: DoorClient) -> None:
    command = StopRules(rules=())
    client.execute(command, owner=asking.owner, on_done=asking.done.append, on_failed=asking.failed.append)
    asking.ask("a")
    asking.question.withdraw()
    assert client.waiting_owners() == [asking.owner]
    line.answer(0, "stopped")
    assert asking.done == ["stopped"]
