"""Parts of answers are kept until something changes them, and never longer than they can be believed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.engine.history.held import HeldAnswers
from tests.support.fakes import TurnableClock

MINUTE = timedelta(minutes=1)


class Lab:
    """Answers that count how often they were read."""

    def __init__(self) -> None:
        self.changes = ChangeFeed()
        self.clock = TurnableClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.held = HeldAnswers(self.changes, self.clock)
        self.reads = 0

    def ask(self, given: object = None, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Ask; return the number of the reading that is answered."""

        def read() -> int:
            self.reads += 1
            number = self.reads
            meanwhile()
            return number

        return self.held.get("answer", read, of=[Subject.TASKS, Subject.POINTS], at_most=MINUTE, given=given)


def test_it_is_read_once_until_a_subject_of_it_changes() -> None:
    lab = Lab()
    assert [lab.ask(), lab.ask()] == [1, 1]
    lab.changes.note(Subject.LOG)
    assert lab.ask() == 1
    lab.changes.note(Subject.POINTS, ["s"])
    assert [lab.ask(), lab.ask()] == [2, 2]


def test_other_givens_and_other_times_are_other_answers() -> None:
    lab = Lab()
    assert [lab.ask("today"), lab.ask("tomorrow"), lab.ask("tomorrow")] == [1, 2, 2]
    lab.clock.turn(60)
    assert lab.ask("tomorrow") == 3
    lab.clock.turn(-1)
    assert lab.ask("tomorrow") == 4, "a clock that was set back is not believed either"


def test_what_changed_while_it_was_read_is_read_again() -> None:
    lab = Lab()
    assert lab.ask(meanwhile=lambda: lab.changes.note(Subject.TASKS)) == 1
    assert [lab.ask(), lab.ask()] == [2, 2]
